package near_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/wiretrue/websocket/cmd/internal/near"
)

func TestNames(t *testing.T) {
	names := []string{"websocket.mask", "websocket.opcode", "websocket.payload", "websocket.payload.text", "http.host", "tls.handshake", "client-must-mask", "1006"}
	for _, tt := range []struct {
		word string
		most int
		want []string
	}{
		{"websocket.opcod", 1, []string{"websocket.opcode"}},
		{"WebSocket.Opcode", 1, []string{"websocket.opcode"}},
		{"wbsokcet.opcode", 1, []string{"websocket.opcode"}},
		{"opcode", 1, []string{"websocket.opcode"}},
		{"ws.opcode", 1, []string{"websocket.opcode"}},
		{"payload", 3, []string{"websocket.payload", "websocket.payload.text"}},
		{"mask", 5, []string{"websocket.mask", "client-must-mask"}},
		{"1005", 5, []string{"1006"}},
		{"é", 1, nil},
		{"", 1, nil},
		{"1060", 1, []string{"1006"}},
		{"and", 1, nil},
		{"must", 1, []string{"client-must-mask"}},
		{"certificate", 1, nil},
		{strings.Repeat("websocket.opcode", 1000), 1, nil},
	} {
		if got := near.Names(tt.word, names, tt.most); !slices.Equal(got, tt.want) {
			t.Errorf("%.40q: %q, want %q", tt.word, got, tt.want)
		}
		if got, want := near.Name(tt.word, names), append(tt.want, "")[0]; got != want {
			t.Errorf("%.40q: %q, want %q", tt.word, got, want)
		}
	}
}
