package handshake_test

import (
	"reflect"
	"strings"
	"testing"

	"github.com/wiretrue/websocket/wire/handshake"
	"github.com/wiretrue/websocket/wire/rfc"
)

func TestAgreement(t *testing.T) {
	t.Parallel()
	offer := handshake.Offer{Key: sampleKey, Subprotocols: []string{"chat", "time"}, Extensions: []ext{{Name: "a"}, {Name: "b"}}}
	replace := func(old, new string) string {
		in := goodResponse()
		out := strings.Replace(in, old, new, 1)
		if in == out {
			t.Fatalf("no %q in the response", old)
		}
		return out
	}
	for _, tt := range []struct {
		what string
		in   string
		want []rfc.Rule
		a    handshake.Agreement
	}{
		{"good", goodResponse(), nil, handshake.Agreement{}},
		{"with everything", goodResponse("Sec-WebSocket-Protocol: time", "Sec-WebSocket-Extensions: b; c=1", "Sec-WebSocket-Extensions: a"), nil,
			handshake.Agreement{Subprotocol: "time", Extensions: []ext{{"b", []param{{"c", "1", true}}}, {Name: "a"}}}},
		{"another status, and nothing else", head("HTTP/1.1 403 Forbidden"), []rfc.Rule{rfc.SwitchingProtocols}, handshake.Agreement{}},
		{"another status with a body", head("HTTP/1.1 403 Forbidden", "Content-Length: 9"), []rfc.Rule{rfc.SwitchingProtocols}, handshake.Agreement{}},
		{"426", head("HTTP/1.1 426 Upgrade Required"), []rfc.Rule{rfc.VersionsListed, rfc.SwitchingProtocols}, handshake.Agreement{}},
		{"426 with versions", head("HTTP/1.1 426 Upgrade Required", "Sec-WebSocket-Version: 13"), []rfc.Rule{rfc.SwitchingProtocols}, handshake.Agreement{}},
		{"HTTP/1.0", replace("HTTP/1.1", "HTTP/1.0"), []rfc.Rule{rfc.ResponseHTTP11}, handshake.Agreement{}},
		{"a bare 101", head("HTTP/1.1 101 Switching Protocols"), []rfc.Rule{rfc.ResponseUpgrade, rfc.ResponseConnection, rfc.OneAccept}, handshake.Agreement{}},
		{"two Upgrades", goodResponse("Upgrade: websocket"), []rfc.Rule{rfc.ResponseUpgrade}, handshake.Agreement{}},
		{"a wrong accept", replace("s3pPL", "S3pPL"), []rfc.Rule{rfc.AcceptMatchesKey}, handshake.Agreement{Accept: handshake.FoldedCase}},
		{"an empty accept", replace("s3pPLMBiTxaQ9kYGzzhZRbK+xOo=", ""), []rfc.Rule{rfc.AcceptMatchesKey}, handshake.Agreement{Accept: handshake.UnknownReason}},
		{"two accepts, the first wrong", replace("Sec-WebSocket-Accept: ", "Sec-WebSocket-Accept: x\r\nSec-WebSocket-Accept: "),
			[]rfc.Rule{rfc.OneAccept, rfc.AcceptMatchesKey}, handshake.Agreement{Accept: handshake.UnknownReason}},
		{"an empty subprotocol", goodResponse("Sec-WebSocket-Protocol:"), []rfc.Rule{rfc.SubprotocolOffered}, handshake.Agreement{}},
		{"a list of subprotocols", goodResponse("Sec-WebSocket-Protocol: chat, time"), []rfc.Rule{rfc.OneSubprotocol}, handshake.Agreement{Subprotocol: "chat, time"}},
		{"a subprotocol with a space", goodResponse("Sec-WebSocket-Protocol: chat time"), []rfc.Rule{rfc.SubprotocolOffered}, handshake.Agreement{Subprotocol: "chat time"}},
		{"an extension in other case", goodResponse("Sec-WebSocket-Extensions: A"), []rfc.Rule{rfc.ExtensionOffered}, handshake.Agreement{Extensions: []ext{{Name: "A"}}}},
		{"an empty list of extensions", goodResponse("Sec-WebSocket-Extensions:"), []rfc.Rule{rfc.ResponseExtensionSyntax}, handshake.Agreement{}},
		{"a body", goodResponse("Content-Length: 1"), []rfc.Rule{rfc.NoResponseBody}, handshake.Agreement{}},
		{"a broken line", goodResponse("Bad Name: x"), []rfc.Rule{rfc.ResponseSyntax}, handshake.Agreement{}},
	} {
		r, n := handshake.ParseResponse([]byte(tt.in), 0)
		if n == 0 {
			t.Errorf("%s: not read", tt.what)
		}
		a, broken := r.Agreement(offer)
		wantSet(t, tt.what, broken, tt.want...)
		if !reflect.DeepEqual(a, tt.a) {
			t.Errorf("%s: agreement %+v, want %+v", tt.what, a, tt.a)
		}
	}
}

