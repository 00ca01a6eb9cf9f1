package wire

import "unicode/utf8"

// utf8Checker checks text that comes in pieces. The zero value stands at the
// start of a text.
type utf8Checker struct {
	need   uint8 // continuation bytes that are missing
	lo, hi uint8 // the range of the next of them
}

// check reads the next piece and returns the index of the first byte that no
// UTF-8 text can have there, or len(p). After an impossible byte the checker
// is of no more use.
func (c *utf8Checker) check(p []byte) int {
	i := 0
	for ; c.need > 0 && i < len(p); i++ {
		if p[i] < c.lo || p[i] > c.hi {
			return i
		}
		c.need, c.lo, c.hi = c.need-1, 0x80, 0xbf
	}
	whole := len(p) - tail(p[i:])
	if utf8.Valid(p[i:whole]) {
		i = whole
	}
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

// whole reports whether the text may end here.
func (c *utf8Checker) whole() bool { return c.need == 0 }

// lead takes the first byte of a character of two to four bytes. The range of
// its second byte keeps out overlong forms, surrogates and what is above
// U+10FFFF (RFC 3629 4).
func (c *utf8Checker) lead(b byte) bool {
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

// tail returns how many bytes at the end of p may be the beginning of a
// character that goes on in the next piece: 0 to 3.
func tail(p []byte) int {
	for n := 1; n <= 3 && n <= len(p); n++ {
		switch b := p[len(p)-n]; {
		case b < 0x80:
			return 0
		case b >= 0xc0: // a leading byte, of n bytes so far
			if b >= 0xf0 && n < 4 || b >= 0xe0 && n < 3 || n < 2 {
				return n
			}
			return 0
		}
	}
	return 0
}
