package deflate

import (
	"bytes"
	"compress/flate"
	"fmt"
	"io"
	"math/rand/v2"
	"testing"
)

// tail is what RFC 7692, 7.2.1 has the sender take off and the receiver put
// back.
const tail = "\x00\x00\xff\xff"

var levels = []struct {
	name  string
	level Level
}{{"fastest", Fastest}, {"default", Default}, {"best", Best}}

// windows returns all window bits, or in a short run some.
func windows() []int {
	if testing.Short() {
		return []int{8, 12, 15}
	}
	return []int{8, 9, 10, 11, 12, 13, 14, 15}
}

// inflateAll decompresses one message.
func inflateAll(t testing.TB, d *Decompressor, message []byte) []byte {
	t.Helper()
	out, err := inflate(d, message, len(message))
	if err != nil {
		t.Fatalf("decompress %d bytes: %v", len(message), err)
	}
	return out
}

// inflate decompresses one message that comes in pieces of the given size.
func inflate(d *Decompressor, message []byte, piece int) (all []byte, err error) {
	for len(message) > 0 {
		in := message[:min(max(piece, 1), len(message))]
		message = message[len(in):]
		for {
			out, n, err := d.Next(in)
			all = append(all, out...)
			if err != nil {
				return all, err
			}
			in = in[n:]
			if n == 0 && len(out) == 0 {
				break
			}
		}
		if len(in) > 0 {
			return all, fmt.Errorf("%d bytes are not taken", len(in))
		}
	}
	for {
		out, err := d.Finish()
		all = append(all, out...)
		if err != nil || len(out) == 0 {
			return all, err
		}
	}
}

// standardInflate decompresses one message with compress/flate.
func standardInflate(message, history []byte) ([]byte, error) {
	r := flate.NewReaderDict(io.MultiReader(bytes.NewReader(message), bytes.NewReader([]byte(tail))), history)
	out, err := io.ReadAll(r)
	if err == io.ErrUnexpectedEOF { // there is no final block
		err = nil
	}
	return out, err
}

// messages is a conversation of all sorts of messages.
func messages() [][]byte {
	rng := rand.New(rand.NewPCG(7692, 1))
	random := func(n int) []byte {
		b := make([]byte, n)
		for i := range b {
			b[i] = byte(rng.Uint32())
		}
		return b
	}
	text := func(n int) []byte {
		words := []string{"window ", "message ", "the ", "of ", "compress", "ed ", "frame, ", "octet ", "ü", "\n"}
		var b []byte
		for len(b) < n {
			b = append(b, words[rng.IntN(len(words))]...)
		}
		return b[:n]
	}
	var all [][]byte
	for n := range 20 {
		all = append(all, text(n), random(n), bytes.Repeat([]byte("a"), n))
	}
	for i := range 60 {
		all = append(all, fmt.Appendf(nil, `{"id":%d,"user":"u%d","text":"hello %d","ok":%t}`, i*7, rng.IntN(9), rng.IntN(1000), i%3 == 0))
	}
	large := []int{255, 256, 257, 258, 259, 1000, 4096, 32767, 32768, 32769, 70000, 200000}
	if testing.Short() {
		large = []int{255, 256, 257, 258, 259, 1000, 4096, 32769}
	}
	for _, n := range large {
		all = append(all, text(n), random(n), bytes.Repeat([]byte{0}, n), bytes.Repeat([]byte("abc"), n/3))
		mixed := append(random(n/3), text(n/3)...)
		all = append(all, append(mixed, mixed[:n/3]...))
	}
	return all
}

func TestRoundTrip(t *testing.T) {
	t.Parallel()
	all := messages()
	for _, l := range levels {
		for _, bits := range windows() {
			for _, takeover := range []bool{true, false} {
				t.Run(fmt.Sprintf("%s/%d/takeover=%t", l.name, bits, takeover), func(t *testing.T) {
					t.Parallel()
					c, d := NewCompressor(bits, l.level), NewDecompressor(bits)
					var history, packed []byte
					for i, m := range all {
						if !takeover {
							c.Reset()
							d.Reset()
							history = nil
						}
						packed = c.Append(packed[:0], m, true)
						if out := inflateAll(t, d, packed); !bytes.Equal(out, m) {
							t.Fatalf("message %d, %d bytes: other bytes came back", i, len(m))
						}
						out, err := standardInflate(packed, history)
						if err != nil || !bytes.Equal(out, m) {
							t.Fatalf("message %d, %d bytes: compress/flate: other bytes, or %v", i, len(m), err)
						}
						history = append(history, m...)
						history = history[max(0, len(history)-1<<bits):]
					}
				})
			}
		}
	}
}
