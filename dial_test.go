package websocket_test

import (
	"context"
	"crypto/sha1"
	"crypto/tls"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wiretrue/websocket"
	"github.com/wiretrue/websocket/wire/handshake"
	"github.com/wiretrue/websocket/wire/rfc"
	"github.com/wiretrue/websocket/wstest"
)

// script makes each connection of a client one to a peer that does what serve
// says, and returns what the client has dialled.
func script(t *testing.T, opts *websocket.DialOptions, serve func(p *wstest.Peer)) *[]string {
	var dialled []string
	opts.NetDial = func(_ context.Context, network, address string) (net.Conn, error) {
		dialled = append(dialled, network+" "+address)
		near, far := net.Pipe()
		p := wstest.NewPeer(t, far)
		go serve(p)
		return near, nil
	}
	if opts.Proxy == nil {
		opts.Proxy = func(*http.Request) (*url.URL, error) { return nil, nil }
	}
	return &dialled
}

// agree answers the request of an opening handshake.
func agree(p *wstest.Peer, agreed handshake.Agreement) handshake.Request {
	r := p.ReadRequest()
	offer, _ := r.Offer()
	p.SendBytes(handshake.AppendSwitching(nil, offer.Key, agreed, nil))
	return r
}

// requestFor returns the request that Dial sends, and where to.
func requestFor(t *testing.T, rawURL string, opts websocket.DialOptions) (r handshake.Request, dialled string, err error) {
	t.Helper()
	requests := make(chan handshake.Request, 1)
	all := script(t, &opts, func(p *wstest.Peer) { requests <- agree(p, handshake.Agreement{}) })
	c, err := websocket.Dial(t.Context(), rawURL, &opts)
	if err != nil {
		return r, "", err
	}
	c.CloseNow()
	return <-requests, (*all)[0], nil
}

func TestDialURL(t *testing.T) {
	for _, tt := range []struct{ url, dialled, target, host string }{
		{"ws://example.com", "tcp example.com:80", "/", "example.com"},
		{"ws://example.com/", "tcp example.com:80", "/", "example.com"},
		{"WS://Example.com:8080/chat?room=1&x", "tcp Example.com:8080", "/chat?room=1&x", "Example.com:8080"},
		{"http://example.com/a%2fb", "tcp example.com:80", "/a%2fb", "example.com"},
		{"ws://example.com:/", "tcp example.com:80", "/", "example.com"},
		{"ws://[::1]:81/x", "tcp [::1]:81", "/x", "[::1]:81"},
		{"ws://[fe80::1%25eth0]/x", "tcp [fe80::1%eth0]:80", "/x", "[fe80::1]"},
		{"ws://[fe80::1%25eth0]:82/x", "tcp [fe80::1%eth0]:82", "/x", "[fe80::1]:82"},
		{"ws://example.com/?q=a b\"<é", "tcp example.com:80", "/?q=a%20b%22%3C%C3%A9", "example.com"},
		{"ws+unix:///run/a.socket:/path?q", "unix /run/a.socket", "/path?q", "localhost"},
		{"ws+unix:///run/a.socket", "unix /run/a.socket", "/", "localhost"},
		{"ws+unix:///run/a%20b:/c%2fd", "unix /run/a b", "/c%2fd", "localhost"},
	} {
		r, dialled, err := requestFor(t, tt.url, websocket.DialOptions{})
		if err != nil {
			t.Errorf("%s: %v", tt.url, err)
			continue
		}
		if dialled != tt.dialled || r.Target != tt.target || strings.Join(r.Host, " ") != tt.host {
			t.Errorf("%s: dialled %s, asked %v for %s; want %s, %s for %s", tt.url, dialled, r.Host, r.Target, tt.dialled, tt.host, tt.target)
		}
		if _, broken := r.Offer(); broken.Fatal() != 0 {
			t.Errorf("%s: the request breaks %v", tt.url, broken.Fatal())
		}
	}
}

