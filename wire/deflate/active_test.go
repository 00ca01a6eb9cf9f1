package deflate

import (
	"bytes"
	"math/rand/v2"
	"runtime"
	"testing"
)

// TestMemoryInTheMiddle: while both directions of a connection are in the middle
// of a message, with all that they borrow.
func TestMemoryInTheMiddle(t *testing.T) {
	limits := map[int]int{12: 48 << 10, 15: 160 << 10}
	rng := rand.New(rand.NewPCG(7692, 48))
	text := make([]byte, 100_000)
	for i := range text { // compressible, by a dynamic block only
		text[i] = 'a' + byte(rng.IntN(4)*rng.IntN(4))
	}
	for _, l := range levels {
		for bits := 8; bits <= 15; bits++ {
			open := func() (*Compressor, *Decompressor) {
				c, d := NewCompressor(bits, l.level), NewDecompressor(bits)
				c.Pool, d.Pool = new(lender), new(lender)
				in := c.Append(make([]byte, 0, len(text)), text, false)
				for len(in) > 0 {
					_, n, err := d.Next(in)
					if err != nil {
						t.Fatal(err)
					}
					in = in[n:]
				}
				return c, d
			}
			c, d := open()
			if c.codes == nil || d.dynamic == nil {
				t.Fatalf("%s, %d bits: not in the middle of a dynamic block", l.name, bits)
			}
			size := c.Size() + d.Size()
			if limit := limits[bits]; limit > 0 && size > limit {
				t.Errorf("%s, %d bits: %d bytes are held, more than %d", l.name, bits, size, limit)
			}
			heap := heapOf(func() any {
				c, d := open()
				return []any{c, d}
			})
			if heap > size+size/4+4096 { // the allocator rounds up
				t.Errorf("%s, %d bits: the sizes are %d, but %d bytes of heap are in use", l.name, bits, size, heap)
			}
			runtime.KeepAlive(c)
			runtime.KeepAlive(d)
		}
	}
}

// TestResetInAMessageForgetsItsSymbols: what was counted of it, too.
func TestResetInAMessageForgetsItsSymbols(t *testing.T) {
	for _, l := range levels {
		m := bytes.Repeat(event(7), 4)
		want := NewCompressor(12, l.level).Append(nil, m, true)
		c := NewCompressor(12, l.level)
		c.Append(nil, []byte("quite other symbols: QWXYZ!?#%&"), false)
		c.Append(nil, bytes.Repeat([]byte("0123456789 "), 50), false)
		c.Reset()
		if got := c.Append(nil, m, true); !bytes.Equal(got, want) {
			t.Errorf("%s: %d bytes, %d without the message that was given up", l.name, len(got), len(want))
		}
	}
}
