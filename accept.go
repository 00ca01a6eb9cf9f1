package websocket

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/wiretrue/websocket/wire/handshake"
	"github.com/wiretrue/websocket/wire/rfc"
)

// AcceptOptions are those of a server's connections. The zero value is safe.
type AcceptOptions struct {
	Options

	// Origins lists the origins from which browsers may connect, beside the
	// server's own, as scheme://host[:port]. The host may begin with "*." for
	// any subdomain. "null" allows pages without an origin.
	Origins []string

	// AnyOrigin turns the check of the origin off: then any page that a user
	// visits can use this service with the user's cookies.
	AnyOrigin bool

	// Subprotocols lists those that the server speaks, the ones it likes best
	// first. The first that the client offers too is chosen; none is when the
	// client offers no such one.
	Subprotocols []string

	// Header is added to the response.
	Header http.Header
}

// handshakeTimeout bounds the writing of the response.
const handshakeTimeout = 10 * time.Second

// Accept answers the request of an opening handshake and returns the
// connection, or answers with a refusal and returns a *HandshakeError (RFC
// 6455 4.2). The handler must not use w and r afterwards but may go on using
// what it copied; to free what net/http holds for the request, let its handler
// return and serve the connection on another goroutine, as Handler does.
//
// opts may be nil, and must not change while the connection lives.
func Accept(w http.ResponseWriter, r *http.Request, opts *AcceptOptions) (*Conn, error) {
	if opts == nil {
		opts = new(AcceptOptions)
	}
	return accept(w, r, opts, opts.Subprotocols, func(string) bool { return true })
}

// accept is Accept for the subprotocols, of which those are refused that
// nothing serves.
func accept(w http.ResponseWriter, r *http.Request, opts *AcceptOptions, subprotocols []string, served func(subprotocol string) bool) (*Conn, error) {
	accepted, nc, early, err := upgrade(w, r, opts, subprotocols, served)
	if err != nil {
		return nil, err
	}
	return accepted.Conn(nc, early), nil
}

// upgrade is accept up to the connection below.
func upgrade(w http.ResponseWriter, r *http.Request, opts *AcceptOptions, subprotocols []string, served func(subprotocol string) bool) (a *Accepted, nc net.Conn, early []byte, err error) {
	begun := time.Now()
	if r.ProtoMajor >= 2 {
		return nil, nil, nil, refuse(w, r, opts, &HandshakeError{
			Status: http.StatusHTTPVersionNotSupported,
			Err:    fmt.Errorf("the request came over %s, and the upgrade is HTTP/1.1's", r.Proto),
		})
	}
	a, refused := opts.answer(requestOf(r), r.TLS != nil, subprotocols, served)
	if refused != nil {
		return nil, nil, nil, refuse(w, r, opts, refused)
	}
	a.respond()
	if opts.Trace != nil {
		a.handshake = traceOf(r, begun)
	}
	nc, rw, err := http.NewResponseController(w).Hijack()
	if err != nil {
		a.Release()
		return nil, nil, nil, refuse(w, r, opts, &HandshakeError{Status: http.StatusInternalServerError, Err: err})
	}
	early, err = takeBuffered(rw.Reader)
	if err == nil {
		nc.SetDeadline(begun.Add(handshakeTimeout))
		_, err = nc.Write(a.Response)
	}
	if err != nil {
		nc.Close()
		a.Release()
		err = &HandshakeError{Err: err}
		a.tell(nil, nc, err)
		return nil, nil, nil, err
	}
	nc.SetDeadline(time.Time{})
	return a, nc, early, nil
}

// validate refuses options that can never do what they were meant for.
func (o *AcceptOptions) validate() error {
	for _, pattern := range o.Origins {
		if !handshake.ValidOriginPattern(pattern) {
			return fmt.Errorf("option Origins: %q is no origin; expected scheme://host[:port]", pattern)
		}
	}
	for _, name := range o.Subprotocols {
		if !handshake.IsToken(name) {
			return fmt.Errorf("option Subprotocols: %q is no token", name)
		}
	}
	if err := o.Compression.validate(); err != nil {
		return err
	}
	return validateHeader(o.Header)
}

// requestOf is the core's view of a request.
func requestOf(r *http.Request) *handshake.Request {
	host := []string{r.Host}
	if r.Host == "" {
		host = nil
	}
	return &handshake.Request{
		Method: r.Method,
		Target: r.RequestURI,
		Proto:  r.Proto,
		Host:   host,
		Header: r.Header,
		Body:   r.ContentLength != 0 || len(r.TransferEncoding) > 0,
	}
}

