package deflate

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"testing"
)

// bitString builds a DEFLATE stream by hand.
type bitString struct {
	b []byte
	n int
}

// value appends a number of n bits, as headers and extra bits are written.
func (s *bitString) value(v, n int) *bitString {
	for i := range n {
		if s.n%8 == 0 {
			s.b = append(s.b, 0)
		}
		s.b[s.n/8] |= byte(v>>i&1) << (s.n % 8)
		s.n++
	}
	return s
}

// code appends a Huffman code, its highest bit first.
func (s *bitString) code(v, n int) *bitString {
	for i := n - 1; i >= 0; i-- {
		s.value(v>>i&1, 1)
	}
	return s
}

// codeLengthCodes appends the lengths of the code length code: 0 but for those
// given, which are indexed by symbol.
func (s *bitString) codeLengthCodes(lengths map[int]int) *bitString {
	for _, symbol := range codeLengthOrder {
		s.value(lengths[int(symbol)], 3)
	}
	return s
}

func header(final, blockType int) *bitString {
	return new(bitString).value(final, 1).value(blockType, 2)
}

func dynamic(litLens, distances int) *bitString {
	return header(0, blockDynamic).value(litLens-257, 5).value(distances-1, 5).value(15, 4)
}

// faulty are messages that must be refused, and where.
var faulty = []struct {
	name    string
	message []byte
	fault   Fault
	bit     int64
}{
	{"reserved type", header(0, 3).b, BlockType, 0},
	{"reserved type behind a block", header(0, blockFixed).code(0, 7).value(0, 1).value(3, 2).b, BlockType, 10},
	{"stored length", []byte{0, 5, 0, 0xfa, 0xfe, 1, 2, 3, 4, 5, 0}, StoredLength, 8},
	{"287 literal/length codes", dynamic(287, 1).value(0, 60).b, CodeCount, 3},
	{"31 distance codes", dynamic(257, 31).value(0, 60).b, CodeCount, 3},
	{"code length code incomplete", dynamic(257, 1).codeLengthCodes(map[int]int{1: 1}).value(0, 60).b, CodeLengths, 17 + 57},
	{"code length code oversubscribed", dynamic(257, 1).codeLengthCodes(map[int]int{1: 1, 2: 1, 3: 1}).b, CodeLengths, 17 + 57},
	{"repetition of nothing", dynamic(257, 1).codeLengthCodes(map[int]int{1: 1, 16: 1}).code(1, 1).value(0, 60).b, CodeLengths, 17 + 57},
	{"too many lengths", dynamic(257, 1).codeLengthCodes(map[int]int{1: 1, 18: 1}).code(1, 1).value(127, 7).code(1, 1).value(127, 7).b, CodeLengths, 17 + 57 + 8},
	{"no end of block", dynamic(257, 1).codeLengthCodes(map[int]int{1: 1, 18: 1}).
		code(0, 1).code(0, 1).code(1, 1).value(127, 7).code(1, 1).value(118-11, 7).b, CodeLengths, 17 + 57 + 18},
	{"literal/length code 286", header(0, blockFixed).code(0b11000110, 8).value(0, 60).b, Symbol, 3},
	{"distance code 30", header(0, blockFixed).code(0b00110000+'a', 8).code(1, 7).code(30, 5).value(0, 60).b, Symbol, 11},
	{"distance before the first byte", header(0, blockFixed).code(1, 7).code(0, 5).value(0, 60).b, DistanceBeyondHistory, 3},
	{"distance one too far", header(0, blockFixed).code(0b00110000+'a', 8).code(1, 7).code(1, 5).value(0, 60).b, DistanceBeyondHistory, 11},
	{"no bytes at all", nil, Truncated, 0},
	{"ends in a header", []byte{blockDynamic << 1}, Truncated, 8},
	{"ends in a fixed block", unhexed("f2 48 cd c9"), Truncated, 32},
	{"ends in a stored block", []byte{0, 5, 0, 0xfa, 0xff, 'H', 'e'}, Truncated, 56},
	{"four bytes not removed", unhexed("f2 48 cd c9 c9 07 00 00 00 ff ff"), Truncated, 88},
	{"ends in the tail's length", unhexed("f2 48 cd c9 c9 07 00 00"), Truncated, 64},
}

func unhexed(s string) (b []byte) {
	for {
		var v byte
		n, _ := fmt.Sscanf(s, "%02x", &v)
		if n == 0 {
			return b
		}
		b = append(b, v)
		s = s[min(3, len(s)):]
	}
}

func TestFaults(t *testing.T) {
	t.Parallel()
	for _, tc := range faulty {
		t.Run(tc.name, func(t *testing.T) {
			for piece := 1; piece <= len(tc.message)+1; piece++ {
				d := NewDecompressor(15)
				_, err := inflate(d, tc.message, piece)
				var e *Error
				if !errors.As(err, &e) || e.Fault != tc.fault || e.Bit != tc.bit {
					t.Fatalf("in pieces of %d: %v, want %v at bit %d", piece, err, tc.fault, tc.bit)
				}
				if _, _, again := d.Next([]byte{0}); again != err {
					t.Errorf("after the error Next returns %v", again)
				}
				if _, again := d.Finish(); again != err {
					t.Errorf("after the error Finish returns %v", again)
				}
				d.Reset()
				if out := inflateAll(t, d, unhexed("f2 48 cd c9 c9 07 00")); string(out) != "Hello" {
					t.Errorf("after Reset: %q", out)
				}
			}
		})
	}
}

