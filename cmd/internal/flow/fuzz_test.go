package flow_test

import (
	"encoding/binary"
	"net/netip"
	"testing"
	"time"

	"github.com/wiretrue/websocket/cmd/internal/flow"
	"github.com/wiretrue/websocket/cmd/internal/packet"
)

// An accountant checks that the offsets of a direction add up.
type accountant struct {
	t    *testing.T
	next map[*flow.Conn]*[2]int64
}

func (a *accountant) Open(c *flow.Conn) { a.next[c] = new([2]int64) }

func (a *accountant) Data(c *flow.Conn, dir flow.Dir, r flow.Run) {
	next := &a.next[c][dir]
	if r.Offset != *next || len(r.Data) == 0 {
		a.t.Fatalf("%d bytes at %d, where %d is next", len(r.Data), r.Offset, *next)
	}
	*next += int64(len(r.Data))
}

func (a *accountant) Event(c *flow.Conn, ev flow.Event) {
	if ev.Kind != flow.Gap {
		return
	}
	next := &a.next[c][ev.Dir]
	if ev.Offset != *next || ev.Length <= 0 {
		a.t.Fatalf("a gap of %d bytes at %d, where %d is next", ev.Length, ev.Offset, *next)
	}
	*next += ev.Length
}

func (a *accountant) End(c *flow.Conn) {
	if a.next[c] == nil {
		a.t.Fatal("a connection ends twice, or has not begun")
	}
	delete(a.next, c)
}

// Whatever segments come, the bytes of a direction are told in order, without
// overlaps, and each connection ends once. Eight bytes of the input are a
// segment: flags, direction and connection, sequence number and
// acknowledgement near where the connection is, length, time and window.
func FuzzTracker(f *testing.F) {
	f.Add([]byte("\x02\x00\x00\x00\x00\x00\x01\x09\x12\x01\x00\x01\x00\x00\x01\x09\x18\x00\x01\x01\x20\x00\x01\x09\x18\x00\x41\x01\x20\x00\x01\x09\x11\x01\x01\x61\x00\x00\x01\x09"))
	f.Fuzz(func(t *testing.T, in []byte) {
		a := &accountant{t, map[*flow.Conn]*[2]int64{}}
		tracker := flow.New(a, &flow.Options{MaxConns: 3, MaxBuffer: 4 << 10, MaxBuffered: 6 << 10})
		now := time.Unix(1_700_000_000, 0)
		payload := make([]byte, 256)
		for n := int64(1); len(in) >= 8; n++ {
			b := in[:8]
			in = in[8:]
			now = now.Add(time.Duration(int8(b[6])) * 10 * time.Millisecond)
			client := netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, 0, 1}), 40000+uint16(b[1]>>1&7))
			server := netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, 0, 2}), 80)
			s := packet.Segment{Packet: n, Time: now, Src: client, Dst: server, IPID: uint16(n), Flags: packet.TCPFlags(b[0]) & 0x3f,
				Seq: 0xffffff00 + uint32(int32(int8(b[2]))*4), Ack: 0xffffff00 + uint32(b[3])*4, Window: uint16(b[7])}
			if b[1]&1 != 0 {
				s.Src, s.Dst = s.Dst, s.Src
			}
			if b[1]&0x80 != 0 {
				s.Seq = binary.BigEndian.Uint32(b[2:])
			}
			s.Length = int(b[4])
			s.Payload = payload[:max(0, s.Length-int(b[5]>>4))]
			tracker.Segment(&s)
		}
		tracker.Close()
		if len(a.next) != 0 {
			t.Fatalf("%d connections have no end", len(a.next))
		}
		if kept := tracker.Stats().Buffered; kept != 0 {
			t.Fatalf("%d bytes are still kept", kept)
		}
	})
}
