package deflate

import (
	"math"
	"math/bits"
	"slices"
)

// code is a Huffman code as it is written: its bits reversed, with their
// number above them.
type code uint32

func makeCode(canonical uint16, size uint8) code {
	return code(bits.Reverse16(canonical)>>(16-size)&0xffff) | code(size)<<16
}

func (k code) bits() uint32 { return uint32(k & 0xffff) }
func (k code) size() uint   { return uint(k >> 16) }

// The codes of fixed blocks (RFC 1951, 3.2.6).
var (
	fixedLitLenCodes = func() []code {
		a := makeAlphabet(len(fixedLitLenBits))
		for s := range a.counts {
			a.counts[s] = 1
		}
		a.collect()
		copy(a.lengths, fixedLitLenBits[:])
		a.assign()
		return a.codes
	}()
	fixedDistanceCodes = func() []code {
		codes := make([]code, numDistance)
		for i := range codes {
			codes[i] = makeCode(uint16(i), fixedDistanceBits)
		}
		return codes
	}()
)

// alphabet is a set of symbols on the way to a Huffman code of their own.
type alphabet struct {
	counts  []uint32 // how often each symbol occurs
	present []uint32 // those that occur, rising: count<<9 | symbol
	lengths []uint8  // of their codes; 0 for those that do not occur
	codes   []code   // undefined for those
}

func makeAlphabet(n int) alphabet {
	return alphabet{make([]uint32, n), make([]uint32, 0, n), make([]uint8, n), make([]code, n)}
}

func (a *alphabet) size() int {
	return 4*len(a.counts) + 4*cap(a.present) + len(a.lengths) + 4*len(a.codes)
}

// collect finds the symbols that occur.
func (a *alphabet) collect() {
	present := a.present[:cap(a.present)]
	n := 0
	for s, c := range a.counts {
		present[n] = c<<9 | uint32(s)
		if c != 0 {
			n++
		}
	}
	a.present = present[:n]
}

// collectMarked does the same where each that occurs is a bit in marks.
func (a *alphabet) collectMarked(marks []uint64) {
	present := a.present[:cap(a.present)]
	n := 0
	for i, m := range marks {
		for ; m != 0; m &= m - 1 {
			s := 64*i + bits.TrailingZeros64(m)
			present[n] = a.counts[s]<<9 | uint32(s)
			n++
		}
	}
	a.present = present[:n]
}

// bits is what all symbols take with codes of these lengths.
func (a *alphabet) bits(lengths []uint8) (sum int) {
	for _, p := range a.present {
		sum += int(p>>9) * int(lengths[p&511])
	}
	return sum
}

// entropy is the least that they take with any code, in bits; it may be off by
// some for the sake of speed.
func (a *alphabet) entropy() int {
	total, sum := uint32(0), 0
	for _, p := range a.present {
		total += p >> 9
		sum += int(p>>9) * log2Of(p>>9)
	}
	return (int(total)*log2Of(total) - sum) / 16
}

// log2 is the logarithm of 1 to 255, rounded down to 1/16.
var log2 = func() (l [256]uint8) {
	for i := 1; i < len(l); i++ {
		l[i] = uint8(math.Log2(float64(i)) * 16)
	}
	return l
}()

// log2Of is the logarithm of n in units of 1/16.
func log2Of(n uint32) int {
	shift := max(0, bits.Len32(n)-8)
	return 16*shift + int(log2[n>>shift&255])
}

// assign makes the canonical code (RFC 1951, 3.2.2) of the lengths.
func (a *alphabet) assign() {
	var next [maxCodeBits + 2]uint16
	for _, p := range a.present {
		next[a.lengths[p&511]+1]++
	}
	first := uint16(0)
	for l := 1; l <= maxCodeBits; l++ {
		next[l], first = first<<1, first<<1+next[l+1]
	}
	for _, p := range a.present {
		l := a.lengths[p&511]
		a.codes[p&511] = makeCode(next[l&15], l)
		next[l&15]++
	}
}

// tree is the scratch space of findLengths.
type tree struct {
	leaves [numLitLen]uint32     // as alphabet.present, but by rising count
	weight [numLitLen]uint32     // of inner nodes
	parent [2 * numLitLen]uint16 // of leaves, then of inner nodes
	depth  [numLitLen]uint8      // of inner nodes
}

// sort returns the symbols by rising count. Most counts are small, so they are
// dealt into buckets first.
func (t *tree) sort(present []uint32) []uint32 {
	const buckets = 64
	var next [buckets]uint16 // counts, then indexes
	for _, p := range present {
		next[min(p>>9, buckets-1)]++
	}
	sum := uint16(0)
	for i, n := range next {
		next[i] = sum
		sum += n
	}
	leaves := t.leaves[:len(present)]
	large := next[buckets-1]
	for _, p := range present {
		at := &next[min(p>>9, buckets-1)]
		leaves[*at] = p
		*at++
	}
	slices.Sort(leaves[large:])
	return leaves
}

// findLengths finds the lengths, at most limit, of a prefix code that takes the
// fewest bits, or close to that where the limit bites. A symbol that occurs
// alone gets 1.
func (a *alphabet) findLengths(t *tree, limit int) {
	clear(a.lengths)
	leaves := t.sort(a.present)
	n := len(leaves)
	if n < 2 {
		for _, l := range leaves {
			a.lengths[l&511] = 1
		}
		return
	}

	// Huffman's tree. Inner nodes come into being with rising weight, so that
	// two queues, the leaves and the inner nodes, yield the two lightest.
	weight := t.weight[:n-1]
	leafParent, innerParent := t.parent[:n], t.parent[n:2*n-1]
	leaf, inner := 0, 0
	for made := range weight {
		sum := uint32(0)
		for range 2 {
			if leaf < n && (inner >= made || leaves[leaf]>>9 <= weight[inner]) {
				sum += leaves[leaf] >> 9
				leafParent[leaf] = uint16(made)
				leaf++
			} else {
				sum += weight[inner]
				innerParent[inner] = uint16(made)
				inner++
			}
		}
		weight[made] = sum
	}

	// From the root down: how many leaves at which depth.
	depth := t.depth[:n-1]
	depth[n-2] = 0
	for i := n - 3; i >= 0; i-- {
		depth[i] = depth[innerParent[i]] + 1
	}
	var count [maxCodeBits + 1]int
	excess := -1 << limit // of codes, in units of the longest code's share
	for _, p := range leafParent {
		l := min(int(depth[p])+1, limit)
		count[l]++
		excess += 1 << (limit - l)
	}
	// Leaves that were cut off at the limit take too much of the code space: a
	// shorter code makes place for itself and one of them a bit longer.
	for ; excess > 0; excess-- {
		l := limit - 1
		for count[l] == 0 {
			l--
		}
		count[l]--
		count[l+1] += 2
		count[limit]--
	}
	for l := limit; l > 0; l-- {
		for _, s := range leaves[:count[l]] {
			a.lengths[s&511] = uint8(l)
		}
		leaves = leaves[count[l]:]
	}
}
