package deflate

import (
	"encoding/binary"
	"math"
	"math/bits"
	"slices"
)

// block collects the literals and matches of a DEFLATE block and writes it in
// whichever of the three forms is the shortest.
//
// Symbols are kept in 16 bits each: a literal as it is; a match as its length
// with isMatch added, then its distance less one.
type block struct {
	symbols []uint16    // in codes' room
	from    int         // index in the matcher's buf where the block began; negative: gone
	codes   *blockCodes // while a message is under way; then, too, unless there is a Pool

	// Bits not yet appended.
	bits  uint64
	nbits uint
}

const isMatch = 1 << 15

// blockSymbols bounds a block. It is small because what is sent changes: a table
// for a thousand symbols pays for itself, and the memory is the less.
const blockSymbols = 1024

// takeCodes sees to it that there is what a block needs.
func (c *Compressor) takeCodes() {
	if c.codes != nil {
		return
	}
	c.codes = borrow[blockCodes](c.Pool)
	if c.codes == nil || cap(c.codes.room) < blockSymbols+2 {
		c.codes = newBlockCodes(blockSymbols + 2)
	}
	c.symbols = c.codes.room[:0]
	c.codes.clear()
}

// giveBackCodes ends the use of them, until the next message.
func (c *Compressor) giveBackCodes() {
	if c.Pool != nil && c.codes != nil {
		c.Pool.Put(c.codes)
		c.symbols, c.codes = nil, nil
	}
}

func (b *block) reset() {
	b.symbols = b.symbols[:0]
	if b.codes != nil {
		b.codes.clear()
	}
	b.from = 0
	b.bits, b.nbits = 0, 0
}

func (b *block) full() bool { return len(b.symbols) >= blockSymbols }

// addLiterals and addMatch add to the block, and count the symbols that it takes.
func (b *block) addLiterals(p []byte) {
	t := b.codes
	for _, l := range p {
		b.symbols = append(b.symbols, uint16(l))
		t.litLen.counts[l]++
		t.marks[l>>6] |= 1 << (l & 63)
	}
}

func (b *block) addMatch(length, dist int) {
	b.symbols = append(b.symbols, uint16(length)|isMatch, uint16(dist-1))
	t := b.codes
	l := lengthSymbol + uint(lengthSymbols[uint8(length-minMatch)])
	t.litLen.counts[l]++
	t.marks[lengthSymbol>>6] |= 1 << (l & 63)
	d := distanceSymbol(uint16(dist - 1))
	t.distance.counts[d]++
	t.distanceMarks |= 1 << (d & 63)
}

// blockBytes returns what the block stands for, nil if it is no longer there.
func (c *Compressor) blockBytes() []byte {
	if c.from < 0 {
		return nil
	}
	return c.buf[c.from:c.at]
}

// incompressible reports whether the block has hardly a match so far.
func (c *Compressor) incompressible() bool {
	n := c.at - c.from
	return c.from >= 0 && len(c.symbols) > n-n/16
}

// lengthSymbols is indexed by length - minMatch.
var lengthSymbols = func() (s [256]uint8) {
	for i, base := range lengthBase {
		for n := int(base); n <= maxMatch; n++ {
			s[n-minMatch] = uint8(i)
		}
	}
	return s
}()

// distanceSymbol is the symbol for a distance, given less one.
func distanceSymbol(d uint16) int {
	if d < 4 {
		return int(d)
	}
	n := bits.Len16(d) - 1
	return 2*n + int(d>>(n-1)&1)
}

// certainly is from how many symbols on a dynamic block of what has matches is
// planned without looking first whether it may pay.
const certainly = 128

// appendBlock writes the block, which stands for p if p is not nil, and begins
// a new one.
func (c *Compressor) appendBlock(dst, p []byte) []byte {
	t := c.codes
	t.collect()
	extra := t.extraBits()
	fixed := t.fixedBits() + extra
	stored := math.MaxInt
	if p != nil {
		stored = storedBits(len(p), c.nbits) - 3
	}
	best, dynamic := fixed, false
	if len(c.symbols) > certainly && !c.incompressible() || t.leastBits()+extra < min(fixed, stored) {
		if size := t.plan() + extra; size < fixed {
			best, dynamic = size, true
		}
	}
	if stored <= best {
		dst = c.appendStored(dst, p)
		c.begin()
		return dst
	}
	dst = slices.Grow(dst, best/8+16+8)
	if dynamic {
		dst = c.put(dst, blockDynamic<<1, 3)
		dst = c.appendDynamicHeader(dst)
		dst = c.appendSymbols(dst, t.litLen.counts, t.distance.counts)
	} else {
		dst = c.put(dst, blockFixed<<1, 3)
		dst = c.appendSymbols(dst, fixedLitLenCodes, fixedDistanceCodes)
	}
	c.begin()
	return dst
}

