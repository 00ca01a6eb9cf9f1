package packet

import (
	"encoding/binary"
	"net/netip"
)

// NOTE on how this file is built. Every layer is a function that takes what
// is left of the packet and either hands the rest to the next layer or ends
// with a Verdict. A layer trusts no length: the captured bytes and the bytes
// on the wire are two numbers (len(b) and wire), both cut down by each
// header, so that a packet cut by the snap length is told from one that lies.
//
// The layers are decoded by hand because speed is decided here: gopacket's
// DecodingLayerParser does the same work several times slower
// (BenchmarkDecode). The tests hold this decoder against gopacket's.

// A Verdict says what became of a packet.
type Verdict uint8

const (
	IsTCP        Verdict = iota // the segment is filled in
	NotTCP                      // another protocol
	IsFragment                  // part of an IP datagram that is not complete yet, or never will be
	CutShort                    // the capture ends inside the headers
	Malformed                   // headers contradict themselves
	UnknownLayer                // a link type that is not read
	verdicts
)

// String names the verdict.
func (v Verdict) String() string {
	return [...]string{"tcp", "not tcp", "fragment", "cut short", "malformed", "unknown layer", "?"}[min(v, verdicts)]
}

// DecodeStats count what a Decoder met.
type DecodeStats struct {
	Packets     int64 // all packets
	TCP         int64 // segments
	NotTCP      int64
	CutShort    int64 // packets whose headers were not captured whole
	Malformed   int64
	UnknownLink int64
	Fragments   FragmentStats
}

// A Decoder turns packets into TCP segments. The zero value is ready. It is
// for one goroutine.
type Decoder struct {
	stats     DecodeStats
	fragments defragmenter
}

// Stats returns what has been counted so far.
func (d *Decoder) Stats() DecodeStats {
	s := d.stats
	s.Fragments = d.fragments.stats
	return s
}

// Decode reads the layers of p. It fills s when it returns [IsTCP]; s borrows
// from p.
func (d *Decoder) Decode(p *Packet, s *Segment) Verdict {
	d.stats.Packets++
	s.Packet, s.Time, s.VLAN = p.Number, p.Time, 0
	v := d.link(p, s)
	switch v {
	case IsTCP:
		d.stats.TCP++
	case NotTCP:
		d.stats.NotTCP++
	case CutShort:
		d.stats.CutShort++
	case Malformed:
		d.stats.Malformed++
	case UnknownLayer:
		d.stats.UnknownLink++
	}
	return v
}

const (
	etherIPv4  = 0x0800
	etherIPv6  = 0x86dd
	etherVLAN  = 0x8100
	etherQinQ  = 0x88a8
	etherQinQ1 = 0x9100 // before it was standardised
	etherQinQ2 = 0x9200
	etherPPPoE = 0x8864

	maxTags       = 8 // VLAN tags in a row
	maxExtensions = 8 // IPv6 extension headers in a row

	protoTCP = 6
)

func (d *Decoder) link(p *Packet, s *Segment) Verdict {
	b, wire := p.Data, p.Length
	switch p.Link {
	case LinkEthernet:
		if len(b) < 14 {
			return CutShort
		}
		return d.ether(be16(b[12:]), b[14:], wire-14, s)
	case LinkSLL:
		if len(b) < 16 {
			return CutShort
		}
		return d.ether(be16(b[14:]), b[16:], wire-16, s)
	case LinkSLL2:
		if len(b) < 20 {
			return CutShort
		}
		return d.ether(be16(b), b[20:], wire-20, s)
	case LinkNull, LinkLoop:
		// The address family's number for IPv6 differs from system to system,
		// and its byte order is the host's; IP's own version says the same.
		if len(b) < 4 {
			return CutShort
		}
		return d.ip(b[4:], wire-4, s)
	case LinkRaw, LinkRaw12, LinkRaw14, LinkIPv4, LinkIPv6:
		return d.ip(b, wire, s)
	}
	return UnknownLayer
}

// ether reads what follows an EtherType.
func (d *Decoder) ether(typ uint16, b []byte, wire int, s *Segment) Verdict {
	for range maxTags {
		switch typ {
		case etherIPv4, etherIPv6:
			return d.ip(b, wire, s)
		case etherVLAN, etherQinQ, etherQinQ1, etherQinQ2:
			if len(b) < 4 {
				return CutShort
			}
			s.VLAN = be16(b) & 0xfff
			typ, b, wire = be16(b[2:]), b[4:], wire-4
		case etherPPPoE:
			if len(b) < 8 {
				return CutShort
			}
			switch be16(b[6:]) {
			case 0x0021, 0x0057: // IPv4, IPv6
				return d.ip(b[8:], wire-8, s)
			}
			return NotTCP
		default:
			return NotTCP
		}
	}
	return Malformed
}

