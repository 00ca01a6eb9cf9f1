package websocket_test

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/wiretrue/websocket"
	"github.com/wiretrue/websocket/wire/rfc"
	"github.com/wiretrue/websocket/wstest"
)

// serveHTTP runs net/http's server for the handler.
func serveHTTP(t *testing.T, h http.Handler) *pipeListener {
	l := listenPipe()
	s := &http.Server{Handler: h, ErrorLog: log.New(io.Discard, "", 0)}
	go s.Serve(l)
	t.Cleanup(func() { s.Close() })
	return l
}

// requestHead is a good request with some fields set ("Name: value"), added
// ("+Name: value") or left out ("-Name"), or another request line ("GET ...").
func requestHead(edits ...string) string {
	line := "GET /chat HTTP/1.1"
	fields := []string{
		"Host: example.com",
		"Upgrade: websocket",
		"Connection: Upgrade",
		"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
		"Sec-WebSocket-Version: 13",
	}
	for _, edit := range edits {
		name, _, field := strings.Cut(edit, ":")
		switch {
		case strings.Contains(edit, " HTTP/"):
			line = edit
		case edit[0] == '+':
			fields = append(fields, edit[1:])
		default:
			kept := fields[:0]
			for _, f := range fields {
				if !strings.HasPrefix(f, strings.TrimPrefix(name, "-")+":") {
					kept = append(kept, f)
				}
			}
			if fields = kept; field {
				fields = append(fields, edit)
			}
		}
	}
	return line + "\r\n" + strings.Join(fields, "\r\n") + "\r\n\r\n"
}

// exchange sends bytes to a server and returns all that comes until the end.
func exchange(nc net.Conn, request string) []byte {
	go io.WriteString(nc, request)
	all, _ := io.ReadAll(nc)
	nc.Close()
	return all
}

// readResponse reads one response, its body, and what stands behind it.
func readResponse(t *testing.T, all []byte) (r *http.Response, body, behind string) {
	t.Helper()
	b := bufio.NewReader(bytes.NewReader(all))
	r, err := http.ReadResponse(b, nil)
	if err != nil {
		t.Fatalf("no response: %v in %q", err, all)
	}
	content, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatalf("body: %v", err)
	}
	rest, _ := io.ReadAll(b)
	return r, string(content), string(rest)
}

