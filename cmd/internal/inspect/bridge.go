package inspect

import (
	"time"

	"github.com/wiretrue/websocket/capture"
	"github.com/wiretrue/websocket/cmd/internal/flow"
	"github.com/wiretrue/websocket/cmd/internal/tlsview"
	"github.com/wiretrue/websocket/wire"
)

// A link is the Inspector's part of a Conn: what stands between the tracker
// and the Analyser.
type link struct {
	of       *Inspector
	turn     *turn // of the sink that writes lines
	analyser capture.Analyser
	session  *tlsview.Session
	half     [2]half
	hidden   bool  // it is not shown, whatever comes
	matched  bool  // a record did
	told     bool  // the facts of TLS
	asked    bool  // the client's SYN was seen
	answered bool  // and the server's
	keyed    bool  // the client's key was looked for
	late     *late // nil: nothing waits

	random *[32]byte // of the ClientHello, by which a key log names the connection
}

// A half is one direction on its way.
type half struct {
	clear bool // it does not speak TLS
	raw   bool // its bytes pass the session by: it speaks TLS to somebody who does not
	ended bool
	next  int64      // offset of the next byte of TCP
	fin   int64      // where its FIN stands; -1: there was none
	start *beginning // until it is known whether the other side speaks TLS too
}

// A beginning is a direction's first bytes.
type beginning struct {
	b []byte
	stamp
}

type stamp struct {
	at     time.Time
	packet int64
}

const (
	maxStart = 2 << 10 // bytes of a beginning: enough for the Analyser to know TLS by
	noFIN    = -1
)

func roleOf(d flow.Dir) wire.Role {
	if d == flow.ToServer {
		return wire.Client
	}
	return wire.Server
}

// A bridge is an Inspector as a handler of the tracker.
type bridge Inspector

// newConn makes a Conn in one piece, with the tracker's and the Analyser's parts.
func (i *Inspector) newConn() *flow.Conn {
	c := &Conn{link: link{of: i}}
	c.User = c
	return &c.Conn
}

// Open implements [flow.Handler].
func (b *bridge) Open(fc *flow.Conn) {
	c := fc.User.(*Conn)
	c.half[0].fin, c.half[1].fin = noFIN, noFIN
	b.analysers.Start(&c.analyser, (*recorder)(c))
	if c.hidden = b.o.Choice.never(c); !c.hidden {
		b.sink.Begin(c)
	}
}

// Data implements [flow.Handler].
func (b *bridge) Data(fc *flow.Conn, dir flow.Dir, run flow.Run) {
	if c := fc.User.(*Conn); c.late == nil && !c.Waiting(dir.Reverse()) {
		c.data(dir, run)
	} else {
		c.take(lateItem{dir: dir, isData: true, run: run})
	}
}

func (c *Conn) data(dir flow.Dir, run flow.Run) {
	h := &c.half[dir]
	h.next = run.Offset + int64(len(run.Data))
	if c.session == nil && !h.clear {
		if h.clear = !tlsview.MayBegin(run.Data); !h.clear {
			c.speakTLS(dir)
		}
	}
	if h.raw || h.clear {
		c.bytes(dir, stamp{run.Time, run.Packet}, run.Data)
	} else {
		c.session.Data(dir, run)
		if c.weigh(dir, run); c.plain() {
			c.session = nil
		}
	}
	c.arrived(dir)
}

// speakTLS begins to follow TLS, which the direction may speak.
func (c *Conn) speakTLS(dir flow.Dir) {
	c.session = tlsview.NewSession(c.of.o.Keys, tlsBridge{c}, &tlsview.Options{Hold: c.of.o.HoldForKeys})
	if peer := dir.Reverse(); c.half[peer].clear {
		c.session.Clear(peer)
	}
}

// plain reports whether neither direction speaks TLS. A session then has
// nothing left to do.
func (c *Conn) plain() bool { return c.half[0].clear && c.half[1].clear }

