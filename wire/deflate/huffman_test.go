package deflate

import (
	"math/rand/v2"
	"testing"
)

// TestFindLengths: the lengths make a complete code within the limit, which
// takes hardly more than Huffman's.
func TestFindLengths(t *testing.T) {
	rng := rand.New(rand.NewPCG(1951, 1952))
	for _, tt := range []struct{ symbols, limit, most int }{
		{numLitLen, maxCodeBits, 1025}, {numDistance, maxCodeBits, 1025}, {numCodeLength, maxHeaderCodeBits, 316},
	} {
		a := makeAlphabet(tt.symbols)
		table := make([]uint32, 1<<maxCodeBits)
		var own, best int
		for round := range 3000 {
			clear(a.counts)
			left := 2 + rng.IntN(tt.most-1)
			for left > 0 {
				n := 1 + rng.IntN(left)
				if round%3 == 0 {
					n = min(left, 1+rng.IntN(3))
				}
				a.counts[rng.IntN(tt.symbols)] += uint32(n)
				left -= n
			}
			a.collect()
			a.findLengths(uint32(1+round%2), tt.limit)
			share := 0
			for s, l := range a.lengths {
				if (l != 0) != (a.counts[s] != 0) || int(l) > tt.limit {
					t.Fatalf("%v occur: symbol %d has %d bits", a.counts, s, l)
				}
				if l != 0 {
					share += 1 << (tt.limit - int(l))
				}
			}
			if len(a.present) > 1 && (share != 1<<tt.limit || !buildTable(table, maxCodeBits, a.lengths, make([]uint32, 288), false)) {
				t.Fatalf("%v occur: lengths %v are no complete code", a.counts, a.lengths)
			}
			if len(a.present) > 1 && round%2 == 0 {
				own += a.bits(a.lengths)
				best += huffmanBits(a.present)
			}
		}
		if own > best+best/50 {
			t.Errorf("%d symbols: %d bits, %d with Huffman's code", tt.symbols, own, best)
		}
	}
}

// huffmanBits is what the symbols take with Huffman's code without a limit.
func huffmanBits(present []uint32) (sum int) {
	var weights []int
	for _, p := range present {
		weights = append(weights, int(p>>9))
	}
	lightest := func() (w int) {
		at := 0
		for i := range weights {
			if weights[i] < weights[at] {
				at = i
			}
		}
		w = weights[at]
		weights[at] = weights[len(weights)-1]
		weights = weights[:len(weights)-1]
		return w
	}
	for len(weights) > 1 {
		w := lightest() + lightest()
		sum += w
		weights = append(weights, w)
	}
	return sum
}
