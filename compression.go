package websocket

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/wiretrue/websocket/wire"
	"github.com/wiretrue/websocket/wire/deflate"
	"github.com/wiretrue/websocket/wire/frame"
)

// CompressionLevel trades time for size.
type CompressionLevel = deflate.Level

const (
	CompressionDefault = deflate.Default
	CompressionFastest = deflate.Fastest
	CompressionBest    = deflate.Best
)

// Compression turns permessage-deflate on (RFC 7692) and says what this end
// wishes for. One value may serve many connections; it must not be copied nor
// changed while they live.
//
// By default each side keeps its window from message to message, which makes
// small similar messages very small, and costs memory while the connection
// lives.
//
// Who can choose a part of a message and see how large the compressed message
// is can find out the rest of it, by trying. Send secrets that stand beside such
// text with WriteUncompressed, or do not compress.
type Compression struct {
	Level CompressionLevel

	// Threshold is the size in bytes below which a message is sent as it is.
	// 0: 16 with context takeover, 128 without.
	Threshold int

	// WindowBits bound how far back what this end sends may refer, from 8 (256
	// bytes) to 15 (32 KiB): larger is better and takes more memory. 0: 12.
	WindowBits int

	// PeerWindowBits ask the same of the peer, which costs memory here. A client
	// that does not let it be chosen keeps its 15. 0: 12.
	PeerWindowBits int

	// NoContextTakeover makes this end forget its window after each message, so
	// that nothing is held between messages. PeerNoContextTakeover asks the peer
	// for the same.
	NoContextTakeover     bool
	PeerNoContextTakeover bool

	// MaxMemory bounds the bytes held for the windows of a server's connections
	// together. Those beyond it are agreed on without context takeover. 0: 256
	// MiB. NoLimit: none.
	MaxMemory int64

	used atomic.Int64
}

// compactAfter is how long a connection is idle before the memory of its
// windows is reduced to their content.
const compactAfter = 15 * time.Second

// offer returns what a client offers, or what a server wishes for.
func (o *Compression) wishes(role wire.Role, policy QueuePolicy) deflate.Params {
	own, peer := uint8(orDefault(o.WindowBits, 12, 15)), uint8(orDefault(o.PeerWindowBits, 12, 15))
	// A message that is dropped from the queue must not be in the peer's window.
	ownReset, peerReset := o.NoContextTakeover || policy == QueueDropOldest, o.PeerNoContextTakeover
	if role == wire.Server {
		return deflate.Params{
			ServerNoContextTakeover: ownReset,
			ClientNoContextTakeover: peerReset,
			ServerMaxWindowBits:     own,
			ClientMaxWindowBits:     peer,
		}
	}
	return deflate.Params{
		ServerNoContextTakeover: peerReset,
		ClientNoContextTakeover: ownReset,
		ServerMaxWindowBits:     peer,
		ClientMaxWindowBits:     own,
	}
}

// deflation is what one connection holds to.
type deflation struct {
	params     deflate.Params
	options    *Compression
	threshold  int
	sendBits   int
	recvBits   int
	sendFresh  bool         // this end forgets its window
	recvFresh  bool         // the peer does
	reserved   int64        // of options.MaxMemory
	lastUsed   atomic.Int64 // see now
	compactDue atomic.Bool  // the one who reads is to reduce its window's memory
}

// newDeflation prepares what was agreed on, or returns nil when nothing was.
func newDeflation(role wire.Role, opts *Options, agreed deflate.Params, ok bool, reserved int64) *deflation {
	if !ok {
		return nil
	}
	o := opts.Compression
	d := &deflation{params: agreed, options: o, reserved: reserved}
	wishes := o.wishes(role, opts.QueuePolicy)
	if role == wire.Server {
		d.sendBits, d.recvBits = agreed.ServerWindow(), agreed.ClientWindow()
		d.sendFresh, d.recvFresh = agreed.ServerNoContextTakeover, agreed.ClientNoContextTakeover
	} else {
		// A client may hold itself to less than was agreed on.
		d.sendBits, d.recvBits = min(agreed.ClientWindow(), wishes.ClientWindow()), agreed.ServerWindow()
		d.sendFresh, d.recvFresh = agreed.ClientNoContextTakeover || wishes.ClientNoContextTakeover, agreed.ServerNoContextTakeover
	}
	standard := 16
	if d.sendFresh {
		standard = 128
	}
	d.threshold = orDefault(o.Threshold, standard, 0)
	return d
}

// start gives the connection's two halves their parts.
func (d *deflation) start(c *Conn) {
	if d == nil {
		return
	}
	c.receiver.Compression = true
	c.receiver.NoContextTakeover = d.recvFresh
	c.sender.NoContextTakeover = d.sendFresh
	d.lastUsed.Store(now())
}

