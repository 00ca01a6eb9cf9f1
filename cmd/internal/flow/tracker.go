package flow

import (
	"cmp"
	"slices"
	"time"

	"github.com/wiretrue/websocket/cmd/internal/packet"
)

const (
	maxClosed     = 2048 // closed connections that are listened to at a time
	sweepInterval = 100 * time.Millisecond
	clockBackstep = time.Minute // more than this backwards is a new clock, not reordering
)

// A Tracker follows the connections of one capture. It is for one goroutine.
type Tracker struct {
	handler Handler
	opts    Options
	stats   Stats

	conns    table
	recent   *Conn         // the last one used
	embryos  []*Conn       // waiting to be understood, by age; may hold gone ones
	spare    []heldSegment // empty, for the next embryo
	holders  []*Conn       // with holes; may hold ones without
	closed   []*Conn       // by age; may hold gone ones
	now      int64         // capture time
	swept    int64
	buffered int
}

// tracking is the tracker's part of a Conn. There may be very many.
type tracking struct {
	key         key
	place       // in Tracker.conns
	clientIsA   bool
	isV4        bool // the addresses are of IPv4
	holding     bool // is in Tracker.holders
	isClosed    bool
	gone        bool
	established bool      // the opening handshake is complete
	isReset     [2]bool   // by a RST of the side
	windowScale [2]int8   // of the SYNs, as packet.TCPOptions has it
	embryo      *embryo   // until it is understood
	fins        *[2]Stamp // nil: none so far
	half        [2]half
	packets     int64
	closedAt    int64
	opening     time.Duration // that of the opening handshake; until established, the time of the client's SYN
}

// New returns a Tracker that reports to h. A nil opts stands for the defaults.
func New(h Handler, opts *Options) *Tracker {
	t := &Tracker{handler: h, conns: newTable()}
	if opts != nil {
		t.opts = *opts
	}
	t.opts = t.opts.withDefaults()
	return t
}

// Stats returns what has been counted so far.
func (t *Tracker) Stats() Stats {
	s := t.stats
	s.Open, s.Buffered = len(t.conns.all), t.buffered
	return s
}

// Segment takes the next segment of the capture. Everything is borrowed: s
// may be used again when it returns.
func (t *Tracker) Segment(s *packet.Segment) {
	t.stats.Segments++
	now := nanos(s.Time)
	t.advance(now)
	k, fromA := keyOf(s.Src, s.Dst)
	c := t.recent
	if c == nil || c.key != k {
		c = t.conns.find(&k)
	}
	if c != nil && c.embryo == nil && t.startsAnew(c, s, fromA) {
		t.end(c, PortReused)
		c = nil
	}
	if c == nil {
		c = t.create(k, s, now)
	}
	c.used = true
	t.recent = c
	if c.embryo != nil {
		t.gestate(c, s, fromA, now)
		return
	}
	t.process(c, c.dir(fromA), s, now)
}

// Tick tells the tracker the time when no packets arrive (a live capture), so
// that what waits is not kept waiting. Times before the last segment's have no
// effect.
func (t *Tracker) Tick(now time.Time) {
	if n := nanos(now); n > t.now {
		t.advance(n)
	}
}

// Close ends the capture: every connection gets its last data and events and
// its End, in the order of their IDs. The tracker must not be used after it.
func (t *Tracker) Close() {
	all := slices.Clone(t.conns.all)
	slices.SortFunc(all, func(a, b *Conn) int { return cmp.Compare(a.ID, b.ID) })
	for _, c := range all {
		t.end(c, CaptureEnded)
	}
}

func nanos(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixNano()
}

func (c *Conn) dir(fromA bool) Dir {
	if fromA == c.clientIsA {
		return ToServer
	}
	return ToClient
}

func (t *Tracker) create(k key, s *packet.Segment, now int64) *Conn {
	for len(t.conns.all) >= t.opts.MaxConns {
		t.evict()
	}
	st := Stamp{s.Packet, now}
	c := t.opts.NewConn()
	c.ID, c.First, c.Last = t.stats.Conns, st, st
	c.key, c.isV4 = k, s.Src.Addr().Is4()
	c.embryo = &embryo{since: now}
	c.half[0].init()
	c.half[1].init()
	t.stats.Conns++
	t.conns.add(c)
	return c
}

