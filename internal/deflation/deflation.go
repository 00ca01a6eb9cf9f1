// Package deflation is permessage-deflate (RFC 7692) as one end of a connection
// holds to it: what it wishes for, what was agreed on, which windows it keeps and
// when it lets them go. It serves every shell alike.
//
// Times are nanoseconds on a clock of the caller's that is past zero.
package deflation

import (
	"sync/atomic"
	"time"

	"github.com/wiretrue/websocket/wire"
	"github.com/wiretrue/websocket/wire/deflate"
	"github.com/wiretrue/websocket/wire/frame"
	"github.com/wiretrue/websocket/wire/handshake"
)

// Options are what one end wishes for, each default in its place.
type Options struct {
	Level deflate.Level

	// The sizes in bytes below which a message is sent as it is, with context
	// takeover and without.
	Threshold, FreshThreshold int

	WindowBits, PeerWindowBits               int
	NoContextTakeover, PeerNoContextTakeover bool

	AtOnce       bool          // compact after each message
	CompactAfter time.Duration // or when the connection is idle; 0: never

	MaxMemory int64 // of the Budget; 0: no limit
}

// Budget counts the bytes held for the windows of connections together.
type Budget struct{ used atomic.Int64 }

// wishes returns what this end would like to be agreed on.
func (o *Options) wishes(role wire.Role) deflate.Params {
	own, peer := uint8(o.WindowBits), uint8(max(9, o.PeerWindowBits)) // zlib cannot compress with 8
	if role == wire.Server {
		return deflate.Params{
			ServerNoContextTakeover: o.NoContextTakeover,
			ClientNoContextTakeover: o.PeerNoContextTakeover,
			ServerMaxWindowBits:     own,
			ClientMaxWindowBits:     peer,
		}
	}
	return deflate.Params{
		ServerNoContextTakeover: o.PeerNoContextTakeover,
		ClientNoContextTakeover: o.NoContextTakeover,
		ServerMaxWindowBits:     peer,
		ClientMaxWindowBits:     own,
	}
}

// Offers returns what a client offers. A server must decline an offer that asks
// for something which it cannot do (RFC 7692 7.1), so behind the one that this
// end likes best comes one that asks for nothing.
func (o *Options) Offers() []handshake.Extension {
	best := o.wishes(wire.Client)
	modest := best
	modest.ServerMaxWindowBits, modest.ServerNoContextTakeover = 0, false
	return []handshake.Extension{best.Offer(), modest.Offer()}
}

// State is what one connection holds to. A nil State is a connection without
// compression.
type State struct {
	params       deflate.Params
	level        deflate.Level
	atOnce       bool
	sendFresh    bool // this end forgets its window after each message
	recvFresh    bool // the peer does
	sendBits     int8
	recvBits     int8
	threshold    int
	compactAfter time.Duration
	budget       *Budget
	reserved     int64        // of the budget
	lastUsed     atomic.Int64 // 0: compact

	Received, Sent Volume // for a shell that counts them here

	// The windows' content when it is compact after each message.
	sent     []byte // owned by the one who sends
	received []byte // owned by the one who reads, as is
	kept     *deflate.Decompressor
}

// Volume is what went one way in compressed messages, in bytes.
type Volume struct {
	Compressed   atomic.Uint64 // as they were on the wire
	Uncompressed atomic.Uint64 // as the program sees them
}

// Choose is the server's part in agreeing on compression. It returns nil when
// none of the offers is taken. What the windows need is taken from the budget
// until Release; what is beyond it is agreed on without windows.
func (o *Options) Choose(offers []handshake.Extension, budget *Budget) *State {
	params, ok, _ := deflate.Choose(offers, o.wishes(wire.Server))
	if !ok {
		return nil
	}
	reserved := o.reserve(&params, budget)
	d := o.state(params)
	d.budget, d.reserved = budget, reserved
	d.sendBits, d.recvBits = int8(params.ServerWindow()), int8(params.ClientWindow())
	d.keep(params.ServerNoContextTakeover, params.ClientNoContextTakeover, o)
	return d
}

// Agreed returns what a client holds to whose server has chosen params. A client
// may hold itself to less than was agreed on.
func (o *Options) Agreed(params deflate.Params) *State {
	wishes := o.wishes(wire.Client)
	d := o.state(params)
	d.sendBits, d.recvBits = int8(min(params.ClientWindow(), wishes.ClientWindow())), int8(params.ServerWindow())
	d.keep(params.ClientNoContextTakeover || wishes.ClientNoContextTakeover, params.ServerNoContextTakeover, o)
	return d
}

func (o *Options) state(params deflate.Params) *State {
	return &State{params: params, level: o.Level, atOnce: o.AtOnce, compactAfter: o.CompactAfter}
}

func (d *State) keep(sendFresh, recvFresh bool, o *Options) {
	d.sendFresh, d.recvFresh = sendFresh, recvFresh
	if d.threshold = o.Threshold; sendFresh {
		d.threshold = o.FreshThreshold
	}
}

