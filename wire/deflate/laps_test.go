package deflate

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"
)

// TestLaps: wherever the Decompressor's buffer ends and begins anew, matches reach
// back as far as the window does, and the history is what came out last.
func TestLaps(t *testing.T) {
	t.Parallel()
	for bits := 8; bits <= 15; bits++ {
		t.Run(fmt.Sprint(bits), func(t *testing.T) {
			t.Parallel()
			rng := rand.New(rand.NewPCG(7692, uint64(bits)))
			window := 1 << bits
			c, d := NewCompressor(bits, Default), NewDecompressor(bits)
			var all []byte
			laps, across := 0, 0
			for range 3 * (window + spare) / 100 {
				m := make([]byte, 1+rng.IntN(70))
				for i := range m {
					m[i] = byte(rng.Uint32())
				}
				if len(all) > window {
					// What is about to leave the window, or a part nearer than that.
					from := len(all) - window + len(m) + rng.IntN(4)*rng.IntN(window/4)
					m = append(m, all[from:min(len(all), from+1+rng.IntN(200))]...)
				}
				before, lap := d.w, d.lap
				packed := c.Append(nil, m, true)
				if out := inflateAll(t, d, packed); !bytes.Equal(out, m) {
					t.Fatalf("%d bytes behind %d: other bytes came back", len(m), len(all))
				}
				if d.w < before {
					laps++
				}
				if lap > 0 && before < window && len(packed) < len(m) {
					across++
				}
				all = append(all, m...)
				want := all[max(0, len(all)-window):]
				if got := d.AppendHistory(nil); !bytes.Equal(got, want) {
					t.Fatalf("a history of %d bytes behind %d, of %d are expected", len(got), len(all), len(want))
				}
			}
			if laps == 0 || across == 0 {
				t.Errorf("%d laps, %d messages with a match into the one before", laps, across)
			}
		})
	}
}
