package websocket

import (
	"context"
	"sync"

	"github.com/wiretrue/websocket/wire"
	"github.com/wiretrue/websocket/wire/deflate"
	"github.com/wiretrue/websocket/wire/frame"
)

// Prepared is a message that is encoded once, and compressed once for each
// window that it is sent with, and sent to many connections. It may be used by
// many goroutines at once.
type Prepared struct {
	op      frame.Opcode
	payload []byte
	encoded []byte // as a server sends it; a client masks each copy anew

	mu         sync.Mutex
	compressed map[compressedAs][]byte
}

// compressedAs is what the bytes of a compressed message depend on.
type compressedAs struct {
	bits  int
	level deflate.Level
}

// Prepare encodes a message. p is copied. Text that is not UTF-8 is refused
// with ErrNotUTF8.
func Prepare(typ MessageType, p []byte) (*Prepared, error) {
	sender := wire.Sender{Role: wire.Server}
	encoded, err := sender.Message(nil, frame.Opcode(typ), p, [4]byte{})
	if err != nil {
		return nil, callError(err)
	}
	return &Prepared{op: frame.Opcode(typ), payload: encoded[len(encoded)-len(p):], encoded: encoded}, nil
}

// WritePrepared is Write for a prepared message.
func (c *Conn) WritePrepared(ctx context.Context, p *Prepared) error {
	return c.writeMessage(ctx, p.op, p.payload, p, c.deflation.mayCompress(p.payload))
}

// header returns that of the message as a server sends it uncompressed.
func (p *Prepared) header() []byte { return p.encoded[:len(p.encoded)-len(p.payload)] }

// append appends the message as the server's connection sends it. It is called
// with the connection's mu held.
func (p *Prepared) append(dst []byte, c *Conn, compress bool) ([]byte, error) {
	if !compress {
		return c.sender.Encoded(dst, p.encoded, p.payload)
	}
	return p.appendCompressed(dst, &c.sender, c.deflation)
}

func (p *Prepared) appendCompressed(dst []byte, s *wire.Sender, d *deflation) ([]byte, error) {
	if len(d.sent) > 0 { // it becomes one more message of the history
		d.lend(s)
		defer d.takeBack(s)
	}
	return s.Encoded(dst, p.compress(compressedAs{d.sendBits, d.options.Level}), p.payload)
}

// compress returns the message compressed with an empty window, which any
// connection can read whose window is as large.
func (p *Prepared) compress(as compressedAs) []byte {
	p.mu.Lock()
	defer p.mu.Unlock()
	if b, ok := p.compressed[as]; ok {
		return b
	}
	sender := wire.Sender{Role: wire.Server, NoContextTakeover: true, Compressor: getCompressor(as.bits, as.level)}
	defer putCompressor(sender.Compressor, as.bits, as.level)
	b, err := sender.CompressedMessage(nil, p.op, p.payload, [4]byte{})
	if err != nil {
		b = p.encoded // was legal when it was prepared, so this cannot be
	}
	if p.compressed == nil {
		p.compressed = map[compressedAs][]byte{}
	}
	p.compressed[as] = b
	return b
}
