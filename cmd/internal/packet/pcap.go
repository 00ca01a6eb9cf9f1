package packet

import (
	"encoding/binary"
	"fmt"
	"io"
)

// The classic format:
//
//	file:   magic(4) major(2) minor(2) zone(4) sigfigs(4) snaplen(4) linktype(4)
//	packet: seconds(4) fraction(4) captured(4) length(4) data(captured)
//
// in the byte order that the magic tells; its value tells the fraction's unit.
const (
	magicMicro = 0xa1b2c3d4
	magicNano  = 0xa1b23c4d

	pcapHeaderLen   = 24
	pcapPacketLen   = 16
	pcapLinkMask    = 0x0fffffff // the top bits tell of a frame check sequence
	nanosPerMicro   = 1000
	nanosPerNano    = 1
	pcapVersionGood = 2
)

type pcapFormat struct {
	order binary.ByteOrder
	unit  int64 // nanoseconds in one unit of the fraction
	link  LinkType
}

func (f *pcapFormat) String() string { return "pcap" }

func readPcapHeader(r *Reader) (*pcapFormat, error) {
	h, err := r.take(pcapHeaderLen)
	if len(h) < 4 {
		return nil, notCapture(h, err)
	}
	f := &pcapFormat{}
	for _, order := range []binary.ByteOrder{binary.LittleEndian, binary.BigEndian} {
		switch order.Uint32(h) {
		case magicMicro:
			f.order, f.unit = order, nanosPerMicro
		case magicNano:
			f.order, f.unit = order, nanosPerNano
		}
	}
	if f.order == nil {
		return nil, notCapture(h[:4], nil)
	}
	if err != nil {
		return nil, r.cutShort(0, err, "the file header")
	}
	if major := f.order.Uint16(h[4:]); major != pcapVersionGood {
		return nil, fmt.Errorf("%w: pcap version %d.%d is not known", ErrFormat, major, f.order.Uint16(h[6:]))
	}
	f.link = LinkType(f.order.Uint32(h[20:]) & pcapLinkMask)
	return f, nil
}

func (f *pcapFormat) next(r *Reader, p *Packet) error {
	if r.onlySecrets {
		return io.EOF
	}
	at := r.offset
	h, err := r.take(pcapPacketLen)
	if err == io.EOF {
		return io.EOF
	}
	if err != nil {
		return r.cutShort(at, err, "a packet header")
	}
	sec, frac := f.order.Uint32(h), f.order.Uint32(h[4:])
	captured, length := f.order.Uint32(h[8:]), f.order.Uint32(h[12:])
	if captured > maxRecord {
		return r.damage(at, nil, "a packet of %d bytes is announced, more than any capture holds", captured)
	}
	data, err := r.take(int(captured))
	if err != nil {
		return r.cutShort(at, err, fmt.Sprintf("a packet of %d bytes", captured))
	}
	*p = Packet{
		Time:   unixTime(int64(sec), int64(frac)*f.unit),
		Link:   f.link,
		Data:   data,
		Length: max(int(min(length, 1<<31-1)), len(data)),
	}
	return nil
}
