package flow

import (
	"bytes"
	"slices"
	"time"

	"github.com/wiretrue/websocket/cmd/internal/packet"
)

// NOTE on positions. Sequence numbers wrap; stream offsets do not. A half
// knows that sequence number nextSeq is offset next, and everything else is
// an offset. Invariants: next < held[0].off, held is sorted and does not
// overlap, and no chunk in it touches next.

const (
	maxAhead     = 1 << 30 // a segment further ahead than any window is stray
	maxChunks    = 4096    // pieces behind holes, per direction
	chunkCost    = 96      // what a chunk costs beside its bytes
	patience     = time.Second
	onewayExtra  = 3 // a capture of one direction has no acknowledgements: wait longer
	reorderDelay = 3 * time.Millisecond
	maxLost      = 8 // gaps remembered, to tell what came too late
)

// A half is one direction's stream. There may be very many: what most of them
// never need is in a trouble.
type half struct {
	isn        uint32
	nextSeq    uint32
	next       int64 // delivered up to here
	end        int64 // seen up to here
	acked      int64 // acknowledged by the other side; a FIN counts as one
	fin        int64 // offset of the FIN; -1
	prints     [fingerprints]fingerprint
	lastWindow uint16
	print      uint8
	heard      bool // a packet of it was captured
	hasISN     bool
	based      bool
	soft       bool // based on a packet without data, which may be a keep-alive
	isZero     bool
	rare       *trouble // nil: none so far
}

// A trouble is what a half keeps once something is out of order.
type trouble struct {
	held      []chunk
	heldBytes int
	announced int64 // the hole at this offset was reported; -1
	holeAt    int64 // when the hole opened
	doubt     int64 // Conn.packets when a tail was first missing; 0
	doubtAt   int64
	doubtTo   int64 // the end of what was missing then
	lost      []span
	zeroSince int64
}

func (h *half) trouble() *trouble {
	if h.rare == nil {
		h.rare = &trouble{announced: -1}
	}
	return h.rare
}

// held returns the chunks behind holes.
func (h *half) held() []chunk {
	if h.rare == nil {
		return nil
	}
	return h.rare.held
}

// A chunk is a piece of stream behind a hole.
type chunk struct {
	off   int64
	data  []byte // owned
	wire  int    // its length; len(data) is less when the capture was cut
	st    Stamp
	count int64 // Conn.packets when it came
}

func (k *chunk) end() int64 { return k.off + int64(k.wire) }

// from cuts the chunk's start off.
func (k chunk) from(off int64) chunk {
	n := int(off - k.off)
	k.data = k.data[min(n, len(k.data)):]
	k.off, k.wire = off, k.wire-n
	return k
}

// to cuts the chunk's end off.
func (k chunk) to(end int64) chunk {
	k.wire = int(end - k.off)
	k.data = k.data[:min(k.wire, len(k.data))]
	return k
}

type span struct{ from, to int64 }

func (h *half) init() { h.fin = -1 }

func (h *half) base(seq uint32) { h.nextSeq, h.based = seq, true }

// A baseGuess collects where a direction begins, from segments seen before
// anything was delivered.
type baseGuess struct {
	data, empty       uint32 // lowest sequence numbers with and without payload
	hasData, hasEmpty bool
}

func (g *baseGuess) add(s *packet.Segment) {
	lower := func(v *uint32, has *bool) {
		if !*has || int32(s.Seq-*v) < 0 {
			*v, *has = s.Seq, true
		}
	}
	switch {
	case s.Flags.Has(packet.RST): // its number may be anything
	case s.Length > 0:
		lower(&g.data, &g.hasData)
	default:
		lower(&g.empty, &g.hasEmpty)
	}
}

// apply bases h on the lowest number, but not on the one before the first
// data: that one is a keep-alive's.
func (g *baseGuess) apply(h *half) {
	switch before := g.data - g.empty; {
	case g.hasData && !(g.hasEmpty && before > 1 && before < maxAhead):
		h.base(g.data)
	case g.hasEmpty:
		h.base(g.empty)
		h.soft = !g.hasData
	}
}

func (h *half) offset(seq uint32) int64 { return h.next + int64(int32(seq-h.nextSeq)) }

