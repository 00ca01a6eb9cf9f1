package websocket

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"reflect"
	"sync"
	"sync/atomic"
	"time"

	"github.com/wiretrue/websocket/internal/deflation"
	"github.com/wiretrue/websocket/internal/shell"
	"github.com/wiretrue/websocket/wire"
	"github.com/wiretrue/websocket/wire/frame"
)

// MessageType is that of a data message.
type MessageType uint8

const (
	Text   MessageType = 1 // UTF-8, which is checked in both directions
	Binary MessageType = 2
)

func (t MessageType) String() string { return frame.Opcode(t).String() }

// Message is a whole data message.
type Message struct {
	Type MessageType
	Data []byte
}

// Conn is one WebSocket connection. Its methods may be called from any
// goroutine; calls that read wait for one another, and so do writes while a
// Writer is open. What is done once the connection has ended returns its Cause.
type Conn struct {
	role        wire.Role
	subprotocol string
	deflation   *deflation.State // nil: no compression was agreed on
	opts        *Options         // shared by the connections of one Options; asked by its methods

	transport transport

	// Owned by the holder of reading.
	reading gate            // held while someone reads
	intake  *intake         // of what has come and is not dealt with; nil: nothing is
	rest    wire.Rest       // of the receiver, while there is no intake
	anySize bool            // messages have no limit
	passing bool            // nor anything else that comes, which is passed over
	watched <-chan struct{} // of the context whose end wakes the read
	unwatch func() bool
	rate    shell.Rate

	// Owned by the holder of writing.
	writing gate // held while a message is written

	// Guarded by mu, which is never held while something waits.
	mu      sync.Mutex
	sender  wire.Sender
	queue   queue
	pinged  int64   // when the newest Ping was sent; 0: it is answered
	pingers *pinger // that wait, linked
	pong    pongState
	last    *ending       // nil: no end is in sight
	done    chan struct{} // closed when the connection has ended; made when first asked for
	timer   *time.Timer

	tracing sync.Mutex  // held while bytes are written and told, if there is a Trace
	hungUp  atomic.Bool // the transport is closed

	compactDue atomic.Bool // the one who reads is to reduce its window's memory

	// Owned by the heartbeat.
	pingedAt int64
	lastWait int64 // the wait for bytes that it saw last; see lastHeard

	// Written by one side, read by any.
	heard          lastHeard
	silentUntil    atomic.Int64 // when a read last ended without a byte
	over           atomic.Bool  // the connection has ended
	more           atomic.Bool  // a whole frame was received behind the message that was read last
	assembling     atomic.Int64 // since when a message is being assembled; 0: none is
	rtt            atomic.Int64
	received, sent counters
	dropped        atomic.Uint64
}

// start is where the package's clock begins; now is the time since then, which
// no change of the wall clock disturbs. It lies far back so that now is positive
// in a synctest bubble, too, whose clock is behind.
var start = time.Now().Add(-startsAt)

const startsAt = 100 * 365 * 24 * time.Hour

func now() int64 { return int64(time.Since(start)) }

// newConn makes a connection of a transport whose handshake is done. early are
// bytes that came behind the handshake.
func newConn(nc net.Conn, role wire.Role, opts *Options, subprotocol string, compression *deflation.State, early []byte) *Conn {
	c := &Conn{
		role:        role,
		subprotocol: subprotocol,
		deflation:   compression,
		opts:        opts,
	}
	if len(early) > 0 {
		c.take(early, 0)
	}
	c.sender.Role = role
	c.heard.note(now()) // the handshake
	c.transport.init(nc)
	c.startHeartbeat()
	return c
}

// Subprotocol returns the subprotocol that was agreed on, or "".
func (c *Conn) Subprotocol() string { return c.subprotocol }

// Compression returns the extension that was agreed on as it stands in the
// response, "permessage-deflate; ...", or "".
func (c *Conn) Compression() string {
	return c.deflation.String()
}

// RemoteAddr returns the peer's network address.
func (c *Conn) RemoteAddr() net.Addr { return c.transport.nc.RemoteAddr() }

