// Package frame is the codec of the WebSocket frame (RFC 6455 5.2): its
// header, its masking and the body of its Close.
//
// The codec is total. [Parse] takes any bytes and keeps every bit of them,
// [Header.Append] writes exactly what the struct says, legal or not. Whether
// a frame keeps the rules is for others to say.
package frame

import "encoding/binary"

// MaxHeaderSize is the size of the longest header, in bytes.
const MaxHeaderSize = 14

// MaxControlPayload is the most that a control frame may carry, in bytes
// (RFC 6455 5.5).
const MaxControlPayload = 125

// Header is the header of one frame, as it is on the wire:
//
//	 0                   1                   2                   3
//	 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//	+-+-----+-------+-+-------------+-------------------------------+
//	|F| RSV |Opcode |M| Length or   | Length, when the seven bits   |
//	|I|1 2 3|       |A| its form:   | are 126: 2 bytes; 127: 8 bytes|
//	|N|     |       |S| 126 or 127  | (the top bit must be 0)       |
//	+-+-----+-------+K+-------------+-------------------------------+
//	| MaskingKey, 4 bytes, when MASK is set | payload ...           |
//	+---------------------------------------+-----------------------+
type Header struct {
	Fin        bool    // the frame ends its message
	RSV        uint8   // the three reserved bits: RSV1 is 4, RSV2 is 2, RSV3 is 1
	Opcode     Opcode  // any of the 16 values
	Masked     bool    // MASK: the payload is XORed with MaskingKey
	MaskingKey [4]byte // zero unless Masked
	Length     uint64  // of the payload in bytes; all 64 bits, even an illegal top bit
	LengthSize uint8   // bytes of extended length: 0, 2 or 8, minimal or not
}

// The reserved bits as they stand in Header.RSV.
const (
	RSV1 = 4
	RSV2 = 2
	RSV3 = 1
)

const (
	finBit      = 0x80
	rsvShift    = 4
	opcodeBits  = 0x0f
	maskBit     = 0x80
	lengthBits  = 0x7f
	length16    = 126
	length64    = 127
	maxLength7  = 125
	maxLength16 = 1<<16 - 1
)

// Parse reads the header that b begins with and returns its size. It returns
// 0 when b holds less than a whole header: call again with more bytes. Parse
// never fails; for the n bytes of a header, Append(nil) of it is b[:n].
func Parse(b []byte) (h Header, n int) {
	if len(b) < 2 {
		return Header{}, 0
	}
	n = SizeOf(b[1])
	if len(b) < n {
		return Header{}, 0
	}
	h = Header{
		Fin:    b[0]&finBit != 0,
		RSV:    b[0] >> rsvShift & 7,
		Opcode: Opcode(b[0] & opcodeBits),
		Masked: b[1]&maskBit != 0,
		Length: uint64(b[1] & lengthBits),
	}
	switch h.Length {
	case length16:
		h.LengthSize = 2
		h.Length = uint64(binary.BigEndian.Uint16(b[2:]))
	case length64:
		h.LengthSize = 8
		h.Length = binary.BigEndian.Uint64(b[2:])
	}
	if h.Masked {
		h.MaskingKey = [4]byte(b[2+h.LengthSize:])
	}
	return h, n
}

// SizeOf returns the size of a header, from its second byte alone.
func SizeOf(second byte) int {
	n := 2
	switch second & lengthBits {
	case length16:
		n += 2
	case length64:
		n += 8
	}
	if second&maskBit != 0 {
		n += 4
	}
	return n
}

// Size returns the number of bytes that Append writes.
func (h Header) Size() int {
	n := 2 + int(h.LengthSize)
	if h.Masked {
		n += 4
	}
	return n
}

// MinimalLengthSize returns the LengthSize of the shortest form for a payload
// of n bytes: 0, 2 or 8.
func MinimalLengthSize(n uint64) uint8 {
	switch {
	case n <= maxLength7:
		return 0
	case n <= maxLength16:
		return 2
	}
	return 8
}

// Append writes the header to dst exactly as the struct says and returns the
// extended slice. It checks nothing: of a Length that its LengthSize cannot
// hold, the low bits are written.
func (h Header) Append(dst []byte) []byte {
	first := h.RSV&7<<rsvShift | byte(h.Opcode)&opcodeBits
	if h.Fin {
		first |= finBit
	}
	var second byte
	if h.Masked {
		second = maskBit
	}
	switch h.LengthSize {
	case 2:
		dst = append(dst, first, second|length16)
		dst = binary.BigEndian.AppendUint16(dst, uint16(h.Length))
	case 8:
		dst = append(dst, first, second|length64)
		dst = binary.BigEndian.AppendUint64(dst, h.Length)
	default:
		dst = append(dst, first, second|byte(h.Length)&lengthBits)
	}
	if h.Masked {
		dst = append(dst, h.MaskingKey[:]...)
	}
	return dst
}
