package flow

import (
	"bytes"
	"net/netip"
	"slices"
	"time"

	"github.com/wiretrue/websocket/cmd/internal/packet"
	"github.com/wiretrue/websocket/wire/frame"
)

// NOTE. The first captured packet of a connection leaves two questions open:
// who the client is, and at which sequence numbers the streams begin, because
// it may have been captured out of order. SYN and SYN-ACK answer both. Until
// both are there a connection is an embryo: its segments are kept, and when
// time or number says that no answer is coming, the answer is guessed.

const (
	maxGestation    = 200 * time.Millisecond
	maxHeldSegments = 16
	maxHeldBytes    = 64 << 10
	heldOverhead    = 256 // what a kept segment costs beside its bytes
)

type embryo struct {
	since int64
	held  []heldSegment
	bytes int
}

type heldSegment struct {
	packet.Segment
	fromA bool
	now   int64
}

func (t *Tracker) gestate(c *Conn, s *packet.Segment, fromA bool, now int64) {
	if isSYN(s) && !c.embryo.fits(s, fromA) {
		// What was held belongs to an older connection.
		t.end(c, PortReused)
		k, _ := keyOf(s.Src, s.Dst)
		c = t.create(k, s, now)
		t.recent = c
	}
	e := c.embryo
	if len(e.held) == 0 {
		t.embryos = append(t.embryos, c)
		e.held, t.spare = t.spare, nil
	}
	h := heldSegment{*s, fromA, now}
	h.Options, h.Payload = bytes.Clone(s.Options), bytes.Clone(s.Payload)
	e.held = append(e.held, h)
	e.bytes += len(h.Payload) + heldOverhead
	t.keep(len(h.Payload) + heldOverhead)
	if e.ripe() {
		t.understand(c)
	}
	t.relieve()
}

func isSYN(s *packet.Segment) bool {
	return s.Flags.Has(packet.SYN) && !s.Flags.Has(packet.RST)
}

// fits reports whether a SYN can have opened the connection that the held
// segments are of.
func (e *embryo) fits(s *packet.Segment, fromA bool) bool {
	near := func(d uint32) bool { return d <= lateSYN }
	for i := range e.held {
		h := &e.held[i]
		switch {
		case h.fromA == fromA && isSYN(&h.Segment) && h.Seq != s.Seq:
			return false
		case h.fromA == fromA && !h.Flags.Has(packet.RST) && !near(h.Seq-s.Seq):
			return false
		case h.fromA != fromA && h.Flags.Has(packet.ACK) && !near(h.Ack-s.Seq):
			return false
		case h.fromA != fromA && isSYN(&h.Segment) && s.Flags.Has(packet.ACK) && s.Ack != h.Seq+1:
			return false
		}
	}
	return true
}

// ripe reports whether there is an answer, or enough is held to be sure that
// reordering is over. Otherwise time decides (maxGestation).
func (e *embryo) ripe() bool {
	if len(e.held) >= maxHeldSegments || e.bytes >= maxHeldBytes {
		return true
	}
	syn, answer := e.opening()
	return syn >= 0 && answer >= 0
}

// opening returns where the SYN and the SYN-ACK are held, or -1.
func (e *embryo) opening() (syn, answer int) {
	syn, answer = -1, -1
	for i := range e.held {
		switch h := &e.held[i].Segment; {
		case !isSYN(h):
		case h.Flags.Has(packet.ACK):
			if answer < 0 {
				answer = i
			}
		case syn < 0:
			syn = i
		}
	}
	return syn, answer
}