// LocalAddr returns the network address of this end.
func (c *Conn) LocalAddr() net.Addr { return c.transport.nc.LocalAddr() }

// TLS returns the state of the TLS connection below, or nil without TLS.
func (c *Conn) TLS() *tls.ConnectionState {
	if t, ok := c.transport.nc.(*tls.Conn); ok {
		state := t.ConnectionState()
		return &state
	}
	return nil
}

// Server reports whether this end is the server.
func (c *Conn) Server() bool { return c.role == wire.Server }

// Done returns a channel that is closed when the connection has ended.
func (c *Conn) Done() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.done == nil {
		c.done = make(chan struct{})
		if c.over.Load() {
			close(c.done)
		}
	}
	return c.done
}

// Cause returns why the connection ended, or nil while it has not: a
// *CloseError for a closing handshake, a *RuleError for a rule that the peer
// broke, a *LostError for anything else.
func (c *Conn) Cause() error {
	if !c.over.Load() {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.last.cause
}

// RTT returns the round-trip time that the last answered Ping took, or 0.
func (c *Conn) RTT() time.Duration { return time.Duration(c.rtt.Load()) }

// lock takes a gate, unless the context or the connection ends first.
func (c *Conn) lock(ctx context.Context, g *gate) error {
	if g.tryLock() {
		return nil
	}
	if g.lock(c.doneOf(ctx), c.Done()) {
		return nil
	}
	if err := ctx.Err(); err != nil && c.doneOf(ctx) != nil {
		return err
	}
	return c.Cause()
}

// doneOf returns what the end of ctx closes: nothing for the context of the
// connection's handler, which ends with the connection.
func (c *Conn) doneOf(ctx context.Context) <-chan struct{} {
	if x, ok := ctx.(*connContext); ok && x.c == c {
		return nil
	}
	return ctx.Done()
}

// connContext is the context of a handler: it ends with its connection, and
// costs nothing to wait for.
type connContext struct {
	context.Context // for the values of the request's; it never ends
	c               *Conn
	request         keptRequest
}

// contextOf returns the context of the handler of a connection that the request
// has opened.
func contextOf(c *Conn, r *http.Request) context.Context {
	values := beneathCancel(r.Context())
	if values.Done() != nil {
		values = context.WithoutCancel(values)
	}
	ctx := &connContext{Context: values, c: c}
	ctx.request.keep(r)
	return ctx
}

// beneathCancel returns ctx without the contexts around it that have no values but
// can be cancelled. Each request of net/http has two of them, which are so no
// longer held.
func beneathCancel(ctx context.Context) context.Context {
	for reflect.TypeOf(ctx) == cancelContext {
		ctx = reflect.ValueOf(ctx).Elem().FieldByName("Context").Interface().(context.Context)
	}
	return ctx
}

// cancelContext is the type of such a context, or nil if it is not one that embeds
// what is beneath.
var cancelContext = func() reflect.Type {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	t := reflect.TypeOf(ctx)
	if t.Kind() == reflect.Pointer && t.Elem().Kind() == reflect.Struct {
		if f, ok := t.Elem().FieldByName("Context"); ok && f.Type == reflect.TypeFor[context.Context]() {
			return t
		}
	}
	return nil
}()

type requestKey struct{}

// RequestFrom returns the request that opened the connection, from the context
// that a handler was given, or nil. Its body is empty, its context that of the
// handler. It is made anew by each call, since a connection keeps it in a smaller
// form.
func RequestFrom(ctx context.Context) *http.Request {
	if x, ok := ctx.Value(requestKey{}).(*connContext); ok {
		return x.request.request(x)
	}
	return nil
}

func (x *connContext) Deadline() (time.Time, bool) { return time.Time{}, false }

func (x *connContext) Done() <-chan struct{} { return x.c.Done() }

func (x *connContext) Err() error {
	if x.c.Cause() != nil {
		return context.Canceled
	}
	return nil
}

func (x *connContext) Value(key any) any {
	if key == (requestKey{}) {
		return x
	}
	return x.Context.Value(key)
}
