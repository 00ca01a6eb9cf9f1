package deflate

import "unsafe"

// blockCodes is what appendBlock works with.
type blockCodes struct {
	litLen   alphabet
	distance alphabet
	header   alphabet // the code length code
	tree
	room []uint16 // for the block's symbols

	// The code lengths of a dynamic block (RFC 1951, 3.2.7).
	lengths   [numLitLen + numDistance]uint8
	litLens   int      // of them
	distances int      // the rest
	runs      []uint16 // the same as symbols of the code length code, extra bits above
	codeLens  int      // of that code, in codeLengthOrder
}

func newBlockCodes(room int) *blockCodes {
	return &blockCodes{
		litLen:   makeAlphabet(numLitLen),
		distance: makeAlphabet(numDistance),
		header:   makeAlphabet(numCodeLength),
		room:     make([]uint16, 0, room),
		runs:     make([]uint16, 0, numLitLen+numDistance),
	}
}

func (t *blockCodes) size() int {
	return int(unsafe.Sizeof(*t)) + t.litLen.size() + t.distance.size() + t.header.size() + 2*(cap(t.runs)+cap(t.room))
}

// count counts the symbols of a block, and its end.
func (t *blockCodes) count(symbols []uint16) {
	litLen, distance := (*[numLitLen]uint32)(t.litLen.counts), (*[numDistance]uint32)(t.distance.counts)
	clear(litLen[:])
	clear(distance[:])
	// In a short message few symbols occur: each is marked, so that the rest
	// need not be looked at.
	var marks [(numLitLen + 63) / 64]uint64
	var distances [1]uint64
	for i := 0; i < len(symbols); i++ {
		s := symbols[i]
		if s < isMatch {
			litLen[s&255]++
			marks[s&255>>6] |= 1 << (s & 63)
			continue
		}
		i++
		l := lengthSymbol + uint(lengthSymbols[uint8(s-isMatch-minMatch)])
		litLen[l]++
		marks[lengthSymbol>>6] |= 1 << (l & 63)
		d := distanceSymbol(symbols[i])
		distance[d]++
		distances[0] |= 1 << d
	}
	litLen[endOfBlock] = 1
	marks[endOfBlock>>6] |= 1 << (endOfBlock & 63)
	t.litLen.collectMarked(marks[:])
	t.distance.collectMarked(distances[:])
}

// extraBits is what lengths and distances take besides their codes.
func (t *blockCodes) extraBits() (sum int) {
	for i, n := range t.litLen.counts[lengthSymbol:] {
		sum += int(n) * int(lengthExtra[i])
	}
	return sum + t.distance.bits(distanceExtra[:])
}

// fixedBits is what the symbols' codes take in a fixed block.
func (t *blockCodes) fixedBits() int {
	sum := t.litLen.bits(fixedLitLenBits[:])
	for _, p := range t.distance.present {
		sum += int(p>>9) * fixedDistanceBits
	}
	return sum
}

// leastBits is a guess, on the low side, of what plan would return: the entropy
// and a lean header.
func (t *blockCodes) leastBits() int {
	return t.litLen.entropy() + t.distance.entropy() + 14 + 3*12 + t.litLen.leastHeader() + t.distance.leastHeader()
}

// leastHeader is a guess, on the low side, of what the code lengths take in a
// dynamic block's header: two bits for each length or repetition, and the
// extra bits.
func (a *alphabet) leastHeader() (sum int) {
	next := uint32(0)
	for _, p := range a.present {
		switch gap := p&511 - next; {
		case gap < 3:
			sum += 2 * int(gap)
		case gap < 11:
			sum += 2 + 3
		default:
			sum += 2 + 7
		}
		sum += 2
		next = p&511 + 1
	}
	return sum
}

// plan finds the codes of a dynamic block. It returns how many bits its header
// and its symbols' codes take.
func (t *blockCodes) plan() (size int) {
	t.litLen.findLengths(&t.tree, maxCodeBits)
	t.distance.findLengths(&t.tree, maxCodeBits)
	size = t.litLen.bits(t.litLen.lengths) + t.distance.bits(t.distance.lengths)

	t.litLens, t.distances = numLitLen, numDistance
	for t.litLens > lengthSymbol && t.litLen.lengths[t.litLens-1] == 0 {
		t.litLens--
	}
	for t.distances > 1 && t.distance.lengths[t.distances-1] == 0 {
		t.distances--
	}
	copy(t.lengths[:], t.litLen.lengths[:t.litLens])
	copy(t.lengths[t.litLens:], t.distance.lengths[:t.distances])
	t.planRuns(t.lengths[:t.litLens+t.distances])

	t.header.collect()
	t.header.findLengths(&t.tree, 7)
	t.codeLens = numCodeLength
	for t.codeLens > 4 && t.header.lengths[codeLengthOrder[t.codeLens-1]] == 0 {
		t.codeLens--
	}
	return size + 14 + 3*t.codeLens + t.header.bits(t.header.lengths) + t.header.bits(codeLengthExtra[:])
}

// planRuns writes the lengths as single ones and repetitions.
func (t *blockCodes) planRuns(lengths []uint8) {
	t.runs = t.runs[:0]
	clear(t.header.counts)
	for len(lengths) > 0 {
		l := lengths[0]
		run := 1
		for run < len(lengths) && lengths[run] == l {
			run++
		}
		lengths = lengths[run:]
		if l != 0 {
			t.addRun(uint16(l), 0)
			run--
		}
		for run >= 3 {
			switch {
			case l != 0:
				n := min(run, 6)
				t.addRun(repeatPrevious, n-3)
				run -= n
			case run < 11:
				t.addRun(repeatZero, run-3)
				run = 0
			default:
				n := min(run, 138)
				t.addRun(repeatZeroLong, n-11)
				run -= n
			}
		}
		for range run {
			t.addRun(uint16(l), 0)
		}
	}
}

func (t *blockCodes) addRun(symbol uint16, extra int) {
	t.runs = append(t.runs, symbol|uint16(extra)<<8)
	t.header.counts[symbol]++
}

// appendDynamicHeader writes what goes before the symbols, as planned.
func (b *block) appendDynamicHeader(dst []byte) []byte {
	t := b.codes
	t.litLen.assign()
	t.distance.assign()
	t.header.assign()
	dst = b.put(dst, uint32(t.litLens-257)|uint32(t.distances-1)<<5|uint32(t.codeLens-4)<<10, 14)
	for _, s := range codeLengthOrder[:t.codeLens] {
		dst = b.put(dst, uint32(t.header.lengths[s]), 3)
	}
	for _, r := range t.runs {
		k := t.header.codes[r&255]
		dst = b.put(dst, k.bits()|uint32(r>>8)<<k.size(), k.size()+uint(codeLengthExtra[r&255]))
	}
	return dst
}