func (h *half) finAcked() bool { return h.fin >= 0 && h.acked > h.fin }

// waiting reports whether bytes are known to be missing for now.
func (h *half) waiting() bool { return len(h.held()) > 0 || h.acked > h.next && h.fin != h.next }

// Waiting reports whether bytes of a direction are missing, for which it is
// waited.
func (c *Conn) Waiting(dir Dir) bool {
	h := &c.half[dir]
	return h.fin > h.next || h.rare != nil && (len(h.rare.held) > 0 || h.rare.doubt != 0)
}

func (c *Conn) hasHoles() bool { return c.half[0].waiting() || c.half[1].waiting() }

// payload places a segment's bytes in the stream.
func (t *Tracker) payload(c *Conn, dir Dir, s *packet.Segment, st Stamp) {
	h := &c.half[dir]
	seq := s.Seq
	if s.Flags.Has(packet.SYN) {
		seq++
	}
	off := h.offset(seq)
	if s.Length <= 1 && t.probe(c, dir, s, off, st) || s.Length == 0 {
		return
	}
	if h.soft {
		h.soft = false
		if off < 0 && off > -maxHeldBytes || off == 1 {
			h.nextSeq, off = seq, 0
		}
	}
	k := chunk{off: off, data: s.Payload, wire: s.Length, st: st, count: c.packets}
	if off > h.next+maxAhead || h.fin >= 0 && k.end() > h.fin {
		t.event(c, Event{Kind: Stray, Dir: dir, Offset: off, Length: int64(s.Length)}, st)
		return
	}
	if k.off < h.next {
		t.repeated(c, dir, k.to(min(k.end(), h.next)))
		if k.end() <= h.next {
			return
		}
		k = k.from(h.next)
	}
	if k.off > h.next {
		t.hold(c, dir, k)
		return
	}
	if len(h.held()) == 0 {
		t.deliver(c, dir, k, false)
	} else {
		t.fill(c, dir, k)
	}
	h.end = max(h.end, h.next)
}

// probe reports whether a segment of one byte at most is a keep-alive or a
// window probe.
func (t *Tracker) probe(c *Conn, dir Dir, s *packet.Segment, off int64, st Stamp) bool {
	h := &c.half[dir]
	if s.Flags&(packet.SYN|packet.FIN) != 0 || off != h.end-1 || h.end != h.next || h.acked < h.end {
		return false
	}
	kind := KeepAlive
	if c.half[dir.Reverse()].isZero {
		kind = WindowProbe
	}
	t.event(c, Event{Kind: kind, Dir: dir, Offset: off, Length: int64(s.Length)}, st)
	return true
}

// repeated reports bytes before next: sent before, or given up before.
func (t *Tracker) repeated(c *Conn, dir Dir, k chunk) {
	h := &c.half[dir]
	var lost []span
	if h.rare != nil {
		lost = h.rare.lost
	}
	for _, l := range lost {
		if from, to := max(l.from, k.off), min(l.to, k.end()); from < to {
			t.event(c, Event{Kind: TooLate, Dir: dir, Offset: from, Length: to - from}, k.st)
			if from == k.off && to == k.end() {
				return
			}
		}
	}
	t.retransmitted(c, dir, k, false)
}

func (t *Tracker) retransmitted(c *Conn, dir Dir, k chunk, unseen bool) {
	t.event(c, Event{Kind: Retransmission, Dir: dir, Offset: k.off, Length: int64(k.wire),
		Acked: k.end() <= c.half[dir].acked, Unseen: unseen}, k.st)
}

// fill delivers a chunk that starts at a hole and may reach into or over what
// is held behind it.
func (t *Tracker) fill(c *Conn, dir Dir, k chunk) {
	h := &c.half[dir]
	end := k.end()
	fresh := k.to(min(end, h.held()[0].off))
	t.lateArrival(c, dir, fresh)
	for {
		t.deliver(c, dir, fresh, false)
		t.drain(c, dir)
		if end <= h.next {
			return
		}
		fresh = k.from(h.next)
		if held := h.held(); len(held) > 0 {
			fresh = fresh.to(min(end, held[0].off))
		}
	}
}

