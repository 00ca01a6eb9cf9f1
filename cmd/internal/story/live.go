package story

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	websocket "github.com/wiretrue/websocket"
	"github.com/wiretrue/websocket/capture"
	"github.com/wiretrue/websocket/wire"
)

// Live returns a Trace that tells the traffic of live connections to w as it
// happens, by the same text as a capture of it. It may be shared by any number
// of connections; each line begins with the number of its connection, and
// lines are never torn. When w fails, nothing more is told.
func Live(w io.Writer, o Options) *websocket.Trace {
	l := &live{p: New(w, o), conns: map[*websocket.Conn]*liveConn{}}
	return &websocket.Trace{
		Handshake: l.handshake,
		Received:  func(c *websocket.Conn, b []byte) { l.bytes(c, peerOf(c), b) },
		Sent:      func(c *websocket.Conn, b []byte) { l.bytes(c, peerOf(c).Peer(), b) },
		Ended:     l.ended,
	}
}

// peerOf is the role of the other end.
func peerOf(c *websocket.Conn) wire.Role {
	if c.Server() {
		return wire.Client
	}
	return wire.Server
}

type live struct {
	p *Printer

	mu    sync.Mutex
	conns map[*websocket.Conn]*liveConn
	count int
}

// liveConn is the story of a connection that is under way.
type liveConn struct {
	mu     sync.Mutex
	t      *Telling
	a      *capture.Analyser
	ending error // the cause, while a Close frame of this end is still awaited
	closed bool  // this end sent a Close frame
	last   *time.Timer
	over   bool
}

// lastClose is how long the Close frame of a connection that failed is awaited
// after its end.
const lastClose = 5 * time.Second

func (l *live) begin(c *websocket.Conn, title string, own capture.Party, tls bool) *liveConn {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.count++
	k := &liveConn{t: l.p.Conn(l.count, title)}
	k.a = capture.New(capture.Options{TLS: tls}, func(r capture.Record) {
		if r.Close != nil && r.From == own {
			k.closed = true
		}
		k.t.Record(r)
	})
	if c != nil {
		l.conns[c] = k
	}
	return k
}

func (l *live) handshake(c *websocket.Conn, h *websocket.HandshakeTrace) {
	now := time.Now()
	title, own, tls := "", capture.Unknown, false
	if c != nil {
		title = fmt.Sprintf("%v to %v", c.RemoteAddr(), c.LocalAddr())
		own = capture.Server
		if !c.Server() {
			title = fmt.Sprintf("%v to %v", c.LocalAddr(), c.RemoteAddr())
			own = capture.Client
		}
		tls = c.TLS() != nil
	}
	k := l.begin(c, title, own, tls)
	k.mu.Lock()
	defer k.mu.Unlock()
	k.a.Bytes(wire.Client, h.Begun, 0, h.Request)
	k.a.Bytes(wire.Server, now, 0, h.Response)
	if c == nil {
		k.finish(l, c, now, h.Err)
	}
}

func (l *live) bytes(c *websocket.Conn, from wire.Role, b []byte) {
	now := time.Now()
	l.mu.Lock()
	k := l.conns[c]
	l.mu.Unlock()
	if k == nil {
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.a.Bytes(from, now, 0, b)
	if k.ending != nil && k.closed {
		k.finish(l, c, now, k.ending)
	}
}

func (l *live) ended(c *websocket.Conn, cause error) {
	now := time.Now()
	l.mu.Lock()
	k := l.conns[c]
	l.mu.Unlock()
	if k == nil {
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if lost := (*websocket.LostError)(nil); errors.As(cause, &lost) || k.closed {
		k.finish(l, c, now, cause)
		return
	}
	k.ending = cause
	k.last = time.AfterFunc(lastClose, func() {
		k.mu.Lock()
		defer k.mu.Unlock()
		k.finish(l, c, time.Now(), cause)
	})
}

// finish tells the end of a connection.
func (k *liveConn) finish(l *live, c *websocket.Conn, now time.Time, cause error) {
	if k.over {
		return
	}
	k.over = true
	if k.last != nil {
		k.last.Stop()
	}
	if c != nil {
		k.end(peerOf(c), now, cause)
		l.mu.Lock()
		delete(l.conns, c)
		l.mu.Unlock()
	}
	report := k.a.Report()
	if k.t.p.o.Format == "json" {
		k.t.Report(report)
		return
	}
	if c != nil && c.Compression() != "" {
		k.t.note(Saved(c.Stats()))
	}
	if c != nil || cause != nil && len(report.Findings) == 0 {
		k.t.note(why(cause))
	}
	k.t.Findings(report)
}

// end says how the TCP connection ended, as far as the cause tells.
func (k *liveConn) end(peer wire.Role, now time.Time, cause error) {
	switch {
	case errors.Is(cause, websocket.ErrPeerReset):
		k.a.End(peer, now, 0, capture.RST)
	case errors.Is(cause, websocket.ErrPeerGone):
		k.a.End(peer, now, 0, capture.FIN)
		k.a.End(peer.Peer(), now, 0, capture.FIN)
	case errors.Is(cause, websocket.ErrPingTimeout), errors.Is(cause, websocket.ErrWriteTimeout), errors.Is(cause, websocket.ErrCloseTimeout):
		k.a.End(peer.Peer(), now, 0, capture.TimedOut)
		k.a.End(peer, now, 0, capture.Stopped)
	default:
		if closed := (*websocket.CloseError)(nil); errors.As(cause, &closed) { // the server ends TCP first
			k.a.End(wire.Server, now, 0, capture.FIN)
			k.a.End(wire.Client, now, 0, capture.FIN)
			return
		}
		k.a.End(peer.Peer(), now, 0, capture.FIN)
		k.a.End(peer, now, 0, capture.Stopped)
	}
}

// why is a cause without the library's name.
func why(cause error) string {
	if cause == nil {
		return ""
	}
	return strings.TrimPrefix(cause.Error(), "websocket: ")
}

// note tells a line of the connection that is no record.
func (t *Telling) note(s string) {
	if s != "" && !t.p.o.Quiet {
		t.more("this end: %s", safe(s))
		t.flush()
	}
}

// Saved says in words what compression has saved on a connection that has
// agreed on it.
func Saved(s websocket.Stats) string {
	return "compression: received " + saved(s.Received) + ", sent " + saved(s.Sent)
}

func saved(c websocket.Counts) string {
	if c.Compressed == 0 {
		return "nothing compressed"
	}
	return fmt.Sprintf("%d bytes as %d (%.2f times smaller)", c.Uncompressed, c.Compressed, float64(c.Uncompressed)/float64(c.Compressed))
}
