package websocket

import (
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/wiretrue/websocket/wire"
	"github.com/wiretrue/websocket/wire/deflate"
	"github.com/wiretrue/websocket/wire/frame"
	"github.com/wiretrue/websocket/wire/handshake"
	"github.com/wiretrue/websocket/wire/rfc"
)

// What a server beside this package's needs of it, as package engine does: the
// same decisions on handshakes, the same compression, the same errors.

// Accepted is an opening handshake that the server takes and has still to
// answer.
type Accepted struct {
	Response    []byte // the head to send
	Subprotocol string // "": none
	Deflation   *Deflation

	Handshake HandshakeTrace // for the Trace alone

	opts *AcceptOptions
}

// Answer decides on the request of an opening handshake as Accept does, for
// servers that read requests themselves. secure says that it came over TLS. An
// error is to be answered with its Refusal.
//
// What is accepted holds a part of Compression.MaxMemory until its Deflation is
// released or its Conn has ended.
func (o *AcceptOptions) Answer(r *handshake.Request, secure bool) (*Accepted, *HandshakeError) {
	return o.answer(r, secure, o.Subprotocols, func(string) bool { return true })
}

// answer is Answer for the subprotocols, of which those are refused that
// nothing serves.
func (o *AcceptOptions) answer(r *handshake.Request, secure bool, subprotocols []string, served func(subprotocol string) bool) (*Accepted, *HandshakeError) {
	offer, broken := r.Offer()
	if !o.AnyOrigin && !r.OriginAllowed(secure, o.Origins) {
		broken.Add(rfc.OriginAllowed)
	}
	if rule := broken.Fatal(); rule != 0 {
		return nil, &HandshakeError{Rule: rule, Broken: broken, Status: rule.Info().Status, Detail: seenOf(rule, r)}
	}
	if err := o.validate(); err != nil {
		return nil, &HandshakeError{Status: http.StatusInternalServerError, Err: err}
	}
	a := &Accepted{Subprotocol: choose(subprotocols, offer.Subprotocols), opts: o}
	if !served(a.Subprotocol) {
		return nil, &HandshakeError{
			Status: http.StatusBadRequest,
			Detail: unserved(offer.Subprotocols, subprotocols),
		}
	}
	agreed := handshake.Agreement{Subprotocol: a.Subprotocol}
	if a.Deflation = negotiate(&o.Options, offer.Extensions); a.Deflation != nil {
		agreed.Extensions = []handshake.Extension{a.Deflation.params.Response()}
	}
	a.Response = handshake.AppendSwitching(nil, offer.Key, agreed, o.Header)
	return a, nil
}

// Conn returns the connection behind the handshake, once the Response is
// written. early are bytes that came behind the request.
func (a *Accepted) Conn(nc net.Conn, early []byte) *Conn {
	c := newConn(nc, wire.Server, &a.opts.Options, a.Subprotocol, a.Deflation, early)
	a.opts.Trace.handshake(c, nc, a.Handshake)
	c.traceReceived(early)
	c.received.bytes.Add(uint64(len(early)))
	return c
}

// Upgrade is Accept up to the connection below, to which the Response has been
// written. early are bytes that came behind the request.
func Upgrade(w http.ResponseWriter, r *http.Request, opts *AcceptOptions) (a *Accepted, nc net.Conn, early []byte, err error) {
	return upgrade(w, r, opts, opts.Subprotocols, func(string) bool { return true })
}

// RequestOf returns the core's view of a request of net/http's.
func RequestOf(r *http.Request) *handshake.Request { return requestOf(r) }

// View returns what a Trace is told of a connection that is not a Conn: it
// answers questions, and reads and writes nothing. End tells it the cause.
func (a *Accepted) View(local, remote net.Addr) (c *Conn, end func(cause error)) {
	opts := a.opts.Options
	opts.PingInterval = NoTimeout
	c = newConn(&addresses{local, remote}, wire.Server, &opts, a.Subprotocol, nil, nil)
	c.deflation = a.Deflation
	return c, func(cause error) {
		c.deflation = nil // which is released by its owner
		c.end(cause)
	}
}

// addresses is a transport that has ended, but for what it is called.
type addresses struct{ local, remote net.Addr }

func (a *addresses) LocalAddr() net.Addr              { return a.local }
func (a *addresses) RemoteAddr() net.Addr             { return a.remote }
func (a *addresses) Read([]byte) (int, error)         { return 0, net.ErrClosed }
func (a *addresses) Write([]byte) (int, error)        { return 0, net.ErrClosed }
func (a *addresses) Close() error                     { return nil }
func (a *addresses) SetDeadline(time.Time) error      { return nil }
func (a *addresses) SetReadDeadline(time.Time) error  { return nil }
func (a *addresses) SetWriteDeadline(time.Time) error { return nil }

// Refusal returns the whole response that refuses the handshake. The connection
// is to be closed behind it.
func (e *HandshakeError) Refusal() []byte {
	text := e.text()
	b := fmt.Appendf(nil, "HTTP/1.1 %d %s\r\n", e.Status, http.StatusText(e.Status))
	h := e.refusalHeader()
	h.Set("Content-Type", "text/plain; charset=utf-8")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Content-Length", fmt.Sprint(len(text)+1))
	return append(append(appendHeader(b, h), text...), '\n')
}

