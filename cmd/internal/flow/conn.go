package flow

import (
	"encoding/binary"
	"time"

	"github.com/wiretrue/websocket/cmd/internal/packet"
)

// process takes a segment of a connection that is understood.
func (t *Tracker) process(c *Conn, dir Dir, s *packet.Segment, now int64) {
	h, peer := &c.half[dir], &c.half[dir.Reverse()]
	st := Stamp{s.Packet, now}
	c.Last = st
	c.packets++
	if h.repeats(s, now) {
		t.event(c, Event{Kind: Duplicate, Dir: dir, Length: int64(s.Length)}, st)
		return
	}
	h.heard = true
	syn, rst := s.Flags.Has(packet.SYN), s.Flags.Has(packet.RST)
	switch {
	case rst:
		t.reset(c, dir, s, st)
		return
	case syn:
		t.synchronise(c, dir, s, st)
	case !h.based:
		h.base(s.Seq)
		h.soft = s.Length == 0
	}
	if s.Flags.Has(packet.ACK) {
		t.acknowledge(c, dir, s, st)
	}
	if !syn {
		t.window(c, dir, s, st)
	}
	t.payload(c, dir, s, st)
	if s.Flags.Has(packet.FIN) {
		t.finish(c, dir, s, st)
	}
	if h.waiting() {
		t.settle(c, dir, 0)
	}
	if peer.waiting() {
		t.settle(c, dir.Reverse(), 0)
	}
	if !c.isClosed && h.finAcked() && peer.finAcked() {
		t.close(c, dir, st)
	}
	if t.buffered > t.opts.MaxBuffered {
		t.relieve()
	}
}

func (t *Tracker) synchronise(c *Conn, dir Dir, s *packet.Segment, st Stamp) {
	h := &c.half[dir]
	if h.hasISN {
		t.event(c, Event{Kind: Retransmission, Dir: dir}, st)
		return
	}
	h.isn, h.hasISN = s.Seq, true
	if !h.based {
		h.base(s.Seq + 1)
	}
	c.windowScale[dir] = packet.ParseTCPOptions(s.Options).WindowScale
	if dir == ToServer {
		c.opening = time.Duration(st.Nanos)
	}
	t.event(c, Event{Kind: SYN, Dir: dir, ACK: s.Flags.Has(packet.ACK)}, st)
}

func (t *Tracker) acknowledge(c *Conn, dir Dir, s *packet.Segment, st Stamp) {
	peer := &c.half[dir.Reverse()]
	if !peer.based {
		peer.base(s.Ack)
	}
	if off := peer.offset(s.Ack); off > peer.acked && off-peer.next < maxAhead {
		peer.acked = off
	}
	if !c.established && dir == ToServer && !s.Flags.Has(packet.SYN) && c.half[0].hasISN && c.half[1].hasISN {
		c.established = true
		c.opening = time.Duration(st.Nanos) - c.opening
		t.event(c, Event{Kind: Established, Dir: dir, Duration: c.RTT()}, st)
	}
}

func (t *Tracker) window(c *Conn, dir Dir, s *packet.Segment, st Stamp) {
	h := &c.half[dir]
	h.lastWindow = s.Window
	if h.isZero == (s.Window == 0) {
		return
	}
	if s.Window == 0 {
		h.isZero, h.trouble().zeroSince = true, st.Nanos
		t.event(c, Event{Kind: ZeroWindow, Dir: dir}, st)
		return
	}
	h.isZero = false
	d := time.Duration(max(0, st.Nanos-h.trouble().zeroSince))
	t.event(c, Event{Kind: ZeroWindowEnd, Dir: dir, Duration: d}, st)
}

func (t *Tracker) finish(c *Conn, dir Dir, s *packet.Segment, st Stamp) {
	h := &c.half[dir]
	off := h.offset(s.Seq) + int64(s.Length)
	switch {
	case h.fin < 0:
		if off < h.next || off > h.next+maxAhead {
			t.event(c, Event{Kind: Stray, Dir: dir, Offset: off}, st)
			return
		}
		h.fin = off
		if c.fins == nil {
			c.fins = new([2]Stamp)
		}
		c.fins[dir] = st
		t.event(c, Event{Kind: FIN, Dir: dir, Offset: off}, st)
	case s.Length == 0:
		t.event(c, Event{Kind: Retransmission, Dir: dir, Offset: off, Acked: h.finAcked()}, st)
	}
}

func (t *Tracker) reset(c *Conn, dir Dir, s *packet.Segment, st Stamp) {
	h := &c.half[dir]
	ev := Event{Kind: RST, Dir: dir}
	if h.based {
		ev.Offset = h.offset(s.Seq)
		room := int64(c.half[dir.Reverse()].lastWindow) << c.scale(dir.Reverse())
		low, high := min(h.next, max(h.acked, 0)), max(h.next, h.end, h.acked)
		// One more each way: a FIN takes a number, a keep-alive is one behind.
		ev.OutOfWindow = ev.Offset < low-1-1<<16 || ev.Offset > high+1+max(room, 1<<16)
	}
	c.isReset[dir] = true
	t.event(c, ev, st)
	if !ev.OutOfWindow {
		t.close(c, dir, st)
	}
}

// scale returns the shift of dir's sender's windows; the largest possible
// when the capture does not tell.
func (c *Conn) scale(dir Dir) uint {
	if !c.half[0].hasISN || !c.half[1].hasISN {
		return 14
	}
	if min(c.windowScale[0], c.windowScale[1]) < 0 {
		return 0
	}
	return uint(c.windowScale[dir])
}

// Fingerprints of the last packets of a direction tell a packet that was
// captured twice from bytes that were sent twice: a sender gives a repeated
// packet a new IP identification, or a new timestamp.
const (
	fingerprints  = 3
	duplicateTime = 100 * time.Millisecond
	anonymousTime = 2 * time.Millisecond // for packets with neither of them
)

type fingerprint struct {
	sum uint32
	at  uint32 // in units of 2^16 ns
}

// repeats reports whether s is a packet captured before, and remembers it.
func (h *half) repeats(s *packet.Segment, now int64) bool {
	sum := mix(uint64(s.Seq)<<32|uint64(s.Ack), 0)
	sum = mix(sum, uint64(s.IPID)<<48|uint64(s.Flags)<<32|uint64(s.Window)<<16|uint64(s.Length)&0xffff)
	o := s.Options
	for ; len(o) >= 8; o = o[8:] {
		sum = mix(sum, binary.BigEndian.Uint64(o))
	}
	if len(o) >= 4 {
		sum = mix(sum, uint64(binary.BigEndian.Uint32(o)))
	}
	limit := int32(anonymousTime >> 16)
	if s.IPID != 0 {
		limit = int32(duplicateTime >> 16)
	}
	f := fingerprint{uint32(sum >> 32), uint32(now >> 16)}
	for _, p := range h.prints {
		if d := int32(f.at - p.at); p.sum == f.sum && -limit <= d && d <= limit {
			// New bytes are no repetition, whatever the fingerprint says.
			return !h.based || h.offset(s.Seq)+int64(s.Length) <= max(h.next, h.end)
		}
	}
	h.prints[h.print%fingerprints] = f
	h.print++
	return false
}

func mix(sum, v uint64) uint64 {
	sum = (sum ^ v) * 0x9e3779b97f4a7c15
	return sum ^ sum>>29
}
