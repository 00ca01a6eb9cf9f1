package deflate

import "encoding/binary"

const kindMask = entryLiteral | entryBase | entryEnd

// decodeSymbols runs the literals and matches of a Huffman block up to its end,
// which it notes in d.state, or until in or the room in buf is used up. n and
// the result are bytes taken from in.
//
// The loop works on local copies of the bit buffer. While eight bytes of input
// remain it tops the buffer up to 56 bits in one step, enough for a whole match
// (48) and, with what short codes leave over, for some literals before it.
// Near the end of the input symbol takes over.
func (d *Decompressor) decodeSymbols(in []byte, n int) int {
	litLen, distance := d.litLen, d.distance
	buf, w := d.buf, d.w
	stop := d.stop
	bits, nbits := d.bits, d.nbits

	for n+8 <= len(in) && w < stop {
		// The bits above nbits are those of the bytes not yet taken: to set
		// them again changes nothing.
		bits |= binary.LittleEndian.Uint64(in[n:n+8]) << (nbits & 63)
		n += int(63-nbits) >> 3
		nbits |= 56

		e := litLen[bits&(1<<litLenRoot-1)]
		if e&entryLiteral != 0 {
			// Up to three literals of root codes take 27 bits of 56.
			bits >>= e & entryBitsMask
			nbits -= uint(e & entryBitsMask)
			buf[w] = byte(e >> 16)
			w++
			e = litLen[bits&(1<<litLenRoot-1)]
			if e&entryLiteral != 0 {
				bits >>= e & entryBitsMask
				nbits -= uint(e & entryBitsMask)
				buf[w] = byte(e >> 16)
				w++
				e = litLen[bits&(1<<litLenRoot-1)]
				if e&entryLiteral != 0 {
					bits >>= e & entryBitsMask
					nbits -= uint(e & entryBitsMask)
					buf[w] = byte(e >> 16)
					w++
					continue
				}
			}
			if nbits < 48 {
				if n+8 > len(in) {
					break
				}
				bits |= binary.LittleEndian.Uint64(in[n:n+8]) << (nbits & 63)
				n += int(63-nbits) >> 3
				nbits |= 56
			}
		}
		if e&entryLink != 0 {
			e = litLen[e>>16+uint32(bits>>litLenRoot)&(1<<(e>>8&15)-1)]
		}
		size := e & entryBitsMask
		if e&entryBase == 0 {
			if e&entryLiteral != 0 {
				bits >>= size
				nbits -= uint(size)
				buf[w] = byte(e >> 16)
				w++
				continue
			}
			d.hold(bits, nbits, w)
			if e&entryEnd == 0 {
				d.fail(Symbol, n)
				return n
			}
			d.drop(uint(size))
			d.state = atBlock
			return n
		}
		length := int(e>>16) + int(bits&(1<<size-1)>>(e>>8&15))
		rest := bits >> size

		f := distance[rest&(1<<distanceRoot-1)]
		if f&entryLink != 0 {
			f = distance[f>>16+uint32(rest>>distanceRoot)&(1<<(f>>8&15)-1)]
		}
		dsize := f & entryBitsMask
		dist := int(f>>16) + int(rest&(1<<dsize-1)>>(f>>8&15))
		from := d.source(w, dist)
		if f&entryBase == 0 || from < 0 || dist > d.window {
			d.hold(bits, nbits, w)
			d.failMatch(f, dist, n)
			return n
		}
		bits = rest >> dsize
		nbits -= uint(size + dsize)
		d.copyMatch(w, from, dist, length)
		w += length
	}
	d.hold(bits, nbits, w)
	for d.w < stop {
		n = d.refill(in, n)
		if !d.symbol(n) {
			break
		}
	}
	return n
}

// hold puts the loop's copies back.
func (d *Decompressor) hold(bits uint64, nbits uint, w int) {
	d.bits, d.nbits, d.w = bits&(1<<nbits-1), nbits, w
}

// symbol decodes one literal, match or end of block, if all its bits are in
// hand. It reports whether another symbol may follow.
func (d *Decompressor) symbol(n int) bool {
	e := d.litLen[d.bits&(1<<litLenRoot-1)]
	if e&entryLink != 0 {
		e = d.litLen[e>>16+uint32(d.bits>>litLenRoot)&(1<<(e>>8&15)-1)]
	}
	size := uint(e & entryBitsMask)
	if size > d.nbits {
		return false
	}
	switch e & kindMask {
	case entryLiteral:
		d.drop(size)
		d.buf[d.w] = byte(e >> 16)
		d.w++
		return true
	case entryEnd:
		d.drop(size)
		d.state = atBlock
		return false
	case 0:
		if d.nbits >= maxCodeBits { // else more bits may make it a code
			d.fail(Symbol, n)
		}
		return false
	}
	length := int(e>>16) + int(d.bits&(1<<size-1)>>(e>>8&15))
	rest := d.bits >> size

	f := d.distance[rest&(1<<distanceRoot-1)]
	if f&entryLink != 0 {
		f = d.distance[f>>16+uint32(rest>>distanceRoot)&(1<<(f>>8&15)-1)]
	}
	dsize := uint(f & entryBitsMask)
	if size+dsize > d.nbits || f&kindMask == 0 && d.nbits < size+maxCodeBits {
		return false
	}
	dist := int(f>>16) + int(rest&(1<<dsize-1)>>(f>>8&15))
	from := d.source(d.w, dist)
	if f&entryBase == 0 || from < 0 || dist > d.window {
		d.failMatch(f, dist, n)
		return false
	}
	d.drop(size + dsize)
	d.copyMatch(d.w, from, dist, length)
	d.w += length
	return true
}

func (d *Decompressor) failMatch(f uint32, dist, n int) {
	switch {
	case f&entryBase == 0:
		d.fail(Symbol, n)
	case dist > d.window:
		d.fail(DistanceBeyondWindow, n)
	default:
		d.fail(DistanceBeyondHistory, n)
	}
}

// source is where a match begins in buf: in this lap or in the lap before, which
// makes no branch. It is negative if there is no such place.
func (d *Decompressor) source(w, dist int) int {
	from := w - dist
	return from + d.lap&(from>>63)
}

// copyMatch appends a match to what ends at w. It may write up to 15 bytes behind
// it.
func (d *Decompressor) copyMatch(w, from, dist, length int) {
	buf := d.buf
	switch {
	case from+length > d.lap && from > w:
		// It goes on at the beginning of this lap.
		n := copy(buf[w:], buf[from:d.lap])
		d.copyMatch(w+n, 0, dist, length-n)
	case dist >= 8 && length <= 16:
		// Word by word: each word is complete before it is read.
		binary.LittleEndian.PutUint64(buf[w:w+8], binary.LittleEndian.Uint64(buf[from:from+8]))
		if length > 8 {
			binary.LittleEndian.PutUint64(buf[w+8:w+16], binary.LittleEndian.Uint64(buf[from+8:from+16]))
		}
	case dist >= length:
		copy(buf[w:w+length], buf[from:])
	default:
		// The match overlaps itself: what is written doubles what can be read.
		for end := w + length; w < end; {
			w += copy(buf[w:end], buf[from:w])
		}
	}
}
