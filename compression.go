package websocket

import (
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/wiretrue/websocket/wire"
	"github.com/wiretrue/websocket/wire/deflate"
	"github.com/wiretrue/websocket/wire/frame"
	"github.com/wiretrue/websocket/wire/handshake"
)

// CompressionLevel trades time for size.
type CompressionLevel = deflate.Level

// The compression levels.
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

	// PeerWindowBits ask the same of the peer, which costs memory here. A peer
	// that does not let it be chosen keeps its 15. 8 stands for 9, since zlib,
	// which most peers use, cannot compress with 8. 0: 12.
	PeerWindowBits int

	// NoContextTakeover makes this end forget its window after each message, so
	// that nothing is held between messages. PeerNoContextTakeover asks the peer
	// for the same.
	NoContextTakeover     bool
	PeerNoContextTakeover bool

	// CompactAfter is how long a connection with context takeover is idle before
	// what it holds is reduced to the content of its windows: for each direction
	// at most 1<<bits bytes, and some hundreds. In use a window of 12 bits takes
	// 24 KiB for what this end sends and 8 KiB for what it receives, one of 15
	// bits 118 and 40 KiB. The next message takes that again, and a nanosecond or
	// two for each byte of the window of what is sent. Besides, a message borrows
	// up to 23 KiB while it is being compressed and 7 KiB while it is inflated, of
	// memory that all connections share.
	//
	// The heartbeat looks at it, with its own coarseness, and not before a second.
	// 0: 15 s. CompactAtOnce: after each message. NoTimeout: never.
	CompactAfter time.Duration

	// MaxMemory bounds the bytes held for the windows of a server's connections
	// together. Those beyond it are agreed on without context takeover. 0: 256
	// MiB. NoLimit: none.
	MaxMemory int64

	used atomic.Int64
}

// CompactAtOnce as Compression.CompactAfter makes the connections share a few
// compressors: for very many of them, and small windows.
const CompactAtOnce = time.Duration(1)

// compactAfter is CompactAfter as far as it is the heartbeat's matter. 0: not.
func (o *Compression) compactAfter() time.Duration {
	after := orDefault(o.CompactAfter, 15*time.Second, 0)
	switch after {
	case 0, CompactAtOnce:
		return 0
	}
	return max(after, time.Second)
}

// validate refuses what stands for no window and no level.
func (o *Compression) validate() error {
	switch {
	case o == nil:
		return nil
	case o.WindowBits > 0 && (o.WindowBits < 8 || o.WindowBits > 15):
		return fmt.Errorf("compression: WindowBits: %d; expected 8 to 15", o.WindowBits)
	case o.PeerWindowBits > 0 && (o.PeerWindowBits < 8 || o.PeerWindowBits > 15):
		return fmt.Errorf("compression: PeerWindowBits: %d; expected 8 to 15", o.PeerWindowBits)
	case o.Level > CompressionBest:
		return fmt.Errorf("compression: no level %d", o.Level)
	}
	return nil
}