func (c *Compressor) begin() {
	c.symbols = c.symbols[:0]
	c.codes.clear()
	c.from = c.at
}

// storedBits is the size of n bytes in stored blocks when nbits bits wait.
func storedBits(n int, nbits uint) int {
	blocks := max(1, (n+maxStored-1)/maxStored)
	first := 3 + int(-(nbits+3)&7)
	return first + 32 + (blocks-1)*40 + 8*n
}

func (b *block) appendStored(dst, p []byte) []byte {
	for {
		n := min(len(p), maxStored)
		dst = b.put(dst, blockStored<<1, 3)
		dst = b.put(dst, 0, -b.nbits&7)
		dst = b.appendWholeBytes(dst)
		dst = append(dst, byte(n), byte(n>>8), ^byte(n), ^byte(n>>8))
		dst = append(dst, p[:n]...)
		p = p[n:]
		if len(p) == 0 {
			return dst
		}
	}
}

// appendSyncHeader begins an empty stored block: three bits and the padding.
func (b *block) appendSyncHeader(dst []byte) []byte {
	dst = b.put(dst, blockStored<<1, 3)
	return b.put(dst, 0, -b.nbits&7)
}

// put appends up to 32 bits.
func (b *block) put(dst []byte, v uint32, n uint) []byte {
	b.bits |= uint64(v) << b.nbits
	b.nbits += n
	if b.nbits >= 32 {
		dst = binary.LittleEndian.AppendUint32(dst, uint32(b.bits))
		b.bits >>= 32
		b.nbits -= 32
	}
	return dst
}

func (b *block) appendWholeBytes(dst []byte) []byte {
	for b.nbits >= 8 {
		dst = append(dst, byte(b.bits))
		b.bits >>= 8
		b.nbits -= 8
	}
	return dst
}

// appendSymbols writes the symbols and the end of the block. dst has room for
// them and a word more.
func (b *block) appendSymbols(dst []byte, litLenCodes, distanceCodes []uint32) []byte {
	litLen, distance := (*[numLitLen]uint32)(litLenCodes), (*[numDistance]uint32)(distanceCodes)
	out := dst[:cap(dst)]
	w := len(dst)
	acc, n := b.bits, b.nbits
	symbols := b.symbols
	for i := 0; i < len(symbols); i++ {
		binary.LittleEndian.PutUint64(out[w:], acc)
		w += int(n >> 3)
		acc >>= n &^ 7 & 63
		n &= 7 // and a match takes at most 48
		s := symbols[i]
		if s < isMatch {
			k := code(litLen[s&255])
			acc |= uint64(k.bits()) << (n & 63)
			n += k.size()
			continue
		}
		i++
		l := lengthSymbols[uint8(s-isMatch-minMatch)]
		k := code(litLen[lengthSymbol+int(l)])
		acc |= uint64(k.bits()) << (n & 63)
		n += k.size()
		acc |= uint64(s-isMatch-lengthBase[l]) << (n & 63)
		n += uint(lengthExtra[l])
		d := symbols[i]
		ds := distanceSymbol(d)
		k = code(distance[ds])
		acc |= uint64(k.bits()) << (n & 63)
		n += k.size()
		acc |= uint64(d+1-distanceBase[ds]) << (n & 63)
		n += uint(distanceExtra[ds])
	}
	k := code(litLen[endOfBlock])
	if n >= 32 {
		binary.LittleEndian.PutUint64(out[w:], acc)
		w += int(n >> 3)
		acc >>= n &^ 7 & 63
		n &= 7
	}
	acc |= uint64(k.bits()) << (n & 63)
	n += k.size()
	b.bits, b.nbits = acc, n
	return b.appendWholeBytes(out[:w])
}