// text is what the client is told: not what is the program's own mistake.
func (e *HandshakeError) text() string {
	if e.Status == http.StatusInternalServerError {
		return http.StatusText(e.Status)
	}
	return e.Error()
}

// refusalHeader are the fields of the refusal over HTTP/1.1. The connection is
// closed behind it: what follows on it may be frames.
func (e *HandshakeError) refusalHeader() http.Header {
	h := http.Header{}
	for name, values := range handshake.RefusalHeader(e.Rule) {
		h[name] = values
	}
	h.Set("Connection", "close") // net/http looks for it in the first value
	if h.Get("Upgrade") != "" {
		h.Add("Connection", "Upgrade")
	}
	return h
}

// BrokenBy returns the error of a rule that the event broke.
func BrokenBy(rule rfc.Rule, ev *wire.Event) *RuleError {
	return &RuleError{Rule: rule, Offset: ev.At(rule), Seen: fmt.Sprintf("in the frame %v", ev.Header)}
}

// CloseReason returns the reason that a Close frame gives for the rule.
func (e *RuleError) CloseReason() string { return e.Rule.Info().Name + " (" + e.Rule.String() + ")" }

// TransportCause names what a read or write of the transport ended with, as the
// Err of a LostError.
func TransportCause(err error) error { return transportCause(err) }

// Resolved returns the options with each default in the place of its zero, and
// zero where there is no limit.
func (o *Options) Resolved(server bool) Options {
	r := *o
	role, ping := wire.Client, time.Duration(0)
	if server {
		role, ping = wire.Server, 30*time.Second
	}
	r.ReadLimit = orDefault(o.ReadLimit, 4<<20, 0)
	r.MaxFragments = orDefault(o.MaxFragments, defaultFragments(role), 0)
	r.MaxControlRate = orDefault(o.MaxControlRate, 1000, 0)
	r.AssemblyTimeout = orDefault(o.AssemblyTimeout, 5*time.Minute, 0)
	r.PingInterval = orDefault(o.PingInterval, ping, 0)
	r.PingTimeout = orDefault(o.PingTimeout, 20*time.Second, 20*time.Second)
	r.WriteTimeout = orDefault(o.WriteTimeout, time.Minute, 0)
	r.CloseTimeout = orDefault(o.CloseTimeout, 5*time.Second, 5*time.Second)
	r.QueueLimit = orDefault(o.QueueLimit, 1<<20, 0)
	return r
}

// Deflation is what a connection's two ends agreed on for compression. It may
// be nil: nothing.
type Deflation = deflation

// String returns the extension as it stands in the response.
func (d *deflation) String() string {
	if d == nil {
		return ""
	}
	return d.params.Response().String()
}

// Release gives the connection's part of Compression.MaxMemory back.
func (d *deflation) Release() { d.release() }

// Compresses reports whether a message is worth being compressed.
func (d *deflation) Compresses(p []byte) bool { return d.mayCompress(p) }

// Receive prepares a Receiver for what the peer compresses.
func (d *deflation) Receive(r *wire.Receiver) {
	r.Compression, r.NoContextTakeover = true, d.recvFresh
}

// Decompressor returns one for the message that begins. kept tells that it is
// the connection's while it lives; otherwise it is to be given back behind the
// message.
func (d *deflation) Decompressor() (de *deflate.Decompressor, kept bool) {
	d.lastUsed.Store(now())
	de = getDecompressor(d.recvBits)
	if len(d.received) > 0 {
		de.SetHistory(d.received)
	}
	return de, !d.recvFresh && !d.atOnce
}

// PutDecompressor takes one back that is not kept.
func (d *deflation) PutDecompressor(de *deflate.Decompressor) {
	if !d.recvFresh {
		d.received = de.AppendHistory(d.received[:0])
	}
	putDecompressor(de, d.recvBits)
}

// Message appends a message, compressed, to what is sent.
func (d *deflation) Message(dst []byte, s *wire.Sender, op frame.Opcode, p []byte) ([]byte, error) {
	s.NoContextTakeover = d.sendFresh
	d.lend(s)
	defer d.takeBack(s)
	return s.CompressedMessage(dst, op, p, [4]byte{})
}

// Idle reports, once, that no message has been compressed for CompactAfter: the
// memory of the windows is to be reduced to their content.
func (d *deflation) Idle() bool {
	if d == nil {
		return false
	}
	after, last := d.options.compactAfter(), d.lastUsed.Load()
	return after != 0 && last != 0 && now()-last >= int64(after) && d.lastUsed.CompareAndSwap(last, 0)
}

// CompactAfter is how long no message must have been compressed for Idle. 0: it
// never is.
func (d *deflation) CompactAfter() time.Duration { return d.options.compactAfter() }

// Payload returns the message, which must not be changed.
func (p *Prepared) Payload() []byte { return p.payload }

// Append appends the message as a server's connection sends it that has agreed
// on d.
func (p *Prepared) Append(dst []byte, s *wire.Sender, d *Deflation) ([]byte, error) {
	if !d.mayCompress(p.payload) {
		return s.Encoded(dst, p.encoded, p.payload)
	}
	s.NoContextTakeover = d.sendFresh
	return p.appendCompressed(dst, s, d)
}
