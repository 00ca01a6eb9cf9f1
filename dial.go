package websocket

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/wiretrue/websocket/internal/deflation"
	"github.com/wiretrue/websocket/wire"
	"github.com/wiretrue/websocket/wire/deflate"
	"github.com/wiretrue/websocket/wire/handshake"
	"github.com/wiretrue/websocket/wire/rfc"
)

// DialOptions are those of a client's connection. The zero value is safe.
type DialOptions struct {
	Options

	// Header is added to the request. A field Host replaces the URL's host in
	// it. The handshake's own fields are refused. Host, Authorization and Cookie
	// do not follow a redirect to another host.
	Header http.Header

	// Origin is what the request says of where it comes from. Empty: nothing,
	// as a program that is no browser should.
	Origin string

	// Subprotocols are offered to the server, the ones liked best first.
	Subprotocols []string

	// TLS configures wss connections and those to an https proxy. nil: the
	// defaults. An h2 among its NextProtos is left out.
	TLS *tls.Config

	// Jar provides the request's cookies and gets the response's. nil: none.
	Jar http.CookieJar

	// Proxy returns the proxy for a request whose URL has the scheme http for ws
	// and https for wss: an http, https, socks5 or socks5h URL, or nil for none.
	// Names are resolved by the proxy. nil: http.ProxyFromEnvironment, which
	// reads HTTPS_PROXY, HTTP_PROXY and NO_PROXY once and uses no proxy for
	// localhost.
	Proxy func(*http.Request) (*url.URL, error)

	// NetDial opens the connection below, to the server or its proxy. nil:
	// net.Dialer.
	NetDial func(ctx context.Context, network, address string) (net.Conn, error)

	// MaxRedirects is how many redirects are followed, of those to ws and wss
	// (or http and https) and not from wss to ws. 0: none; a redirect is a
	// refusal like any other.
	MaxRedirects int

	// HandshakeTimeout bounds everything until the connection is open, beside
	// the context. 0: 30 s. NoTimeout: none.
	HandshakeTimeout time.Duration

	nonce func() [16]byte // for tests with a fixed key; nil: random
}

// Dial opens a connection to a URL with the scheme ws or wss (http and https
// mean the same), or to a unix socket as ws+unix:///path/of/socket:/path (RFC
// 6455 3, 4.1). A user and password in the URL become the request's
// Authorization. A host name that is not ASCII must be given in its ASCII form
// (xn--).
//
// An upgrade that is refused or broken is a *HandshakeError. A mistake in the URL
// or the options is ErrInput. What else goes wrong before the upgrade is the error
// of the resolver, the network, the proxy or TLS, wrapped; when ctx or
// HandshakeTimeout ends first, the error of the context.
// ctx does not bear on the connection that is returned. opts may be nil, and
// must not change while the connection lives.
func Dial(ctx context.Context, rawURL string, opts *DialOptions) (*Conn, error) {
	if opts == nil {
		opts = new(DialOptions)
	}
	timeout := orDefault(opts.HandshakeTimeout, 30*time.Second, 0)
	if timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, timeout)
		defer cancel()
	}
	for redirects := 0; ; redirects++ {
		t, err := parseURL(rawURL)
		if err != nil {
			return nil, fmt.Errorf("websocket: dial: %w", &inputError{err})
		}
		c, err := t.dial(ctx, opts)
		refused := new(HandshakeError)
		if err == nil || !errors.As(err, &refused) || redirects >= opts.MaxRedirects {
			return c, err
		}
		next, ok := refused.redirect(t)
		if !ok {
			return nil, err
		}
		if next.Host != t.url.Host {
			opts = opts.forOtherHost()
		}
		rawURL = next.String()
	}
}

// ErrInput is what Dial's error is, besides what it says, when the URL or the
// options are wrong: another attempt will not go better.
var ErrInput = errors.New("websocket: a mistake in the URL or the options")

type inputError struct{ error }

func (e *inputError) Unwrap() error { return e.error }

