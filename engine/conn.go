package engine

import (
	"encoding/binary"
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/wiretrue/websocket"
	"github.com/wiretrue/websocket/internal/deflation"
	"github.com/wiretrue/websocket/internal/shell"
	"github.com/wiretrue/websocket/wire"
)

// Conn is one WebSocket connection of a Server. Its methods may be called from
// any goroutine, and from the functions of its Handler.
type Conn struct {
	// There are very many of them: what only few need, or only for a while, is
	// behind a pointer.

	service *Service
	loop    *loop // nil: more.std serves it
	value   any

	// Owned by the turn: the loop's or, on a server that is Blocking, that of the
	// goroutine that handles the connection.
	phase   phase
	hup     bool // the end of the stream has been announced
	unread  bool // bytes wait in the kernel that the turn has left there
	owesEnd bool // OnClose is due when the function of Go returns
	sawEnd  bool // the peer's stream has ended
	armed   bool // io_uring is to receive for it, or to tell when it can be read
	polled  bool // the latter, now or next
	closed  bool // the descriptor is
	bulky   bool // its last message ended with a long frame
	rest    wire.Rest
	partial *partial // nil: the receiver is at rest
	rare    *rare    // nil: nothing
	rate    shell.Rate

	// Guarded by mu, which is not held while something waits.
	mu        sync.Mutex
	inTurn    bool // the output is flushed at the turn's end
	deferring bool // more of the peer's messages are in hand: more may be written
	timed     bool // a timer will flush it
	opened    bool // the handshake is done
	ended     bool
	hangup    hangup
	pongs     uint8  // in the queue
	out       *queue // nil: nothing is to be sent
	more      *more  // nil: nothing
	received  counts // of the turns that are over
	sent      counts
	pings     pingCounts
	rtt       uint32 // microseconds
	fd        int32  // -1: closed

	todo  atomic.Uint32 // why the turn is to look at the connection
	heard lately        // when the last byte came

	// Guarded by the loop's mutex.
	slot       int32  // in the loop's table; 0: none
	due        uint32 // the wheel's tick
	prev, next int32  // slots of its neighbours there
}

// phase is where a connection stands.
type phase uint8

const (
	handshaking phase = iota
	open
	closing   // a Close frame was sent, and the peer's is to come
	lingering // it has ended; the transport is still to end
	gone
)

// hangup says how the transport ends once all is sent.
type hangup uint8

const (
	stay      hangup = iota
	answering        // the peer has ended its side, or sent a Close, and is still answered
	drain            // the peer may be sending, and is to read what was sent
	halfGone         // likewise, and this side has ended
	abandoned        // at once
)

// partial is a message, or a frame, that has not come whole.
type partial struct {
	receiver wire.Receiver
	typ      websocket.MessageType
	message  []byte
	since    int64 // when it began
}

// rare is what the turn keeps for few connections, or for a while.
type rare struct {
	head      []byte // of the request, as far as it has come
	stash     []byte // read and not handled
	deflation *deflation.State
	pings     wire.Pings
	pingedAt  int64
	drained   int // bytes that came after the end
}

// more is what is guarded by mu and kept for few connections, or for a while.
type more struct {
	sender      wire.Sender
	std         *websocket.Conn // serves the connection; nil: the loop does
	server      *Server         // with std
	remote      net.Addr        // of a connection that is closed
	local       net.Addr        // likewise
	view        *websocket.Conn // for the Trace
	endView     func(cause error)
	subprotocol string
	deflation   *deflation.State
	closing     *websocket.CloseError // the Close frame that was sent
	closeBy     int64
	cause       error
	cut         error         // why the turn is to end the connection
	room        chan struct{} // closed when bytes have left
	dropped     uint64
	pongNext    []byte // owed, beyond maxPongs; nil: none
	jobs        []func()
	jobsDone    chan struct{} // closed when none is left, for a goroutine's

	// Bytes of compressed messages, on the wire and as the program sees them.
	gotPacked, gotPlain, sentPacked, sentPlain uint64
}

