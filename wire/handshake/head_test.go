package handshake_test

import (
	"bufio"
	"bytes"
	"fmt"
	"net/http"
	"net/url"
	"reflect"
	"strings"
	"testing"

	"github.com/wiretrue/websocket/wire/handshake"
	"github.com/wiretrue/websocket/wire/rfc"
)

func TestParseRequest(t *testing.T) {
	t.Parallel()
	in := "GET /chat?x HTTP/1.1\r\nhost:  a:80 \r\nX-A: 1\r\nsec-websocket-KEY:k\r\nx-a:\t2\t\r\nX-B:\r\n\r\nframes"
	r, n := handshake.ParseRequest([]byte(in), 0)
	want := handshake.Request{
		Method: "GET", Target: "/chat?x", Proto: "HTTP/1.1", Host: []string{"a:80"}, Pipelined: true,
		Header: map[string][]string{"X-A": {"1", "2"}, "Sec-Websocket-Key": {"k"}, "X-B": {""}},
	}
	if n != len(in)-len("frames") || !reflect.DeepEqual(r, want) {
		t.Errorf("read %d bytes as %+v", n, r)
	}
}

func TestParseResponse(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		line   string
		proto  string
		status int
		reason string
		ok     bool
	}{
		{"HTTP/1.1 101 Switching Protocols", "HTTP/1.1", 101, "Switching Protocols", true},
		{"HTTP/1.1 101 ", "HTTP/1.1", 101, "", true},
		{"HTTP/1.1 101", "HTTP/1.1", 101, "", true}, // many leave the space out
		{"HTTP/1.0 200 Gr\xfcezi", "HTTP/1.0", 200, "Gr\xfcezi", true},
		{"HTTP/1.1 999 ?", "HTTP/1.1", 999, "?", true},
		{"HTTP/1.1 099 Low", "HTTP/1.1", 99, "Low", false},
		{"HTTP/1.1 1O1 Letter", "HTTP/1.1", 0, "Letter", false},
		{"HTTP/1.1 +11 Sign", "HTTP/1.1", 0, "Sign", false},
		{"HTTP/1.1  101 Spaces", "HTTP/1.1", 0, "101 Spaces", false},
		{"HTTP/1.1", "HTTP/1.1", 0, "", false},
		{"HTTP/11 101 Dot", "HTTP/11", 101, "Dot", false},
		{"HTTP/1.1 101 a\x00b", "HTTP/1.1", 101, "a\x00b", false},
		{"HTTP/1.1 101 a\rb", "HTTP/1.1", 101, "a\rb", false},
	} {
		r, n := handshake.ParseResponse([]byte(tt.line+"\r\nA: b\r\n\r\nmore"), 0)
		if r.Proto != tt.proto || r.Status != tt.status || r.Reason != tt.reason || r.Broken.Clean() != tt.ok || n != len(tt.line)+10 {
			t.Errorf("%q: read %d bytes as %+v", tt.line, n, r)
		}
		if r.Broken.Clean() == r.Broken.Has(rfc.ResponseSyntax) {
			t.Errorf("%q: broke %v", tt.line, r.Broken)
		}
	}
}

func TestRequestSyntax(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		in string
		ok bool
	}{
		{head("GET / HTTP/1.1"), true},
		{head("GET /?a:b@c HTTP/1.1", "A: \xe9\t~"), true},
		{head("PATCH-IT / HTTP/1.1"), true},
		{head("GET /"), false},
		{head("GET"), false},
		{head("GET  / HTTP/1.1"), false},
		{head("GET / HTTP/1.1 "), false},
		{head("GET / HTTP/1.1 x"), false},
		{head("GET /\t HTTP/1.1"), true}, // the target is judged by another rule
		{head("GET /a\x00b HTTP/1.1"), false},
		{head("GET /a\rb HTTP/1.1"), false},
		{head("GET / http/1.1"), false},
		{head("GET / HTTP/1.10"), false},
		{head("GET / HTTP/x.1"), false},
		{head("G(T / HTTP/1.1"), false},
		{head("HTTP/1.1 101 Switching Protocols"), false},
		{head("GET / HTTP/1.1", "A"), false},
		{head("GET / HTTP/1.1", ": b"), false},
		{head("GET / HTTP/1.1", "A B: c"), false},
		{head("GET / HTTP/1.1", "A\t: c"), false},
		{head("GET / HTTP/1.1", "A: b", " c"), false},
		{head("GET / HTTP/1.1", "A: \x7f"), false},
		{head("GET / HTTP/1.1", "A: b\x00"), false},
		{head("GET / HTTP/1.1", "A: b\rc"), false},
		{"GET / HTTP/1.1\n\r\n", false},
		{"GET / HTTP/1.1\r\nA: b\n\r\n", false},
		{"GET / HTTP/1.1\r\nA: b\n\n", false},
		{"GET / HTTP/1.1\r\nA: b\r\n\n", false},
	} {
		r, n := handshake.ParseRequest([]byte(tt.in), 0)
		if n == 0 || r.Broken.Clean() != tt.ok || r.Broken.Clean() == r.Broken.Has(rfc.RequestSyntax) {
			t.Errorf("%q: read %d bytes, broke %v", tt.in, n, r.Broken)
		}
	}
}

