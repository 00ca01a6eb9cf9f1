package story

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
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
//
// A story ends when its connection's transport has. finish is for a program that
// does not wait for that: it ends those that are under way, and nothing is told
// behind it.
func Live(w io.Writer, o Options) (trace *websocket.Trace, finish func()) {
	l := &live{p: New(w, o), conns: map[*websocket.Conn]*liveConn{}}
	return &websocket.Trace{
		Handshake: l.handshake,
		Received:  func(c *websocket.Conn, b []byte) { l.bytes(c, peerOf(c), b) },
		Sent:      func(c *websocket.Conn, b []byte) { l.bytes(c, peerOf(c).Peer(), b) },
		Ended:     l.ended,
		Transport: l.transport,
	}, l.finish
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
	conns map[*websocket.Conn]*liveConn // nil behind finish
	count int
}

// liveConn is the story of a connection that is under way.
type liveConn struct {
	mu    sync.Mutex
	t     *Telling
	a     *capture.Analyser
	cause error   // why it has ended
	ended [2]bool // the directions that have, by role
	over  bool    // all is told
}

func (l *live) begin(c *websocket.Conn, title string, tls bool) *liveConn {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.count++
	k := &liveConn{t: l.p.Conn(l.count, title)}
	k.a = capture.New(capture.Options{TLS: tls}, k.t.Record)
	if c != nil && l.conns != nil {
		l.conns[c] = k
	}
	return k
}

func (l *live) handshake(c *websocket.Conn, h *websocket.HandshakeTrace) {
	now := time.Now()
	title, tls := "", false
	if c != nil {
		title = fmt.Sprintf("%v to %v", c.RemoteAddr(), c.LocalAddr())
		if !c.Server() {
			title = fmt.Sprintf("%v to %v", c.LocalAddr(), c.RemoteAddr())
		}
		tls = c.TLS() != nil
	}
	k := l.begin(c, title, tls)
	k.mu.Lock()
	defer k.mu.Unlock()
	k.a.Bytes(wire.Client, h.Begun, 0, h.Request)
	k.a.Bytes(wire.Server, now, 0, h.Response)
	if c == nil {
		k.finish(nil, h.Err)
	}
}

// with calls f with the story of c, if it is under way.
func (l *live) with(c *websocket.Conn, f func(k *liveConn, now time.Time)) {
	now := time.Now()
	l.mu.Lock()
	k := l.conns[c]
	l.mu.Unlock()
	if k != nil {
		k.mu.Lock()
		defer k.mu.Unlock()
		f(k, now)
	}
}

func (l *live) bytes(c *websocket.Conn, from wire.Role, b []byte) {
	l.with(c, func(k *liveConn, now time.Time) { k.a.Bytes(from, now, 0, b) })
}

func (l *live) ended(c *websocket.Conn, cause error) {
	l.with(c, func(k *liveConn, _ time.Time) { k.cause = cause })
}

func (l *live) transport(c *websocket.Conn, e websocket.TransportEvent) {
	l.with(c, func(k *liveConn, now time.Time) {
		switch peer := peerOf(c); e {
		case websocket.TransportEOF:
			k.end(peer, now, capture.FIN)
		case websocket.TransportReset:
			k.end(peer, now, capture.RST)
			k.ended[peer.Peer()] = true
		case websocket.TransportFinished:
			k.end(peer.Peer(), now, capture.FIN)
		case websocket.TransportClosed:
			how := capture.FIN
			for _, timeout := range []error{websocket.ErrPingTimeout, websocket.ErrWriteTimeout, websocket.ErrCloseTimeout} {
				if errors.Is(k.cause, timeout) {
					how = capture.TimedOut
				}
			}
			k.end(peer.Peer(), now, how)
			l.mu.Lock()
			delete(l.conns, c)
			l.mu.Unlock()
			k.finish(c, k.cause)
		}
	})
}

// end tells the end of a direction, once.
func (k *liveConn) end(from wire.Role, now time.Time, how capture.How) {
	if !k.ended[from] {
		k.ended[from] = true
		k.a.End(from, now, 0, how)
	}
}

// finish ends the stories that are under way.
func (l *live) finish() {
	l.mu.Lock()
	conns := l.conns
	l.conns = nil
	l.mu.Unlock()
	byNumber := func(c, d *websocket.Conn) int { return conns[c].t.number - conns[d].t.number }
	for _, c := range slices.SortedFunc(maps.Keys(conns), byNumber) {
		k := conns[c]
		k.mu.Lock()
		k.finish(c, k.cause)
		k.mu.Unlock()
	}
}

// finish tells the end of the story, once.
func (k *liveConn) finish(c *websocket.Conn, cause error) {
	if k.over {
		return
	}
	k.over = true
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
