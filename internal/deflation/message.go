package deflation

import (
	"sync"

	"github.com/wiretrue/websocket/wire"
	"github.com/wiretrue/websocket/wire/deflate"
	"github.com/wiretrue/websocket/wire/frame"
)

// Message is encoded once, as a server sends it, and compressed once for each
// window that it is sent with. It may be used by many goroutines at once.
type Message struct {
	op      frame.Opcode
	payload []byte
	encoded []byte

	mu         sync.Mutex
	compressed map[compressedAs][]byte
}

// compressedAs is what the bytes of a compressed message depend on.
type compressedAs struct {
	bits  int8
	level deflate.Level
}

// Encode makes a Message, which must be empty, of a copy of p.
func (m *Message) Encode(op frame.Opcode, p []byte) error {
	sender := wire.Sender{Role: wire.Server}
	encoded, err := sender.Message(nil, op, p, [4]byte{})
	if err == nil {
		m.op, m.payload, m.encoded = op, encoded[len(encoded)-len(p):], encoded
	}
	return err
}

// Opcode returns the message's.
func (m *Message) Opcode() frame.Opcode { return m.op }

// Payload returns the message's bytes, which must not be changed.
func (m *Message) Payload() []byte { return m.payload }

// Header returns the frame header of the message as it is sent uncompressed.
func (m *Message) Header() []byte { return m.encoded[:len(m.encoded)-len(m.payload)] }

// Append appends the message as a server's connection sends it, compressed or
// not.
func (m *Message) Append(dst []byte, s *wire.Sender, d *State, compress bool, now int64) ([]byte, error) {
	if !compress {
		return s.Encoded(dst, m.encoded, m.payload)
	}
	s.NoContextTakeover = d.sendFresh
	if len(d.sent) > 0 { // it becomes one more message of the history
		d.Lend(s, now)
		defer d.TakeBack(s)
	}
	return s.Encoded(dst, m.compress(compressedAs{d.sendBits, d.level}), m.payload)
}

// compress returns the message compressed with an empty window, which any
// connection can read whose window is as large.
func (m *Message) compress(as compressedAs) []byte {
	m.mu.Lock()
	defer m.mu.Unlock()
	if b, ok := m.compressed[as]; ok {
		return b
	}
	sender := wire.Sender{Role: wire.Server, NoContextTakeover: true, Compressor: getCompressor(int(as.bits), as.level)}
	defer putCompressor(sender.Compressor, int(as.bits), as.level)
	b, err := sender.CompressedMessage(nil, m.op, m.payload, [4]byte{})
	if err != nil {
		b = m.encoded // was legal when it was encoded, so this cannot be
	}
	if m.compressed == nil {
		m.compressed = map[compressedAs][]byte{}
	}
	m.compressed[as] = b
	return b
}

// Compressions returns how often the message was compressed.
func (m *Message) Compressions() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.compressed)
}