func (e *inputError) Is(target error) bool { return target == ErrInput }

// forOtherHost returns the options without what only the first host may see.
func (o *DialOptions) forOtherHost() *DialOptions {
	other := *o
	other.Header = http.Header{}
	for name, values := range o.Header {
		switch http.CanonicalHeaderKey(name) {
		case "Host", "Authorization", "Cookie":
		default:
			other.Header[name] = values
		}
	}
	return &other
}

// target is where a URL leads.
type target struct {
	url     *url.URL // with the scheme ws or wss
	secure  bool
	network string
	address string // host:port, or the socket's path
	host    string // what the request names as its host
	uri     string // what the request line asks for
}

func parseURL(rawURL string) (*target, error) {
	u, err := url.Parse(rawURL)
	if err != nil {
		if parse := new(url.Error); errors.As(err, &parse) {
			err = parse.Err // without the URL, which may hold a password
		}
		return nil, fmt.Errorf("the URL: %w", err)
	}
	if u.Fragment != "" || strings.HasSuffix(rawURL, "#") {
		return nil, fmt.Errorf("the URL has a fragment, #%s, which ws URLs must not have (%v)", u.Fragment, rfc.TargetWithoutFragment)
	}
	t := &target{url: u, network: "tcp"}
	port := "80"
	switch u.Scheme {
	case "ws", "http":
		u.Scheme = "ws"
	case "wss", "https":
		u.Scheme, t.secure, port = "wss", true, "443"
	case "ws+unix":
		return t, t.parseUnix()
	default:
		return nil, fmt.Errorf("scheme %q of %q; expected ws, wss or ws+unix", u.Scheme, u.Redacted())
	}
	host := u.Hostname()
	if host == "" {
		return nil, fmt.Errorf("%q has no host", u.Redacted())
	}
	if strings.IndexFunc(host, func(r rune) bool { return r >= 0x80 }) >= 0 {
		return nil, fmt.Errorf("the host name %q is not ASCII; expected its form that begins with xn--", host)
	}
	if u.Port() != "" {
		port = u.Port()
	}
	t.address = net.JoinHostPort(host, port)
	t.host = strings.TrimSuffix(u.Host, ":")
	if name, zone, ok := strings.Cut(t.host, "%"); ok { // a zone means nothing to the peer
		t.host = name + zone[strings.IndexByte(zone, ']'):]
	}
	t.uri = requestURI(u)
	return t, nil
}

// parseUnix splits the path of a URL for a unix socket.
func (t *target) parseUnix() error {
	u := t.url
	socket, path, _ := strings.Cut(u.EscapedPath(), ":")
	socket, err := url.PathUnescape(socket)
	if err != nil || socket == "" || socket == "/" || u.Host != "" {
		return fmt.Errorf("%q names no socket; expected ws+unix:///path/of/socket:/path", u.Redacted())
	}
	if u.Path, err = url.PathUnescape(path); err != nil {
		return err
	}
	t.network, t.address, t.host = "unix", socket, "localhost"
	u.Scheme, u.Host, u.RawPath = "ws", "localhost", path
	t.uri = requestURI(u)
	return nil
}

