// Package packet reads packets: from pcap and pcapng files, plain or gzipped,
// from a pipe, from a file that grows, and from a live interface. It decodes
// the layers below TCP and hands over TCP segments.
//
// Three steps, each usable alone:
//
//   - a [Source] yields a [Packet]: bytes with a time and a link type;
//   - a [Decoder] turns a Packet into a [Segment]: link layer, IP with its
//     fragments put together, TCP header;
//   - package flow turns Segments into byte streams.
//
// Nothing here judges. A file that is damaged yields what was readable and
// then a [*DamageError] that says where and why it stops.
package packet

import (
	"fmt"
	"io"
	"time"
)

// A LinkType says what the first byte of a packet belongs to. The values are
// those of pcap files.
type LinkType uint16

const (
	LinkNull     LinkType = 0   // BSD loopback: four bytes address family, in the byte order of the host
	LinkEthernet LinkType = 1   // Ethernet, with any number of VLAN tags
	LinkRaw12    LinkType = 12  // raw IP, as some systems number it
	LinkRaw14    LinkType = 14  // raw IP, as OpenBSD numbers it
	LinkRaw      LinkType = 101 // raw IP, version 4 or 6
	LinkLoop     LinkType = 108 // OpenBSD loopback: four bytes address family, big-endian
	LinkSLL      LinkType = 113 // Linux cooked capture v1 ("any")
	LinkIPv4     LinkType = 228 // raw IPv4
	LinkIPv6     LinkType = 229 // raw IPv6
	LinkSLL2     LinkType = 276 // Linux cooked capture v2

	// LinkUnknown stands for a packet whose interface the file does not
	// describe.
	LinkUnknown LinkType = 0xffff
)

// String returns the link type's short name, or its number.
func (t LinkType) String() string {
	switch t {
	case LinkNull:
		return "null"
	case LinkEthernet:
		return "ethernet"
	case LinkRaw, LinkRaw12, LinkRaw14:
		return "raw"
	case LinkLoop:
		return "loop"
	case LinkSLL:
		return "linux-sll"
	case LinkIPv4:
		return "ipv4"
	case LinkIPv6:
		return "ipv6"
	case LinkSLL2:
		return "linux-sll2"
	case LinkUnknown:
		return "unknown"
	}
	return fmt.Sprintf("linktype-%d", uint16(t))
}

// A Packet is one captured packet.
type Packet struct {
	Number    int64     // counted from 1 over the whole file, as other tools count
	Time      time.Time // zero when the file gives none (pcapng simple packets)
	Link      LinkType
	Interface int    // index of the pcapng interface; 0 elsewhere
	Data      []byte // what was captured; borrowed, valid until the next call of Next
	Length    int    // bytes the packet had on the wire; len(Data) is less when a snap length cut it
	Comment   string // the packet's comment (pcapng), several joined by line feeds
}

// Truncated reports whether the capture holds less than was on the wire.
func (p *Packet) Truncated() bool { return len(p.Data) < p.Length }

// A Source yields packets one after the other.
//
// Next fills p and returns nil, or returns an error and leaves p's contents
// unspecified. At a regular end the error is io.EOF. After an error every
// further call returns the same error. p.Data is valid until the next call.
//
// Close may be called from another goroutine to end a Next that waits (a live
// interface, a followed file); Next then returns io.EOF.
type Source interface {
	Next(p *Packet) error
	Close() error
}

// Secrets are TLS secrets found inside a capture file.
type Secrets struct {
	Packet int64  // number of packets that stood before the secrets
	KeyLog []byte // lines in the SSLKEYLOGFILE format; the receiver owns them
}

// A DamageError says where and why a capture could not be read to its end.
// Everything before that place has been yielded.
type DamageError struct {
	Offset int64  // where the damaged record starts, in the decompressed file
	Packet int64  // number of the last packet that was read whole; 0 for none
	Reason string // what is wrong, in words
	Err    error  // the cause when there is one: io.ErrUnexpectedEOF for a file cut short
}

func (e *DamageError) Error() string {
	s := fmt.Sprintf("capture damaged at byte %d, after packet %d: %s", e.Offset, e.Packet, e.Reason)
	if e.Err != nil && e.Err != io.ErrUnexpectedEOF { // of which the reason tells
		s += ": " + e.Err.Error()
	}
	return s
}

func (e *DamageError) Unwrap() error { return e.Err }
