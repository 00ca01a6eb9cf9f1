package deflate

import "strconv"

// Fault says what is wrong with a compressed message.
type Fault uint8

const (
	// BlockType: a block header with the reserved type 3 (RFC 1951, 3.2.3).
	BlockType Fault = 1 + iota
	// StoredLength: a stored block whose LEN and NLEN do not agree (3.2.4).
	StoredLength
	// CodeCount: a dynamic block with more than 286 literal/length or 30
	// distance codes (3.2.7).
	CodeCount
	// CodeLengths: code lengths of a dynamic block that make no complete
	// prefix code, repeat what is not there, or leave out the end of block.
	CodeLengths
	// Symbol: bits that are no code, or a code that stands for nothing
	// (lengths 286 and 287, distances 30 and 31).
	Symbol
	// DistanceBeyondHistory: a match that starts before the first byte that
	// was decompressed since the last Reset.
	DistanceBeyondHistory
	// DistanceBeyondWindow: a match that starts farther back than the window
	// that was agreed on (RFC 7692, 7.1.2).
	DistanceBeyondWindow
	// Truncated: the message ends, but not where RFC 7692, 7.2.1 has it end,
	// in the header of an empty stored block or after a final block.
	Truncated
)

var faultText = [...]string{
	BlockType:             "reserved block type",
	StoredLength:          "stored block's length and its complement disagree",
	CodeCount:             "too many codes in a dynamic block",
	CodeLengths:           "code lengths make no prefix code",
	Symbol:                "invalid symbol",
	DistanceBeyondHistory: "distance beyond the bytes seen so far",
	DistanceBeyondWindow:  "distance beyond the window",
	Truncated:             "message does not end with an empty stored block",
}

// String returns the fault in words.
func (f Fault) String() string {
	if int(f) < len(faultText) && faultText[f] != "" {
		return faultText[f]
	}
	return "fault " + strconv.Itoa(int(f))
}

// Error reports a compressed message that cannot be decompressed.
type Error struct {
	Fault Fault
	// Bit is where in the compressed message, in bits from its first: the
	// start of the header, code length or symbol that is wrong. The byte is
	// Bit/8. A Truncated message carries its length.
	Bit int64
}

// Error describes the fault and its place.
func (e *Error) Error() string {
	return "deflate: " + e.Fault.String() + " at byte " + strconv.FormatInt(e.Bit/8, 10) +
		", bit " + strconv.FormatInt(e.Bit%8, 10) + " of the compressed message"
}
