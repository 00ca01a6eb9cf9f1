package deflate

import (
	"bytes"
	"math/rand/v2"
	"testing"
)

// TestTheFormOfABlock: the shortest of the three is chosen, in the same way by all
// levels.
func TestTheFormOfABlock(t *testing.T) {
	rng := rand.New(rand.NewPCG(1951, 3))
	noise := make([]byte, 300)
	for i := range noise {
		noise[i] = byte(rng.Uint32())
	}
	digits := make([]byte, 2000)
	for i := range digits {
		digits[i] = '0' + byte(rng.IntN(10))
	}
	for _, tt := range []struct {
		name    string
		message []byte
		want    byte
	}{
		{"noise", noise, blockStored},
		{"a few bytes", []byte("hello, hello"), blockFixed},
		{"few different ones", digits, blockDynamic},
		{"a run", bytes.Repeat([]byte("a"), 200), blockFixed},
	} {
		for _, l := range levels {
			packed := NewCompressor(12, l.level).Append(nil, tt.message, true)
			if got := packed[0] >> 1 & 3; got != tt.want {
				t.Errorf("%s, %s: a block of type %d, want %d", tt.name, l.name, got, tt.want)
			}
		}
	}
}

// TestLevels: each level takes fewer bytes than the one that is faster.
func TestLevels(t *testing.T) {
	for _, bits := range windows() {
		var sizes []int
		for _, l := range levels {
			c, size := NewCompressor(bits, l.level), 0
			for i := range 1000 {
				size += len(c.Append(nil, event(i), true))
			}
			sizes = append(sizes, size)
		}
		if sizes[0] <= sizes[1] || sizes[1] < sizes[2] {
			t.Errorf("%d bits: %d bytes from the fastest level to the best", bits, sizes)
		}
	}
}