func (d *Decoder) ip(b []byte, wire int, s *Segment) Verdict {
	if len(b) < 1 {
		return CutShort
	}
	switch b[0] >> 4 {
	case 4:
		return d.ipv4(b, wire, s)
	case 6:
		return d.ipv6(b, wire, s)
	}
	return NotTCP
}

func (d *Decoder) ipv4(b []byte, wire int, s *Segment) Verdict {
	if len(b) < 20 {
		return CutShort
	}
	header, total := int(b[0]&0xf)*4, int(be16(b[2:]))
	if total == 0 {
		total = wire // segmentation offload: the length did not fit, or was not filled in yet
	}
	if header < 20 || total < header {
		return Malformed
	}
	if len(b) < header {
		return CutShort
	}
	s.IPID, s.TTL = be16(b[4:]), b[8]
	src, dst := netip.AddrFrom4([4]byte(b[12:16])), netip.AddrFrom4([4]byte(b[16:20]))
	fragment := be16(b[6:])
	proto := b[9]
	b = b[header:min(total, len(b))]
	wire = total - header
	if more, at := fragment&0x2000 != 0, int(fragment&0x1fff)*8; more || at != 0 {
		key := fragmentKey{src: src, dst: dst, id: uint32(s.IPID), proto: proto}
		if b = d.fragments.add(key, s.Time, at, more, b, wire); b == nil {
			return IsFragment
		}
		wire = len(b)
	}
	if proto != protoTCP {
		return NotTCP
	}
	return d.tcp(src, dst, b, wire, s)
}

func (d *Decoder) ipv6(b []byte, wire int, s *Segment) Verdict {
	if len(b) < 40 {
		return CutShort
	}
	payload := int(be16(b[4:]))
	next := b[6]
	s.IPID, s.TTL = 0, b[7]
	src, dst := netip.AddrFrom16([16]byte(b[8:24])), netip.AddrFrom16([16]byte(b[24:40]))
	b, wire = b[40:], wire-40
	if payload != 0 { // 0: a jumbogram, or segmentation offload
		wire = payload
		b = b[:min(payload, len(b))]
	}
	for range maxExtensions {
		switch next {
		case protoTCP:
			return d.tcp(src, dst, b, wire, s)
		case 0, 43, 60, 135: // hop-by-hop, routing, destination, mobility
			if len(b) < 2 {
				return CutShort
			}
			n := 8 + int(b[1])*8
			if n > wire {
				return Malformed
			}
			if n > len(b) {
				return CutShort
			}
			next, b, wire = b[0], b[n:], wire-n
		case 51: // authentication: counted in fours
			if len(b) < 2 {
				return CutShort
			}
			n := 8 + int(b[1])*4
			if n > wire {
				return Malformed
			}
			if n > len(b) {
				return CutShort
			}
			next, b, wire = b[0], b[n:], wire-n
		case 44: // fragment
			if len(b) < 8 {
				return CutShort
			}
			place := be16(b[2:])
			key := fragmentKey{src: src, dst: dst, id: be32(b[4:]), proto: b[0]}
			next = b[0]
			more, at := place&1 != 0, int(place&^7)
			b, wire = b[8:], wire-8
			if more || at != 0 {
				if b = d.fragments.add(key, s.Time, at, more, b, wire); b == nil {
					return IsFragment
				}
				wire = len(b)
			}
		default:
			return NotTCP
		}
	}
	return Malformed
}

func (d *Decoder) tcp(src, dst netip.Addr, b []byte, wire int, s *Segment) Verdict {
	if wire < 20 {
		return Malformed
	}
	if len(b) < 20 {
		return CutShort
	}
	header := int(b[12]>>4) * 4
	if header < 20 || header > wire {
		return Malformed
	}
	s.Src = netip.AddrPortFrom(src, be16(b))
	s.Dst = netip.AddrPortFrom(dst, be16(b[2:]))
	s.Seq, s.Ack = be32(b[4:]), be32(b[8:])
	s.Flags = TCPFlags(b[13])
	s.Window = be16(b[14:])
	s.Length = wire - header
	have := min(header, len(b)) // options may be cut
	s.Options, s.Payload = b[20:have], b[have:]
	if len(s.Payload) > s.Length {
		s.Payload = s.Payload[:s.Length]
	}
	return IsTCP
}

func be16(b []byte) uint16 { return binary.BigEndian.Uint16(b) }
func be32(b []byte) uint32 { return binary.BigEndian.Uint32(b) }