// A mistake in the URL or the options is told before anything is dialled, and
// without a password.
func TestDialInput(t *testing.T) {
	head := func(name, value string) websocket.DialOptions {
		return websocket.DialOptions{Header: http.Header{name: {value}}}
	}
	for _, tt := range []struct {
		name, url string
		opts      websocket.DialOptions
	}{
		{"no scheme", "example.com", websocket.DialOptions{}},
		{"another scheme", "ftp://u:secret@example.com/", websocket.DialOptions{}},
		{"no host", "ws:///path", websocket.DialOptions{}},
		{"a port alone", "ws://:80/", websocket.DialOptions{}},
		{"a fragment", "ws://u:secret@example.com/#part", websocket.DialOptions{}},
		{"an empty fragment", "ws://example.com/#", websocket.DialOptions{}},
		{"a bad escape", "ws://u:secret@example.com/%zz", websocket.DialOptions{}},
		{"a control character", "ws://u:secret@example.com/\n", websocket.DialOptions{}},
		{"a host that is not ASCII", "ws://bücher.example/", websocket.DialOptions{}},
		{"a socket with a host", "ws+unix://host/socket:/", websocket.DialOptions{}},
		{"no socket", "ws+unix:///:/path", websocket.DialOptions{}},
		{"nothing behind the scheme", "ws+unix:", websocket.DialOptions{}},
		{"CR LF in a header", "ws://example.com/", head("X", "a\r\nInjected: 1")},
		{"CR LF in a header's name", "ws://example.com/", head("X: a\r\nInjected", "1")},
		{"the handshake's own header", "ws://example.com/", head("sec-websocket-key", "x")},
		{"a body", "ws://example.com/", head("Content-Length", "5")},
		{"an encoded body", "ws://example.com/", head("transfer-encoding", "chunked")},
		{"CR LF in Host", "ws://example.com/", head("Host", "a\r\nInjected:1")},
		{"an empty Host", "ws://example.com/", head("Host", "")},
		{"CR LF in the origin", "ws://example.com/", websocket.DialOptions{Origin: "http://a\r\nInjected:1"}},
		{"CR LF in a subprotocol", "ws://example.com/", websocket.DialOptions{Subprotocols: []string{"a\r\nInjected: 1"}}},
		{"a list as a subprotocol", "ws://example.com/", websocket.DialOptions{Subprotocols: []string{"a, b"}}},
		{"a subprotocol twice", "ws://example.com/", websocket.DialOptions{Subprotocols: []string{"a", "b", "a"}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dialled := script(t, &tt.opts, func(*wstest.Peer) {})
			_, err := websocket.Dial(t.Context(), tt.url, &tt.opts)
			if !errors.Is(err, websocket.ErrInput) || strings.Contains(err.Error(), "secret") || len(*dialled) > 0 {
				t.Errorf("Dial: %v; dialled %q", err, *dialled)
			}
		})
	}
}

func TestDialRequest(t *testing.T) {
	jar, _ := cookiejar.New(nil)
	jar.SetCookies(&url.URL{Scheme: "https", Host: "example.com"}, []*http.Cookie{{Name: "secure", Value: "1", Secure: true}, {Name: "any", Value: "2"}})
	r, _, err := requestFor(t, "ws://user:pass%20word@example.com/", websocket.DialOptions{
		Header:       http.Header{"host": {"other.example"}, "X-Two": {"a", "b"}, "Cookie": {"own=0"}},
		Origin:       "https://page.example",
		Subprotocols: []string{"v2", "v1"},
		Jar:          jar,
	})
	if err != nil {
		t.Fatal(err)
	}
	want := http.Header{
		"X-Two":                  {"a", "b"},
		"Origin":                 {"https://page.example"},
		"Sec-Websocket-Protocol": {"v2, v1"},
		"Authorization":          {"Basic dXNlcjpwYXNzIHdvcmQ="},
		"Cookie":                 {"own=0; any=2"}, // the other one is for wss
	}
	for name, values := range want {
		if got := http.Header(r.Header).Values(name); strings.Join(got, "|") != strings.Join(values, "|") {
			t.Errorf("%s: %q, want %q", name, got, values)
		}
	}
	if strings.Join(r.Host, "|") != "other.example" {
		t.Errorf("Host: %q", r.Host)
	}

	// What the program says itself goes before what is in the URL.
	r, _, err = requestFor(t, "ws://user:password@example.com/", websocket.DialOptions{Header: http.Header{"authorization": {"Bearer t"}}})
	if got := http.Header(r.Header).Values("Authorization"); err != nil || len(got) != 1 || got[0] != "Bearer t" {
		t.Errorf("Authorization: %q, %v", got, err)
	}
	if _, there := r.Header["Origin"]; there {
		t.Error("a program that says no origin has one")
	}
}

