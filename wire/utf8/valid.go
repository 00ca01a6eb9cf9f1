package utf8

import "unicode/utf8"

// Valid reports whether p is whole characters of UTF-8.
func Valid(p []byte) bool { return utf8.Valid(p[quick(p):]) }

// good returns the length of whole characters at the beginning of p, not
// always of all that there are: when the rest has a byte that is wrong.
func good(p []byte) int {
	n := quick(p)
	whole := len(p) - tail(p[n:])
	if utf8.Valid(p[n:whole]) {
		return whole
	}
	return n
}

// quick returns the length of whole characters at the beginning of p that the
// vector unit has checked, which may be none.
func quick(p []byte) int {
	if !vectorised || len(p) < vectorMin {
		return 0
	}
	// Each byte is judged with the three before it, so those come first.
	n := 0
	for n < 3 {
		r, size := utf8.DecodeRune(p[n:])
		if r == utf8.RuneError && size <= 1 {
			return n
		}
		n += size
	}
	n = blocks(p, n)
	return n - tail(p[:n])
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
