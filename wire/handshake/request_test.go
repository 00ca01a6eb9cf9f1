package handshake_test

import (
	"reflect"
	"strings"
	"testing"

	"github.com/wiretrue/websocket/wire/handshake"
	"github.com/wiretrue/websocket/wire/rfc"
)

func TestOffer(t *testing.T) {
	t.Parallel()
	r, _ := handshake.ParseRequest([]byte(goodRequest(
		"Sec-WebSocket-Protocol: chat, time", "Sec-WebSocket-Protocol: mail",
		"Sec-WebSocket-Extensions: a; b=1", "Sec-WebSocket-Extensions: c",
	)), 0)
	got, broken := r.Offer()
	wantSet(t, "a good request", broken)
	want := handshake.Offer{
		Key:          sampleKey,
		Subprotocols: []string{"chat", "time", "mail"},
		Extensions:   []ext{{"a", []param{{"b", "1", true}}}, {Name: "c"}},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("offer %+v", got)
	}
}

func TestOfferOfABrokenRequest(t *testing.T) {
	t.Parallel()
	replace := func(old, new string) string {
		in := goodRequest()
		out := strings.Replace(in, old, new, 1)
		if in == out {
			t.Fatalf("no %q in the request", old)
		}
		return out
	}
	for _, tt := range []struct {
		what string
		in   string
		want []rfc.Rule
	}{
		{"good", goodRequest(), nil},
		{"a plain request", head("GET / HTTP/1.1", "Host: a"), []rfc.Rule{rfc.RequestUpgrade, rfc.RequestConnection, rfc.Version13, rfc.OneKey}},
		{"HTTP/1.0 of a load balancer", head("GET / HTTP/1.0"), []rfc.Rule{rfc.RequestHTTP11, rfc.OneHost, rfc.RequestUpgrade, rfc.RequestConnection, rfc.Version13, rfc.OneKey}},
		{"HTTP/2.0", replace("HTTP/1.1", "HTTP/2.0"), nil},
		{"an asterisk as target", replace("/chat", "*"), []rfc.Rule{rfc.TargetWithoutFragment}},
		{"a path without a slash", replace("/chat", "chat"), []rfc.Rule{rfc.TargetWithoutFragment}},
		{"a tab in the target", replace("/chat", "/\tchat"), []rfc.Rule{rfc.TargetWithoutFragment}},
		{"a path in Host", replace("server.example.com", "server.example.com/x"), []rfc.Rule{rfc.OneHost}},
		{"a list in Host", replace("server.example.com", "a, b"), []rfc.Rule{rfc.OneHost}},
		{"userinfo in Host", replace("server.example.com", "u@a"), []rfc.Rule{rfc.OneHost}},
		{"IPv6 in Host", replace("server.example.com", "[::1]:80"), nil},
		{"a body", goodRequest("Content-Length: 1"), []rfc.Rule{rfc.NoRequestBody}},
		{"two lengths", goodRequest("Content-Length: 0", "Content-Length: 5"), []rfc.Rule{rfc.NoRequestBody}},
		{"an empty Transfer-Encoding", goodRequest("Transfer-Encoding:"), []rfc.Rule{rfc.NoRequestBody}},
		{"two Upgrades", goodRequest("Upgrade: h2c"), nil},
		{"two Connections", replace("Connection: Upgrade", "Connection: keep-alive\r\nConnection: upgrade"), nil},
		{"two versions and a wrong one", replace("Version: 13", "Version: 8\r\nSec-WebSocket-Version: 7"), []rfc.Rule{rfc.OneVersion, rfc.Version13}},
		{"two keys, the first wrong", replace("Sec-WebSocket-Key: ", "Sec-WebSocket-Key: x\r\nSec-WebSocket-Key: "), []rfc.Rule{rfc.OneKey, rfc.KeyOf16Bytes}},
		{"an empty list of subprotocols", goodRequest("Sec-WebSocket-Protocol:"), []rfc.Rule{rfc.SubprotocolTokens}},
		{"an empty list of extensions", goodRequest("Sec-WebSocket-Extensions:"), []rfc.Rule{rfc.RequestExtensionSyntax}},
		{"frames behind it", goodRequest() + "\x81\x80abcd", []rfc.Rule{rfc.WaitForResponse}},
		{"a broken line", goodRequest("Bad Name: x"), []rfc.Rule{rfc.RequestSyntax}},
	} {
		r, n := handshake.ParseRequest([]byte(tt.in), 0)
		if n == 0 {
			t.Errorf("%s: not read", tt.what)
		}
		_, broken := r.Offer()
		wantSet(t, tt.what, broken, tt.want...)
	}
}

func TestIsUpgrade(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]bool{
		goodRequest(): true,
		head("GET / HTTP/1.1", "Upgrade: WebSocket"):  true,
		head("GET / HTTP/1.1", "Sec-WebSocket-Key: "): true,
		head("GET / HTTP/1.1", "Upgrade: h2c"):        false,
		head("GET / HTTP/1.1"):                        false,
	} {
		r, _ := handshake.ParseRequest([]byte(in), 0)
		if got := r.IsUpgrade(); got != want {
			t.Errorf("%q: IsUpgrade = %v", in, got)
		}
	}
}

// What is written reads clean and equal.
func TestAppendRequest(t *testing.T) {
	t.Parallel()
	offer := handshake.Offer{
		Key:          handshake.Key([16]byte{1, 2, 3}),
		Subprotocols: []string{"chat", "time"},
		Extensions:   []ext{{"a", []param{{"b", "1", true}, {Name: "c"}}}, {Name: "d"}},
	}
	header := map[string][]string{"User-Agent": {"x"}, "Cookie": {"a=b", "c=d"}, "Origin": {"http://a"}}
	b := handshake.AppendRequest([]byte("kept"), "/p?q", "[::1]:8080", offer, header)
	in := strings.TrimPrefix(string(b), "kept")
	if !strings.HasPrefix(in, "GET /p?q HTTP/1.1\r\nHost: [::1]:8080\r\n") || !strings.HasSuffix(in, "Cookie: a=b\r\nCookie: c=d\r\nOrigin: http://a\r\nUser-Agent: x\r\n\r\n") {
		t.Errorf("written:\n%s", in)
	}
	r, n := handshake.ParseRequest([]byte(in), 0)
	got, broken := r.Offer()
	wantSet(t, "the request", broken)
	if n != len(in) || !reflect.DeepEqual(got, offer) || r.Target != "/p?q" || !reflect.DeepEqual(r.Host, []string{"[::1]:8080"}) {
		t.Errorf("read %d of %d bytes as %+v, %+v", n, len(in), r, got)
	}
	for name, values := range header {
		if !reflect.DeepEqual(r.Header[name], values) {
			t.Errorf("%s: %q", name, r.Header[name])
		}
	}
	bare := handshake.AppendRequest(nil, "/", "a", handshake.Offer{Key: sampleKey}, nil)
	if strings.Contains(string(bare), "Protocol") || strings.Contains(string(bare), "Extensions") {
		t.Errorf("written:\n%s", bare)
	}
}
