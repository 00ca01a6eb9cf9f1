package utf8

import (
	"bytes"
	"slices"
	"strconv"
	"testing"
	"unicode/utf8"
)

// fillers stand around what is to be judged: text of characters of one, two,
// three, four and of all those bytes.
var fillers = []string{"a", "κ", "水", "🜂", "aκ水🜂"}

// surrounded puts p behind about n bytes of filler, which begin with skip of
// ASCII so that p can stand anywhere in a block, and more of it behind.
func surrounded(p []byte, filler string, skip, n int) []byte {
	text := bytes.Repeat([]byte("-"), skip)
	for len(text) < n {
		text = append(text, filler...)
	}
	text = append(text, p...)
	for end := len(text) + n; len(text) < end; {
		text = append(text, filler...)
	}
	return text
}

// compareWithStandard compares all answers with those of unicode/utf8.
func compareWithStandard(t *testing.T, p []byte) {
	t.Helper()
	if got, want := Valid(p), utf8.Valid(p); got != want {
		t.Fatalf("Valid(% x) = %v; want %v", p, got, want)
	}
	if n := good(p); !utf8.Valid(p[:n]) {
		t.Fatalf("good(% x) = %d, which is not valid", p, n)
	}
	wantBad, wantWhole := firstImpossible(p)
	var c Checker
	if bad := c.Check(p); bad != wantBad || bad == len(p) && c.Whole() != wantWhole {
		t.Fatalf("% x: first impossible byte %d, whole %v; want %d, %v", p, bad, c.Whole(), wantBad, wantWhole)
	}
}

// Every pair and triple of edges, at every place of two blocks.
func TestValidInLongText(t *testing.T) {
	t.Parallel()
	if !vectorised {
		t.Log("no vector unit here: both sides are unicode/utf8")
	}
	for _, filler := range fillers {
		for skip := range 64 {
			if testing.Short() && skip%7 != 0 {
				continue
			}
			for _, a := range []byte(utf8Edges) {
				for _, b := range []byte(utf8Edges) {
					compareWithStandard(t, surrounded([]byte{a, b}, filler, skip, 130))
				}
			}
		}
		for _, a := range []byte(utf8Edges) {
			for _, b := range []byte(utf8Edges) {
				for _, c := range []byte(utf8Edges) {
					compareWithStandard(t, surrounded([]byte{a, b, c}, filler, 0, 130))
					compareWithStandard(t, surrounded([]byte{a, b, c, 0xbf}, filler, 3, 130))
				}
			}
		}
	}
}

// Every length and every end: what is left of the last block, and a character
// that is cut.
func TestValidOfEveryLength(t *testing.T) {
	t.Parallel()
	for _, filler := range fillers {
		text := surrounded(nil, filler, 0, 200)
		for n := range text {
			// Behind what is looked at stands what would make it invalid.
			p := append(slices.Clone(text[:n]), "\xff\xff\xff\xff"...)[:n]
			compareWithStandard(t, p)
			for i := max(0, n-70); i < n; i++ {
				kept := p[i]
				for _, b := range []byte("\x80\xc3\xe1\xf1\xff") {
					p[i] = b
					compareWithStandard(t, p)
				}
				p[i] = kept
			}
		}
	}
}

func FuzzValidInLongText(f *testing.F) {
	f.Add([]byte("κόσμε"), 1, 3, 100)
	f.Add([]byte("a\xed\xa0\x80"), 2, 31, 64)
	f.Add([]byte("\xf4\x8f\xbf\xbf\xf4\x90"), 3, 63, 300)
	f.Add([]byte("\xf0\x90"), 0, 61, 0)
	f.Fuzz(func(t *testing.T, p []byte, filler, skip, n int) {
		filler, skip, n = int(uint(filler)%uint(len(fillers))), int(uint(skip)%64), int(uint(n)%400)
		compareWithStandard(t, surrounded(p, fillers[filler], skip, n))
	})
}

func BenchmarkValid(b *testing.B) {
	for _, size := range []int{48, 96, 128, 1 << 10, 16 << 10} {
		for _, text := range []struct{ name, filler string }{
			{"ascii", "a"}, {"greek", "κ"}, {"kanji", "水"}, {"mixed", "some words and κ "},
		} {
			p := bytes.Repeat([]byte(text.filler), size/len(text.filler))
			for _, by := range []struct {
				name  string
				valid func([]byte) bool
			}{{"unicode", utf8.Valid}, {"here", Valid}, {"checker", func(p []byte) bool {
				var c Checker
				return c.Check(p) == len(p) && c.Whole()
			}}} {
				b.Run(text.name+"/"+strconv.Itoa(size)+"/"+by.name, func(b *testing.B) {
					b.SetBytes(int64(len(p)))
					b.ReportAllocs()
					for b.Loop() {
						if !by.valid(p) {
							b.Fatal("not valid")
						}
					}
				})
			}
		}
	}
}