func TestAcceptRefuses(t *testing.T) {
	type want struct {
		status int
		rule   rfc.Rule
		header map[string]string
	}
	bad := func(rule rfc.Rule) want { return want{status: 400, rule: rule} }
	for _, tt := range []struct {
		name  string
		edits []string
		want  want
	}{
		{"POST", []string{"POST /chat HTTP/1.1"}, want{405, rfc.MethodGet, map[string]string{"Allow": "GET"}}},
		{"OPTIONS", []string{"OPTIONS /chat HTTP/1.1"}, want{405, rfc.MethodGet, map[string]string{"Allow": "GET"}}},
		{"a page is asked for", []string{"-Upgrade", "-Connection", "-Sec-WebSocket-Key", "-Sec-WebSocket-Version"},
			want{426, rfc.RequestUpgrade, map[string]string{"Upgrade": "websocket", "Sec-WebSocket-Version": "13"}}},
		{"another upgrade", []string{"Upgrade: h2c"}, want{426, rfc.RequestUpgrade, map[string]string{"Upgrade": "websocket"}}},
		{"version 8", []string{"Sec-WebSocket-Version: 8"}, want{426, rfc.Version13, map[string]string{"Sec-WebSocket-Version": "13", "Upgrade": "websocket"}}},
		{"no version", []string{"-Sec-WebSocket-Version"}, want{426, rfc.Version13, map[string]string{"Sec-WebSocket-Version": "13"}}},
		{"two versions", []string{"+Sec-WebSocket-Version: 13"}, bad(rfc.OneVersion)},
		{"HTTP/1.0", []string{"GET /chat HTTP/1.0"}, bad(rfc.RequestHTTP11)},
		{"no Connection", []string{"-Connection"}, bad(rfc.RequestConnection)},
		{"Connection: keep-alive", []string{"Connection: keep-alive"}, bad(rfc.RequestConnection)},
		{"Connection: notupgrade-really", []string{"Connection: notupgrade-really"}, bad(rfc.RequestConnection)},
		{"no key", []string{"-Sec-WebSocket-Key"}, bad(rfc.OneKey)},
		{"two keys", []string{"+Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="}, bad(rfc.OneKey)},
		{"short key", []string{"Sec-WebSocket-Key: abc"}, bad(rfc.KeyOf16Bytes)},
		{"key of 15 bytes", []string{"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25j"}, bad(rfc.KeyOf16Bytes)},
		{"subprotocol twice", []string{"+Sec-WebSocket-Protocol: a, a"}, bad(rfc.SubprotocolTokens)},
		{"subprotocol with a space", []string{"+Sec-WebSocket-Protocol: a b"}, bad(rfc.SubprotocolTokens)},
		{"broken extension", []string{"+Sec-WebSocket-Extensions: a; ;"}, bad(rfc.RequestExtensionSyntax)},
		{"body with a length", []string{"+Content-Length: 5"}, bad(rfc.NoRequestBody)},
		{"body in chunks", []string{"+Transfer-Encoding: chunked"}, bad(rfc.NoRequestBody)},
		{"foreign origin", []string{"+Origin: https://evil.example"}, want{status: 403, rule: rfc.OriginAllowed}},
		{"two origins", []string{"+Origin: http://example.com", "+Origin: http://example.com"}, want{status: 403, rule: rfc.OriginAllowed}},
		{"cross-site without an origin", []string{"+Sec-Fetch-Site: cross-site"}, want{status: 403, rule: rfc.OriginAllowed}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var calls int
				var refused *websocket.HandshakeError
				l := serveHTTP(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					calls++
					if c, err := websocket.Accept(w, r, nil); !errors.As(err, &refused) || c != nil {
						t.Errorf("Accept: %v, %v", c, err)
					}
				}))
				// Behind the refusal nothing is read: it may be meant as frames, or be
				// smuggled.
				all := exchange(l.dial(), requestHead(tt.edits...)+"hello"+requestHead())
				r, body, behind := readResponse(t, all)
				if r.StatusCode != tt.want.status || calls != 1 || behind != "" {
					t.Errorf("status %d, then %q, after %d calls; want %d", r.StatusCode, behind, calls, tt.want.status)
				}
				if refused == nil || refused.Rule != tt.want.rule || refused.Status != tt.want.status || !refused.Broken.Has(tt.want.rule) {
					t.Errorf("error %+v, want the rule %v", refused, tt.want.rule)
				}
				if !r.Close {
					t.Errorf("the connection is not said to close: %v", r.Header)
				}
				for name, value := range tt.want.header {
					if got := r.Header.Get(name); got != value {
						t.Errorf("%s: %q, want %q", name, got, value)
					}
				}
				if r.Header.Get("Upgrade") != "" && !bytes.Contains(all, []byte("\r\nConnection: Upgrade\r\n")) {
					t.Errorf("Upgrade without Connection: Upgrade (RFC 9110 7.8): %q", all)
				}
				if !strings.Contains(body, tt.want.rule.String()) || r.Header.Get("Content-Type") != "text/plain; charset=utf-8" {
					t.Errorf("the body does not name the rule: %q", body)
				}
			})
		})
	}
}

func TestAcceptAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		accepted := make(chan *websocket.Conn, 1)
		l := serveHTTP(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			c, err := websocket.Accept(w, r, &websocket.AcceptOptions{
				Header:       http.Header{"Set-Cookie": {"a=1", "b=2"}},
				Subprotocols: []string{"b", "a"},
			})
			if err != nil {
				t.Error(err)
			}
			accepted <- c
		}))
		nc := l.dial()
		defer nc.Close()
		go io.WriteString(nc, requestHead("Upgrade: WebSocket", "Connection: keep-alive, UPGRADE", "+Sec-WebSocket-Protocol: a", "+Sec-WebSocket-Protocol: c, b"))
		r, err := http.ReadResponse(bufio.NewReader(nc), nil)
		if err != nil {
			t.Fatal(err)
		}
		c := <-accepted
		defer c.CloseNow()
		if r.StatusCode != 101 || r.Header.Get("Upgrade") != "websocket" || r.Header.Get("Connection") != "Upgrade" ||
			r.Header.Get("Sec-WebSocket-Accept") != "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" || // RFC 6455 1.3
			len(r.Header["Set-Cookie"]) != 2 || r.Header.Get("Sec-WebSocket-Extensions") != "" {
			t.Errorf("response %+v", r)
		}
		// The server's favourite of those that the client offers.
		if r.Header.Get("Sec-WebSocket-Protocol") != "b" || c.Subprotocol() != "b" || !c.Server() {
			t.Errorf("subprotocol %q, %q", r.Header.Get("Sec-WebSocket-Protocol"), c.Subprotocol())
		}
	})
}

func TestAcceptKeepsFramesBehindTheRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var traced []byte
		opts := &websocket.AcceptOptions{Options: websocket.Options{Trace: &websocket.Trace{
			Received: func(_ *websocket.Conn, b []byte) { traced = append(traced, b...) },
		}}}
		got := make(chan string, 2)
		l := serveHTTP(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			c, err := websocket.Accept(w, r, opts)
			if err != nil {
				t.Error(err)
				return
			}
			defer c.CloseNow()
			for range 2 {
				_, m, err := c.Read(t.Context())
				if err != nil {
					t.Error(err)
				}
				got <- string(m)
			}
			if n := c.Stats().Received.Bytes; n != 20 {
				t.Errorf("%d bytes received", n)
			}
		}))
		nc := l.dial()
		const first, half = "\x81\x84\x00\x00\x00\x00One.", "\x81\x84\x00\x00\x00\x00T"
		go io.WriteString(nc, requestHead()+first+half)
		if r, err := http.ReadResponse(bufio.NewReader(nc), nil); err != nil || r.StatusCode != 101 {
			t.Fatalf("%v, %v", r, err)
		}
		if m := <-got; m != "One." {
			t.Errorf("read %q", m)
		}
		io.WriteString(nc, "wo.")
		if m := <-got; m != "Two." {
			t.Errorf("read %q", m)
		}
		io.Copy(io.Discard, nc)
		if string(traced) != first+half+"wo." {
			t.Errorf("traced %q", traced)
		}
	})
}

