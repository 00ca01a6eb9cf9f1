package deflate

// dynamicTables is what a dynamic block brings along (RFC 1951, 3.2.7).
type dynamicTables struct {
	litLen   litLenTable
	distance distanceTable // before that, the table of the code length code

	lengths  [numLitLen + numDistance]uint8
	read     int // of lengths, or of the code length code's
	litLens  int // HLIT + 257
	total    int // and HDIST + 1
	codeLens int // HCLEN + 4
}

// decode runs the blocks of in, until in is used up, the room in buf is, or
// something is wrong. It returns the bytes taken from in, some of which may
// wait in d.bits.
//
// Everything that is read as a unit (a header, a symbol with its extra bits)
// has at most 48 bits and is taken only when all of it is there: after refill,
// too few bits mean that in is used up.
func (d *Decompressor) decode(in []byte) (n int) {
	var ok bool
	for d.err == nil {
		if d.state != inStored {
			n = d.refill(in, n)
		}
		switch d.state {
		case atBlock:
			if d.lastBlock {
				d.drop(d.nbits & 7) // a stream that ended; another begins
			}
			if d.nbits < 3 {
				return n
			}
			d.startBlock(n)
		case atStoredLength:
			d.drop(d.nbits & 7)
			if d.nbits < 32 {
				return n
			}
			size, complement := uint16(d.bits), uint16(d.bits>>16)
			if size != ^complement {
				d.fail(StoredLength, n)
				return n
			}
			d.drop(32)
			d.storedLeft = int(size)
			d.state = inStored
		case inStored:
			n = d.copyStored(in, n)
			if d.storedLeft > 0 {
				return n
			}
			d.state = atBlock
		case atCounts:
			if d.nbits < 14 {
				return n
			}
			d.readCounts(n)
		case inCodeLengthCode:
			if n, ok = d.readCodeLengthCode(in, n); !ok {
				return n
			}
		case inCodeLengths:
			if n, ok = d.readCodeLengths(in, n); !ok {
				return n
			}
		case inSymbols:
			n = d.decodeSymbols(in, n)
			if d.state == inSymbols {
				return n
			}
		}
	}
	return n
}

// refill takes bytes from in, of which n are taken already, until at least 56
// bits are in hand or in is used up.
func (d *Decompressor) refill(in []byte, n int) int {
	for d.nbits < 56 && n < len(in) {
		d.bits |= uint64(in[n]) << d.nbits
		d.nbits += 8
		n++
	}
	return n
}

func (d *Decompressor) drop(bits uint) {
	d.bits >>= bits & 63
	d.nbits -= bits
}

func (d *Decompressor) startBlock(n int) {
	switch d.bits >> 1 & 3 {
	case blockStored:
		d.state = atStoredLength
	case blockFixed:
		d.litLen, d.distance = fixedLitLen, fixedDistance
		d.state = inSymbols
	case blockDynamic:
		if d.dynamic == nil {
			d.dynamic = borrow[dynamicTables](d.Pool)
		}
		if d.dynamic == nil {
			d.dynamic = new(dynamicTables)
		}
		d.state = atCounts
	default:
		d.fail(BlockType, n)
		return
	}
	d.lastBlock = d.bits&1 != 0
	d.drop(3)
}

func (d *Decompressor) copyStored(in []byte, n int) int {
	if back := int(d.nbits / 8); back <= n { // to copy them with the others
		n -= back
		d.bits, d.nbits = 0, 0
	}
	for d.storedLeft > 0 && d.nbits > 0 && d.w < d.stop {
		d.buf[d.w] = byte(d.bits)
		d.w++
		d.drop(8)
		d.storedLeft--
	}
	if d.nbits == 0 && d.w < d.stop {
		c := copy(d.buf[d.w:min(d.stop, d.w+d.storedLeft)], in[n:])
		d.w += c
		d.storedLeft -= c
		n += c
	}
	return n
}

func (d *Decompressor) readCounts(n int) {
	t := d.dynamic
	t.litLens = int(d.bits&31) + 257
	t.total = int(d.bits>>5&31) + 1 + t.litLens
	t.codeLens = int(d.bits>>10&15) + 4
	if t.litLens > numLitLen || t.total-t.litLens > numDistance {
		d.fail(CodeCount, n)
		return
	}
	d.drop(14)
	t.read = 0
	clear(t.lengths[:numCodeLength])
	d.state = inCodeLengthCode
}

func (d *Decompressor) readCodeLengthCode(in []byte, n int) (int, bool) {
	t := d.dynamic
	for ; t.read < t.codeLens; t.read++ {
		if n = d.refill(in, n); d.nbits < 3 {
			return n, false
		}
		t.lengths[codeLengthOrder[t.read]] = uint8(d.bits & 7)
		d.drop(3)
	}
	if !buildTable(t.distance[:], codeLengthRoot, t.lengths[:numCodeLength], codeLengthEntry[:], false) {
		d.fail(CodeLengths, n)
		return n, false
	}
	t.read = 0
	d.state = inCodeLengths
	return n, true
}

func (d *Decompressor) readCodeLengths(in []byte, n int) (int, bool) {
	t := d.dynamic
	for t.read < t.total {
		if d.nbits < 14 {
			n = d.refill(in, n)
		}
		e := t.distance[d.bits&(1<<codeLengthRoot-1)]
		size := uint(e & entryBitsMask)
		if size > d.nbits {
			return n, false
		}
		symbol := e >> 16
		if symbol < repeatPrevious {
			d.drop(size)
			t.lengths[t.read] = uint8(symbol)
			t.read++
			continue
		}
		var repeated uint8
		times := int(d.bits & (1<<size - 1) >> (e >> 8 & 15))
		switch symbol {
		case repeatPrevious:
			if t.read == 0 {
				d.fail(CodeLengths, n)
				return n, false
			}
			repeated = t.lengths[t.read-1]
			times += 3
		case repeatZero:
			times += 3
		case repeatZeroLong:
			times += 11
		}
		if times > t.total-t.read {
			d.fail(CodeLengths, n)
			return n, false
		}
		d.drop(size)
		for range times {
			t.lengths[t.read] = repeated
			t.read++
		}
	}
	litLens, distances := t.lengths[:t.litLens], t.lengths[t.litLens:t.total]
	if litLens[endOfBlock] == 0 ||
		!buildTable(t.litLen[:], litLenRoot, litLens, litLenEntry[:], true) ||
		!buildTable(t.distance[:], distanceRoot, distances, distanceEntry[:], true) {
		d.fail(CodeLengths, n)
		return n, false
	}
	d.litLen, d.distance = &t.litLen, &t.distance
	d.state = inSymbols
	return n, true
}
