package record

import (
	"encoding/binary"
	"fmt"
	"math/bits"
	"net/netip"
	"time"

	"github.com/wiretrue/websocket/capture"
	"github.com/wiretrue/websocket/internal/pcapng"
	"github.com/wiretrue/websocket/wire"
)

// packets writes connections as TCP in a capture of raw IP.
type packets struct {
	r     *Recorder
	flows map[flow]bool // of the connections under way
	made  uint16        // counts the ports of addresses that are made up
}

// flow is the two ends of a connection, by role.
type flow [2]netip.AddrPort

func (p *packets) begin(dst []byte) []byte {
	dst = pcapng.AppendSection(dst, pcapng.Section{
		Application: "wiretrue record",
		Comments: []string{"Recorded by an end of the connections, above TLS. The bytes, their order and their times are true; " +
			"TCP's opening and its sequence numbers are made up, and so are the addresses 192.0.2.1 and 192.0.2.2."},
	})
	return pcapng.AppendInterface(dst, pcapng.Interface{Link: pcapng.LinkRaw, Name: "record", Description: "the program's own connections"})
}

// The flags of a TCP header.
const (
	flagFIN = 1 << iota
	flagSYN
	flagRST
	flagPSH
	flagACK
)

const (
	maxSegment = 65535 - 20 - 20 // bytes of payload that fit behind headers of IPv4 and TCP
	overhead   = 160             // bytes of a packet beside payload and comment, at most
	ackEvery   = 1 << 28         // bytes that stay unacknowledged at most: a quarter of the window
)

// synOptions are a maximum segment size and a window scale of 14, so that the
// window is never full.
var synOptions = []byte{2, 4, maxSegment >> 8, maxSegment & 0xff, 1, 3, 3, 14}

// tcp is a connection in a capture.
type tcp struct {
	p       *packets
	o       *opening
	addr    flow
	isn     [2]uint32 // by role
	next    [2]uint32 // the sequence number of what comes next
	acked   [2]uint32 // what the side has acknowledged of the other's
	file    int       // in which it is open
	note    string    // for the next packet
	skipped [2]int64  // bytes left out since the last packet
	total   [2]int64  // bytes behind the opening
}

var (
	madeClient = netip.AddrFrom4([4]byte{192, 0, 2, 1})
	madeServer = netip.AddrFrom4([4]byte{192, 0, 2, 2})
)

func (p *packets) open(o *opening) story {
	t := &tcp{p: p, o: o, addr: o.addr, file: -1}
	client, server := t.addr[wire.Client], t.addr[wire.Server]
	if !client.IsValid() || !server.IsValid() || client.Addr().Is4() != server.Addr().Is4() || p.flows[t.addr] {
		p.made++
		t.addr[wire.Client] = netip.AddrPortFrom(madeClient, 49152+p.made%16384)
		t.addr[wire.Server] = netip.AddrPortFrom(madeServer, 80)
		t.note = fmt.Sprintf("; in truth %s to %s", orUnknown(o.names[wire.Client]), orUnknown(o.names[wire.Server]))
	}
	p.flows[t.addr] = true
	t.note = o.words() + t.note
	t.isn[wire.Client] = uint32(o.number) * 2654435761
	t.isn[wire.Server] = t.isn[wire.Client] ^ 0x5bd1e995
	t.next = t.isn
	t.open()
	if p.r.o.Files == 1 {
		o.request, o.response = nil, nil // which only another file would need again
	}
	return t
}

func orUnknown(name string) string {
	if name == "" {
		return "an address that is not known"
	}
	return name
}

// open writes the opening into the current file.
func (t *tcp) open() {
	if !t.p.r.room(t.openSize()) {
		return
	}
	t.file = t.p.r.pending.file
	next, note, again := t.next, t.note, t.next != t.isn
	if again {
		t.note = fmt.Sprintf("connection %d goes on from an earlier file: %d bytes of the client and %d of the server are not in this one",
			t.o.number, t.total[wire.Client], t.total[wire.Server])
	}
	t.next, t.acked = t.isn, [2]uint32{}
	t.append(wire.Client, t.o.begun, flagSYN, nil)
	t.append(wire.Server, t.o.begun, flagSYN|flagACK, nil)
	t.append(wire.Client, t.o.begun, flagACK, nil)
	t.segments(wire.Client, t.o.begun, t.o.request)
	t.segments(wire.Server, t.o.at, t.o.response)
	if again {
		t.next, t.note = next, note
	}
}

// openSize is the most that the opening takes in a file.
func (t *tcp) openSize() int {
	n := len(t.o.request) + len(t.o.response)
	return n + (5+n/maxSegment)*overhead + len(t.note) + 256
}

// packet writes a packet, in the next file if there is no room in this one.
func (t *tcp) packet(from wire.Role, at time.Time, flags byte, payload []byte) bool {
	if !t.p.r.room(t.openSize() + 2*overhead + len(payload)) {
		return false
	}
	if t.file != t.p.r.pending.file {
		t.open()
	}
	t.append(from, at, flags, payload)
	if to := from.Peer(); t.next[from]-t.acked[to] > ackEvery {
		t.append(to, at, flagACK, nil)
	}
	return true
}

