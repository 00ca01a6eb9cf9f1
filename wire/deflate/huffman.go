package deflate

import (
	"math"
	"math/bits"
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
	fixedLitLenCodes = func() []uint32 {
		a := makeAlphabet(len(fixedLitLenBits))
		for s := range a.counts {
			a.counts[s] = 1
		}
		a.collect()
		copy(a.lengths, fixedLitLenBits[:])
		a.assign()
		return a.counts
	}()
	fixedDistanceCodes = func() []uint32 {
		codes := make([]uint32, numDistance)
		for i := range codes {
			codes[i] = uint32(makeCode(uint16(i), fixedDistanceBits))
		}
		return codes
	}()
)

// alphabet is a set of symbols on the way to a Huffman code of their own.
type alphabet struct {
	counts  []uint32 // how often each symbol occurs; from assign on, its code
	present []uint32 // those that occur, rising: count<<9 | symbol
	lengths []uint8  // of their codes; 0 for those that do not occur
}

func makeAlphabet(n int) alphabet {
	return alphabet{make([]uint32, n), make([]uint32, 0, n), make([]uint8, n)}
}

func (a *alphabet) size() int {
	return 4*len(a.counts) + 4*cap(a.present) + len(a.lengths)
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

// used is one more than the last symbol that occurs.
func (a *alphabet) used() int {
	if n := len(a.present); n > 0 {
		return int(a.present[n-1]&511) + 1
	}
	return 0
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
	if n < 256 {
		return int(log2[n])
	}
	shift := bits.Len32(n) - 8
	return 16*shift + int(log2[n>>(shift&31)&255])
}

// assign makes the canonical code (RFC 1951, 3.2.2) of the lengths, in place of
// the counts of the symbols that occur.
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
		a.counts[p&511] = uint32(makeCode(next[l&15], l))
		next[l&15]++
	}
}

// findLengths finds the lengths, at most limit, of a prefix code that takes
// nearly the fewest bits. A symbol that occurs alone gets 1. Symbols that occur
// less than least times count as if they did not: that makes their lengths
// alike.
//
// NOTE on how it does without Huffman's tree. A symbol that occurs c times gets
// the share of the code space that the power of two below c has in a power of
// two that is large enough. What is left over of the space goes to those whose
// share was rounded down the most: each of them gets twice its share, a bit
// less. That is Huffman's code but for some tenths of a percent, takes no
// sorting, and symbols that occur about equally often, which in text are
// neighbours, get equal lengths, which a block's header repeats cheaply.
func (a *alphabet) findLengths(least uint32, limit int) {
	clear(a.lengths)
	if len(a.present) < 2 {
		for _, p := range a.present {
			a.lengths[p&511] = 1
		}
		return
	}
	for !a.share(least, limit) {
		least *= 2
	}
}

// share does that, or reports false if a length is beyond the limit.
func (a *alphabet) share(least uint32, limit int) bool {
	var cells [256]uint16   // symbols by logarithm: its fraction, then the whole of it
	var occupied [16]uint16 // for each fraction, a bit for each whole number
	sum := uint32(0)
	for _, p := range a.present {
		l := log2Of(max(p>>9, least))
		a.lengths[p&511] = uint8(l)
		cells[l&255]++
		occupied[l&15] |= 1 << (l >> 4 & 15)
		sum += 1 << (l >> 4 & 15)
	}
	space := bits.Len32(sum - 1)
	left := 1<<space - sum

	// From here on a cell holds how many of its symbols get twice their share.
	for fraction := 15; fraction >= 0; fraction-- {
		for o := occupied[fraction]; o != 0; {
			whole := bits.Len16(o) - 1
			o &^= 1 << whole
			cell := &cells[whole<<4&255|fraction]
			*cell = uint16(min(uint32(*cell), left>>whole))
			left -= uint32(*cell) << whole
		}
	}
	longest := 0
	for _, p := range a.present {
		l := a.lengths[p&511]
		twice := min(cells[l], 1)
		cells[l] -= twice
		length := space - int(l>>4) - int(twice)
		a.lengths[p&511] = uint8(length)
		longest = max(longest, length)
	}

	// The shares of the longest codes divide what may still be left.
	for length := longest; left > 0; length-- {
		for _, p := range a.present {
			if l := &a.lengths[p&511]; int(*l) == length && left >= 1<<(space-length) {
				left -= 1 << (space - length)
				*l--
			}
		}
	}
	return longest <= limit
}
