package deflate

// A decode table turns the next bits of the stream into a symbol with one
// lookup, or two for long codes. It is indexed by the next root bits; the
// entry there either is the answer or leads to a subtable for the bits behind
// them. An entry packs all that the decoder needs:
//
//	bits  0-4   bits of the code and of the extra bits behind it, together
//	bits  8-11  bits of the code alone; in a link, bits that index the subtable
//	bits 12-15  the kind, one of the flags below; none: no such code
//	bits 16-31  a literal, a base length or distance, or a subtable's index
const (
	entryLiteral  = 1 << 12
	entryBase     = 1 << 13
	entryLink     = 1 << 14
	entryEnd      = 1 << 15
	entryBitsMask = 31
)

// Root sizes and the most entries that any complete code of the alphabet needs
// with them (as the "enough" program of Mark Adler counts).
const (
	litLenRoot     = 9
	litLenEntries  = 852
	distanceRoot   = 8
	distanceTotal  = 402
	codeLengthRoot = 7
)

type (
	litLenTable   [litLenEntries]uint32
	distanceTable [distanceTotal]uint32
)

// Prototype entries of each alphabet, to which a code's length is added.
var (
	litLenEntry = func() (e [288]uint32) {
		for s := range endOfBlock {
			e[s] = entryLiteral | uint32(s)<<16
		}
		e[endOfBlock] = entryEnd
		for i, base := range lengthBase {
			e[lengthSymbol+i] = entryBase | uint32(base)<<16 | uint32(lengthExtra[i])
		}
		return e // 286 and 287 stay without a kind
	}()
	distanceEntry = func() (e [32]uint32) {
		for i, base := range distanceBase {
			e[i] = entryBase | uint32(base)<<16 | uint32(distanceExtra[i])
		}
		return e // so do 30 and 31
	}()
	codeLengthEntry = func() (e [numCodeLength]uint32) {
		for s := range e {
			e[s] = entryLiteral | uint32(s)<<16 | uint32(codeLengthExtra[s])
		}
		return e
	}()
)

// The tables of fixed blocks, shared by every Decompressor.
var (
	fixedLitLen = func() *litLenTable {
		t := new(litLenTable)
		buildTable(t[:], litLenRoot, fixedLitLenBits[:], litLenEntry[:], false)
		return t
	}()
	fixedDistance = func() *distanceTable {
		t := new(distanceTable)
		var lengths [32]uint8
		for i := range lengths {
			lengths[i] = fixedDistanceBits
		}
		buildTable(t[:], distanceRoot, lengths[:], distanceEntry[:], false)
		return t
	}()
)

// buildTable fills a decode table for the canonical code (RFC 1951, 3.2.2)
// that has these code lengths, one for each of the first symbols of entries.
// It reports false when they make no complete prefix code. With sparse set it
// lets pass what an encoder must write for an alphabet of which it uses one
// symbol or none: one code of one bit, or no code.
func buildTable(table []uint32, root int, lengths []uint8, entries []uint32, sparse bool) bool {
	var count [maxCodeBits + 1]int
	for _, l := range lengths {
		count[l&15]++
	}
	count[0] = 0
	left, longest := 1, 0
	for l := 1; l <= maxCodeBits; l++ {
		left = left<<1 - count[l]
		if left < 0 {
			return false
		}
		if count[l] > 0 {
			longest = l
		}
	}
	if left > 0 && !(sparse && longest <= 1) {
		return false
	}

	var sorted [288]uint16 // the symbols by length of code
	var next [maxCodeBits + 2]int
	for l := 1; l <= maxCodeBits; l++ {
		next[l+1] = next[l] + count[l]
	}
	for s, l := range lengths {
		if l != 0 {
			sorted[next[l]] = uint16(s)
			next[l]++
		}
	}

	// Up to the root the table grows from one entry by doubling: a code of l
	// bits is set once in the table of l bits, and each doubling copies it.
	// code is the next code with its bits reversed, as they lie in the stream.
	symbols := sorted[:next[maxCodeBits]]
	code, size := 0, 1
	table[0] = 0
	for l := 1; l <= root; l++ {
		copy(table[size:2*size], table[:size])
		size *= 2
		for range count[l] {
			table[code] = entries[symbols[0]] + uint32(l)<<8 + uint32(l)
			symbols = symbols[1:]
			code = nextCode(code, l)
		}
		if l >= longest && size < 1<<root {
			for ; size < 1<<root; size *= 2 {
				copy(table[size:2*size], table[:size])
			}
			break
		}
	}

	// Longer codes share a subtable when they share the root bits.
	end, prefix, start, width := 1<<root, -1, 0, 0
	for l := root + 1; l <= longest; l++ {
		for n := count[l]; n > 0; n-- {
			if low := code & (1<<root - 1); low != prefix {
				prefix, start, width = low, end, l-root
				for room := 1<<width - n; room > 0 && root+width < maxCodeBits; {
					width++
					room = room<<1 - count[root+width]
				}
				end += 1 << width
				if end > len(table) {
					return false
				}
				table[prefix] = entryLink | uint32(width)<<8 | uint32(start)<<16
			}
			e := entries[symbols[0]] + uint32(l)<<8 + uint32(l)
			symbols = symbols[1:]
			for i := code >> root; i < 1<<width; i += 1 << (l - root) {
				table[start+i] = e
			}
			code = nextCode(code, l)
		}
	}
	return true
}

// nextCode adds one to a code of l bits that is written with its bits reversed.
func nextCode(code, l int) int {
	bit := 1 << (l - 1)
	for code&bit != 0 {
		bit >>= 1
	}
	if bit == 0 {
		return 0
	}
	return code&(bit-1) | bit
}
