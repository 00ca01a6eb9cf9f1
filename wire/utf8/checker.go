package utf8

import "unicode/utf8"

// Checker checks text that comes in pieces. The zero value stands at the
// start of a text.
type Checker struct {
	need   uint8 // continuation bytes that are missing
	lo, hi uint8 // the range of the next of them
}

// Check reads the next piece and returns the index of the first byte that no
// UTF-8 text can have there, or len(p). After an impossible byte the checker
// is of no more use.
func (c *Checker) Check(p []byte) int {
	i := 0
	for ; c.need > 0 && i < len(p); i++ {
		if p[i] < c.lo || p[i] > c.hi {
			return i
		}
		c.need, c.lo, c.hi = c.need-1, 0x80, 0xbf
	}
	i += good(p[i:])
	for i < len(p) {
		if p[i] < utf8.RuneSelf {
			i++
			continue
		}
		if !c.lead(p[i]) {
			return i
		}
		for i++; c.need > 0 && i < len(p); i++ {
			if p[i] < c.lo || p[i] > c.hi {
				return i
			}
			c.need, c.lo, c.hi = c.need-1, 0x80, 0xbf
		}
	}
	return len(p)
}

// Whole reports whether the text may end here.
func (c *Checker) Whole() bool { return c.need == 0 }

// lead takes the first byte of a character of two to four bytes. The range of
// its second byte keeps out overlong forms, surrogates and what is above
// U+10FFFF (RFC 3629 4).
func (c *Checker) lead(b byte) bool {
	c.lo, c.hi = 0x80, 0xbf
	switch {
	case b < 0xc2 || b > 0xf4:
		return false
	case b < 0xe0:
		c.need = 1
	case b < 0xf0:
		c.need = 2
		if b == 0xe0 {
			c.lo = 0xa0
		} else if b == 0xed {
			c.hi = 0x9f
		}
	default:
		c.need = 3
		if b == 0xf0 {
			c.lo = 0x90
		} else if b == 0xf4 {
			c.hi = 0x8f
		}
	}
	return true
}