// Keys are not like one another.
func TestDialKeys(t *testing.T) {
	seen := map[string]bool{}
	for range 20 {
		r, _, err := requestFor(t, "ws://example.com/", websocket.DialOptions{})
		if err != nil {
			t.Fatal(err)
		}
		seen[http.Header(r.Header).Get("Sec-Websocket-Key")] = true
	}
	if len(seen) != 20 {
		t.Errorf("%d keys in 20 handshakes", len(seen))
	}
}

// A handshake that fails says all that is known of it.
func TestDialRefused(t *testing.T) {
	const switching = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
	long := strings.Repeat("0123456789abcdef", 200)
	for _, tt := range []struct {
		name, response string // {accept} is the right value
		opts           websocket.DialOptions
		want           websocket.HandshakeError // without Header, Broken, Detail and Err
		detail         string                   // a part of it
	}{
		{name: "403 with a reason", response: "HTTP/1.1 403 Forbidden\r\nContent-Length: 9\r\nX-Why: origin\r\n\r\nnot todayand what follows",
			want: websocket.HandshakeError{Rule: rfc.SwitchingProtocols, Status: 403, Body: []byte("not today")}},
		{name: "a long body", response: "HTTP/1.1 500 Internal Server Error\r\n\r\n" + long,
			want: websocket.HandshakeError{Rule: rfc.SwitchingProtocols, Status: 500, Body: []byte(long[:1024])}},
		{name: "a chunked body", response: "HTTP/1.1 404 Not Found\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nnone\r\n0\r\n\r\n",
			want: websocket.HandshakeError{Rule: rfc.SwitchingProtocols, Status: 404, Body: []byte("none")}},
		{name: "a redirect", response: "HTTP/1.1 302 Found\r\nLocation: /login\r\nContent-Length: 0\r\n\r\n", detail: "redirected to /login",
			want: websocket.HandshakeError{Rule: rfc.SwitchingProtocols, Status: 302}},
		{name: "no HTTP", response: "SSH-2.0-OpenSSH_9.2\r\n\r\n", detail: "SSH-2.0",
			want: websocket.HandshakeError{Rule: rfc.ResponseSyntax, Body: []byte("SSH-2.0-OpenSSH_9.2\r\n\r\n")}},
		{name: "no Upgrade", response: "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {accept}\r\n\r\n",
			want: websocket.HandshakeError{Rule: rfc.ResponseUpgrade, Status: 101}},
		{name: "no Accept", response: switching + "\r\n", want: websocket.HandshakeError{Rule: rfc.OneAccept, Status: 101}},
		{name: "the article's Accept", response: switching + "Sec-WebSocket-Accept: {hex}\r\n\r\n", detail: "{accept}",
			want: websocket.HandshakeError{Rule: rfc.AcceptMatchesKey, Status: 101, Mistake: handshake.HexDigest}},
		{name: "another Accept", response: switching + "Sec-WebSocket-Accept: AAAAAAAAAAAAAAAAAAAAAAAAAAA=\r\n\r\n", detail: "{accept}",
			want: websocket.HandshakeError{Rule: rfc.AcceptMatchesKey, Status: 101, Mistake: handshake.UnknownReason}},
		{name: "a subprotocol that was not offered", response: switching + "Sec-WebSocket-Accept: {accept}\r\nSec-WebSocket-Protocol: v3\r\n\r\n",
			opts: websocket.DialOptions{Subprotocols: []string{"v1"}}, detail: `"v3"`,
			want: websocket.HandshakeError{Rule: rfc.SubprotocolOffered, Status: 101}},
		{name: "an extension that was not offered", response: switching + "Sec-WebSocket-Accept: {accept}\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\r\n",
			want: websocket.HandshakeError{Rule: rfc.ExtensionOffered, Status: 101}, detail: "permessage-deflate"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var nonce [16]byte
			tt.opts.SetNonce(nonce)
			key := handshake.Key(nonce)
			fill := strings.NewReplacer("{accept}", handshake.Accept(key), "{hex}", hexAccept(key)).Replace
			script(t, &tt.opts, func(p *wstest.Peer) {
				p.ReadRequest()
				p.SendBytes([]byte(fill(tt.response)))
				p.End()
			})
			_, err := websocket.Dial(t.Context(), "ws://example.com/", &tt.opts)
			got := new(websocket.HandshakeError)
			if !errors.As(err, &got) {
				t.Fatalf("Dial: %v", err)
			}
			if got.Rule != tt.want.Rule || got.Status != tt.want.Status || got.Mistake != tt.want.Mistake || string(got.Body) != string(tt.want.Body) {
				t.Errorf("rule %v, status %d, mistake %q, body %q", got.Rule, got.Status, got.Mistake, got.Body)
			}
			if !strings.Contains(err.Error(), fill(tt.detail)) || !got.Broken.Has(got.Rule) {
				t.Errorf("%v, broken %v", err, got.Broken)
			}
			if tt.name == "403 with a reason" && got.Header.Get("X-Why") != "origin" {
				t.Errorf("header %v", got.Header)
			}
		})
	}
}