// lateArrival tells bytes that overtook each other from bytes that were lost
// before the capture and sent again.
func (t *Tracker) lateArrival(c *Conn, dir Dir, k chunk) {
	delay := time.Duration(max(0, k.st.Nanos-c.half[dir].trouble().holeAt))
	if delay > max(reorderDelay, c.RTT()) {
		t.retransmitted(c, dir, k, true)
		return
	}
	t.event(c, Event{Kind: OutOfOrder, Dir: dir, Offset: k.off, Length: int64(k.wire), Duration: delay}, k.st)
}

// hold keeps the parts of k that are not held yet.
func (t *Tracker) hold(c *Conn, dir Dir, k chunk) {
	h := &c.half[dir]
	tr := h.trouble()
	if k.end() > h.end {
		h.end = k.end()
	} else {
		t.overtaken(c, dir, k)
	}
	i, _ := slices.BinarySearchFunc(tr.held, k, func(a, b chunk) int {
		if a.end() <= b.off {
			return -1
		}
		return 1
	})
	// held[i] is the first chunk that ends behind k's start.
	for k.wire > 0 {
		if i < len(tr.held) && tr.held[i].off <= k.off {
			if tr.held[i].end() >= k.end() {
				break
			}
			k = k.from(max(k.off, tr.held[i].end()))
			i++
			continue
		}
		part := k
		if i < len(tr.held) && tr.held[i].off < k.end() {
			part = k.to(tr.held[i].off)
		}
		k = k.from(part.end())
		part.data = bytes.Clone(part.data)
		tr.held = slices.Insert(tr.held, i, part)
		tr.heldBytes += len(part.data) + chunkCost
		t.keep(len(part.data) + chunkCost)
		i++
	}
	t.announce(c, dir, c.Last)
	if !c.holding {
		c.holding = true
		t.holders = append(t.holders, c)
	}
	for tr.heldBytes > t.opts.MaxBuffer || len(tr.held) > maxChunks {
		t.skipHole(c, dir, Limit)
	}
}

// overtaken reports a chunk that came after later ones and does not stand at
// the first hole.
func (t *Tracker) overtaken(c *Conn, dir Dir, k chunk) {
	held := c.half[dir].held()
	for i := range held {
		if o := &held[i]; o.off <= k.off && k.end() <= o.end() {
			t.retransmitted(c, dir, k, false)
			return
		}
	}
	if len(held) > 0 && k.off < held[len(held)-1].off {
		t.lateArrival(c, dir, k)
	}
}

// announce reports the hole before the held chunks, once.
func (t *Tracker) announce(c *Conn, dir Dir, st Stamp) {
	h := &c.half[dir]
	held := h.held()
	if len(held) == 0 || h.rare.announced == h.next {
		return
	}
	h.rare.announced = h.next
	h.rare.holeAt = held[0].st.Nanos
	t.event(c, Event{Kind: Hole, Dir: dir, Offset: h.next, Length: held[0].off - h.next}, st)
}

// deliver hands over a chunk that starts at next.
func (t *Tracker) deliver(c *Conn, dir Dir, k chunk, late bool) {
	h := &c.half[dir]
	n := len(k.data)
	h.nextSeq += uint32(n)
	h.next += int64(n)
	if n > 0 {
		t.handler.Data(c, dir, Run{Data: k.data, Offset: k.off, Packet: k.st.Packet, Time: k.st.Time(), Late: late})
	}
	if k.wire > n {
		t.gap(c, dir, k.end(), Truncated, k.st)
	}
}

// drain delivers what is held at next.
func (t *Tracker) drain(c *Conn, dir Dir) {
	h := &c.half[dir]
	for len(h.held()) > 0 && h.held()[0].off <= h.next {
		k := h.pop(t)
		if k.end() <= h.next {
			continue
		}
		t.deliver(c, dir, k.from(h.next), true)
	}
	t.announce(c, dir, c.Last)
}