// weigh keeps the beginning of a direction that speaks TLS until it is known
// whether the other one does. When it does not, TLS and something else were
// spoken to each other, and the Analyser is to see it.
func (c *Conn) weigh(dir flow.Dir, run flow.Run) {
	info := c.session.Info()
	if !info.TLS[dir] {
		return
	}
	h, peer := &c.half[dir], &c.half[dir.Reverse()]
	st := stamp{run.Time, run.Packet}
	switch {
	case info.TLS[dir.Reverse()]:
		h.start, peer.start = nil, nil
	case peer.clear:
		c.bypass(dir, st, run.Data)
	case h.start == nil && h.next == int64(len(run.Data)):
		h.start = &beginning{append([]byte(nil), run.Data[:min(len(run.Data), maxStart)]...), st}
	}
}

// notTLS notes that a direction is in the clear.
func (c *Conn) notTLS(dir flow.Dir) {
	c.half[dir].clear = true
	if peer := &c.half[dir.Reverse()]; peer.start != nil {
		c.bypass(dir.Reverse(), peer.start.stamp, peer.start.b)
	}
}

// bypass passes a direction of TLS on as it is.
func (c *Conn) bypass(dir flow.Dir, st stamp, b []byte) {
	h := &c.half[dir]
	h.raw, h.start = true, nil
	c.bytes(dir, st, b)
}

func (c *Conn) bytes(dir flow.Dir, st stamp, b []byte) {
	if dir == flow.ToServer && !c.keyed {
		c.keyed = c.of.keys.look(b)
	}
	c.analyser.Bytes(roleOf(dir), st.at, st.packet, b)
}

// arrived ends a direction whose FIN was only waiting for the bytes before it.
func (c *Conn) arrived(dir flow.Dir) {
	if h := &c.half[dir]; h.fin != noFIN && !h.ended && h.next >= h.fin {
		fin := c.FIN(dir)
		c.end(dir, stamp{fin.Time(), fin.Packet}, capture.FIN)
	}
}

func (c *Conn) end(dir flow.Dir, st stamp, how capture.How) {
	if c.half[dir].ended {
		return
	}
	c.half[dir].ended = true
	if hello := c.half[flow.ToServer].start; hello != nil && dir == flow.ToClient && c.half[dir].next == 0 && how != capture.Stopped {
		c.bypass(flow.ToServer, hello.stamp, hello.b) // somebody hung up on it
	}
	if c.session != nil && !c.half[dir].raw {
		c.session.EndOf(dir)
	}
	c.tellTLS(st)
	c.analyser.End(roleOf(dir), st.at, st.packet, how)
}

// Event implements [flow.Handler].
func (b *bridge) Event(fc *flow.Conn, ev flow.Event) {
	if c := fc.User.(*Conn); c.late == nil && !c.Waiting(flow.ToServer) && !c.Waiting(flow.ToClient) {
		c.event(ev)
	} else {
		c.take(lateItem{dir: ev.Dir, event: ev})
	}
}

