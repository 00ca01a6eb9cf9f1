package inspect_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/wiretrue/websocket/cmd/internal/flow"
	"github.com/wiretrue/websocket/cmd/internal/inspect"
	"github.com/wiretrue/websocket/cmd/internal/packet"
)

// The table names a proxy that ended a connection, in place of its side.
func TestTableNamesProxy(t *testing.T) {
	t.Parallel()
	answer := strings.Replace(goodResponse, "\r\n\r\n", "\r\nServer: nginx\r\n\r\n", 1)
	for _, tt := range []struct{ response, want string }{
		{goodResponse, "abnormal, server"},
		{answer, "abnormal, nginx"},
	} {
		steps := []step{{from: flow.ToServer, b: []byte(goodRequest)}, {from: flow.ToClient, b: []byte(tt.response)},
			{from: flow.ToClient, fin: true}, {from: flow.ToServer, fin: true}}
		src, err := packet.NewReader(bytes.NewReader(pcapOf(t, steps)), nil)
		if err != nil {
			t.Fatal(err)
		}
		var out strings.Builder
		table := inspect.NewTable(&out)
		if err := inspect.New(inspect.Options{}, table).Run(src, nil); err != nil {
			t.Fatal(err)
		}
		if err := table.Close(); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(out.String(), tt.want+"  ws /chat") {
			t.Errorf("want %s, told is\n%s", tt.want, out.String())
		}
	}
}
