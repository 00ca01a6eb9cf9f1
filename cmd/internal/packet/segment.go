package packet

import (
	"net/netip"
	"strings"
	"time"
)

// TCPFlags are the flags of a TCP header, as on the wire.
type TCPFlags uint16

const (
	FIN TCPFlags = 1 << iota
	SYN
	RST
	PSH
	ACK
	URG
	ECE
	CWR
)

// Has reports whether all of want are set.
func (f TCPFlags) Has(want TCPFlags) bool { return f&want == want }

// String returns the flags' names, joined by commas.
func (f TCPFlags) String() string {
	var names []string
	for i, name := range [...]string{"FIN", "SYN", "RST", "PSH", "ACK", "URG", "ECE", "CWR"} {
		if f&(1<<i) != 0 {
			names = append(names, name)
		}
	}
	return strings.Join(names, ",")
}

// A Segment is one TCP segment with what its packet says around it. Its
// slices are borrowed: they are valid until the next Decode and the next Next
// of the source.
type Segment struct {
	Packet int64 // number of the packet; of the one that completed it for a fragmented datagram
	Time   time.Time

	Src, Dst netip.AddrPort
	IPID     uint16 // identification of IPv4; 0 for IPv6
	TTL      uint8  // or hop limit
	VLAN     uint16 // id of the innermost VLAN tag; 0 without one

	Seq, Ack uint32
	Flags    TCPFlags
	Window   uint16 // unscaled
	Options  []byte // raw TCP options
	Payload  []byte // what was captured of the payload
	Length   int    // payload bytes on the wire, as the IP header says; more than len(Payload) when the capture was cut
}

// Truncated reports whether payload bytes are missing from the capture.
func (s *Segment) Truncated() bool { return len(s.Payload) < s.Length }

// TCPOptions are the options of a TCP header that matter for reading a
// connection.
type TCPOptions struct {
	MSS           uint16 // 0: not given
	WindowScale   int8   // shift count; -1: not given
	SACKPermitted bool
	Timestamps    bool
	TSVal, TSEcr  uint32 // with Timestamps
}

// ParseTCPOptions reads a segment's options. It stops at the first one that
// does not fit; what stands before it counts.
func ParseTCPOptions(b []byte) TCPOptions {
	o := TCPOptions{WindowScale: -1}
	for len(b) > 0 {
		kind := b[0]
		if kind == 0 {
			break
		}
		if kind == 1 {
			b = b[1:]
			continue
		}
		if len(b) < 2 || b[1] < 2 || int(b[1]) > len(b) {
			break
		}
		v := b[2:b[1]]
		switch {
		case kind == 2 && len(v) == 2:
			o.MSS = be16(v)
		case kind == 3 && len(v) == 1:
			o.WindowScale = int8(min(v[0], 14)) // RFC 7323, 2.3: more counts as 14
		case kind == 4 && len(v) == 0:
			o.SACKPermitted = true
		case kind == 8 && len(v) == 8:
			o.Timestamps, o.TSVal, o.TSEcr = true, be32(v), be32(v[4:])
		}
		b = b[b[1]:]
	}
	return o
}
