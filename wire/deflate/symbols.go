package deflate

// The alphabets of RFC 1951, section 3.2.5 to 3.2.7.
const (
	endOfBlock    = 256
	lengthSymbol  = 257 // the first symbol that stands for a match length
	numLitLen     = 286 // literals, end of block, lengths
	numDistance   = 30
	numCodeLength = 19
	maxCodeBits   = 15

	maxHeaderCodeBits = 7 // of the code length code

	minMatch = 3
	maxMatch = 258

	blockStored  = 0
	blockFixed   = 1
	blockDynamic = 2

	maxStored = 1<<16 - 1 // bytes in one stored block

	repeatPrevious = 16 // the previous code length 3 to 6 times, 2 extra bits
	repeatZero     = 17 // zero 3 to 10 times, 3 extra bits
	repeatZeroLong = 18 // zero 11 to 138 times, 7 extra bits
)

// lengthBase and lengthExtra are indexed by symbol - lengthSymbol.
var lengthBase = [29]uint16{
	3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 15, 17, 19, 23, 27, 31,
	35, 43, 51, 59, 67, 83, 99, 115, 131, 163, 195, 227, 258,
}

var lengthExtra = [29]uint8{
	0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2,
	3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0,
}

var distanceBase = [numDistance]uint16{
	1, 2, 3, 4, 5, 7, 9, 13, 17, 25, 33, 49, 65, 97, 129, 193,
	257, 385, 513, 769, 1025, 1537, 2049, 3073, 4097, 6145,
	8193, 12289, 16385, 24577,
}

var distanceExtra = [numDistance]uint8{
	0, 0, 0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6,
	7, 7, 8, 8, 9, 9, 10, 10, 11, 11, 12, 12, 13, 13,
}

// codeLengthOrder is the order in which a dynamic block's header gives the
// lengths of the code length code.
var codeLengthOrder = [numCodeLength]uint8{
	16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15,
}

// codeLengthExtra is indexed by the symbols of the code length code.
var codeLengthExtra = [numCodeLength]uint8{
	repeatPrevious: 2,
	repeatZero:     3,
	repeatZeroLong: 7,
}

// fixedLitLenBits are the code lengths of the fixed literal/length code, all
// 288 of them: 286 and 287 take part in the code but never occur.
var fixedLitLenBits = func() (bits [288]uint8) {
	for s := range bits {
		switch {
		case s < 144:
			bits[s] = 8
		case s < 256:
			bits[s] = 9
		case s < 280:
			bits[s] = 7
		default:
			bits[s] = 8
		}
	}
	return bits
}()

// fixedDistanceBits is the length of every code of the fixed distance code,
// of which the last two of 32 never occur.
const fixedDistanceBits = 5
