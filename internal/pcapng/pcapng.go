// Package pcapng writes capture files of the next generation format
// (draft-ietf-opsawg-pcapng): one section in little-endian byte order, its
// interfaces with nanosecond times, packets with comments, and TLS secrets.
//
// A block is laid out as
//
//	type(4) length(4) body options(…) length(4)
//
// where each option is code(2) length(2) value, padded to four bytes, and the
// length counts the whole block. The Append functions are the codec: they add
// one block to a slice and cannot fail. [Writer] writes blocks to an io.Writer.
//
// What an option cannot hold is made to fit, since a capture with a shortened
// comment is worth more than none: text is cut to 65,535 bytes between two
// characters, and what is not UTF-8 becomes U+FFFD.
package pcapng

import (
	"encoding/binary"
	"math"
	"strings"
	"time"
	"unicode/utf8"
)

const (
	blockSection   = 0x0a0d0d0a
	blockInterface = 0x00000001
	blockEnhanced  = 0x00000006
	blockSecrets   = 0x0000000a

	sectionMagic  = 0x1a2b3c4d
	secretsKeyLog = 0x544c534b // "TLSK"

	optEnd           = 0
	optComment       = 1
	optHardware      = 2 // of a section
	optOS            = 3
	optApplication   = 4
	optName          = 2 // of an interface
	optDescription   = 3
	optResolution    = 9
	nanosecondsPower = 9 // as the value of optResolution
)

// LinkRaw is the link type of packets that begin with an IP header, of version
// 4 or 6.
const LinkRaw = 101

// Section describes a file. Every field may be empty.
type Section struct {
	Hardware    string
	OS          string
	Application string // that wrote the file
	Comments    []string
}

// Interface describes where packets were captured. The link type says what
// their first byte belongs to (LINKTYPE_ values, as in pcap files).
type Interface struct {
	Link        uint16
	SnapLen     uint32 // most bytes captured of a packet; 0: no limit
	Name        string
	Description string
	Comments    []string
}

// Packet is one packet.
type Packet struct {
	Interface uint32    // its index, in the order in which the interfaces were written
	Time      time.Time // from 1970 to 2554; what lies outside, the zero time too, becomes the nearer end
	Data      []byte    // what was captured
	Length    int       // bytes that it had on the wire, if these are more than len(Data)
	Comments  []string
}

// AppendSection appends a section header. It comes first in a file; a further
// one begins a section in which the interfaces are described anew.
func AppendSection(dst []byte, s Section) []byte {
	dst, begin := appendBlock(dst, blockSection)
	dst = binary.LittleEndian.AppendUint32(dst, sectionMagic)
	dst = binary.LittleEndian.AppendUint16(dst, 1)              // version 1.0
	dst = binary.LittleEndian.AppendUint16(dst, 0)              //
	dst = binary.LittleEndian.AppendUint64(dst, math.MaxUint64) // a section of unknown length
	options := len(dst)
	dst = appendText(dst, optHardware, s.Hardware)
	dst = appendText(dst, optOS, s.OS)
	dst = appendText(dst, optApplication, s.Application)
	dst = appendComments(dst, s.Comments)
	return endBlock(dst, begin, options)
}

// AppendInterface appends the description of an interface. The first of a
// section has the index 0.
func AppendInterface(dst []byte, i Interface) []byte {
	dst, begin := appendBlock(dst, blockInterface)
	dst = binary.LittleEndian.AppendUint16(dst, i.Link)
	dst = binary.LittleEndian.AppendUint16(dst, 0) // reserved
	dst = binary.LittleEndian.AppendUint32(dst, i.SnapLen)
	options := len(dst)
	dst = appendText(dst, optName, i.Name)
	dst = appendText(dst, optDescription, i.Description)
	dst = append(dst, optResolution, 0, 1, 0, nanosecondsPower, 0, 0, 0)
	dst = appendComments(dst, i.Comments)
	return endBlock(dst, begin, options)
}

// AppendPacket appends a packet, behind its interface.
func AppendPacket(dst []byte, p *Packet) []byte {
	dst, begin := BeginPacket(dst, p.Interface, p.Time)
	dst = append(dst, p.Data...)
	return EndPacket(dst, begin, p.Length, p.Comments...)
}