// wishes returns what this end would like to be agreed on.
func (o *Compression) wishes(role wire.Role, policy QueuePolicy) deflate.Params {
	own, peer := uint8(orDefault(o.WindowBits, 12, 15)), uint8(max(9, orDefault(o.PeerWindowBits, 12, 15)))
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

// offers returns what a client offers. A server must decline an offer that asks
// for something which it cannot do (RFC 7692 7.1), so behind the one that this
// end likes best comes one that asks for nothing.
func (o *Compression) offers(policy QueuePolicy) []handshake.Extension {
	best := o.wishes(wire.Client, policy)
	modest := best
	modest.ServerMaxWindowBits, modest.ServerNoContextTakeover = 0, false
	return []handshake.Extension{best.Offer(), modest.Offer()}
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
	atOnce     bool         // CompactAtOnce
	reserved   int64        // of options.MaxMemory
	lastUsed   atomic.Int64 // see now; 0: compact
	compactDue atomic.Bool  // the one who reads is to reduce its window's memory

	// The windows' content under CompactAtOnce.
	sent     []byte // guarded by the connection's mu
	received []byte // owned by the one who reads
}

// newDeflation prepares what was agreed on, or returns nil when nothing was.
func newDeflation(role wire.Role, opts *Options, agreed deflate.Params, ok bool, reserved int64) *deflation {
	if !ok {
		return nil
	}
	o := opts.Compression
	d := &deflation{params: agreed, options: o, reserved: reserved, atOnce: o.CompactAfter == CompactAtOnce}
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
}

// reserve takes from the budget what the windows of a connection need, or
// makes the agreement one without windows.
func (o *Compression) reserve(agreed *deflate.Params) (reserved int64) {
	atOnce := o.CompactAfter == CompactAtOnce
	if !agreed.ServerNoContextTakeover {
		reserved += windowMemory(agreed.ServerWindow(), o.Level, atOnce)
	}
	if !agreed.ClientNoContextTakeover {
		reserved += inflateMemory(agreed.ClientWindow(), atOnce)
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

// mayCompressFrom reports the same of a message that begins with p and goes on.
func (d *deflation) mayCompressFrom(p []byte) bool {
	return d != nil && deflate.Compressible(p)
}

// lend sees to it that the sender has a Compressor for a message, or the next
// part of one.
func (d *deflation) lend(s *wire.Sender) {
	d.lastUsed.Store(now())
	if s.Compressor == nil {
		s.Compressor = getCompressor(d.sendBits, d.options.Level)
		if len(d.sent) > 0 {
			s.Compressor.SetHistory(d.sent)
		}
	}
}

// takeBack takes what is not needed until the next message.
func (d *deflation) takeBack(s *wire.Sender) {
	if s.Compressor == nil || !d.sendFresh && !d.atOnce {
		return
	}
	if !d.sendFresh {
		d.sent = s.Compressor.AppendHistory(d.sent[:0])
	}
	putCompressor(s.Compressor, d.sendBits, d.options.Level)
	s.Compressor = nil
}

// end takes back what there is, for the connection has ended.
func (d *deflation) end(s *wire.Sender) {
	if d != nil && s.Compressor != nil {
		putCompressor(s.Compressor, d.sendBits, d.options.Level)
		s.Compressor = nil
	}
}

// beginInflating sees to it that the receiver has a Decompressor for the
// message whose first header has come.
func (c *Conn) beginInflating(h frame.Header) {
	d := c.deflation
	if d == nil || h.RSV&frame.RSV1 == 0 {
		return
	}
	d.lastUsed.Store(now())
	if c.receiver.Decompressor == nil {
		c.receiver.Decompressor, _ = d.Decompressor()
	}
}

// endInflating gives back what is not needed until the next message.
func (c *Conn) endInflating() {
	if d := c.deflation; c.receiver.Decompressor != nil && (d.recvFresh || d.atOnce) {
		d.PutDecompressor(c.receiver.Decompressor)
		c.receiver.Decompressor = nil
	}
}

// compactWhenIdle reduces the memory of the windows to their content. It is
// called by the heartbeat, which wakes the one who reads to do its part.
func (c *Conn) compactWhenIdle() {
	d := c.deflation
	if !d.Idle() {
		return
	}
	c.mu.Lock()
	if c.sender.Compressor != nil {
		c.sender.Compressor.Compact()
	}
	c.mu.Unlock()
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

// Pools of what only a message that is under way needs, by window bits.
var (
	compressing [16]sync.Pool
	inflating   sync.Pool
)

func getCompressor(bits int, level deflate.Level) *deflate.Compressor {
	if c, ok := compressors[level][bits].Get().(*deflate.Compressor); ok {
		c.Reset()
		return c
	}
	c := deflate.NewCompressor(bits, level)
	c.Pool = &compressing[bits]
	return c
}

func putCompressor(c *deflate.Compressor, bits int, level deflate.Level) {
	compressors[level][bits].Put(c)
}

func getDecompressor(bits int) *deflate.Decompressor {
	if d, ok := decompressors[bits].Get().(*deflate.Decompressor); ok {
		d.Reset()
		return d
	}
	d := deflate.NewDecompressor(bits)
	d.Pool = &inflating
	return d
}

func putDecompressor(d *deflate.Decompressor, bits int) { decompressors[bits].Put(d) }

// windowMemory and inflateMemory return the bytes that a connection holds for
// a Compressor or a Decompressor between messages.
func windowMemory(bits int, level deflate.Level, atOnce bool) int64 {
	if atOnce {
		return 1 << bits
	}
	c := getCompressor(bits, level)
	defer putCompressor(c, bits, level)
	if c.Size() < 1<<bits {
		c.Append(nil, []byte("wiretrue"), true)
	}
	return int64(c.Size())
}

func inflateMemory(bits int, atOnce bool) int64 {
	if atOnce {
		return 1 << bits
	}
	d := getDecompressor(bits)
	defer putDecompressor(d, bits)
	if d.Size() < 1<<bits {
		d.Next(nil)
	}
	return int64(d.Size())
}