// hexAccept is base64 of the hexadecimal text of the digest, in place of the
// digest.
func hexAccept(key string) string {
	sum := sha1.Sum([]byte(key + handshake.GUID))
	return base64.StdEncoding.EncodeToString(hex.AppendEncode(nil, sum[:]))
}

// A server that ends the connection, or never ends a refusal's body, is told
// of in time.
func TestDialUnfinishedResponse(t *testing.T) {
	for _, tt := range []struct {
		name, response string
		end            bool
		status         int
	}{
		{"nothing", "", true, 0},
		{"half a head", "HTTP/1.1 101 Switching Protocols\r\nUpgr", true, 0},
		{"a body without an end", "HTTP/1.1 500 Internal Server Error\r\nContent-Length: 100\r\n\r\nbegun", false, 500},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				opts := new(websocket.DialOptions)
				script(t, opts, func(p *wstest.Peer) {
					p.ReadRequest()
					p.SendBytes([]byte(tt.response))
					if tt.end {
						p.End()
					}
				})
				began := time.Now()
				_, err := websocket.Dial(t.Context(), "ws://example.com/", opts)
				refused := new(websocket.HandshakeError)
				if !errors.As(err, &refused) || refused.Status != tt.status || time.Since(began) > 10*time.Second {
					t.Fatalf("Dial: %v after %v", err, time.Since(began))
				}
				if tt.end != errors.Is(err, io.ErrUnexpectedEOF) {
					t.Errorf("Dial: %v", err)
				}
				if !tt.end && string(refused.Body) != "begun" {
					t.Errorf("body %q", refused.Body)
				}
			})
		})
	}
}

// Interim responses are passed over, and frames that come in one piece with the
// response are not lost.
func TestDialAroundTheResponse(t *testing.T) {
	opts := &websocket.DialOptions{Subprotocols: []string{"v2", "v1"}}
	script(t, opts, func(p *wstest.Peer) {
		r := p.ReadRequest()
		offer, _ := r.Offer()
		b := []byte("HTTP/1.1 103 Early Hints\r\nLink: </style.css>\r\n\r\n")
		b = handshake.AppendSwitching(b, offer.Key, handshake.Agreement{Subprotocol: "v1"}, nil)
		p.SendBytes(append(b, 0x81, 5, 'e', 'a', 'r', 'l', 'y', 0x88, 2, 3, 0xe8))
	})
	c, err := websocket.Dial(t.Context(), "ws://example.com/", opts)
	if err != nil {
		t.Fatal(err)
	}
	if c.Subprotocol() != "v1" {
		t.Errorf("subprotocol %q", c.Subprotocol())
	}
	if _, m, err := c.Read(t.Context()); err != nil || string(m) != "early" {
		t.Errorf("Read: %q, %v", m, err)
	}
	if got := c.Stats().Received; got.Bytes != 11 {
		t.Errorf("%d bytes were counted", got.Bytes)
	}
	c.Read(t.Context())
	wantClosed(t, c, websocket.CloseError{Code: websocket.StatusNormalClosure, ByPeer: true})

	opts = new(websocket.DialOptions)
	script(t, opts, func(p *wstest.Peer) {
		p.ReadRequest()
		for range 100 {
			p.SendBytes([]byte("HTTP/1.1 100 Continue\r\n\r\n"))
		}
	})
	refused := new(websocket.HandshakeError)
	if _, err := websocket.Dial(t.Context(), "ws://example.com/", opts); !errors.As(err, &refused) || refused.Status != 100 {
		t.Errorf("interim responses without an end: %v", err)
	}
}