// counts are the greater part of websocket.Counts.
type counts struct{ bytes, payload, frames, messages uint64 }

func (n *counts) add(m *counts) {
	n.bytes += m.bytes
	n.payload += m.payload
	n.frames += m.frames
	n.messages += m.messages
}

// pingCounts are the smaller one.
type pingCounts struct{ sent, received, pongsSent, pongsReceived uint32 }

// start is where the package's clock begins.
var start = time.Now().Add(-time.Hour)

func clock() int64 { return int64(time.Since(start)) }

// lately is a time on the package's clock that is not long ago, to 17 ms.
type lately struct{ at atomic.Uint32 }

const latelyShift = 24 // of nanoseconds

func (l *lately) set(now int64) { l.at.Store(uint32(now >> latelyShift)) }

// before returns by how much it was before another time.
func (l *lately) before(now int64) time.Duration {
	return time.Duration(int32(uint32(now>>latelyShift)-l.at.Load())) << latelyShift
}

// extra returns c.more. It is called with mu held.
func (c *Conn) extra() *more {
	if c.more == nil {
		c.more = &more{sender: freshSender}
	}
	return c.more
}

// freshSender is the Sender of every connection that has neither compressed
// anything nor sent a Close: it then has nothing to remember.
var freshSender = wire.Sender{Role: wire.Server}

// sender returns what makes the connection's frames. It is called with mu held,
// and c.more must be there for what is to be remembered.
func (c *Conn) sender() *wire.Sender {
	if c.more == nil {
		return &freshSender
	}
	return &c.more.sender
}

func (c *Conn) options() *websocket.Options { return c.service.options() }

func (c *Conn) server() *Server {
	if c.loop != nil {
		return c.loop.server
	}
	return c.more.server
}

// std returns the connection that serves c, or nil when a loop does.
func (c *Conn) std() *websocket.Conn {
	if c.loop != nil {
		return nil
	}
	return c.more.std
}

// SetValue keeps something of the program's with the connection, for Value. A
// program that calls them on several goroutines sees to it that they take turns.
func (c *Conn) SetValue(v any) { c.value = v }

// Value returns what SetValue was given last, or nil.
func (c *Conn) Value() any { return c.value }

