package websocket

import (
	"crypto/tls"
	"errors"
	"net"
	"time"
)

// Trace observes connections. Any of its functions may be nil. They are called
// in the order of the wire, on the goroutine that reads or writes, so they must
// be quick; they may be called for several connections at once, and for one
// connection at the same time, but an answer is never told before what it
// answers.
//
// The functions neither read from c nor write to it. Of a connection that a loop
// of package engine serves, c knows the addresses, what was agreed on and the
// Cause, and its Stats are empty.
type Trace struct {
	// Handshake gets the opening handshake when it is over. For one that failed
	// c is nil. h is valid until the function returns and must not be changed.
	Handshake func(c *Conn, h *HandshakeTrace)

	// Received and Sent get the bytes behind the handshake as they are on the
	// wire, cut as the transport cut them. b is valid until the function returns
	// and must not be changed. Bytes that a transport makes wait are told when
	// they are handed to it; of a write that fails then, the last 64 KiB may not
	// have left.
	Received func(c *Conn, b []byte)
	Sent     func(c *Conn, b []byte)

	// Ended gets the cause of the end, as Conn.Cause returns it. It is called
	// once. Bytes may come and go after it: the Close frame of a connection that
	// failed, and what the peer sent before it read that.
	Ended func(c *Conn, cause error)

	// Transport gets how the connection below ends, as it happens. A connection
	// with a handshake that succeeded gets TransportClosed once, as the last.
	Transport func(c *Conn, e TransportEvent)
}

// HandshakeTrace is an opening handshake.
type HandshakeTrace struct {
	Server        bool                 // this end is the server
	Local, Remote net.Addr             // nil: not known
	TLS           *tls.ConnectionState // nil: without TLS
	Begun         time.Time            // when this end sent the request, or had read it

	// Request and Response are the two heads; behind the head of a refusal
	// stands what is known of its body. Of a request that net/http has read the
	// fields' order and case are not those of the wire. A Response may be cut
	// short, or empty, when the handshake failed.
	Request, Response []byte

	Err error // why it failed, or nil
}

// TransportEvent is a step in the end of the connection below.
type TransportEvent uint8

const (
	TransportEOF      TransportEvent = iota + 1 // the peer sends no more (FIN)
	TransportReset                              // the peer reset the connection (RST)
	TransportFinished                           // this end sends no more, and reads on
	TransportClosed                             // this end closed the connection
)

func (e TransportEvent) String() string {
	switch e {
	case TransportEOF:
		return "ended by the peer"
	case TransportReset:
		return "reset by the peer"
	case TransportFinished:
		return "ended here"
	case TransportClosed:
		return "closed here"
	}
	return "unknown"
}

// JoinTraces returns a Trace that calls the functions of all that are not nil,
// one trace after the other, or nil if there is none.
func JoinTraces(traces ...*Trace) *Trace {
	var joined *Trace
	for _, t := range traces {
		switch {
		case t == nil:
		case joined == nil:
			joined = t
		default:
			joined = &Trace{
				Handshake: join(joined.Handshake, t.Handshake),
				Received:  join(joined.Received, t.Received),
				Sent:      join(joined.Sent, t.Sent),
				Ended:     join(joined.Ended, t.Ended),
				Transport: join(joined.Transport, t.Transport),
			}
		}
	}
	return joined
}

func join[T any](first, second func(*Conn, T)) func(*Conn, T) {
	switch {
	case first == nil:
		return second
	case second == nil:
		return first
	}
	return func(c *Conn, v T) {
		first(c, v)
		second(c, v)
	}
}

// handshake completes h with what the connection below tells, if nc is not nil,
// and tells it.
func (t *Trace) handshake(c *Conn, nc net.Conn, h *HandshakeTrace) {
	if t == nil || t.Handshake == nil {
		return
	}
	if nc != nil {
		h.Local, h.Remote = nc.LocalAddr(), nc.RemoteAddr()
		if secure, ok := nc.(*tls.Conn); ok {
			state := secure.ConnectionState()
			h.TLS = &state
		}
	}
	t.Handshake(c, h)
}

func (t *Trace) sent(c *Conn, b []byte) {
	if t != nil && t.Sent != nil && len(b) > 0 {
		t.Sent(c, b)
	}
}

func (t *Trace) ended(c *Conn, cause error) {
	if t != nil && t.Ended != nil {
		t.Ended(c, cause)
	}
}

func (t *Trace) transport(c *Conn, e TransportEvent) {
	if t != nil && t.Transport != nil {
		t.Transport(c, e)
	}
}

// lost tells how the connection below ended, where the error says so.
func (t *Trace) lost(c *Conn, err error) {
	switch {
	case errors.Is(err, ErrPeerGone):
		t.transport(c, TransportEOF)
	case errors.Is(err, ErrPeerReset):
		t.transport(c, TransportReset)
	}
}

// tryWrite writes what the transport takes at once, and tells it. For a
// received answer the two are one step.
func (c *Conn) tryWrite(out *buffer, behind []byte) (int, error) {
	c.tracing.Lock()
	defer c.tracing.Unlock()
	n, err := c.transport.tryWrite(out, behind)
	c.opts.Trace.sent(c, out.b[:min(n, len(out.b))])
	c.opts.Trace.sent(c, behind[:max(n-len(out.b), 0)])
	return n, err
}

func (c *Conn) traceReceived(b []byte) {
	if t := c.opts.Trace; t != nil && t.Received != nil && len(b) > 0 {
		c.tracing.Lock()
		//lint:ignore SA2001 a write that may have been answered is told first
		c.tracing.Unlock()
		t.Received(c, b)
	}
}
