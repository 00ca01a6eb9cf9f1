// Package echo is the smallest service: it sends every message back. It serves
// either side of a connection, and is what the conformance suite of package
// interop runs against.
package echo

import (
	"context"

	"github.com/wiretrue/websocket"
)

// Echo sends every message back until the connection ends, whose cause it
// returns. It allocates nothing per message once its buffer is large enough.
func Echo(ctx context.Context, c *websocket.Conn) error {
	var buf []byte
	for {
		typ, message, err := c.ReadInto(ctx, buf)
		if err != nil {
			return err
		}
		if err := c.Write(ctx, typ, message); err != nil {
			return err
		}
		buf = message
	}
}