// Subprotocol returns the subprotocol that was agreed on, or "".
func (c *Conn) Subprotocol() string {
	if std := c.std(); std != nil {
		return std.Subprotocol()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.more == nil {
		return ""
	}
	return c.more.subprotocol
}

// Compression returns the extension that was agreed on as it stands in the
// response, or "".
func (c *Conn) Compression() string {
	if std := c.std(); std != nil {
		return std.Compression()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.more == nil {
		return ""
	}
	return c.more.deflation.String()
}

// RemoteAddr returns the peer's network address.
func (c *Conn) RemoteAddr() net.Addr {
	if std := c.std(); std != nil {
		return std.RemoteAddr()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.more != nil && c.more.remote != nil {
		return c.more.remote
	}
	return remoteAddr(int(c.fd))
}

// LocalAddr returns the network address of this end.
func (c *Conn) LocalAddr() net.Addr {
	if std := c.std(); std != nil {
		return std.LocalAddr()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.more != nil && c.more.local != nil {
		return c.more.local
	}
	return localAddr(int(c.fd))
}

// Cause returns why the connection ended, or nil while it has not.
func (c *Conn) Cause() error {
	if std := c.std(); std != nil {
		return std.Cause()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.more == nil {
		return nil
	}
	return c.more.cause
}

// RTT returns the round-trip time that the last answered Ping took, or 0.
func (c *Conn) RTT() time.Duration {
	if std := c.std(); std != nil {
		return std.RTT()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return time.Duration(c.rtt) * time.Microsecond
}

// Stats returns what the connection has carried so far. What is handled just
// now is counted when it is done with.
func (c *Conn) Stats() websocket.Stats {
	if std := c.std(); std != nil {
		return std.Stats()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	m := c.more
	if m == nil {
		m = new(more)
	}
	return websocket.Stats{
		Received: websocket.Counts{
			Bytes: c.received.bytes, Payload: c.received.payload, Frames: c.received.frames, Messages: c.received.messages,
			Pings: uint64(c.pings.received), Pongs: uint64(c.pings.pongsReceived),
			Compressed: m.gotPacked, Uncompressed: m.gotPlain,
		},
		Sent: websocket.Counts{
			Bytes: c.sent.bytes, Payload: c.sent.payload, Frames: c.sent.frames, Messages: c.sent.messages,
			Pings: uint64(c.pings.sent), Pongs: uint64(c.pings.pongsSent),
			Compressed: m.sentPacked, Uncompressed: m.sentPlain,
		},
		Dropped: m.dropped,
	}
}

// Close begins the closing handshake: it sends a Close frame behind all that was
// written. It does not wait; OnClose tells how it went. From now on nothing is
// sent, and messages that still come are passed over. Without the peer's answer
// the connection is cut after Options.CloseTimeout. A code that may not be sent,
// or a reason of more than 123 bytes, is refused and leaves the connection open.
func (c *Conn) Close(code websocket.StatusCode, reason string) error {
	if std := c.std(); std != nil {
		return c.closeStd(std, code, reason)
	}
	c.mu.Lock()
	if !c.opened { // there is nobody to understand a frame
		c.mu.Unlock()
		return c.CloseNow()
	}
	err := c.encodeClose(code, reason)
	c.mu.Unlock()
	switch {
	case err == nil:
		c.post(todoClose)
		return nil
	case errors.Is(err, wire.ErrClosed):
		return nil
	case errors.Is(err, net.ErrClosed):
		return err
	}
	return callError(err)
}

// CloseNow ends the connection without a closing handshake. What waits to be
// sent is lost.
func (c *Conn) CloseNow() error {
	if std := c.std(); std != nil {
		return std.CloseNow()
	}
	c.mu.Lock()
	switch m := c.extra(); {
	case !c.ended && m.cut == nil:
		m.cut, c.hangup = websocket.ErrClosedHere, abandoned
		c.abandonOutput()
	case c.hangup == answering:
		c.abandonOutput()
	}
	c.mu.Unlock()
	c.post(todoClose)
	return nil
}

// encodeClose queues a Close frame. It is called with mu held.
func (c *Conn) encodeClose(code websocket.StatusCode, reason string) error {
	if c.ended {
		return c.causeOfEnd()
	}
	q, m := c.output(), c.extra()
	b, err := m.sender.Close(q.waiting, code, reason, [4]byte{})
	if err != nil {
		c.releaseEmpty()
		return err
	}
	q.waiting = b
	c.sent.frames++
	m.closing = &websocket.CloseError{Code: code, Reason: reason}
	m.closeBy = clock() + int64(c.options().CloseTimeout)
	m.wakeWriters() // whose messages may not follow
	return nil
}

// causeOfEnd is what a call returns that comes too late. It is called with mu
// held.
func (c *Conn) causeOfEnd() error {
	if c.more == nil || c.more.cause == nil {
		return net.ErrClosed
	}
	return c.more.cause
}

// failFrom makes the turn fail the connection, from any goroutine. It is called
// with mu held, and to be followed by post(todoClose).
func (c *Conn) failFrom(code websocket.StatusCode, reason string, cause error) {
	if c.ended || c.extra().cut != nil {
		return
	}
	c.encodeClose(code, reason) // refused if one was sent before, which is as good
	c.more.cut, c.hangup = cause, drain
}

func (c *Conn) lost(err error) *websocket.LostError {
	ended := time.Now()
	return &websocket.LostError{Err: err, LastHeard: ended.Add(-c.heard.before(clock())), Ended: ended}
}

func pingPayload(at int64) (p [8]byte) {
	binary.BigEndian.PutUint64(p[:], uint64(at))
	return p
}
