package utf8

import (
	"testing"
	"unicode/utf8"
)

// firstImpossible is what Checker.Check tells of a text in one piece, by
// way of unicode/utf8 alone.
func firstImpossible(p []byte) (bad int, whole bool) {
	for i := 0; i < len(p); {
		r, size := utf8.DecodeRune(p[i:])
		if r != utf8.RuneError || size > 1 {
			i += size
			continue
		}
		for n := 1; n <= len(p)-i; n++ {
			if utf8.FullRune(p[i : i+n]) { // no more bytes would help
				return i + n - 1, false
			}
		}
		return len(p), false
	}
	return len(p), true
}

// checkInPieces reads p cut before each byte whose bit is set in cuts.
func checkInPieces(p []byte, cuts uint) (bad int, whole bool) {
	var c Checker
	start := 0
	for end := 1; end <= len(p); end++ {
		if end < len(p) && cuts>>end&1 == 0 {
			continue
		}
		if i := c.Check(p[start:end]); i < end-start {
			return start + i, false
		}
		start = end
	}
	return len(p), c.Whole()
}

func compareUTF8(t *testing.T, p []byte) {
	t.Helper()
	wantBad, wantWhole := firstImpossible(p)
	if (wantBad == len(p) && wantWhole) != utf8.Valid(p) {
		t.Fatalf("% x: the oracle is wrong", p)
	}
	for cuts := uint(0); cuts < 1<<len(p); cuts += 2 {
		if bad, whole := checkInPieces(p, cuts); bad != wantBad || whole != wantWhole {
			t.Fatalf("% x cut at %b: first impossible byte %d, whole %v; want %d, %v", p, cuts, bad, whole, wantBad, wantWhole)
		}
	}
}

func TestUTF8OfEveryTwoBytes(t *testing.T) {
	t.Parallel()
	compareUTF8(t, nil)
	for pair := range 65536 {
		compareUTF8(t, []byte{byte(pair >> 8), byte(pair)})
	}
}

// The bytes at both ends of every range that RFC 3629 tells apart.
const utf8Edges = "\x00\x7f\x80\x8f\x90\x9f\xa0\xbf\xc0\xc1\xc2\xdf\xe0\xe1\xec\xed\xee\xef\xf0\xf1\xf3\xf4\xf5\xff"

func TestUTF8OfEveryThreeEdges(t *testing.T) {
	t.Parallel()
	for _, a := range []byte(utf8Edges) {
		for _, b := range []byte(utf8Edges) {
			for _, c := range []byte(utf8Edges) {
				compareUTF8(t, []byte{a, b, c})
				if a < 0xf0 {
					continue // nothing new in four
				}
				for _, d := range []byte(utf8Edges) {
					compareUTF8(t, []byte{a, b, c, d})
					compareUTF8(t, []byte{'a', a, b, c, d})
				}
			}
		}
	}
}

// Every character, with each of its cuts, in the middle of a text.
func TestUTF8OfEveryCharacter(t *testing.T) {
	t.Parallel()
	for r := rune(0); r <= utf8.MaxRune; r += 1 + r/4096 {
		if !utf8.ValidRune(r) {
			continue
		}
		compareUTF8(t, utf8.AppendRune([]byte("é"), r))
	}
}

func FuzzUTF8(f *testing.F) {
	f.Add([]byte("κόσμε"), uint(0b1010))
	f.Add([]byte("a\xed\xa0\x80"), uint(0b100))
	f.Add([]byte("\xf4\x8f\xbf\xbf\xf4\x90"), uint(0b100000))
	f.Fuzz(func(t *testing.T, p []byte, cuts uint) {
		wantBad, wantWhole := firstImpossible(p)
		if bad, whole := checkInPieces(p, cuts); bad != wantBad || whole != wantWhole {
			t.Fatalf("% x cut at %b: first impossible byte %d, whole %v; want %d, %v", p, cuts, bad, whole, wantBad, wantWhole)
		}
	})
}