// What is written reads clean and equal.
func TestAppendSwitching(t *testing.T) {
	t.Parallel()
	offer := handshake.Offer{Key: articleKey, Subprotocols: []string{"chat"}, Extensions: []ext{{Name: "a"}}}
	want := handshake.Agreement{Subprotocol: "chat", Extensions: []ext{{"a", []param{{Name: "b"}}}}}
	in := handshake.AppendSwitching(nil, articleKey, want, map[string][]string{"Set-Cookie": {"a=b"}})
	r, n := handshake.ParseResponse(in, 0)
	got, broken := r.Agreement(offer)
	wantSet(t, "the response", broken)
	if n != len(in) || !reflect.DeepEqual(got, want) || r.Header["Set-Cookie"][0] != "a=b" {
		t.Errorf("read %d of %d bytes as %+v, %+v", n, len(in), r, got)
	}
	bare := string(handshake.AppendSwitching(nil, sampleKey, handshake.Agreement{}, nil))
	if bare != goodResponse() {
		t.Errorf("written:\n%s", bare)
	}
}

func TestInterim(t *testing.T) {
	t.Parallel()
	in := head("HTTP/1.1 103 Early Hints", "Link: </a>") + goodResponse()
	first, n := handshake.ParseResponse([]byte(in), 0)
	if !first.Interim() {
		t.Errorf("%+v announces no other", first)
	}
	second, m := handshake.ParseResponse([]byte(in[n:]), 0)
	if second.Interim() || n+m != len(in) || second.Status != 101 {
		t.Errorf("behind it, %+v", second)
	}
	for status, want := range map[int]bool{99: false, 100: true, 101: false, 102: true, 199: true, 200: false, 426: false} {
		if r := (handshake.Response{Status: status}); r.Interim() != want {
			t.Errorf("%d: Interim = %v", status, !want)
		}
	}
}

func TestRefusalHeader(t *testing.T) {
	t.Parallel()
	for rule, want := range map[rfc.Rule]map[string][]string{
		rfc.Version13:      {"Sec-Websocket-Version": {"13"}, "Upgrade": {"websocket"}},
		rfc.RequestUpgrade: {"Sec-Websocket-Version": {"13"}, "Upgrade": {"websocket"}},
		rfc.MethodGet:      {"Allow": {"GET"}},
		rfc.OriginAllowed:  nil,
		rfc.KeyOf16Bytes:   nil,
	} {
		if got := handshake.RefusalHeader(rule); !reflect.DeepEqual(got, want) {
			t.Errorf("%v: %v", rule, got)
		}
	}
	// Every status that asks for a header has it.
	for _, rule := range rfc.Rules() {
		h := handshake.RefusalHeader(rule)
		switch rule.Info().Status {
		case 426:
			if h["Sec-Websocket-Version"] == nil || h["Upgrade"] == nil {
				t.Errorf("%v: 426 without versions or Upgrade", rule)
			}
		case 405:
			if h["Allow"] == nil {
				t.Errorf("%v: 405 without Allow", rule)
			}
		}
	}
}
