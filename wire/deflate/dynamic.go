package deflate

import (
	"encoding/binary"
	"unsafe"
)

// blockCodes is what appendBlock works with.
type blockCodes struct {
	litLen   alphabet
	distance alphabet
	header   alphabet // the code length code
	room     []uint16 // for the block's symbols

	// The literal/length symbols and the distance symbols that occur, a bit for
	// each: in a short message they are few.
	marks         [(numLitLen + 63) / 64]uint64
	distanceMarks uint64

	// The header of a dynamic block (RFC 1951, 3.2.7).
	litLens   int      // code lengths
	distances int      // more of them
	runs      []uint16 // all of them as symbols of the code length code, extra bits above
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

// clear begins the counting of a block's symbols.
func (t *blockCodes) clear() {
	clear(t.litLen.counts)
	clear(t.distance.counts)
	t.marks, t.distanceMarks = [len(t.marks)]uint64{}, 0
}

// collect ends the counting.
func (t *blockCodes) collect() {
	t.litLen.counts[endOfBlock] = 1
	t.marks[endOfBlock>>6] |= 1 << (endOfBlock & 63)
	t.litLen.collectMarked(t.marks[:])
	t.distance.collectMarked([]uint64{t.distanceMarks})
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
	// What occurs once counts as twice: see findLengths.
	t.litLen.findLengths(2, maxCodeBits)
	t.distance.findLengths(1, maxCodeBits)
	size = t.litLen.bits(t.litLen.lengths) + t.distance.bits(t.distance.lengths)
	t.litLens = t.litLen.used()
	t.distances = max(1, t.distance.used())
	t.planRuns()

	t.header.collect()
	t.header.findLengths(1, maxHeaderCodeBits)
	t.codeLens = numCodeLength
	for t.codeLens > 4 && t.header.lengths[codeLengthOrder[t.codeLens-1]] == 0 {
		t.codeLens--
	}
	return size + 14 + 3*t.codeLens + t.header.bits(t.header.lengths) + t.header.bits(codeLengthExtra[:])
}

// planRuns writes the lengths of both codes, one behind the other, as single
// ones and repetitions.
func (t *blockCodes) planRuns() {
	t.runs = t.runs[:0]
	clear(t.header.counts)
	next, length, run := 0, uint8(0), 0
	for i, a := range [...]*alphabet{&t.litLen, &t.distance} {
		for _, p := range a.present {
			s := int(p & 511)
			at := i*t.litLens + s
			if l := a.lengths[s]; l != length || at != next {
				t.addRun(length, run)
				t.addRun(0, at-next)
				length, run = l, 0
			}
			run++
			next = at + 1
		}
	}
	t.addRun(length, run)
	t.addRun(0, t.litLens+t.distances-next)
}

// addRun writes a length that occurs run times.
func (t *blockCodes) addRun(length uint8, run int) {
	if run > 0 && length != 0 {
		t.addToHeader(uint16(length), 0)
		run--
	}
	for run >= 3 {
		switch {
		case length != 0:
			n := min(run, 6)
			t.addToHeader(repeatPrevious, n-3)
			run -= n
		case run < 11:
			t.addToHeader(repeatZero, run-3)
			run = 0
		default:
			n := min(run, 138)
			t.addToHeader(repeatZeroLong, n-11)
			run -= n
		}
	}
	for range run {
		t.addToHeader(uint16(length), 0)
	}
}

func (t *blockCodes) addToHeader(symbol uint16, extra int) {
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
	out, w := dst[:cap(dst)], len(dst)
	acc, n := b.bits, b.nbits
	for _, r := range t.runs {
		binary.LittleEndian.PutUint64(out[w:], acc)
		w += int(n >> 3)
		acc >>= n &^ 7 & 63
		n &= 7
		k := code(t.header.counts[r&31])
		acc |= (uint64(k.bits()) | uint64(r>>8)<<(k.size()&63)) << n
		n += k.size() + uint(codeLengthExtra[r&31])
	}
	b.bits, b.nbits = acc, n
	return out[:w]
}