// requestURI returns what the request line asks for. net/url keeps a query as it
// was written, but a space would end the request line's target.
func requestURI(u *url.URL) string {
	uri := u.RequestURI()
	var b strings.Builder
	for i := range len(uri) {
		if c := uri[i]; c <= ' ' || c >= 0x7f || c == '"' || c == '<' || c == '>' {
			fmt.Fprintf(&b, "%%%02X", c)
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}

// dial opens one connection, without redirects.
func (t *target) dial(ctx context.Context, opts *DialOptions) (*Conn, error) {
	request, offer, err := t.request(opts)
	if err != nil {
		return nil, fmt.Errorf("websocket: dial: %w", &inputError{err})
	}
	nc, err := t.connect(ctx, opts)
	if err != nil {
		if ended := endOf(ctx, err); ended != nil && !errors.Is(err, ended) {
			err = fmt.Errorf("%w: %w", err, ended)
		}
		return nil, fmt.Errorf("websocket: dial: %w", err)
	}
	// The end of ctx cuts the handshake short.
	stop := context.AfterFunc(ctx, func() { nc.SetDeadline(longAgo) })
	c, err := t.upgrade(nc, request, offer, opts)
	if !stop() && err == nil {
		err = ctx.Err()
		c.CloseNow()
	}
	if err != nil {
		nc.Close()
		if refused := new(HandshakeError); errors.As(err, &refused) && refused.Status != 0 {
			return nil, err // the answer was there, if not all of its body
		}
		if ctx.Err() != nil {
			return nil, fmt.Errorf("websocket: dial: the handshake was not finished: %w", ctx.Err())
		}
		return nil, err
	}
	return c, nil
}

// endOf returns the error of a context that has ended. Its deadline is that of a
// net.Dialer's socket, too, which may be the first to tell of it.
func endOf(ctx context.Context, err error) error {
	deadline, limited := ctx.Deadline()
	if limited && errors.Is(err, os.ErrDeadlineExceeded) && !time.Now().Before(deadline) {
		return context.DeadlineExceeded
	}
	return ctx.Err()
}

// request writes the head of the request.
func (t *target) request(opts *DialOptions) (head []byte, offer handshake.Offer, err error) {
	header := http.Header{}
	host := t.host
	for name, values := range opts.Header {
		name = http.CanonicalHeaderKey(name)
		header[name] = append(header[name], values...)
	}
	if values := header["Host"]; len(values) == 1 {
		if host = values[0]; host == "" || strings.Contains(host, " ") || !handshake.IsFieldValue(host) {
			return nil, offer, fmt.Errorf("%q is no value for the header Host", host)
		}
		delete(header, "Host")
	}
	if err := validateHeader(header); err != nil {
		return nil, offer, err
	}
	if opts.Origin != "" {
		if !handshake.IsFieldValue(opts.Origin) {
			return nil, offer, fmt.Errorf("the origin %q has a control character", opts.Origin)
		}
		header.Set("Origin", opts.Origin)
	}
	if user := t.url.User; user != nil && header.Get("Authorization") == "" {
		password, _ := user.Password()
		header.Set("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(user.Username()+":"+password)))
	}
	if opts.Jar != nil {
		r := http.Request{Header: header}
		for _, cookie := range opts.Jar.Cookies(t.httpURL()) {
			r.AddCookie(cookie)
		}
	}
	for i, name := range opts.Subprotocols {
		if !handshake.IsToken(name) || slices.Contains(opts.Subprotocols[:i], name) {
			return nil, offer, fmt.Errorf("subprotocol %q is no token, or is there twice (%v)", name, rfc.SubprotocolTokens)
		}
	}
	if err := opts.Compression.validate(); err != nil {
		return nil, offer, err
	}
	var nonce [16]byte
	if opts.nonce != nil {
		nonce = opts.nonce()
	} else {
		rand.Read(nonce[:]) // never fails
	}
	offer = handshake.Offer{Key: handshake.Key(nonce), Subprotocols: opts.Subprotocols}
	if opts.Compression != nil {
		offer.Extensions = opts.Compression.resolved(opts.QueuePolicy).Offers()
	}
	return handshake.AppendRequest(nil, t.uri, host, offer, header), offer, nil
}

// httpURL is the URL as cookie jars and proxies know it.
func (t *target) httpURL() *url.URL {
	u := *t.url
	u.Scheme = "http"
	if t.secure {
		u.Scheme = "https"
	}
	u.User = nil
	return &u
}

// connect opens the transport: a proxy in between if there is one, TLS if it is
// asked for.
func (t *target) connect(ctx context.Context, opts *DialOptions) (net.Conn, error) {
	dial := opts.NetDial
	if dial == nil {
		dial = new(net.Dialer).DialContext
	}
	nc, err := t.connectBelow(ctx, dial, opts)
	if err != nil || !t.secure {
		return nc, err
	}
	config := opts.TLS.Clone()
	if config == nil {
		config = new(tls.Config)
	}
	if config.ServerName == "" {
		config.ServerName = t.url.Hostname()
	}
	// The upgrade is HTTP/1.1's, and a config may come from an HTTP client.
	config.NextProtos = slices.DeleteFunc(slices.Clone(config.NextProtos), func(name string) bool { return name == "h2" })
	if len(config.NextProtos) == 0 {
		config.NextProtos = []string{"http/1.1"}
	}
	secure := tls.Client(nc, config)
	if err := secure.HandshakeContext(ctx); err != nil {
		nc.Close()
		if plain := new(tls.RecordHeaderError); errors.As(err, plain) && string(plain.RecordHeader[:]) == "HTTP/" {
			err = fmt.Errorf("the server speaks plain HTTP there, which is for ws and not for wss: %w", err)
		}
		return nil, fmt.Errorf("TLS handshake with %s: %w", t.address, err)
	}
	return secure, nil
}

func (t *target) connectBelow(ctx context.Context, dial dialFunc, opts *DialOptions) (net.Conn, error) {
	if t.network == "unix" {
		return dial(ctx, t.network, t.address)
	}
	proxyFor := opts.Proxy
	if proxyFor == nil {
		proxyFor = http.ProxyFromEnvironment
	}
	proxy, err := proxyFor(&http.Request{Method: http.MethodGet, URL: t.httpURL(), Header: http.Header{}})
	if err != nil {
		return nil, fmt.Errorf("choose a proxy: %w", err)
	}
	if proxy == nil {
		return dial(ctx, t.network, t.address)
	}
	return dialProxy(ctx, dial, proxy, t.address, opts.TLS)
}

const (
	maxRefusal = 1 << 10 // how much of a refusal's body is kept, in bytes
	maxInterim = 8       // how many interim responses are passed over
)

// upgrade sends the request and reads the response.
func (t *target) upgrade(nc net.Conn, request []byte, offer handshake.Offer, opts *DialOptions) (*Conn, error) {
	h := &HandshakeTrace{Begun: time.Now(), Request: request}
	if _, err := nc.Write(request); err != nil {
		return nil, fmt.Errorf("websocket: dial: send the request: %w", err)
	}
	response, head, rest, err := readResponse(nc, nil)
	for n := 0; err == nil && response.Interim() && n < maxInterim; n++ {
		response, head, rest, err = readResponse(nc, rest) // an interim response says nothing (RFC 9110 15.2)
	}
	h.Response = head
	if err != nil {
		h.Err = &HandshakeError{Err: err}
		opts.Trace.handshake(nil, nc, h)
		return nil, h.Err
	}
	if opts.Jar != nil {
		opts.Jar.SetCookies(t.httpURL(), (&http.Response{Header: response.Header}).Cookies())
	}
	agreed, broken := response.Agreement(offer)
	params, compressed, brokenParams := deflate.Confirm(agreed.Extensions, offer.Extensions)
	broken = broken.Union(brokenParams)
	if rule := broken.Fatal(); rule != 0 {
		refused := &HandshakeError{
			Rule:    rule,
			Broken:  broken,
			Mistake: agreed.Accept,
			Status:  response.Status,
			Header:  response.Header,
			Detail:  seenInResponse(rule, &response, head, agreed, offer),
		}
		refused.Body, h.Response = readRefusal(nc, &response, head, rest)
		h.Err = refused
		opts.Trace.handshake(nil, nc, h)
		return nil, refused
	}
	var compression *deflation.State
	if compressed {
		compression = opts.Compression.confirmed(params, opts.QueuePolicy)
	}
	c := newConn(nc, wire.Client, &opts.Options, strings.Clone(agreed.Subprotocol), compression, rest)
	opts.Trace.handshake(c, nc, h)
	c.traceReceived(rest)
	c.received.bytes.Add(uint64(len(rest)))
	return c, nil
}

// readResponse reads a head of HTTP that begins with b, and what came behind it.
func readResponse(nc net.Conn, b []byte) (r handshake.Response, head, rest []byte, err error) {
	b = append(make([]byte, 0, 1024), b...)
	for {
		if r, n := handshake.ParseResponse(b, 0); n > 0 && len(b) > 0 {
			return r, b[:n:n], b[n:], nil
		}
		if err != nil {
			if errors.Is(err, io.EOF) {
				return r, b, nil, fmt.Errorf("the server ended the connection after %d bytes of its response: %w", len(b), io.ErrUnexpectedEOF)
			}
			return r, b, nil, transportCause(err)
		}
		b = slices.Grow(b, 1)
		var n int
		n, err = nc.Read(b[len(b):cap(b)])
		b = b[:len(b)+n]
	}
}

// readRefusal returns the beginning of the body of a response whose head and
// first bytes are read, and all bytes that were read of the response.
func readRefusal(nc net.Conn, response *handshake.Response, head, rest []byte) (body, read []byte) {
	if response.Proto == "" {
		return head[:min(len(head), maxRefusal)], head // nothing says where a body begins
	}
	var seen bytes.Buffer
	nc.SetReadDeadline(time.Now().Add(lingerTime)) // a body may never end
	all := io.MultiReader(bytes.NewReader(head), bytes.NewReader(rest), nc)
	r, err := http.ReadResponse(bufio.NewReader(io.TeeReader(all, &seen)), nil)
	if err == nil {
		body, _ = io.ReadAll(io.LimitReader(r.Body, maxRefusal))
	}
	return body, seen.Bytes()
}

// seenInResponse says what the response had where the rule expects something
// else.
func seenInResponse(rule rfc.Rule, r *handshake.Response, head []byte, agreed handshake.Agreement, offer handshake.Offer) string {
	field := http.Header(r.Header)
	switch rule {
	case rfc.ResponseSyntax:
		if r.Proto == "" {
			return fmt.Sprintf("no HTTP answer came but %q; is this a WebSocket server, and is TLS used on both sides or on none?", head[:min(len(head), 64)])
		}
	case rfc.SwitchingProtocols:
		if to := field.Get("Location"); to != "" {
			return "redirected to " + to
		}
	case rfc.ResponseUpgrade:
		return fmt.Sprintf("Upgrade was %q", field.Get("Upgrade"))
	case rfc.ResponseConnection:
		return fmt.Sprintf("Connection was %q", field.Get("Connection"))
	case rfc.AcceptMatchesKey:
		return fmt.Sprintf("Sec-WebSocket-Accept was %q, expected %q", field.Get("Sec-WebSocket-Accept"), handshake.Accept(offer.Key))
	case rfc.SubprotocolOffered:
		return fmt.Sprintf("the server chose %q of the offered %q", agreed.Subprotocol, offer.Subprotocols)
	case rfc.ExtensionOffered, rfc.ResponseParameters, rfc.ResponseWithinOffer:
		return fmt.Sprintf("the server chose %q", field.Get("Sec-WebSocket-Extensions"))
	}
	return ""
}

// redirect returns the URL that a refusal leads to.
func (e *HandshakeError) redirect(from *target) (*url.URL, bool) {
	switch e.Status {
	case http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther, http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
	default:
		return nil, false
	}
	location := e.Header.Get("Location")
	to, err := from.url.Parse(location)
	if err != nil || location == "" {
		return nil, false
	}
	switch to.Scheme {
	case "wss", "https":
	case "ws", "http":
		if from.secure {
			return nil, false // never from TLS to plain text
		}
	default:
		return nil, false // above all no socket of this machine
	}
	to.Fragment, to.RawFragment = "", ""
	if from.network == "unix" {
		return nil, false
	}
	if to.User == nil && to.Host == from.url.Host {
		to.User = from.url.User
	}
	return to, true
}
