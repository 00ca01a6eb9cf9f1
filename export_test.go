package websocket

import (
	"io"
	"net"
)

// SetNonce makes Dial use the nonce, and so a key that is known beforehand.
func (o *DialOptions) SetNonce(nonce [16]byte) { o.nonce = func() [16]byte { return nonce } }

// HoldsBuffers reports whether the connection holds memory for bytes, which an
// idle one must not.
func (c *Conn) HoldsBuffers() bool {
	c.reading.lock(nil, nil)
	defer c.reading.unlock()
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.transport.buf != nil || c.intake != nil || c.queue.out != nil
}

// PoisonBuffers fills every pooled buffer that it can get hold of.
func PoisonBuffers(with string) {
	var all []*buffer
	for range 64 {
		all = append(all, readBuffers.Get().(*buffer), parkedBuffers.Get().(*buffer), behindBuffers.Get().(*buffer), writeBuffers.Get().(*buffer))
	}
	for i, b := range all {
		p := b.b[:cap(b.b)]
		for j := range p {
			p[j] = with[j%len(with)]
		}
		switch i % 4 {
		case 0:
			readBuffers.Put(b)
		case 1:
			parkedBuffers.Put(b)
		case 2:
			behindBuffers.Put(b)
		case 3:
			putWriteBuffer(b)
		}
	}
}

// WriteFragment sends a fragment of its own, however small.
func WriteFragment(w io.Writer, p []byte) error { return w.(*messageWriter).fragment(p, false) }

// CompressionMemory returns the bytes that the connection holds for windows.
func (c *Conn) CompressionMemory() (n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.sender.Compressor != nil {
		n += c.sender.Compressor.Size()
	}
	if d := c.deflation; d != nil {
		n += d.KeptBytes()
	}
	return n
}

// Compressions returns how often the message was compressed.
func (p *Prepared) Compressions() int { return p.m.Compressions() }

// Watch has the poller look at the connection's socket, as in a crowd. Nobody
// reads meanwhile.
func (c *Conn) Watch() { c.transport.startWatching() }

// Watched reports whether the poller looks at the connection's socket. Nobody
// reads meanwhile.
func (c *Conn) Watched() bool { return c.transport.watched() }

// Transport returns the connection below.
func (c *Conn) Transport() net.Conn { return c.transport.nc }
