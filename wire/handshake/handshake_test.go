package handshake_test

import (
	"strings"
	"testing"

	"github.com/wiretrue/websocket/vectors"
	"github.com/wiretrue/websocket/wire/rfc"
)

const sampleKey = "dGhlIHNhbXBsZSBub25jZQ=="

// head joins the lines to a head of HTTP.
func head(lines ...string) string { return strings.Join(lines, "\r\n") + "\r\n\r\n" }

// goodRequest returns a request that keeps every rule, with further lines.
func goodRequest(lines ...string) string {
	return head(append([]string{
		"GET /chat HTTP/1.1", "Host: server.example.com", "Upgrade: websocket", "Connection: Upgrade",
		"Sec-WebSocket-Key: " + sampleKey, "Sec-WebSocket-Version: 13",
	}, lines...)...)
}

// goodResponse returns a response to goodRequest.
func goodResponse(lines ...string) string {
	return head(append([]string{
		"HTTP/1.1 101 Switching Protocols", "Upgrade: websocket", "Connection: Upgrade",
		"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=",
	}, lines...)...)
}

// heads returns the heads of the corpus that the side sends.
func heads(t testing.TB, from string) (all [][]byte) {
	t.Helper()
	corpus, err := vectors.All()
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range corpus {
		if b := v.Head(from); len(b) > 0 && len(b) < 4096 {
			all = append(all, b)
		}
	}
	return all
}

func wantSet(t *testing.T, what string, got rfc.Set, want ...rfc.Rule) {
	t.Helper()
	if got != rfc.SetOf(want...) {
		t.Errorf("%s: broke %q, want %q", what, got, rfc.SetOf(want...))
	}
}