// reserve takes from the budget what the windows of a connection need, or
// makes the agreement one without windows.
func (o *Compression) reserve(agreed *deflate.Params) (reserved int64) {
	if !agreed.ServerNoContextTakeover {
		reserved += windowMemory(agreed.ServerWindow(), o.Level)
	}
	if !agreed.ClientNoContextTakeover {
		reserved += inflateMemory(agreed.ClientWindow())
	}
	limit := orDefault(o.MaxMemory, 256<<20, 0)
	if o.used.Add(reserved) > limit && limit > 0 {
		o.used.Add(-reserved)
		agreed.ServerNoContextTakeover, agreed.ClientNoContextTakeover = true, true
		return 0
	}
	return reserved
}

func (d *deflation) release() {
	if d != nil {
		d.options.used.Add(-d.reserved)
	}
}

// mayCompress reports whether a message is worth it.
func (d *deflation) mayCompress(p []byte) bool {
	return d != nil && len(p) >= d.threshold && deflate.Compressible(p)
}

// borrowCompressor sees to it that the sender has a Compressor. It is called
// with mu held, as returnCompressor is.
func (c *Conn) borrowCompressor() {
	c.deflation.lastUsed.Store(now())
	if c.sender.Compressor == nil {
		c.sender.Compressor = getCompressor(c.deflation.sendBits, c.opts.Compression.Level)
	}
}

// returnCompressor gives back what is not needed until the next message.
func (c *Conn) returnCompressor() {
	if c.deflation.sendFresh && c.sender.Compressor != nil {
		putCompressor(c.sender.Compressor, c.deflation.sendBits, c.opts.Compression.Level)
		c.sender.Compressor = nil
	}
}

// beginInflating sees to it that the receiver has a Decompressor for the
// message whose first header has come.
func (c *Conn) beginInflating(h frame.Header) {
	if c.deflation == nil || h.RSV&frame.RSV1 == 0 {
		return
	}
	c.deflation.lastUsed.Store(now())
	if c.receiver.Decompressor == nil {
		c.receiver.Decompressor = getDecompressor(c.deflation.recvBits)
	}
}

// endInflating gives back what is not needed until the next message.
func (c *Conn) endInflating() {
	if c.deflation != nil && c.deflation.recvFresh && c.receiver.Decompressor != nil {
		putDecompressor(c.receiver.Decompressor, c.deflation.recvBits)
		c.receiver.Decompressor = nil
	}
}

// compactWhenIdle reduces the memory of the windows to their content. It is
// called by the heartbeat, which wakes the one who reads to do its part.
func (c *Conn) compactWhenIdle(at int64) {
	d := c.deflation
	if d == nil || at-d.lastUsed.Load() < int64(compactAfter) {
		return
	}
	c.mu.Lock()
	if c.sender.Compressor != nil {
		c.sender.Compressor.Compact()
	}
	c.mu.Unlock()
	d.lastUsed.Store(at + int64(365*24*time.Hour)) // done, until it is used again
	if !d.recvFresh {
		d.compactDue.Store(true)
		c.transport.wake.interrupt(&c.transport)
	}
}

// compactReading is the reader's part.
func (c *Conn) compactReading() {
	if c.deflation != nil && c.deflation.compactDue.Swap(false) && c.receiver.Decompressor != nil {
		c.receiver.Decompressor.Compact()
	}
}

// Pools of what connections without context takeover share, by window bits.
var (
	compressors   [3][16]sync.Pool
	decompressors [16]sync.Pool
)

func getCompressor(bits int, level deflate.Level) *deflate.Compressor {
	if c, ok := compressors[level][bits].Get().(*deflate.Compressor); ok {
		c.Reset()
		return c
	}
	return deflate.NewCompressor(bits, level)
}

func putCompressor(c *deflate.Compressor, bits int, level deflate.Level) {
	compressors[level][bits].Put(c)
}

func getDecompressor(bits int) *deflate.Decompressor {
	if d, ok := decompressors[bits].Get().(*deflate.Decompressor); ok {
		d.Reset()
		return d
	}
	return deflate.NewDecompressor(bits)
}

func putDecompressor(d *deflate.Decompressor, bits int) { decompressors[bits].Put(d) }

// windowMemory and inflateMemory return the bytes that a Compressor or a
// Decompressor in use holds.
func windowMemory(bits int, level deflate.Level) int64 {
	c := getCompressor(bits, level)
	defer putCompressor(c, bits, level)
	if c.Size() < 1<<bits {
		c.Append(nil, []byte("wiretrue"), true)
	}
	return int64(c.Size())
}

func inflateMemory(bits int) int64 {
	d := getDecompressor(bits)
	defer putDecompressor(d, bits)
	if d.Size() < 1<<bits {
		d.Next([]byte{0}) // an empty block's beginning
	}
	return int64(d.Size())
}