func (c *Conn) event(ev flow.Event) {
	h, st := &c.half[ev.Dir], stamp{ev.Time, ev.Packet}
	switch ev.Kind {
	case flow.SYN:
		c.asked, c.answered = c.asked || !ev.ACK, c.answered || ev.ACK
		if !ev.ACK || c.Evidence == flow.SawSYNACK {
			c.net(ev, capture.NetOpened, 0, 0, "")
		}
	case flow.Established:
		c.net(ev, capture.NetEstablished, ev.Duration, 0, "")
	case flow.MidStream:
		text := ""
		if c.Evidence.Guessed() {
			text = "who is the client is " + c.Evidence.String()
		}
		c.net(ev, capture.NetMiddle, 0, 0, text)
	case flow.FIN:
		h.fin = ev.Offset
		c.arrived(ev.Dir)
	case flow.RST:
		if !ev.OutOfWindow {
			c.end(ev.Dir, st, capture.RST)
		}
	case flow.Gap:
		c.gap(ev)
		h.next = ev.Offset + ev.Length
		c.arrived(ev.Dir)
	case flow.Retransmission:
		switch {
		case ev.Unseen:
		case ev.Length > 0:
			c.analyser.Net(capture.NetEvent{Kind: capture.NetResent, From: roleOf(ev.Dir), At: ev.Time, Packet: ev.Packet, Bytes: ev.Length, Stream: ev.Offset})
		case h.ended:
			c.net(ev, capture.NetResent, 0, 0, "FIN")
		default:
			c.net(ev, capture.NetResent, 0, 0, "SYN")
		}
	case flow.KeepAlive:
		c.net(ev, capture.NetKeepAlive, 0, 0, "")
	case flow.WindowProbe:
		c.net(ev, capture.NetKeepAlive, 0, 0, "a probe of the closed window")
	case flow.ZeroWindow:
		c.net(ev, capture.NetZeroWindow, 0, 0, "")
	case flow.ZeroWindowEnd:
		c.net(ev, capture.NetWindowOpen, ev.Duration, 0, "")
	}
}

func (c *Conn) net(ev flow.Event, kind capture.NetKind, d time.Duration, bytes int64, text string) {
	c.analyser.Net(capture.NetEvent{Kind: kind, From: roleOf(ev.Dir), At: ev.Time, Packet: ev.Packet,
		Duration: d, Bytes: bytes, Text: text})
}

func (c *Conn) gap(ev flow.Event) {
	switch {
	case c.session != nil && !c.half[ev.Dir].raw && !c.half[ev.Dir].clear:
		c.session.Gap(ev.Dir, ev.Offset, ev.Length, ev.Packet, ev.Time)
	default:
		c.analyser.Gap(roleOf(ev.Dir), ev.Time, ev.Packet, ev.Length)
	}
}

// End implements [flow.Handler].
func (b *bridge) End(fc *flow.Conn) {
	c := fc.User.(*Conn)
	if c.late != nil {
		c.catchUp(len(c.late.items))
	}
	if c.session != nil {
		c.session.End()
	}
	last := stamp{fc.Last.Time(), fc.Last.Packet}
	for d := range c.half {
		if dir := flow.Dir(d); !c.half[dir].ended && !fc.Reset(dir.Reverse()) {
			c.end(dir, last, capture.Stopped)
		}
	}
	c.tellTLS(last)
	c.analyser.Finish()
	if c.WebSocket {
		b.totals.WebSocket++
	}
	if c.TLS != nil && !c.TLS.Decrypted {
		b.totals.Encrypted++
	}
	if c.asked && !c.answered && c.half[0].next+c.half[1].next == 0 {
		if fc.Reset(flow.ToClient) {
			b.totals.Refused.add(c)
		} else {
			b.totals.Unanswered.add(c)
		}
	}
	delete(b.waiting, c)
	if !c.hidden {
		b.sink.End(c)
	}
	c.analyser.Discard()
}

// A recorder is a Conn as its Analyser sees it.
type recorder Conn

// Record implements [capture.Recorder].
func (c *recorder) Record(r *capture.Record) { (*Conn)(c).record(r) }

// record passes a record of the Analyser on.
func (c *Conn) record(r *capture.Record) {
	switch {
	case c.WebSocket:
	case r.Handshake != nil, r.Frame != nil,
		r.Start != nil && r.Start.As == "frames",
		r.Finding != nil && r.Finding.Severity != capture.Note && r.Finding.Rule != 0,
		r.Net != nil && r.Net.Kind == capture.NetTLS && mayBeWebSocket(r.Net.TLS):
		c.WebSocket = true
	}
	if c.hidden {
		return
	}
	x := &c.of.o.Choice
	matches := x.Match == nil || x.Match(c, r)
	c.matched = c.matched || matches
	c.Shown = c.matched && x.worth(c)
	c.of.sink.Record(c, r, matches)
}