func TestDialRedirects(t *testing.T) {
	for _, tt := range []struct {
		name, from, location string
		limit                int
		want                 string // the last address; empty: refused
		dials                int
		authorized           bool // the last request has credentials
	}{
		{"none unless asked for", "ws://u:p@a.example/", "ws://b.example/", 0, "", 1, true},
		{"to a path", "ws://u:p@a.example/x", "/y", 1, "tcp a.example:80", 2, true},
		{"to another host", "ws://u:p@a.example/", "http://b.example/", 1, "tcp b.example:80", 2, false},
		{"to another port", "ws://u:p@a.example/", "ws://a.example:81/", 1, "tcp a.example:81", 2, false},
		{"with credentials of its own", "ws://a.example/", "ws://u:p@b.example/", 1, "tcp b.example:80", 2, true},
		{"to a socket of this machine", "ws://a.example/", "ws+unix:///run/secret:/", 1, "", 1, false},
		{"to a file", "ws://a.example/", "file:///etc/passwd", 1, "", 1, false},
		{"to nowhere", "ws://a.example/", "", 1, "", 1, false},
		{"in a circle", "ws://a.example/circle", "/circle", 3, "", 4, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			opts := &websocket.DialOptions{MaxRedirects: tt.limit, Header: http.Header{"Cookie": {"own=1"}}}
			var last handshake.Request
			attempts := 0
			dialled := script(t, opts, func(p *wstest.Peer) {
				attempts++
				last = p.ReadRequest()
				if attempts == 1 || last.Target == "/circle" {
					p.SendBytes([]byte("HTTP/1.1 307 Temporary Redirect\r\nContent-Length: 0\r\nLocation: " + tt.location + "\r\n\r\n"))
					return
				}
				offer, _ := last.Offer()
				p.SendBytes(handshake.AppendSwitching(nil, offer.Key, handshake.Agreement{}, nil))
			})
			c, err := websocket.Dial(t.Context(), tt.from, opts)
			if tt.want == "" {
				refused := new(websocket.HandshakeError)
				if !errors.As(err, &refused) || refused.Status != 307 || len(*dialled) != tt.dials {
					t.Fatalf("Dial: %v, dialled %q", err, *dialled)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			c.CloseNow()
			if got := (*dialled)[len(*dialled)-1]; got != tt.want || len(*dialled) != tt.dials {
				t.Errorf("dialled %q", *dialled)
			}
			header := http.Header(last.Header)
			if got := header.Get("Authorization") != ""; got != tt.authorized {
				t.Errorf("Authorization: %q", header.Get("Authorization"))
			}
			if same := strings.Contains(tt.want, "a.example:80"); same != (header.Get("Cookie") != "") {
				t.Errorf("Cookie: %q", header.Get("Cookie"))
			}
		})
	}
}

// A jar gets the cookies of a response, of a refusal too.
// A redirect leads from TLS to TLS, and never to plain text.
func TestDialIsNotRedirectedOutOfTLS(t *testing.T) {
	for location, dials := range map[string]int{"ws://example.com/": 1, "http://example.com/": 1, "wss://example.com/": 2, "/": 2} {
		attempts := 0
		server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if attempts++; attempts == 1 {
				http.Redirect(w, r, location, http.StatusFound)
			}
		}))
		dialled := 0
		_, err := websocket.Dial(t.Context(), "wss://example.com/", &websocket.DialOptions{
			MaxRedirects: 1,
			TLS:          server.Client().Transport.(*http.Transport).TLSClientConfig,
			NetDial: func(ctx context.Context, network, _ string) (net.Conn, error) {
				dialled++
				return new(net.Dialer).DialContext(ctx, network, server.Listener.Addr().String())
			},
		})
		server.Close()
		if refused := new(websocket.HandshakeError); !errors.As(err, &refused) || dialled != dials || (refused.Status == http.StatusFound) != (dials == 1) {
			t.Errorf("to %s: %v with %d attempts", location, err, dialled)
		}
	}
}

func TestDialKeepsCookies(t *testing.T) {
	jar, _ := cookiejar.New(nil)
	opts := &websocket.DialOptions{Jar: jar}
	cookies := make(chan string, 1)
	script(t, opts, func(p *wstest.Peer) {
		r := p.ReadRequest()
		cookies <- http.Header(r.Header).Get("Cookie")
		p.SendBytes([]byte("HTTP/1.1 401 Unauthorized\r\nSet-Cookie: session=1\r\nContent-Length: 0\r\n\r\n"))
	})
	for _, want := range []string{"", "session=1"} {
		websocket.Dial(t.Context(), "ws://example.com/", opts)
		if got := <-cookies; got != want {
			t.Errorf("Cookie: %q, want %q", got, want)
		}
	}
}

