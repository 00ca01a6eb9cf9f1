package websocket

import (
	"context"

	"github.com/wiretrue/websocket/wire/frame"
)

// Pong sends a Pong that no Ping has asked for, a heartbeat in one direction
// (RFC 6455 5.5.3); Pings are answered without it. A payload of more than 125
// bytes is refused with ErrControlPayload. When the peer reads too slowly,
// Options.QueuePolicy says what happens.
func (c *Conn) Pong(ctx context.Context, payload []byte) error {
	c.mu.Lock()
	err := c.makeRoom(ctx, frame.MaxHeaderSize+len(payload))
	if err == nil {
		err = c.encode(func(dst []byte, key [4]byte) ([]byte, error) {
			return c.sender.Control(dst, frame.Pong, payload, key)
		})
	}
	if err == nil {
		c.sent.pongs.Add(1)
	}
	c.unlockAndFlush()
	return c.writeError(err)
}