func (t *tcp) bytes(from wire.Role, at time.Time, b []byte) {
	if n := t.skipped[from]; n > 0 {
		t.skipped[from] = 0
		t.note = fmt.Sprintf("%d bytes in front of this packet are left out: too much waited to be written", n)
	}
	for len(b) > 0 {
		n := min(len(b), maxSegment)
		if !t.packet(from, at, flagPSH|flagACK, b[:n]) {
			return
		}
		t.total[from] += int64(n)
		b = b[n:]
	}
}

// segments appends the bytes in as many packets as they need.
func (t *tcp) segments(from wire.Role, at time.Time, b []byte) {
	for len(b) > 0 {
		n := min(len(b), maxSegment)
		t.append(from, at, flagPSH|flagACK, b[:n])
		b = b[n:]
	}
}

func (t *tcp) missed(from wire.Role, _ time.Time, n int) {
	t.next[from] += uint32(n)
	t.skipped[from] += int64(n)
	t.total[from] += int64(n)
}

func (t *tcp) end(from wire.Role, at time.Time, how capture.How, why error) {
	if why != nil {
		t.note = why.Error()
	}
	if how == capture.RST {
		t.packet(from, at, flagRST|flagACK, nil)
		return
	}
	t.packet(from, at, flagFIN|flagACK, nil)
}

func (t *tcp) done() { delete(t.p.flows, t.addr) }

// append appends a packet to what waits to be written.
func (t *tcp) append(from wire.Role, at time.Time, flags byte, payload []byte) {
	to := from.Peer()
	src, dst := t.addr[from], t.addr[to]
	var options []byte
	if flags&flagSYN != 0 {
		options = synOptions
	}
	size := 20 + len(options) + len(payload)

	b, begin := pcapng.BeginPacket(t.p.r.pending.buf, 0, at)
	ip := len(b)
	if src.Addr().Is4() {
		b = append(b, 0x45, 0)
		b = binary.BigEndian.AppendUint16(b, uint16(20+size))
		b = append(b, 0, 0, 0x40, 0, 64, 6, 0, 0) // no fragments, TTL, TCP, checksum
		s, d := src.Addr().As4(), dst.Addr().As4()
		b = append(append(b, s[:]...), d[:]...)
		binary.BigEndian.PutUint16(b[ip+10:], ^fold(sum(b[ip:], 0)))
	} else {
		b = append(b, 0x60, 0, 0, 0)
		b = binary.BigEndian.AppendUint16(b, uint16(size))
		b = append(b, 6, 64) // TCP, hop limit
		s, d := src.Addr().As16(), dst.Addr().As16()
		b = append(append(b, s[:]...), d[:]...)
	}
	addresses := b[len(b)-2*src.Addr().BitLen()/8:]
	pseudo := sum(addresses, 6+uint64(size)) // RFC 9293 3.1

	head := len(b)
	b = binary.BigEndian.AppendUint16(b, src.Port())
	b = binary.BigEndian.AppendUint16(b, dst.Port())
	b = binary.BigEndian.AppendUint32(b, t.next[from])
	ack := uint32(0)
	if flags&flagACK != 0 {
		ack = t.next[to]
		t.acked[from] = ack
	}
	b = binary.BigEndian.AppendUint32(b, ack)
	b = append(b, byte(20+len(options))/4<<4, flags, 0xff, 0xff, 0, 0, 0, 0) // window, checksum, no urgent data
	b = append(b, options...)
	b = append(b, payload...)
	binary.BigEndian.PutUint16(b[head+16:], ^fold(sum(b[head:], pseudo)))
	t.next[from] += uint32(len(payload))
	if flags&(flagSYN|flagFIN) != 0 {
		t.next[from]++
	}

	if t.note == "" {
		t.p.r.pending.buf = pcapng.EndPacket(b, begin, 0)
		return
	}
	t.p.r.pending.buf = pcapng.EndPacket(b, begin, 0, t.note)
	t.note = ""
}

// sum adds the 16-bit words of b in ones' complement arithmetic (RFC 1071),
// still in 64 bits.
func sum(b []byte, acc uint64) uint64 {
	var carry uint64
	for ; len(b) >= 8; b = b[8:] {
		acc, carry = bits.Add64(acc, binary.BigEndian.Uint64(b), carry)
	}
	var rest [8]byte
	copy(rest[:], b)
	acc, carry = bits.Add64(acc, binary.BigEndian.Uint64(rest[:]), carry)
	acc, carry = bits.Add64(acc, 0, carry)
	return acc + carry
}

func fold(acc uint64) uint16 {
	acc = acc>>32 + acc&0xffffffff
	acc = acc>>32 + acc&0xffffffff
	acc = acc>>16 + acc&0xffff
	return uint16(acc>>16 + acc&0xffff)
}