// TLS uses the program's configuration, for the URL's host, and never agrees to
// HTTP/2.
func TestDialTLS(t *testing.T) {
	server := httptest.NewUnstartedServer(websocket.Handler(func(ctx context.Context, c *websocket.Conn) error {
		return c.Write(ctx, websocket.Text, []byte(c.TLS().ServerName+" "+c.TLS().NegotiatedProtocol))
	}))
	server.TLS = &tls.Config{NextProtos: []string{"h2", "http/1.1"}}
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	t.Cleanup(server.Close)
	config := server.Client().Transport.(*http.Transport).TLSClientConfig.Clone()
	config.NextProtos = []string{"h2", "http/1.1"}
	opts := &websocket.DialOptions{TLS: config, NetDial: func(ctx context.Context, network, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, server.Listener.Addr().String())
	}}
	c, err := websocket.Dial(t.Context(), "wss://example.com/", opts)
	if err != nil {
		t.Fatal(err)
	}
	defer c.CloseNow()
	if _, m, err := c.Read(t.Context()); err != nil || string(m) != "example.com http/1.1" {
		t.Errorf("%q, %v", m, err)
	}
	if c.TLS() == nil || config.NextProtos[0] != "h2" {
		t.Error("the program's configuration was changed")
	}

	// What is wrong is told: who signed, and who speaks plain HTTP.
	opts.TLS = nil
	invalid := new(tls.CertificateVerificationError)
	if _, err := websocket.Dial(t.Context(), "wss://example.com/", opts); !errors.As(err, &invalid) {
		t.Errorf("an unknown signer: %v", err)
	}
	plain := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(plain.Close)
	_, err = websocket.Dial(t.Context(), strings.Replace(plain.URL, "http", "wss", 1), nil)
	if record := new(tls.RecordHeaderError); !errors.As(err, record) || !strings.Contains(err.Error(), "for ws and not for wss") {
		t.Errorf("a plain server: %v", err)
	}
}

func TestDialUnixSocket(t *testing.T) {
	path := filepath.Join(t.TempDir(), "socket")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Skip(err)
	}
	server := &http.Server{Handler: websocket.Handler(say("hello"))}
	go server.Serve(l)
	t.Cleanup(func() { server.Close() })
	c, err := websocket.Dial(t.Context(), "ws+unix://"+path+":/", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer c.CloseNow()
	if _, m, err := c.Read(t.Context()); err != nil || string(m) != "hello" {
		t.Errorf("%q, %v", m, err)
	}
	if _, err := websocket.Dial(t.Context(), "ws+unix://"+path+"-not-there:/", nil); err == nil {
		t.Error("no error for a socket that is not there")
	}
}

// The end of the context ends Dial, wherever it is, and not the connection
// that it has returned.
func TestDialContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		opts := new(websocket.DialOptions)
		script(t, opts, func(p *wstest.Peer) { p.ReadRequest() })
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		began := time.Now()
		if _, err := websocket.Dial(ctx, "ws://example.com/", opts); !errors.Is(err, context.DeadlineExceeded) || time.Since(began) != time.Second {
			t.Errorf("Dial: %v after %v", err, time.Since(began))
		}
		if _, err := websocket.Dial(ctx, "ws://example.com/", opts); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Dial with an ended context: %v", err)
		}

		// A dialer whose own deadline, which is that of the context, comes first.
		ctx, cancel = context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := websocket.Dial(ctx, "ws://example.com/", &websocket.DialOptions{NetDial: func(ctx context.Context, _, _ string) (net.Conn, error) {
			pass(time.Second)
			return nil, &net.OpError{Op: "dial", Err: os.ErrDeadlineExceeded}
		}})
		if !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("Dial with a deadline of the dialer's: %v", err)
		}

		ctx, cancel = context.WithCancel(t.Context())
		script(t, opts, func(p *wstest.Peer) {
			agree(p, handshake.Agreement{})
			pass(time.Hour)
			p.Send(`81 05 "hello"`)
		})
		c, err := websocket.Dial(ctx, "ws://example.com/", opts)
		if err != nil {
			t.Fatal(err)
		}
		cancel()
		if _, m, err := c.Read(t.Context()); err != nil || string(m) != "hello" {
			t.Errorf("%q, %v", m, err)
		}
		c.CloseNow()
	})
}