func TestAcceptChecksTheOrigin(t *testing.T) {
	list := func(origins ...string) websocket.AcceptOptions { return websocket.AcceptOptions{Origins: origins} }
	for _, tt := range []struct {
		origin, host string
		tls          bool
		opts         websocket.AcceptOptions
		allowed      bool
	}{
		{"", "example.com", false, list(), true},
		{"http://example.com", "example.com", false, list(), true},
		{"http://EXAMPLE.com", "Example.COM", false, list(), true},
		{"http://example.com:80", "example.com", false, list(), true},
		{"https://example.com", "example.com", true, list(), true},
		{"https://example.com", "example.com", false, list(), true}, // a proxy ends TLS
		{"http://example.com", "example.com", true, list(), false},  // the scheme differs
		{"http://example.com:8080", "example.com", false, list(), false},
		{"http://example.com", "example.com:8080", false, list(), false},
		{"http://example.com:8080", "example.com:8080", false, list(), true},
		{"http://example.com.evil.example", "example.com", false, list(), false},
		{"http://evilexample.com", "example.com", false, list(), false},
		{"http://example.com@evil.example", "example.com", false, list(), false},
		{"http://example.com/", "example.com", false, list(), false},
		{"chrome-extension://example.com", "example.com", false, list(), false},
		{"http://[::1]:80", "[::1]", false, list(), true},
		{"null", "example.com", false, list(), false},
		{"null", "null", false, list(), false},
		{"null", "example.com", false, list("null"), true},
		{"null", "example.com", false, websocket.AcceptOptions{AnyOrigin: true}, true},
		{"https://evil.example", "example.com", false, websocket.AcceptOptions{AnyOrigin: true}, true},
		{"https://a.example", "example.com", false, list("https://a.example"), true},
		{"http://a.example", "example.com", false, list("https://a.example"), false},
		{"https://a.example:8443", "example.com", false, list("https://a.example"), false},
		{"https://a.example:8443", "example.com", false, list("https://a.example:8443"), true},
		{"https://x.a.example", "example.com", false, list("https://a.example"), false},
		{"https://x.a.example", "example.com", false, list("https://*.a.example"), true},
		{"https://y.x.a.example", "example.com", false, list("https://*.a.example"), true},
		{"https://a.example", "example.com", false, list("https://*.a.example"), false},
		{"https://evila.example", "example.com", false, list("https://*.a.example"), false},
		{"http://x.a.example", "example.com", false, list("https://*.a.example"), false},
	} {
		r := httptest.NewRequest("GET", "http://example.com/", nil)
		r.Host = tt.host
		for _, line := range []string{"Upgrade: websocket", "Connection: Upgrade", "Sec-Websocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "Sec-Websocket-Version: 13"} {
			name, value, _ := strings.Cut(line, ": ")
			r.Header.Set(name, value)
		}
		if tt.origin != "" {
			r.Header.Set("Origin", tt.origin)
		}
		if tt.tls {
			r.TLS = new(tls.ConnectionState)
		}
		// A recorder cannot be hijacked, so that what is allowed ends with 500.
		w := httptest.NewRecorder()
		_, err := websocket.Accept(w, r, &tt.opts)
		refused := new(websocket.HandshakeError)
		if !errors.As(err, &refused) {
			t.Fatal(err)
		}
		allowed := refused.Rule != rfc.OriginAllowed
		if allowed != tt.allowed || !allowed && w.Code != 403 || allowed && (w.Code != 500 || !errors.Is(err, http.ErrNotSupported)) {
			t.Errorf("origin %q at %q, TLS %v, %q: HTTP %d, %v", tt.origin, tt.host, tt.tls, tt.opts.Origins, w.Code, err)
		}
		if tt.allowed || !strings.Contains(err.Error(), tt.origin) {
			continue
		}
		// A browser that says same-origin changes nothing.
		r.Header.Set("Sec-Fetch-Site", "same-origin")
		if _, err := websocket.Accept(httptest.NewRecorder(), r, &tt.opts); !errors.As(err, &refused) || refused.Rule != rfc.OriginAllowed {
			t.Errorf("origin %q with Sec-Fetch-Site: %v", tt.origin, err)
		}
	}
}

func TestAcceptRefusesItsOwnBadOptions(t *testing.T) {
	for name, opts := range map[string]websocket.AcceptOptions{
		"CR LF in a value":    {Header: http.Header{"X-A": {"a\r\nSet-Cookie: evil=1"}}},
		"LF in a value":       {Header: http.Header{"X-A": {"a\nb"}}},
		"NUL in a value":      {Header: http.Header{"X-A": {"a\x00b"}}},
		"CR LF in a name":     {Header: http.Header{"X-A: 1\r\nX-B": {"a"}}},
		"empty name":          {Header: http.Header{"": {"a"}}},
		"Upgrade":             {Header: http.Header{"Upgrade": {"h2c"}}},
		"lower case":          {Header: http.Header{"connection": {"close"}}},
		"Content-Length":      {Header: http.Header{"Content-Length": {"5"}}},
		"Transfer-Encoding":   {Header: http.Header{"Transfer-Encoding": {"chunked"}}},
		"Accept":              {Header: http.Header{"Sec-WebSocket-Accept": {"x"}}},
		"Protocol":            {Header: http.Header{"sec-websocket-protocol": {"x"}}},
		"subprotocol":         {Subprotocols: []string{"a\r\nX-B: 1"}},
		"subprotocols, comma": {Subprotocols: []string{"a, b"}},
		"origin, no scheme":   {Origins: []string{"example.com"}},
		"origin, all":         {Origins: []string{"*"}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				refused := new(websocket.HandshakeError)
				l := serveHTTP(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					if _, err := websocket.Accept(w, r, &opts); !errors.As(err, &refused) || refused.Err == nil {
						t.Errorf("Accept: %v", err)
					}
				}))
				r, body, _ := readResponse(t, exchange(l.dial(), requestHead("+Sec-WebSocket-Protocol: a")))
				if r.StatusCode != 500 || refused.Status != 500 || len(r.Cookies()) > 0 || r.Header.Get("X-B") != "" {
					t.Errorf("response %v", r)
				}
				if strings.TrimSpace(body) != "Internal Server Error" {
					t.Errorf("the program's mistake is told to the client: %q", body)
				}
			})
		})
	}
}