// pop takes the first held chunk, of at least one.
func (h *half) pop(t *Tracker) chunk {
	tr := h.rare
	k := tr.held[0]
	tr.held[0] = chunk{}
	if tr.held = tr.held[1:]; len(tr.held) == 0 {
		tr.held = nil
	}
	tr.heldBytes -= len(k.data) + chunkCost
	t.keep(-len(k.data) - chunkCost)
	return k
}

// gap gives up the bytes from next to to.
func (t *Tracker) gap(c *Conn, dir Dir, to int64, why Reason, st Stamp) {
	h := &c.half[dir]
	n := to - h.next
	tr := h.trouble()
	if len(tr.lost) >= maxLost {
		tr.lost = slices.Delete(tr.lost, 0, 1)
	}
	tr.lost = append(tr.lost, span{h.next, to})
	ev := Event{Kind: Gap, Dir: dir, Offset: h.next, Length: n, Reason: why}
	h.nextSeq += uint32(n)
	h.next = to
	h.end = max(h.end, to)
	t.event(c, ev, st)
}

// skipHole gives up the hole before the held chunks and delivers those.
func (t *Tracker) skipHole(c *Conn, dir Dir, why Reason) {
	h := &c.half[dir]
	first := &h.held()[0]
	t.gap(c, dir, first.off, why, first.st)
	t.drain(c, dir)
}

// settle gives up the holes of one direction that will not be filled. With a
// force it gives up all, for that reason where there is no better one.
func (t *Tracker) settle(c *Conn, dir Dir, force Reason) {
	h := &c.half[dir]
	now := max(c.Last.Nanos, t.now)
	for len(h.held()) > 0 {
		k := &h.held()[0]
		window, wait := int64(t.opts.ReorderWindow), int64(patience)
		acked := h.acked >= k.off
		oneway := !c.half[dir.Reverse()].heard
		if oneway {
			window, wait = window*onewayExtra, wait*onewayExtra
		}
		passed := (acked || oneway) && (c.packets-k.count >= window || now-k.st.Nanos >= wait)
		switch {
		case acked && (passed || force != 0):
			t.skipHole(c, dir, NotCaptured)
		case passed:
			t.skipHole(c, dir, NeverCame)
		case force == NeverCame && c.far(dir, k.off):
			stray := h.pop(t)
			t.event(c, Event{Kind: Stray, Dir: dir, Offset: stray.off, Length: int64(stray.wire)}, stray.st)
		case force != 0:
			t.skipHole(c, dir, force)
		default:
			return
		}
	}
	t.settleTail(c, dir, now, force)
}

// settleTail gives up bytes behind everything captured, which only an
// acknowledgement or a FIN tells of.
func (t *Tracker) settleTail(c *Conn, dir Dir, now int64, force Reason) {
	h := &c.half[dir]
	to := h.acked
	if h.fin >= 0 {
		to = min(to, h.fin)
		if force == NeverCame {
			to = h.fin
		}
	}
	// A single byte may be a FIN that was not captured.
	if !h.heard || to <= h.next || to == h.next+1 && h.fin < 0 {
		if h.rare != nil {
			h.rare.doubt = 0
		}
		return
	}
	tr := h.trouble()
	if force != NeverCame {
		if tr.doubt == 0 || h.next >= tr.doubtTo {
			tr.doubt, tr.doubtAt, tr.doubtTo = c.packets, c.Last.Nanos, to
			if !c.holding {
				c.holding = true
				t.holders = append(t.holders, c)
			}
		}
		if c.packets-tr.doubt < int64(t.opts.ReorderWindow) && now-tr.doubtAt < int64(patience) {
			return
		}
		to = min(to, tr.doubtTo) // what is missing behind it has not been waited for yet
	}
	why := NotCaptured
	if h.acked < to {
		why = NeverCame
	}
	tr.doubt = 0
	st := c.Last
	if to == h.fin {
		st = c.FIN(dir)
	}
	t.gap(c, dir, to, why, st)
}

// far reports whether an offset is out of reach of what the other side had
// room for.
func (c *Conn) far(dir Dir, off int64) bool {
	h := &c.half[dir]
	room := int64(c.half[dir.Reverse()].lastWindow) << c.scale(dir.Reverse())
	return off-max(h.acked, h.next) > max(1<<20, 2*room)
}
