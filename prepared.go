package websocket

import (
	"context"

	"github.com/wiretrue/websocket/wire"
	"github.com/wiretrue/websocket/wire/frame"
)

// Prepared is a message that is encoded once and sent to many connections.
type Prepared struct {
	op      frame.Opcode
	payload []byte
	encoded []byte // as a server sends it; a client masks each copy anew
}

// Prepare encodes a message. p is copied. Text that is not UTF-8 is refused
// with ErrNotUTF8.
func Prepare(typ MessageType, p []byte) (*Prepared, error) {
	sender := wire.Sender{Role: wire.Server}
	encoded, err := sender.Message(nil, frame.Opcode(typ), p, [4]byte{})
	if err != nil {
		return nil, callError(err)
	}
	return &Prepared{frame.Opcode(typ), encoded[len(encoded)-len(p):], encoded}, nil
}

// WritePrepared is Write for a prepared message.
func (c *Conn) WritePrepared(ctx context.Context, p *Prepared) error {
	if c.role == wire.Client {
		return c.writeMessage(ctx, p.op, p.payload, nil)
	}
	return c.writeMessage(ctx, p.op, p.payload, p.encoded)
}