func TestWhatIsNoHTTPIsToldAtOnce(t *testing.T) {
	t.Parallel()
	for _, in := range []string{"\x16\x03\x01\x02\x00", "\x81\x05Hello", "\r\nGET / HTTP/1.1\r\n\r\n", " GET", "<policy-", "\x00"} {
		r, n := handshake.ParseRequest([]byte(in), 0)
		if _, broken := r.Offer(); n == 0 || broken.First() != rfc.RequestSyntax {
			t.Errorf("request %q: read %d bytes, broke %v", in, n, broken)
		}
	}
	for _, in := range []string{"\x15\x03\x01", "SSH-2.0", "220 mail", "h", "HTTP ", "\r\n", "<!doctype"} {
		r, n := handshake.ParseResponse([]byte(in), 0)
		if _, broken := r.Agreement(handshake.Offer{}); n == 0 || broken.First() != rfc.ResponseSyntax {
			t.Errorf("response %q: read %d bytes, broke %v", in, n, broken)
		}
	}
	for _, in := range []string{"", "G", "GET", "GET /", "LONGMETHOD"} {
		if r, n := handshake.ParseRequest([]byte(in), 0); n != 0 || !r.Broken.Clean() {
			t.Errorf("request %q: read %d bytes, broke %v", in, n, r.Broken)
		}
	}
	for _, in := range []string{"", "H", "HTTP/", "HTTP/1.1 101"} {
		if r, n := handshake.ParseResponse([]byte(in), 0); n != 0 || !r.Broken.Clean() {
			t.Errorf("response %q: read %d bytes, broke %v", in, n, r.Broken)
		}
	}
}

func TestLimitOfAHead(t *testing.T) {
	t.Parallel()
	for _, limit := range []int{0, 100, 1000} {
		most := limit
		if limit == 0 {
			most = handshake.DefaultLimit
		}
		for _, tt := range []struct {
			size int
			want rfc.Set
		}{{most, rfc.Set{}}, {most + 1, rfc.SetOf(rfc.RequestSize)}} {
			in := "GET / HTTP/1.1\r\nA: "
			in += strings.Repeat("a", tt.size-len(in)-4) + "\r\n\r\n"
			r, n := handshake.ParseRequest([]byte(in), limit)
			if r.Broken != tt.want || n != most {
				t.Errorf("limit %d: of %d bytes, %d read, broke %v", limit, tt.size, n, r.Broken)
			}
			if _, broken := r.Offer(); broken.Has(rfc.RequestSize) != !tt.want.Clean() {
				t.Errorf("limit %d: Offer says %v", limit, broken)
			}
		}
	}
	if r, n := handshake.ParseResponse([]byte("HTTP/1.1 101 OK\r\nA: b\r\n"), 20); n != 20 || r.Broken != rfc.SetOf(rfc.ResponseSize) {
		t.Errorf("a response of more than 20 bytes: %d read, broke %v", n, r.Broken)
	}
	// What stands behind the head does not count.
	if r, n := handshake.ParseRequest([]byte(head("GET / HTTP/1.1")+strings.Repeat("a", 100)), 20); n != 18 || !r.Broken.Clean() {
		t.Errorf("a head of 18 bytes: %d read, broke %v", n, r.Broken)
	}
}

func TestCanonicalName(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"", "host", "HOST", "sec-websocket-key", "SEC-WEBSOCKET-KEY", "x--y-", "-a", "a_b", "1a", "x!y"} {
		if got, want := handshake.CanonicalName(name), http.CanonicalHeaderKey(name); got != want {
			t.Errorf("CanonicalName(%q) = %q, net/http has %q", name, got, want)
		}
	}
}

