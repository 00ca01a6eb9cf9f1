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

var (
	fixedLitLenCodes = func() (codes [numLitLen]code) {
		var all [288]code
		assignCodes(all[:], fixedLitLenBits[:])
		copy(codes[:], all[:])
		return codes
	}()
	fixedDistanceCodes = func() (codes [numDistance]code) {
		for i := range codes {
			codes[i] = makeCode(uint16(i), fixedDistanceBits)
		}
		return codes
	}()
)

// assignCodes makes the canonical code (RFC 1951, 3.2.2) of these lengths.
func assignCodes(codes []code, lengths []uint8) {
	var count, next [maxCodeBits + 2]uint16
	for _, l := range lengths {
		count[l&15]++
	}
	count[0] = 0
	for l := 1; l <= maxCodeBits; l++ {
		next[l+1] = (next[l] + count[l]) << 1
	}
	for s, l := range lengths {
		if l != 0 {
			codes[s] = makeCode(next[l&15], l)
			next[l&15]++
		}
	}
}

// codeLengths finds the lengths, at most limit, of a prefix code that takes the
// fewest bits for these counts, or close to that where the limit bites. A
// symbol that does not occur gets 0; one that occurs alone gets 1.
func codeLengths(lengths []uint8, counts []uint32, limit int) {
	// Leaves by rising count, the symbol in the low bits.
	var sorted [numLitLen]uint32
	n := 0
	for s, c := range counts {
		lengths[s] = 0
		if c > 0 {
			sorted[n] = c<<9 | uint32(s)
			n++
		}
	}
	leaves := sorted[:n]
	slices.Sort(leaves)
	if n < 2 {
		for _, l := range leaves {
			lengths[l&511] = 1
		}
		return
	}

	// Huffman's tree. Inner nodes come into being with rising weight, so that
	// two queues, the leaves and the inner nodes, yield the two lightest.
	var weight [numLitLen]uint32
	var parent [2 * numLitLen]uint16 // leaves first, then inner nodes
	leaf, inner := 0, 0
	for made := range n - 1 {
		sum := uint32(0)
		for range 2 {
			if leaf < n && (inner >= made || leaves[leaf]>>9 <= weight[inner]) {
				sum += leaves[leaf] >> 9
				parent[leaf] = uint16(made)
				leaf++
			} else {
				sum += weight[inner]
				parent[n+inner] = uint16(made)
				inner++
			}
		}
		weight[made] = sum
	}

	// From the root down: how many leaves at which depth.
	var depth [numLitLen]uint8
	var count [maxCodeBits + 1]int
	for i := n - 3; i >= 0; i-- {
		depth[i] = depth[parent[n+i]] + 1
	}
	excess := -1 << limit // of codes, in units of the longest code's share
	for i := range n {
		l := min(int(depth[parent[i]])+1, limit)
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
	i := 0
	for l := limit; l > 0; l-- {
		for range count[l] {
			lengths[leaves[i]&511] = uint8(l)
			i++
		}
	}
}

// dynamicHeader is the code lengths of a dynamic block on their way to the
// stream (RFC 1951, 3.2.7).
type dynamicHeader struct {
	lengths   [numLitLen + numDistance]uint8
	litLens   int
	distances int

	runs       []uint16 // symbols, extra bits above
	room       [numLitLen + numDistance]uint16
	codeCounts [numCodeLength]uint32
	codeLens   [numCodeLength]uint8
	codes      [numCodeLength]code
	sent       int
}

// log2 is the logarithm of 1 to 255, rounded down to 1/16.
var log2 = func() (l [256]uint8) {
	for i := 1; i < len(l); i++ {
		l[i] = uint8(math.Log2(float64(i)) * 16)
	}
	return l
}()

// leastBits is a guess, on the low side, of what plan would return: nearly the
// entropy of the symbols, and a lean header.
func (t *blockCodes) leastBits() int {
	used := 0
	entropy := func(counts []uint32) int {
		total, sum := uint32(0), 0
		for _, n := range counts {
			if n == 0 {
				continue
			}
			used++
			total += n
			sum += int(n) * log2Of(n)
		}
		return int(total)*log2Of(total) - sum
	}
	bits := entropy(t.litLenCount[:]) + entropy(t.distanceCount[:])
	return bits/16 + 14 + 3*12 + 2*used
}

// log2Of is the logarithm of n in units of 1/16.
func log2Of(n uint32) int {
	shift := max(0, bits.Len32(n)-8)
	return 16*shift + int(log2[n>>shift&255])
}

// plan makes the code lengths of a dynamic block from the counts. It returns how many
// bits its header and its symbols take, without the symbols' extra bits.
func (t *blockCodes) plan() (size int) {
	h := &t.header
	var distances [numDistance]uint8
	codeLengths(h.lengths[:numLitLen], t.litLenCount[:], maxCodeBits)
	codeLengths(distances[:], t.distanceCount[:], maxCodeBits)
	for s, n := range t.litLenCount {
		size += int(n) * int(h.lengths[s])
	}
	for s, n := range t.distanceCount {
		size += int(n) * int(distances[s])
	}
	h.litLens, h.distances = numLitLen, numDistance
	for h.litLens > lengthSymbol && h.lengths[h.litLens-1] == 0 {
		h.litLens--
	}
	for h.distances > 1 && distances[h.distances-1] == 0 {
		h.distances--
	}
	copy(h.lengths[h.litLens:], distances[:h.distances])
	return size + h.plan()
}

func (h *dynamicHeader) plan() (size int) {
	h.runs = h.room[:0]
	clear(h.codeCounts[:])
	lengths := h.lengths[:h.litLens+h.distances]
	for len(lengths) > 0 {
		l := lengths[0]
		run := 1
		for run < len(lengths) && lengths[run] == l {
			run++
		}
		lengths = lengths[run:]
		if l != 0 {
			h.add(uint16(l), 0)
			run--
		}
		for run >= 3 {
			switch {
			case l != 0:
				n := min(run, 6)
				h.add(repeatPrevious, n-3)
				run -= n
			case run < 11:
				h.add(repeatZero, run-3)
				run = 0
			default:
				n := min(run, 138)
				h.add(repeatZeroLong, n-11)
				run -= n
			}
		}
		for range run {
			h.add(uint16(l), 0)
		}
	}
	codeLengths(h.codeLens[:], h.codeCounts[:], 7)
	h.sent = numCodeLength
	for h.sent > 4 && h.codeLens[codeLengthOrder[h.sent-1]] == 0 {
		h.sent--
	}
	size = 14 + 3*h.sent
	for s, n := range h.codeCounts {
		size += int(n) * (int(h.codeLens[s]) + int(codeLengthEntry[s]&entryBitsMask))
	}
	return size
}

func (h *dynamicHeader) add(symbol uint16, extra int) {
	h.runs = append(h.runs, symbol|uint16(extra)<<8)
	h.codeCounts[symbol]++
}

func (c *Compressor) appendDynamicHeader(dst []byte) []byte {
	t := c.codes
	h := &t.header
	assignCodes(h.codes[:], h.codeLens[:])
	assignCodes(t.litLen[:], h.lengths[:h.litLens])
	assignCodes(t.distance[:], h.lengths[h.litLens:h.litLens+h.distances])
	dst = c.put(dst, uint32(h.litLens-257)|uint32(h.distances-1)<<5|uint32(h.sent-4)<<10, 14)
	for _, s := range codeLengthOrder[:h.sent] {
		dst = c.put(dst, uint32(h.codeLens[s]), 3)
	}
	for _, r := range h.runs {
		k := h.codes[r&255]
		dst = c.put(dst, k.bits()|uint32(r>>8)<<k.size(), k.size()+uint(codeLengthEntry[r&255]&entryBitsMask))
	}
	return dst
}
