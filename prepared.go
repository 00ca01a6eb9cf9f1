package websocket

import (
	"context"

	"github.com/wiretrue/websocket/internal/deflation"
	"github.com/wiretrue/websocket/wire/frame"
)

// Prepared is a message that is encoded once, and compressed once for each
// window that it is sent with, and sent to many connections. It may be used by
// many goroutines at once.
type Prepared struct{ m deflation.Message }

// Prepare encodes a message. p is copied. Text that is not UTF-8 is refused
// with ErrNotUTF8.
func Prepare(typ MessageType, p []byte) (*Prepared, error) {
	prepared := new(Prepared)
	if err := prepared.m.Encode(frame.Opcode(typ), p); err != nil {
		return nil, callError(err)
	}
	return prepared, nil
}

// WritePrepared is Write for a prepared message.
func (c *Conn) WritePrepared(ctx context.Context, p *Prepared) error {
	payload := p.m.Payload()
	return c.writeMessage(ctx, &outgoing{op: p.m.Opcode(), p: payload, prepared: &p.m, compress: c.deflation.Compresses(payload)})
}