// takeBuffered returns the bytes that net/http has read beyond the request: a
// client may have sent frames behind it already.
func takeBuffered(r *bufio.Reader) ([]byte, error) {
	n := r.Buffered()
	if n == 0 {
		return nil, nil
	}
	early, err := r.Peek(n)
	return slices.Clone(early), err
}

// choose returns the first of mine that is also theirs, or "".
func choose(mine, theirs []string) string {
	for _, name := range mine {
		if slices.Contains(theirs, name) {
			return name
		}
	}
	return ""
}

// unserved refuses a client for which there is no service.
func unserved(offered, served []string) *HandshakeError {
	what := "no subprotocol was offered"
	if len(offered) > 0 {
		what = fmt.Sprintf("no service for the subprotocols %q", offered)
	}
	return &HandshakeError{Status: http.StatusBadRequest, Detail: fmt.Sprintf("%s; the services here are %q", what, served)}
}

// seenOf says what the request had where the rule expects something else.
func seenOf(rule rfc.Rule, r *handshake.Request) string {
	header := http.Header(r.Header)
	switch rule {
	case rfc.OriginAllowed:
		return fmt.Sprintf("Origin %s not allowed at %s", strings.Join(header.Values("Origin"), ", "), strings.Join(r.Host, ", "))
	case rfc.Version13:
		return fmt.Sprintf("Sec-WebSocket-Version was %q", header.Get("Sec-WebSocket-Version"))
	case rfc.KeyOf16Bytes:
		return fmt.Sprintf("Sec-WebSocket-Key was %q", header.Get("Sec-WebSocket-Key"))
	case rfc.RequestUpgrade:
		return fmt.Sprintf("Upgrade was %q", header.Get("Upgrade"))
	case rfc.RequestConnection:
		return fmt.Sprintf("Connection was %q", strings.Join(header.Values("Connection"), ", "))
	case rfc.MethodGet:
		return fmt.Sprintf("the method was %s", r.Method)
	case rfc.RequestHTTP11:
		return fmt.Sprintf("the version was %s", r.Proto)
	}
	return ""
}

// refuse answers with the status of the error, and returns it.
func refuse(w http.ResponseWriter, r *http.Request, opts *AcceptOptions, err *HandshakeError) error {
	h := w.Header()
	for name, values := range err.refusalHeader() {
		if name != "Connection" || r.ProtoMajor < 2 { // later versions have no such field
			h[name] = values
		}
	}
	http.Error(w, err.text(), err.Status)
	if opts.Trace != nil {
		told := traceOf(r, time.Now())
		told.Request, told.Err = requestHead(requestOf(r)), err
		told.Response = append(appendHeader(err.statusLine(), h), err.text()+"\n"...)
		opts.Trace.handshake(nil, nil, told)
	}
	return err
}

// traceOf is the outset of a handshake as the request tells of it.
func traceOf(r *http.Request, begun time.Time) *HandshakeTrace {
	h := &HandshakeTrace{Server: true, TLS: r.TLS, Begun: begun}
	h.Local, _ = r.Context().Value(http.LocalAddrContextKey).(net.Addr)
	if remote, err := netip.ParseAddrPort(r.RemoteAddr); err == nil {
		h.Remote = net.TCPAddrFromAddrPort(remote)
	}
	return h
}

// requestHead writes the head of a request as it was understood.
func requestHead(r *handshake.Request) []byte {
	head := fmt.Appendf(nil, "%s %s %s\r\n", r.Method, r.Target, r.Proto)
	for _, host := range r.Host {
		head = fmt.Appendf(head, "Host: %s\r\n", host)
	}
	return appendHeader(head, r.Header)
}

func appendHeader(head []byte, h http.Header) []byte {
	var b strings.Builder
	h.Write(&b)
	return append(append(head, b.String()...), "\r\n"...)
}

// validateHeader refuses header fields of the program that would break the
// handshake or the head it stands in.
func validateHeader(h http.Header) error {
	for name, values := range h {
		if !handshake.IsToken(name) {
			return fmt.Errorf("header name %q is no token", name)
		}
		switch canonical := http.CanonicalHeaderKey(name); {
		case canonical == "Host", canonical == "Connection", canonical == "Upgrade", canonical == "Content-Length",
			canonical == "Transfer-Encoding", strings.HasPrefix(canonical, "Sec-Websocket-"):
			return fmt.Errorf("header %s is the handshake's own", canonical)
		}
		for _, v := range values {
			if !handshake.IsFieldValue(v) {
				return fmt.Errorf("the value of header %s has a control character", name)
			}
		}
	}
	return nil
}