// understand ends an embryo: it decides what the questions' answers are,
// makes c known to the handler and processes what was held.
func (t *Tracker) understand(c *Conn) {
	e := c.embryo
	syn, answer := e.opening()
	first := &e.held[0]
	switch {
	case syn >= 0:
		c.Evidence, c.clientIsA = SawSYN, e.held[syn].fromA
	case answer >= 0:
		c.Evidence, c.clientIsA = SawSYNACK, !e.held[answer].fromA
	default:
		srcIsClient, ev := t.guess(e)
		c.Evidence, c.clientIsA = ev, srcIsClient == first.fromA
		c.MidStream = true
	}
	t.keep(-e.bytes)
	c.embryo = nil
	t.handler.Open(c)
	if c.MidStream {
		t.event(c, Event{Kind: MidStream, Dir: c.dir(first.fromA)}, Stamp{first.Packet, first.now})
	}

	for _, i := range []int{syn, answer} {
		if i >= 0 {
			t.replay(c, e.held[i:i+1])
		}
	}
	var bases [2]baseGuess
	for i := range e.held {
		bases[c.dir(e.held[i].fromA)].add(&e.held[i].Segment)
	}
	for d := range bases {
		if !c.half[d].based {
			bases[d].apply(&c.half[d])
		}
	}
	for i := range e.held {
		if i != syn && i != answer {
			t.replay(c, e.held[i:i+1])
		}
	}
	clear(e.held)
	t.spare = e.held[:0]
}

func (t *Tracker) replay(c *Conn, held []heldSegment) {
	for i := range held {
		t.process(c, c.dir(held[i].fromA), &held[i].Segment, held[i].now)
	}
}

// guess decides whether the sender of the first held segment is the client.
func (t *Tracker) guess(e *embryo) (srcIsClient bool, ev Evidence) {
	first := &e.held[0]
	for i := range e.held {
		h := &e.held[i]
		if isRequest(h.Payload) {
			return h.fromA == first.fromA, ByContent
		}
		if isResponse(h.Payload) {
			return h.fromA != first.fromA, ByContent
		}
	}
	src, dst := t.portClass(first.Src), t.portClass(first.Dst)
	if max(src, dst) < privileged {
		for i := range e.held {
			if h := &e.held[i]; !h.Truncated() {
				if masked, ok := isFrames(h.Payload); ok {
					return masked == (h.fromA == first.fromA), ByContent
				}
			}
		}
	}
	if src != dst {
		return src < dst, ByPort
	}
	return first.Src.Port() >= first.Dst.Port(), ByPortSize
}

// privileged is the class of a port that only a server has.
const privileged = 2

// portClass is higher the more the port looks like a server's.
func (t *Tracker) portClass(a netip.AddrPort) int {
	p := a.Port()
	switch {
	case slices.Contains(t.opts.ServerPorts, p):
		return 4
	case p == 80 || p == 443 || p == 8080 || p == 8443:
		return 3
	case p < 1024:
		return privileged
	case p < 32768: // below the ephemeral ports of the usual systems
		return 1
	}
	return 0
}

func isRequest(b []byte) bool {
	if len(b) >= 6 && b[0] == 0x16 && b[1] == 3 && b[5] == 1 { // TLS ClientHello
		return true
	}
	for _, m := range []string{"GET ", "POST ", "PUT ", "HEAD ", "OPTIONS ", "DELETE ", "CONNECT ", "PATCH ", "PRI * HTTP"} {
		if len(b) >= len(m) && string(b[:len(m)]) == m {
			return true
		}
	}
	return false
}

// isFrames reports whether b is whole frames of WebSocket, as far as their
// headers tell, and whether they are masked, as a client's are.
func isFrames(b []byte) (masked, ok bool) {
	for i := 0; i < len(b); {
		h, n := frame.Parse(b[i:])
		switch {
		case n == 0, !h.Opcode.Assigned(), h.RSV&^frame.RSV1 != 0, h.LengthSize != frame.MinimalLengthSize(h.Length):
			return false, false
		case h.Opcode.Control() && (!h.Fin || h.RSV != 0 || h.Length > frame.MaxControlPayload):
			return false, false
		case h.Length > uint64(len(b)-i-n), i > 0 && h.Masked != masked:
			return false, false
		}
		masked = h.Masked
		i += n + int(h.Length)
	}
	return masked, len(b) > 0
}

func isResponse(b []byte) bool {
	if len(b) >= 6 && b[0] == 0x16 && b[1] == 3 && b[5] == 2 { // TLS ServerHello
		return true
	}
	return len(b) >= 7 && string(b[:7]) == "HTTP/1."
}