// A head of twice the lines costs twice the allocations and no more; the
// patterns are those that made other parsers quadratic.
func TestHeadCostsWhatItsSizeIs(t *testing.T) {
	for name, line := range map[string]func(i int) string{
		"one name":     func(int) string { return "A: b\r\n" },
		"many names":   func(i int) string { return fmt.Sprintf("A%d: b\r\n", i) },
		"subprotocols": func(i int) string { return fmt.Sprintf("Sec-WebSocket-Protocol: a%d, b%d\r\n", i, i) },
		"extensions":   func(i int) string { return fmt.Sprintf("Sec-WebSocket-Extensions: a%d; b=\"c\"; d, e\r\n", i) },
		"connections":  func(int) string { return "Connection: a,,,,, ,b\r\n" },
		"origins":      func(int) string { return "Origin: http://a\r\n" },
	} {
		cost := func(lines int) float64 {
			var b strings.Builder
			b.WriteString("GET / HTTP/1.1\r\n")
			for i := range lines {
				b.WriteString(line(i))
			}
			b.WriteString("\r\n")
			in := []byte(b.String())
			return testing.AllocsPerRun(3, func() {
				r, n := handshake.ParseRequest(in, 1<<20)
				if n != len(in) {
					t.Fatalf("%s: %d of %d bytes read", name, n, len(in))
				}
				r.Offer()
				r.OriginAllowed(false, nil)
			})
		}
		if one, two := cost(2000), cost(4000); two > 2.2*one+50 {
			t.Errorf("%s: %v allocations for 2000 lines, %v for 4000", name, one, two)
		}
	}
}

// parsesInPieces checks that parse asks for more until the head is whole, and
// then returns the same, whatever follows.
func parsesInPieces(t *testing.T, b []byte, parse func([]byte) (result any, broken rfc.Set, n int)) {
	t.Helper()
	want, broken, n := parse(b)
	if n > len(b) {
		t.Fatalf("%d of %d bytes read", n, len(b))
	}
	if n == 0 && !broken.Clean() {
		t.Fatalf("nothing read, and yet broken: %v", broken)
	}
	whole := !reflect.ValueOf(want).IsZero() && n > 0
	for k := range len(b) {
		got, gotBroken, gotN := parse(b[:k])
		switch {
		case n == 0 || k < n && gotN == 0:
			if gotN != 0 || !reflect.ValueOf(got).IsZero() {
				t.Fatalf("%d of %d bytes: %d read, %+v", k, len(b), gotN, got)
			}
		case gotN > k || gotBroken != broken:
			t.Fatalf("%d of %d bytes: %d read, broke %v, want %v", k, len(b), gotN, gotBroken, broken)
		case k >= n && (gotN != n || !reflect.DeepEqual(got, want)) && whole && k > n:
			t.Fatalf("%d of %d bytes: %d read, %+v, want %d, %+v", k, len(b), gotN, got, n, want)
		}
	}
}

func FuzzRequest(f *testing.F) {
	for _, b := range heads(f, "client") {
		f.Add(b, uint16(0))
	}
	f.Add([]byte(goodRequest("A: b")+"\x81\x80abcd"), uint16(300))
	f.Add([]byte(goodRequest()), uint16(100))
	f.Fuzz(func(t *testing.T, b []byte, limit uint16) {
		b = b[:min(len(b), 2000)]
		parsesInPieces(t, b, func(b []byte) (any, rfc.Set, int) {
			r, n := handshake.ParseRequest(b, int(limit))
			broken := r.Broken
			r.Pipelined = false
			return r, broken, n
		})
		r, n := handshake.ParseRequest(b, int(limit))
		r.IsUpgrade()
		offer, broken := r.Offer()
		r.OriginAllowed(true, []string{"https://*.example.com", "null"})
		if broken.Union(r.Broken) != broken {
			t.Fatal("Offer forgets what broke before")
		}
		if n == 0 || broken.Fatal() != 0 {
			return
		}
		if !handshake.ValidKey(offer.Key) || !r.IsUpgrade() {
			t.Fatalf("an offer without a key, or no upgrade: %+v", offer)
		}
		if _, err := url.ParseRequestURI(r.Target); err != nil {
			return // of no interest before there is a router
		}
		// What is good here is good to net/http, and says the same there.
		theirs, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(b[:n])))
		if err != nil {
			t.Fatalf("net/http: %v", err)
		}
		if theirs.Method != r.Method || theirs.RequestURI != r.Target || theirs.Proto != r.Proto || theirs.ContentLength != 0 {
			t.Fatalf("net/http reads %+v, here %+v", theirs, r)
		}
		if !strings.HasPrefix(r.Target, "http") && theirs.Host != r.Host[0] {
			t.Fatalf("net/http reads the host %q, here %q", theirs.Host, r.Host)
		}
		compareHeaders(t, theirs.Header, r.Header)
	})
}