// BeginPacket appends what stands in front of a packet's data, for a caller
// that appends the data itself and then calls EndPacket with begin.
func BeginPacket(dst []byte, interfaceIndex uint32, at time.Time) (_ []byte, begin int) {
	dst, begin = appendBlock(dst, blockEnhanced)
	ticks := nanoseconds(at)
	dst = binary.LittleEndian.AppendUint32(dst, interfaceIndex)
	dst = binary.LittleEndian.AppendUint32(dst, uint32(ticks>>32))
	dst = binary.LittleEndian.AppendUint32(dst, uint32(ticks))
	return append(dst, 0, 0, 0, 0, 0, 0, 0, 0), begin // the lengths, known at the end
}

// packetData is where the data of a packet begins in its block.
const packetData = 28

// EndPacket ends a packet whose data reaches to the end of dst. length is how
// many bytes it had on the wire, if these are more.
func EndPacket(dst []byte, begin int, length int, comments ...string) []byte {
	data := len(dst) - begin - packetData
	binary.LittleEndian.PutUint32(dst[begin+20:], uint32(data))
	binary.LittleEndian.PutUint32(dst[begin+24:], uint32(max(data, length)))
	dst = pad(dst, data)
	options := len(dst)
	dst = appendComments(dst, comments)
	return endBlock(dst, begin, options)
}

// AppendSecrets appends TLS secrets in the key log format (SSLKEYLOGFILE). They
// hold for the packets behind them; some readers want them in front of all
// packets and behind the interfaces.
func AppendSecrets(dst []byte, keyLog []byte) []byte {
	dst, begin := appendBlock(dst, blockSecrets)
	dst = binary.LittleEndian.AppendUint32(dst, secretsKeyLog)
	dst = binary.LittleEndian.AppendUint32(dst, uint32(len(keyLog)))
	dst = append(dst, keyLog...)
	dst = pad(dst, len(keyLog))
	return endBlock(dst, begin, len(dst))
}

// nanoseconds counts from 1970.
func nanoseconds(at time.Time) uint64 {
	sec := at.Unix()
	switch {
	case sec < 0:
		return 0
	case uint64(sec) >= math.MaxUint64/uint64(time.Second):
		return math.MaxUint64
	}
	return uint64(sec)*uint64(time.Second) + uint64(at.Nanosecond())
}

// appendBlock begins a block, whose length endBlock fills in.
func appendBlock(dst []byte, typ uint32) (_ []byte, begin int) {
	begin = len(dst)
	dst = binary.LittleEndian.AppendUint32(dst, typ)
	return append(dst, 0, 0, 0, 0), begin
}

// endBlock ends a block, and its options if there are any.
func endBlock(dst []byte, begin, options int) []byte {
	if len(dst) > options {
		dst = append(dst, optEnd, 0, 0, 0)
	}
	n := uint32(len(dst) - begin + 4)
	binary.LittleEndian.PutUint32(dst[begin+4:], n)
	return binary.LittleEndian.AppendUint32(dst, n)
}

func appendComments(dst []byte, comments []string) []byte {
	for _, c := range comments {
		dst = appendText(dst, optComment, c)
	}
	return dst
}

// appendText appends an option, unless the text is empty.
func appendText(dst []byte, code uint16, text string) []byte {
	text = strings.ToValidUTF8(text, "\uFFFD")
	if len(text) > math.MaxUint16 {
		n := math.MaxUint16
		for !utf8.RuneStart(text[n]) {
			n--
		}
		text = text[:n]
	}
	if text == "" {
		return dst
	}
	dst = binary.LittleEndian.AppendUint16(dst, code)
	dst = binary.LittleEndian.AppendUint16(dst, uint16(len(text)))
	dst = append(dst, text...)
	return pad(dst, len(text))
}

// pad fills n bytes up to a multiple of four.
func pad(dst []byte, n int) []byte {
	var zero [3]byte
	return append(dst, zero[:-n&3]...)
}