// startsAnew reports whether s opens a new connection with c's addresses.
func (t *Tracker) startsAnew(c *Conn, s *packet.Segment, fromA bool) bool {
	if !s.Flags.Has(packet.SYN) || s.Flags.Has(packet.RST) {
		return false
	}
	dir := c.dir(fromA)
	h := &c.half[dir]
	if h.hasISN {
		if s.Flags.Has(packet.ACK) && !c.isClosed && dir == ToServer {
			return false // nonsense
		}
		return h.isn != s.Seq
	}
	if !s.Flags.Has(packet.ACK) {
		other := &c.half[dir.Reverse()]
		if dir == ToClient && other.hasISN && !h.based && !c.isClosed {
			return false // both opened at once
		}
	}
	// The capture had no SYN of this side so far. A SYN that fits what was
	// seen came late into the capture; any other begins something new.
	if c.isClosed || !h.based {
		return c.isClosed
	}
	off := h.offset(s.Seq + 1)
	return off > 0 || off < -lateSYN
}

// lateSYN is how many bytes may have been seen before a SYN that was captured
// out of order.
const lateSYN = 1 << 20

// end gives c its last data and its End.
func (t *Tracker) end(c *Conn, why EndReason) {
	if c.gone {
		return
	}
	if c.embryo != nil {
		t.understand(c)
	}
	t.settle(c, ToServer, NeverCame)
	t.settle(c, ToClient, NeverCame)
	if c.isClosed {
		why = Finished
	}
	c.Ended = why
	c.gone = true
	if t.recent == c {
		t.recent = nil
	}
	t.conns.remove(c)
	t.handler.End(c)
}

func (t *Tracker) evict() {
	t.dropGone()
	if len(t.closed) > 0 {
		t.end(t.closed[0], Finished)
		return
	}
	t.stats.Evicted++
	t.end(t.conns.quiet(), Evicted)
}

// close marks c as finished by dir's packet.
func (t *Tracker) close(c *Conn, dir Dir, st Stamp) {
	if c.isClosed {
		return
	}
	c.isClosed, c.closedAt = true, st.Nanos
	t.event(c, Event{Kind: Closed, Dir: dir}, st)
	t.closed = append(t.closed, c)
	if len(t.closed) > maxClosed {
		t.dropGone()
		for len(t.closed) > maxClosed {
			t.end(t.closed[0], Finished)
			t.dropGone()
		}
	}
}

// dropGone shortens the queue of the closed to one that starts with a live
// connection.
func (t *Tracker) dropGone() {
	for len(t.closed) > 0 && t.closed[0].gone {
		t.closed[0] = nil
		t.closed = t.closed[1:]
	}
}

func (t *Tracker) advance(now int64) {
	if now < t.now-int64(clockBackstep) {
		t.swept = now
	} else if now <= t.now {
		return
	}
	t.now = now
	if now-t.swept >= int64(sweepInterval) {
		t.swept = now
		t.sweep()
	}
}

// sweep does what depends on time passing.
func (t *Tracker) sweep() {
	for len(t.embryos) > 0 {
		c := t.embryos[0]
		if c.embryo != nil && !c.gone && t.now-c.embryo.since < int64(maxGestation) {
			break
		}
		t.embryos[0] = nil
		t.embryos = t.embryos[1:]
		if c.embryo != nil && !c.gone {
			t.understand(c)
		}
	}
	if len(t.holders) > 0 {
		keep := t.holders[:0]
		for _, c := range t.holders {
			if !c.gone {
				t.settle(c, ToServer, 0)
				t.settle(c, ToClient, 0)
			}
			if c.holding = !c.gone && c.hasHoles(); c.holding {
				keep = append(keep, c)
			}
		}
		clear(t.holders[len(keep):])
		t.holders = keep
	}
	for t.dropGone(); len(t.closed) > 0 && t.now-t.closed[0].closedAt > int64(t.opts.Linger); t.dropGone() {
		t.end(t.closed[0], Finished)
	}
}

// keep counts n bytes as kept.
func (t *Tracker) keep(n int) {
	t.buffered += n
	t.stats.MaxBuffered = max(t.stats.MaxBuffered, t.buffered)
}

// relieve gives up what has waited longest until the kept bytes are within
// bounds.
func (t *Tracker) relieve() {
	for t.buffered > t.opts.MaxBuffered && len(t.embryos) > 0 {
		c := t.embryos[0]
		t.embryos[0] = nil
		t.embryos = t.embryos[1:]
		if c.embryo != nil && !c.gone {
			t.understand(c)
		}
	}
	for t.buffered > t.opts.MaxBuffered && len(t.holders) > 0 {
		c := t.holders[0]
		t.holders[0] = nil
		t.holders = t.holders[1:]
		c.holding = false
		if !c.gone {
			t.settle(c, ToServer, Limit)
			t.settle(c, ToClient, Limit)
		}
	}
}

func (t *Tracker) event(c *Conn, ev Event, st Stamp) {
	ev.Packet, ev.Time = st.Packet, st.Time()
	t.handler.Event(c, ev)
}