func FuzzResponse(f *testing.F) {
	for _, b := range heads(f, "server") {
		f.Add(b, uint16(0))
	}
	f.Add([]byte(goodResponse("Sec-WebSocket-Protocol: chat")), uint16(300))
	f.Fuzz(func(t *testing.T, b []byte, limit uint16) {
		b = b[:min(len(b), 2000)]
		parsesInPieces(t, b, func(b []byte) (any, rfc.Set, int) {
			r, n := handshake.ParseResponse(b, int(limit))
			return r, r.Broken, n
		})
		r, n := handshake.ParseResponse(b, int(limit))
		offer := handshake.Offer{Key: sampleKey, Subprotocols: []string{"chat"}, Extensions: []handshake.Extension{{Name: "x-trial"}}}
		a, broken := r.Agreement(offer)
		if broken.Union(r.Broken) != broken {
			t.Fatal("Agreement forgets what broke before")
		}
		if n == 0 || broken.Fatal() != 0 {
			return
		}
		if r.Status != 101 || a.Accept != handshake.NoMistake || a.Subprotocol != "" && a.Subprotocol != "chat" {
			t.Fatalf("a good response is %+v, %+v", r, a)
		}
		theirs, err := http.ReadResponse(bufio.NewReader(bytes.NewReader(b[:n])), nil)
		if err != nil {
			t.Fatalf("net/http: %v", err)
		}
		if theirs.StatusCode != r.Status || theirs.Proto != r.Proto {
			t.Fatalf("net/http reads %+v, here %+v", theirs, r)
		}
		compareHeaders(t, theirs.Header, r.Header)
	})
}

func compareHeaders(t *testing.T, theirs http.Header, ours map[string][]string) {
	t.Helper()
	for name, values := range ours {
		switch name {
		case "Content-Length", "Trailer", "Pragma", "Cache-Control", "Connection":
			continue // net/http takes these for itself
		}
		if !reflect.DeepEqual(theirs[name], values) {
			t.Fatalf("%s: net/http reads %q, here %q", name, theirs[name], values)
		}
	}
}

func BenchmarkParseRequest(b *testing.B) {
	in := []byte(goodRequest("Origin: http://server.example.com", "User-Agent: Mozilla/5.0", "Accept-Encoding: gzip", "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits"))
	b.ReportAllocs()
	for b.Loop() {
		r, _ := handshake.ParseRequest(in, 0)
		r.Offer()
	}
}

// The dearest heads of 32 KiB.
func BenchmarkHostileRequest(b *testing.B) {
	for name, line := range map[string]func(i int) string{
		"names":        func(i int) string { return fmt.Sprintf("%x:\r\n", i) },
		"subprotocols": func(i int) string { return fmt.Sprintf("%x,", i) },
		"extensions":   func(i int) string { return "a;b=\"c\"," },
		"spaces":       func(i int) string { return " \t" },
	} {
		b.Run(name, func(b *testing.B) {
			in := []byte("GET / HTTP/1.1\r\n")
			switch name {
			case "subprotocols":
				in = append(in, "Sec-WebSocket-Protocol: "...)
			case "extensions":
				in = append(in, "Sec-WebSocket-Extensions: "...)
			case "spaces":
				in = append(in, "Connection: "...)
			}
			for i := 0; len(in) < handshake.DefaultLimit-20; i++ {
				in = append(in, line(i)...)
			}
			in = append(in, "a\r\n\r\n"...)
			b.SetBytes(int64(len(in)))
			b.ReportAllocs()
			for b.Loop() {
				r, _ := handshake.ParseRequest(in, 0)
				r.Offer()
			}
		})
	}
}