func TestAcceptRefusesHTTP2(t *testing.T) {
	errs := make(chan error, 3)
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, err := websocket.Accept(w, r, nil)
		errs <- err
	}))
	s.EnableHTTP2 = true
	s.StartTLS()
	defer s.Close()
	for range 2 { // the connection goes on: other requests share it
		r, err := s.Client().Get(s.URL)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(r.Body)
		r.Body.Close()
		refused := new(websocket.HandshakeError)
		if err := <-errs; !errors.As(err, &refused) || refused.Status != 505 || !strings.Contains(string(body), "HTTP/2.0") {
			t.Errorf("Accept: %v; body %q", err, body)
		}
		if r.ProtoMajor != 2 || r.StatusCode != 505 || r.Header.Get("Upgrade") != "" || r.Header.Get("Connection") != "" {
			t.Errorf("response %v", r)
		}
	}
}

func TestAcceptTracesTheHandshake(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		type told struct {
			c                 *websocket.Conn
			request, response string
			err               error
		}
		var server, client told
		tell := func(to *told) *websocket.Trace {
			return &websocket.Trace{Handshake: func(c *websocket.Conn, h *websocket.HandshakeTrace) {
				*to = told{c, string(h.Request), string(h.Response), h.Err}
			}}
		}
		s, c := wstest.Pipe(t,
			&websocket.AcceptOptions{Options: websocket.Options{Trace: tell(&server)}},
			&websocket.DialOptions{Options: websocket.Options{Trace: tell(&client)}, Header: http.Header{"X-A": {"b"}}})
		if server.c != s || client.c != c || server.err != nil || client.err != nil {
			t.Errorf("traced %+v and %+v", server, client)
		}
		if client.response != server.response || !strings.HasPrefix(client.response, "HTTP/1.1 101 ") {
			t.Errorf("responses %q and %q", client.response, server.response)
		}
		for _, head := range []string{client.request, server.request} {
			r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(head)))
			if err != nil || r.Header.Get("X-A") != "b" || r.Host != "wstest.invalid" {
				t.Errorf("traced %q: %v", head, err)
			}
		}
	})
	synctest.Test(t, func(t *testing.T) { // of a refusal
		var response string
		var err error
		opts := &websocket.AcceptOptions{Options: websocket.Options{Trace: &websocket.Trace{
			Handshake: func(_ *websocket.Conn, h *websocket.HandshakeTrace) { response, err = string(h.Response), h.Err },
		}}}
		l := serveHTTP(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { websocket.Accept(w, r, opts) }))
		exchange(l.dial(), requestHead("Sec-WebSocket-Version: 8"))
		refused := new(websocket.HandshakeError)
		if !errors.As(err, &refused) || refused.Rule != rfc.Version13 ||
			!strings.HasPrefix(response, "HTTP/1.1 426 Upgrade Required\r\n") || !strings.Contains(response, "Sec-Websocket-Version: 13\r\n") {
			t.Errorf("traced %q, %v", response, err)
		}
	})
}