// reserve takes from the budget what the windows of a connection need, or makes
// the agreement one without windows.
func (o *Options) reserve(agreed *deflate.Params, budget *Budget) (reserved int64) {
	if !agreed.ServerNoContextTakeover {
		reserved += windowMemory(agreed.ServerWindow(), o.Level, o.AtOnce)
	}
	if !agreed.ClientNoContextTakeover {
		reserved += inflateMemory(agreed.ClientWindow(), o.AtOnce)
	}
	if budget.used.Add(reserved) > o.MaxMemory && o.MaxMemory > 0 {
		budget.used.Add(-reserved)
		agreed.ServerNoContextTakeover, agreed.ClientNoContextTakeover = true, true
		return 0
	}
	return reserved
}

// Release gives the connection's part of the budget back. It is called once.
func (d *State) Release() {
	if d != nil && d.budget != nil {
		d.budget.used.Add(-d.reserved)
	}
}

// Response returns the extension as the response names it.
func (d *State) Response() handshake.Extension { return d.params.Response() }

// String returns the extension as it stands in the response, or "".
func (d *State) String() string {
	if d == nil {
		return ""
	}
	return d.params.Response().String()
}

// Compresses reports whether a message is worth being compressed.
func (d *State) Compresses(p []byte) bool {
	return d != nil && len(p) >= d.threshold && deflate.Compressible(p)
}

// CompressesFrom reports the same of a message that begins with p and goes on.
func (d *State) CompressesFrom(p []byte) bool {
	return d != nil && deflate.Compressible(p)
}

// Lend sees to it that the sender has a Compressor for a message, or the next
// part of one.
func (d *State) Lend(s *wire.Sender, now int64) {
	d.lastUsed.Store(now)
	s.NoContextTakeover = d.sendFresh
	if s.Compressor == nil {
		s.Compressor = getCompressor(int(d.sendBits), d.level)
		if len(d.sent) > 0 {
			s.Compressor.SetHistory(d.sent)
		}
	}
}

// TakeBack takes from the sender what is not needed until the next message.
func (d *State) TakeBack(s *wire.Sender) {
	if s.Compressor == nil || !d.sendFresh && !d.atOnce {
		return
	}
	if !d.sendFresh {
		d.sent = s.Compressor.AppendHistory(d.sent[:0])
	}
	d.End(s)
}

// End takes from the sender what there is: the connection has ended.
func (d *State) End(s *wire.Sender) {
	if d != nil && s.Compressor != nil {
		putCompressor(s.Compressor, int(d.sendBits), d.level)
		s.Compressor = nil
	}
}

// AppendMessage appends a message, compressed, to what is sent. key masks it if
// the sender is a client's.
func (d *State) AppendMessage(dst []byte, s *wire.Sender, op frame.Opcode, p []byte, key [4]byte, now int64) ([]byte, error) {
	d.Lend(s, now)
	defer d.TakeBack(s)
	return s.CompressedMessage(dst, op, p, key)
}

// Receive prepares a receiver for what the peer compresses.
func (d *State) Receive(r *wire.Receiver) {
	if d != nil {
		r.Compression, r.NoContextTakeover = true, d.recvFresh
	}
}

// Decompressor returns one for the message that begins. It is to be given back
// behind the message.
func (d *State) Decompressor(now int64) *deflate.Decompressor {
	d.Used(now)
	if d.kept != nil {
		return d.kept
	}
	de := getDecompressor(int(d.recvBits))
	if len(d.received) > 0 {
		de.SetHistory(d.received)
	}
	if d.KeepsDecompressor() {
		d.kept = de
	}
	return de
}

// KeepsDecompressor reports whether a Decompressor is kept from message to
// message.
func (d *State) KeepsDecompressor() bool { return !d.recvFresh && !d.atOnce }

// PutDecompressor takes back what Decompressor returned.
func (d *State) PutDecompressor(de *deflate.Decompressor) {
	if de == d.kept {
		return
	}
	if !d.recvFresh {
		d.received = de.AppendHistory(d.received[:0])
	}
	putDecompressor(de, int(d.recvBits))
}

// CompactReceived reduces the memory of what is kept for reading. It is called by
// the one who reads.
func (d *State) CompactReceived() {
	if d.kept != nil {
		d.kept.Compact()
	}
}

// Used notes that a compressed message has come.
func (d *State) Used(now int64) { d.lastUsed.Store(now) }

// Idle reports, once, that no message has been compressed for CompactAfter: the
// memory of the windows is to be reduced to their content.
func (d *State) Idle(now int64) bool {
	after := d.CompactAfter()
	if after == 0 {
		return false
	}
	last := d.lastUsed.Load()
	return last != 0 && now-last >= int64(after) && d.lastUsed.CompareAndSwap(last, 0)
}

// CompactAfter is how long no message must have been compressed for Idle. 0: it
// never is.
func (d *State) CompactAfter() time.Duration {
	if d == nil {
		return 0
	}
	return d.compactAfter
}

// KeptBytes returns how much is held for the windows, but for a Compressor.
func (d *State) KeptBytes() int {
	n := cap(d.sent) + cap(d.received)
	if d.kept != nil {
		n += d.kept.Size()
	}
	return n
}
