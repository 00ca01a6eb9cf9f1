package deflate

import (
	"math/rand/v2"
	"slices"
	"testing"
)

// TestMatchesBeginWhereTheyDo: also behind bytes that nothing is found for, of
// which ever fewer are searched for.
func TestMatchesBeginWhereTheyDo(t *testing.T) {
	rng := rand.New(rand.NewPCG(1951, 7))
	noise := func(n int) []byte {
		b := make([]byte, n)
		for i := range b {
			b[i] = byte(rng.Uint32())
		}
		return b
	}
	for _, level := range []Level{Default, Best} {
		phrase := noise(60)
		for before := range 150 {
			c := NewCompressor(15, level)
			c.Append(nil, phrase, true)
			m := append(noise(before), phrase...)
			c.takeTables()
			c.takeCodes()
			c.take(m)
			c.parse(c.end)
			var want []uint16
			for _, b := range m[:before] {
				want = append(want, uint16(b))
			}
			want = append(want, isMatch|60, uint16(len(m)-1))
			if got := c.symbols; !slices.Equal(got, want) {
				t.Fatalf("level %d, %d bytes before: %d symbols that end in %d, want %d that end in %d",
					level, before, len(got), got[len(got)-2:], len(want), want[len(want)-2:])
			}
		}
	}
}
