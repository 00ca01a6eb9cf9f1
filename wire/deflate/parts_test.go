package deflate

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"
)

// TestParts: a message may come in parts of any size, and what Append returns
// for each may be sent as it is.
func TestParts(t *testing.T) {
	t.Parallel()
	for _, l := range levels {
		for _, bits := range windows() {
			t.Run(fmt.Sprintf("%s/%d", l.name, bits), func(t *testing.T) {
				t.Parallel()
				rng := rand.New(rand.NewPCG(uint64(bits), uint64(l.level)))
				c, d := NewCompressor(bits, l.level), NewDecompressor(bits)
				whole := NewCompressor(bits, l.level)
				var inParts, atOnce int
				for i, m := range messages() {
					if len(m) > 100_000 {
						continue
					}
					var packed []byte
					for rest := m; ; {
						n := min(rng.IntN(1+len(m)/2), len(rest))
						if rng.IntN(4) == 0 {
							n = min(rng.IntN(20), len(rest))
						}
						final := n == len(rest) && rng.IntN(2) == 0
						packed = c.Append(packed, rest[:n], final)
						rest = rest[n:]
						if final {
							break
						}
					}
					if out := inflateAll(t, d, packed); !bytes.Equal(out, m) {
						t.Fatalf("message %d, %d bytes: other bytes came back", i, len(m))
					}
					inParts += len(packed)
					atOnce += len(whole.Append(nil, m, true))
				}
				if inParts > atOnce+atOnce/50 {
					t.Errorf("%d bytes in parts, %d at once", inParts, atOnce)
				}
			})
		}
	}
}

// TestTinyParts: even byte by byte matches are found.
func TestTinyParts(t *testing.T) {
	for _, l := range levels {
		c := NewCompressor(12, l.level)
		var packed, want []byte
		for i := range 50 {
			for _, b := range event(i) {
				packed = c.Append(packed, []byte{b}, false)
				want = append(want, b)
			}
		}
		packed = c.Append(packed, nil, true)
		if out := inflateAll(t, NewDecompressor(12), packed); !bytes.Equal(out, want) {
			t.Errorf("%s: other bytes came back", l.name)
		}
		if len(packed) > len(want)/2 {
			t.Errorf("%s: %d bytes of %d", l.name, len(packed), len(want))
		}
	}
}

// TestReset: without context takeover each message stands alone, also when the
// one before was left in the middle.
func TestReset(t *testing.T) {
	t.Parallel()
	for _, l := range levels {
		for _, bits := range windows() {
			c := NewCompressor(bits, l.level)
			for i, m := range messages() {
				if i%5 == 0 {
					c.Append(nil, m, false)
				}
				c.Reset()
				packed := c.Append(nil, m, true)
				if out := inflateAll(t, NewDecompressor(bits), packed); !bytes.Equal(out, m) {
					t.Fatalf("%s, %d bits, message %d: other bytes came back", l.name, bits, i)
				}
			}
		}
	}
}

// TestIncompressible: noise costs a few bytes for each stored block.
func TestIncompressible(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(5, 6))
	for _, l := range levels {
		for _, bits := range windows() {
			c := NewCompressor(bits, l.level)
			for _, n := range []int{1, 10, 100, 1000, 10_000, 100_000, 1_000_000} {
				m := make([]byte, n)
				for i := range m {
					m[i] = byte(rng.Uint32())
				}
				packed := c.Append(nil, m, true)
				if limit := n + 6 + n/100; len(packed) > limit {
					t.Errorf("%s, %d bits: %d bytes of noise take %d, more than %d", l.name, bits, n, len(packed), limit)
				}
			}
		}
	}
}