// TestDistanceBeyondWindow: a window is exact, on both sides of its edge.
func TestDistanceBeyondWindow(t *testing.T) {
	t.Parallel()
	for bits := 8; bits <= 15; bits++ {
		c := NewCompressor(15, Best)
		random := rand.New(rand.NewPCG(1, uint64(bits)))
		for _, extra := range []int{0, 1} {
			// Forty bytes, noise up to the edge, the same forty bytes.
			m := make([]byte, 1<<bits+extra)
			for i := range m {
				m[i] = byte(random.Uint32() & 63)
			}
			m = append(m, m[:40]...)
			c.Reset()
			packed := c.Append(nil, m, true)
			out, err := inflate(NewDecompressor(bits), packed, len(packed))
			if extra == 0 {
				if err != nil || !bytes.Equal(out, m) {
					t.Errorf("%d bits: distance %d: %v", bits, 1<<bits, err)
				}
				continue
			}
			if bits == 15 {
				if err != nil {
					t.Errorf("a distance beyond 32,768 was written: %v", err)
				}
				continue
			}
			var e *Error
			if !errors.As(err, &e) || e.Fault != DistanceBeyondWindow {
				t.Errorf("%d bits: distance %d: %v, want %v", bits, 1<<bits+1, err, DistanceBeyondWindow)
			}
		}
	}
}

// TestNoise: whatever the bytes and the cuts, there is one result.
func TestNoise(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(3, 4))
	good := NewCompressor(11, Default)
	for i, m := range messages() {
		if len(m) > 5000 {
			continue
		}
		packed := good.Append(nil, m, true)
		for range random.IntN(4) {
			packed[random.IntN(len(packed))] ^= 1 << random.IntN(8)
		}
		want, wantErr := inflate(NewDecompressor(11), packed, len(packed))
		for _, piece := range []int{1, 2, 3, 5, 7, 8, 9, 13, 64, 1000} {
			got, err := inflate(NewDecompressor(11), packed, piece)
			if !bytes.Equal(got, want) || fmt.Sprint(err) != fmt.Sprint(wantErr) {
				t.Fatalf("message %d in pieces of %d: %d bytes, %v; at once: %d bytes, %v", i, piece, len(got), err, len(want), wantErr)
			}
		}
	}
}

// TestBomb: what inflates a thousandfold comes in bounded pieces, and the
// caller can stop at any of them.
func TestBomb(t *testing.T) {
	c := NewCompressor(15, Default)
	bomb := c.Append(nil, make([]byte, 64<<20), true)
	if len(bomb) > 100<<10 {
		t.Fatalf("the bomb has %d bytes", len(bomb))
	}
	for _, bits := range windows() {
		d := NewDecompressor(bits)
		in, total, largest := bomb, 0, 0
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		for {
			out, n, err := d.Next(in)
			if err != nil {
				t.Fatal(err)
			}
			in = in[n:]
			total += len(out)
			largest = max(largest, len(out))
			if n == 0 && len(out) == 0 {
				break
			}
		}
		runtime.ReadMemStats(&after)
		if out, err := d.Finish(); err != nil || len(out) > 0 || total != 64<<20 {
			t.Fatalf("%d bits: %d bytes, then %d and %v", bits, total, len(out), err)
		}
		if limit := min(max(2<<10, 1<<bits), 8<<10); largest > limit {
			t.Errorf("%d bits: a piece has %d bytes, more than %d", bits, largest, limit)
		}
		if taken := after.TotalAlloc - before.TotalAlloc; taken > 128<<10 {
			t.Errorf("%d bits: %d bytes were allocated", bits, taken)
		}
	}
}

// TestNothingOfAnother: what a Decompressor was used for before it was Reset
// cannot be referred to, whether its memory is kept or its history was handed
// over.
func TestNothingOfAnother(t *testing.T) {
	t.Parallel()
	secret := bytes.Repeat([]byte("somebody else's message "), 50)
	c := NewCompressor(12, Default)
	first, again := c.Append(nil, secret, true), c.Append(nil, secret, true)
	d := NewDecompressor(12)
	for name, forget := range map[string]func(){
		"Reset":      func() { d.Reset() },
		"SetHistory": func() { d.SetHistory([]byte("one's own")) },
		"Compact":    func() { d.Compact(); d.Reset() },
	} {
		d.Reset()
		inflateAll(t, d, first)
		forget()
		out, err := inflate(d, again, len(again))
		var e *Error
		if !errors.As(err, &e) || e.Fault != DistanceBeyondHistory || len(out) > 0 {
			t.Errorf("behind %s: %q, %v", name, out, err)
		}
	}
}
