package websocket

import (
	"fmt"
	"time"

	"github.com/wiretrue/websocket/internal/deflation"
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
	// 0: 16 with context takeover, 128 without. NoLimit: none is.
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
	// 23 KiB for what this end sends and 7 KiB for what it receives, one of 15
	// bits 115 and 35 KiB. The next message takes that again, and a nanosecond or
	// two for each byte of the window of what is sent. Besides, a message borrows
	// 6 KiB while it is being compressed and as much while it is inflated, of
	// memory that all connections share.
	//
	// The heartbeat looks at it, with its own coarseness, and not before a second.
	// 0: 15 s. CompactAtOnce: after each message. NoTimeout: never.
	CompactAfter time.Duration

	// MaxMemory bounds the bytes held for the windows of a server's connections
	// together. Those beyond it are agreed on without context takeover. 0: 256
	// MiB. NoLimit: none.
	MaxMemory int64

	budget deflation.Budget
}

// CompactAtOnce as Compression.CompactAfter makes the connections share a few
// compressors: for very many of them, and small windows.
const CompactAtOnce = time.Duration(1)

// choose is the server's part in agreeing on compression.
func (o *Compression) choose(offers []handshake.Extension, policy QueuePolicy) *deflation.State {
	if o == nil {
		return nil
	}
	return o.resolved(policy).Choose(offers, &o.budget)
}

// confirmed is the client's part: it holds to what the server has chosen.
func (o *Compression) confirmed(params deflate.Params, policy QueuePolicy) *deflation.State {
	return o.resolved(policy).Agreed(params)
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

// resolved returns what is wished for, each default in its place.
func (o *Compression) resolved(policy QueuePolicy) *deflation.Options {
	after := orDefault(o.CompactAfter, 15*time.Second, 0)
	atOnce := after == CompactAtOnce
	switch {
	case atOnce:
		after = 0
	case after > 0:
		after = max(after, time.Second)
	}
	return &deflation.Options{
		Level:          o.Level,
		Threshold:      orDefault(o.Threshold, 16, 0),
		FreshThreshold: orDefault(o.Threshold, 128, 0),
		WindowBits:     orDefault(o.WindowBits, 12, 15),
		PeerWindowBits: orDefault(o.PeerWindowBits, 12, 15),
		// A message that is dropped from the queue must not be in the peer's window.
		NoContextTakeover:     o.NoContextTakeover || policy == QueueDropOldest,
		PeerNoContextTakeover: o.PeerNoContextTakeover,
		AtOnce:                atOnce,
		CompactAfter:          after,
		MaxMemory:             orDefault(o.MaxMemory, 256<<20, 0),
	}
}

// beginInflating sees to it that the receiver has a Decompressor for the
// message whose first header has come.
func (c *Conn) beginInflating(h frame.Header) {
	if c.deflation != nil && h.RSV&frame.RSV1 != 0 {
		c.intake.receiver.Decompressor = c.deflation.Decompressor(now())
	}
}

// endInflating gives back what is not needed until the next message.
func (c *Conn) endInflating() {
	if r := &c.intake.receiver; r.Decompressor != nil {
		c.deflation.PutDecompressor(r.Decompressor)
		r.Decompressor = nil
	}
}

// compactWhenIdle reduces the memory of the windows to their content. It is
// called by the heartbeat, which wakes the one who reads to do its part.
func (c *Conn) compactWhenIdle() {
	if !c.deflation.Idle(now()) {
		return
	}
	c.mu.Lock()
	if c.sender.Compressor != nil {
		c.sender.Compressor.Compact()
	}
	c.mu.Unlock()
	if c.deflation.KeepsDecompressor() {
		c.compactDue.Store(true)
		c.transport.wake.interrupt(&c.transport)
	}
}

// compactReading is the reader's part.
func (c *Conn) compactReading() {
	if c.compactDue.Swap(false) {
		c.deflation.CompactReceived()
	}
}
