package websocket

import (
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/wiretrue/websocket/internal/deflation"
	"github.com/wiretrue/websocket/wire"
	"github.com/wiretrue/websocket/wire/handshake"
	"github.com/wiretrue/websocket/wire/rfc"
)

// Accepted is an opening handshake that the server takes and has still to
// answer. It ends with Conn or with Release.
type Accepted struct {
	// Response is the head to send.
	Response []byte

	// Subprotocol is the one that was chosen, or "".
	Subprotocol string

	// Request is the head that is answered, for the Trace; nil without one. Answer
	// writes it of what it was given, and a server that has the bytes may put
	// them here.
	Request []byte

	opts      *AcceptOptions
	key       string // of the request
	deflation *deflation.State
	handshake *HandshakeTrace // what is known of it, if there is a Trace
}

// Answer decides on the request of an opening handshake as Accept does, for
// servers that read requests themselves (handshake.ParseRequest) or have them
// from elsewhere than net/http. secure says that it came over TLS. A request
// that is refused is answered with the Refusal; the Trace is not told of it.
//
// o must not change while the connection lives.
func (o *AcceptOptions) Answer(r *handshake.Request, secure bool) (a *Accepted, refused *HandshakeError) {
	if a, refused = o.answer(r, secure, o.Subprotocols, func(string) bool { return true }); refused != nil {
		return nil, refused
	}
	a.respond()
	return a, nil
}

// answer is Answer up to the response, for the subprotocols, of which those are
// refused that nothing serves.
func (o *AcceptOptions) answer(r *handshake.Request, secure bool, subprotocols []string, served func(subprotocol string) bool) (*Accepted, *HandshakeError) {
	offer, refused := o.judge(r, secure)
	if refused != nil {
		return nil, refused
	}
	a := &Accepted{Subprotocol: choose(subprotocols, offer.Subprotocols), opts: o, key: offer.Key}
	if !served(a.Subprotocol) {
		return nil, unserved(offer.Subprotocols, subprotocols)
	}
	a.deflation = o.Compression.choose(offer.Extensions, o.QueuePolicy)
	if o.Trace != nil {
		a.Request, a.handshake = requestHead(r), &HandshakeTrace{Server: true, Begun: time.Now()}
	}
	return a, nil
}

// judge returns what the request offers, if it keeps the rules and the options
// make sense.
func (o *AcceptOptions) judge(r *handshake.Request, secure bool) (handshake.Offer, *HandshakeError) {
	offer, broken := r.Offer()
	if !o.AnyOrigin && !r.OriginAllowed(secure, o.Origins) {
		broken.Add(rfc.OriginAllowed)
	}
	if rule := broken.Fatal(); rule != 0 {
		return offer, &HandshakeError{Rule: rule, Broken: broken, Status: rule.Info().Status, Detail: seenOf(rule, r)}
	}
	if err := o.validate(); err != nil {
		return offer, &HandshakeError{Status: http.StatusInternalServerError, Err: err}
	}
	return offer, nil
}

// respond writes the Response. It is no part of answer, so that the two share
// the stack, most of which net/http has used.
func (a *Accepted) respond() {
	agreed := handshake.Agreement{Subprotocol: a.Subprotocol}
	if a.deflation != nil {
		agreed.Extensions = []handshake.Extension{a.deflation.Response()}
	}
	a.Response = handshake.AppendSwitching(make([]byte, 0, 192), a.key, agreed, a.opts.Header)
}

// Conn returns the connection over nc, to which the Response has been written.
// early are bytes that came behind the request; they belong to the connection
// from now on.
func (a *Accepted) Conn(nc net.Conn, early []byte) *Conn {
	c := newConn(nc, wire.Server, &a.opts.Options, a.Subprotocol, a.deflation, early)
	a.tell(c, nc, nil)
	c.traceReceived(early)
	c.received.bytes.Add(uint64(len(early)))
	return c
}

// Release gives up a handshake whose response could not be sent: its part of
// Compression.MaxMemory is free again.
func (a *Accepted) Release() { a.deflation.Release() }

// tell tells the Trace of the handshake.
func (a *Accepted) tell(c *Conn, nc net.Conn, err error) {
	if h := a.handshake; h != nil {
		h.Request, h.Response, h.Err = a.Request, a.Response, err
		a.opts.Trace.handshake(c, nc, h)
	}
}

// Refusal returns the whole response by which a server refuses the handshake.
// The connection is to be closed behind it.
func (e *HandshakeError) Refusal() []byte {
	text := e.text()
	h := e.refusalHeader()
	h.Set("Content-Type", "text/plain; charset=utf-8")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Content-Length", fmt.Sprint(len(text)+1))
	return append(append(appendHeader(e.statusLine(), h), text...), '\n')
}

func (e *HandshakeError) statusLine() []byte {
	return fmt.Appendf(nil, "HTTP/1.1 %d %s\r\n", e.Status, http.StatusText(e.Status))
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
