package websocket

import (
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/wiretrue/websocket/internal/deflation"
	"github.com/wiretrue/websocket/internal/shell"
	"github.com/wiretrue/websocket/wire"
	"github.com/wiretrue/websocket/wire/handshake"
	"github.com/wiretrue/websocket/wire/rfc"
)

func init() { shell.Inside = inside{} }

// inside is what package engine calls of this package that is no program's
// business.
type inside struct{}

// Resolved returns the options of a server with each default in the place of its
// zero, and zero where there is no limit.
func (inside) Resolved(o *Options) Options {
	r := *o
	r.ReadLimit = o.readLimit()
	r.MaxFragments = o.maxFragments(wire.Server)
	r.MaxControlRate = o.maxControlRate()
	r.AssemblyTimeout = o.assemblyTimeout()
	r.PingInterval = o.pingInterval(wire.Server)
	r.PingTimeout = o.pingTimeout()
	r.WriteTimeout = o.writeTimeout()
	r.CloseTimeout = o.closeTimeout()
	r.QueueLimit = o.queueLimit()
	return r
}

// Request returns the core's view of a request of net/http's.
func (inside) Request(r *http.Request) *handshake.Request { return requestOf(r) }

// Upgrade is Accept up to the connection below, to which the Response has been
// written. early are bytes that came behind the request.
func (inside) Upgrade(w http.ResponseWriter, r *http.Request, opts *AcceptOptions) (a *Accepted, nc net.Conn, early []byte, err error) {
	return upgrade(w, r, opts, opts.Subprotocols, func(string) bool { return true })
}

// Refuse answers with a refusal, and returns it.
func (inside) Refuse(w http.ResponseWriter, r *http.Request, opts *AcceptOptions, refused *HandshakeError) error {
	return refuse(w, r, opts, refused)
}

// Deflation returns what was agreed on for compression, or nil.
func (inside) Deflation(a *Accepted) *deflation.State { return a.deflation }

// View returns what a Trace is told of a connection that is not a Conn: it
// answers questions, and reads and writes nothing. end tells it the cause.
func (inside) View(a *Accepted, local, remote net.Addr) (c *Conn, end func(cause error)) {
	opts := a.opts.Options
	opts.PingInterval = NoTimeout
	c = newConn(&addresses{local, remote}, wire.Server, &opts, a.Subprotocol, nil, nil)
	c.deflation = a.deflation
	return c, func(cause error) {
		c.deflation = nil // which is released by its owner
		c.end(cause)
	}
}

// SendClose begins the closing handshake, which Close waits for.
func (inside) SendClose(c *Conn, code StatusCode, reason string) error {
	return c.sendClose(code, reason)
}

// BrokenBy returns the error of a rule that the event broke.
func (inside) BrokenBy(rule rfc.Rule, ev *wire.Event) *RuleError { return brokenBy(rule, ev) }

// TransportCause names what a read or write of the transport ended with, as the
// Err of a LostError.
func (inside) TransportCause(err error) error { return transportCause(err) }

// Message returns what was prepared.
func (inside) Message(p *Prepared) *deflation.Message { return &p.m }

func brokenBy(rule rfc.Rule, ev *wire.Event) *RuleError {
	return &RuleError{Rule: rule, Offset: ev.At(rule), Seen: fmt.Sprintf("in the frame %v", ev.Header)}
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
