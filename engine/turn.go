package engine

import (
	"fmt"
	"runtime/debug"
	"sync"

	"github.com/wiretrue/websocket"
	"github.com/wiretrue/websocket/wire"
	"github.com/wiretrue/websocket/wire/frame"
	"github.com/wiretrue/websocket/wire/rfc"
)

// A turn handles one connection at a time: all that it does not share with
// writers is the turn's. A loop has one for all its connections; on a server
// that is Blocking each goroutine that handles a connection has its own.
type turn struct {
	loop     *loop
	now      int64
	blocking bool

	// In use for the connection that is being handled.
	view     *websocket.Conn
	received counts

	receiver wire.Receiver // of connections that are at rest
	message  []byte        // of a message whose beginning came in this turn
	in       []byte        // to read into
}

// Why a turn is to look at a connection, as bits of Conn.todo.
const (
	todoOpen   = 1 << iota // it is new
	todoRead               // there is something to read
	todoFlush              // there is something to send, or room for it
	todoClose              // it is to be closed
	todoTime               // its time has come
	todoResume             // what held it back is over
	todoHup                // the end of the stream is announced

	heldFull // it is not read while its queue is full
	heldJob  // nor while a function of Go runs
	listed   // a turn will come

	todoAll = todoOpen | todoRead | todoFlush | todoClose | todoTime | todoResume | todoHup
	held    = heldFull | heldJob
)

// post asks for a turn.
func (c *Conn) post(why uint32) {
	if c.todo.Or(why|listed)&listed != 0 {
		return
	}
	if c.loop.server.Blocking {
		go c.loop.serve(c)
	} else {
		c.loop.push(c)
	}
}

// run is one turn of a connection.
func (t *turn) run(c *Conn, todo uint32) {
	if c.phase == gone {
		t.payEnd(c)
		return
	}
	c.hup = c.hup || todo&todoHup != 0
	c.mu.Lock()
	c.inTurn = true
	if c.more != nil {
		t.view = c.more.view
	}
	c.mu.Unlock()
	t.handle(c, todo)
	t.finish(c)
}

func (t *turn) handle(c *Conn, todo uint32) {
	defer func() {
		if p := recover(); p != nil {
			t.panicked(c, p)
		}
	}()
	if todo&todoOpen != 0 {
		t.begin(c)
	}
	if todo&todoClose != 0 {
		t.obey(c)
	}
	if todo&todoTime != 0 && c.phase != gone {
		t.look(c)
	}
	if todo&todoResume != 0 {
		t.payEnd(c)
		t.resume(c)
	}
	if todo&todoRead != 0 {
		t.read(c)
	}
}

// finish ends the turn: what it has counted is noted, what was written is sent.
func (t *turn) finish(c *Conn) {
	c.mu.Lock()
	c.inTurn, c.deferring = false, false
	c.received.add(&t.received)
	t.received, t.view = counts{}, nil
	c.flush()
	empty := c.out == nil
	cut := c.more != nil && c.more.cut != nil && !c.ended
	c.mu.Unlock()
	if cut {
		t.obey(c)
	}
	if c.phase == lingering && empty {
		t.hangUp(c)
	}
	if r := c.rare; r != nil && r.head == nil && r.stash == nil && r.deflation == nil && r.drained == 0 && r.pings.Waiting() == 0 {
		c.rare = nil
		r.pings.Reset()
		*r = rare{pings: r.pings}
		rares.Put(r)
	}
}

// panicked ends a connection whose function has panicked: one connection's
// mistake is not another one's end.
func (t *turn) panicked(c *Conn, p any) {
	c.logPanic(p)
	if c.phase < lingering {
		t.fail(c, websocket.StatusInternalError, "", &websocket.CloseError{Code: websocket.StatusInternalError})
	}
}

// logPanic is called by the function that has recovered.
func (c *Conn) logPanic(p any) {
	c.service.logger().Error("websocket handler", "remote", c.RemoteAddr(), "error", panicError(p))
}

// panicError is called by the function that has recovered.
func panicError(p any) error { return fmt.Errorf("panic: %v\n%s", p, debug.Stack()) }

// rares go round, so that a Ping to each of very many leaves no garbage.
var rares = sync.Pool{New: func() any { return new(rare) }}

func (c *Conn) scarce() *rare {
	if c.rare == nil {
		c.rare = rares.Get().(*rare)
	}
	return c.rare
}

// read takes what the kernel has for the connection.
func (t *turn) read(c *Conn) {
	if c.phase != gone {
		t.loop.backend.read(t, c)
	}
}

// holds reports whether the connection's bytes are to be left in the kernel.
func (c *Conn) holds() bool { return c.phase < lingering && c.todo.Load()&held != 0 }

// resume goes on with what was held back.
func (t *turn) resume(c *Conn) {
	if r := c.rare; r != nil && r.stash != nil {
		b := r.stash
		r.stash = nil
		t.handleBytes(c, b)
	}
	if c.unread {
		c.unread = false
		t.read(c)
	}
}

// got takes bytes that were read.
func (t *turn) got(c *Conn, b []byte) {
	if c.phase != lingering {
		c.heard.set(t.now)
	}
	if c.phase == open || c.phase == closing {
		t.received.bytes += uint64(len(b))
		if t.view != nil && c.service.Trace.Received != nil {
			c.service.Trace.Received(t.view, b)
		}
		if r := c.rare; r != nil && r.stash != nil {
			r.stash = append(r.stash, b...)
			return
		}
	}
	t.handleBytes(c, b)
}

func (t *turn) handleBytes(c *Conn, b []byte) {
	switch c.phase {
	case handshaking:
		t.readHead(c, b)
	case open, closing:
		t.feed(c, b)
	case lingering:
		if c.scarce().drained += len(b); c.rare.drained > lingerBytes {
			t.drop(c)
		}
	}
}

// eof takes the end of the peer's stream, or an error of the transport's.
func (t *turn) eof(c *Conn, err error) {
	switch {
	case c.phase == lingering && err == nil:
		if !c.sawEnd {
			c.sawEnd = true // what is left is to send
			c.traceTransport(websocket.TransportEOF)
		}
	case c.phase == handshaking:
		t.refuseSilently(c, err)
		t.drop(c)
	case c.phase == lingering:
		c.traceEnd(inside.TransportCause(err))
		t.drop(c)
	case c.todo.Load()&held != 0, c.rare != nil && c.rare.stash != nil:
		c.unread = true // comes again, behind what is held back
	case err == nil:
		t.outlive(c)
	default:
		t.lose(c, inside.TransportCause(err))
	}
}

// feed takes bytes from behind the handshake.
func (t *turn) feed(c *Conn, b []byte) {
	receiver, message := &t.receiver, t.message[:0]
	p := c.partial
	var typ websocket.MessageType
	if p != nil {
		receiver, message, typ = &p.receiver, p.message, p.typ
	} else {
		t.prepare(c, len(b))
	}
	var whole []byte // the only piece of the message, not copied
reading:
	for c.phase < lingering {
		if c.todo.Load()&held != 0 {
			if len(b) > 0 {
				r := c.scarce()
				r.stash = append(r.stash, b...)
			}
			break
		}
		var ev wire.Event
		n := receiver.Next(b, &ev)
		b = b[n:]
		if !ev.Broken.Clean() {
			if rule := ev.Broken.Fatal(); rule != 0 {
				t.failRule(c, rule, ev)
				break
			}
		}
		switch ev.Kind {
		case wire.NeedMore:
			break reading
		case wire.Header:
			t.received.frames++
			if ev.Header.Opcode.Control() {
				if !c.rate.Take(t.now, c.options().MaxControlRate) {
					t.failRule(c, rfc.ControlRate, ev)
				}
				continue
			}
			if ev.Header.Opcode != frame.Continuation {
				typ = websocket.MessageType(ev.Header.Opcode)
				t.beginInflating(c, receiver, ev.Header)
			}
			if receiver.Inflating() {
				t.countPacked(c, ev.Header.Length, 0)
			}
		case wire.Data:
			t.received.payload += uint64(len(ev.Data))
			inflating := receiver.Inflating()
			if inflating {
				t.countPacked(c, 0, uint64(len(ev.Data)))
			}
			if whole == nil && len(message) == 0 && !inflating && p == nil {
				whole = ev.Data
				continue
			}
			if whole != nil {
				message, whole = append(message, whole...), nil
			}
			message = appendInPlace(message, ev.Data)
		case wire.MessageEnd:
			t.received.messages++
			t.endInflating(c, receiver)
			if whole == nil {
				whole = message
			}
			c.bulky = ev.Header.Length >= bulkySize
			t.deliver(c, typ, whole, len(b) > 0)
			message, whole = message[:0], nil
			if p != nil {
				p.since = t.now
			}
		case wire.Ping:
			t.gotPing(c, ev.Data)
		case wire.Pong:
			t.gotPong(c, ev.Data)
		case wire.Close:
			t.gotClose(c, ev.Data)
		}
	}
	if c.phase >= lingering {
		return
	}
	rest, atRest := receiver.Rest()
	switch {
	case atRest:
		c.rest, c.partial = rest, nil
		if p == nil {
			t.message = putLarge(message)
		} else {
			putLarge(message)
		}
	case p == nil:
		p = &partial{receiver: t.receiver, typ: typ, since: t.now}
		p.message = append(append(p.message, message...), whole...)
		c.partial = p
	default:
		p.message, p.typ = append(message, whole...), typ
	}
}

// appendInPlace appends data to message, where it may stand already.
func appendInPlace(message, data []byte) []byte {
	if n := len(message); n < cap(message) && len(data) <= cap(message)-n && &message[:n+1][n] == &data[0] {
		return message[:n+len(data)]
	}
	if cap(message)-len(message) < len(data) {
		message = grow(message, max(len(data), len(message)))
	}
	return append(message, data...)
}

// prepare makes the turn's receiver that of a connection at rest, of whose bytes
// the last ones are still to be handled.
func (t *turn) prepare(c *Conn, unhandled int) {
	o := c.options()
	t.receiver = wire.Receiver{Role: wire.Server, Limits: wire.Limits{Message: uint64(o.ReadLimit), Fragments: o.MaxFragments}}
	t.receiver.Resume(c.rest, int64(c.received.bytes+t.received.bytes)-int64(unhandled))
	if r := c.rare; r != nil && r.deflation != nil {
		r.deflation.Receive(&t.receiver)
	}
}

// bulkySize is how long a frame is after which another such is expected.
const bulkySize = 64 << 10

// directSize is how much of a frame's payload must be to come for it to be read
// straight into the message.
const directSize = 8 << 10

// spare returns where the payload that is to come may be read to, or nothing.
func (t *turn) spare(c *Conn) []byte {
	p := c.partial
	if p == nil || c.phase > closing {
		return nil
	}
	left := p.receiver.Left()
	if left < directSize {
		return nil
	}
	// Grown as bytes arrive, never by the declared length.
	if cap(p.message)-len(p.message) < directSize {
		p.message = grow(p.message, int(min(left, uint64(max(len(p.message), 2*directSize)))))
	}
	spare := p.message[len(p.message):cap(p.message)]
	return spare[:min(uint64(len(spare)), left)]
}

// deliver hands a message over. more says that the peer's next bytes are in hand.
func (t *turn) deliver(c *Conn, typ websocket.MessageType, payload []byte, more bool) {
	if c.phase != open || c.service.OnMessage == nil {
		return
	}
	if t.blocking {
		c.mu.Lock()
		c.deferring = more
		c.mu.Unlock()
	}
	c.service.OnMessage(c, typ, payload)
	if c.todo.Load()&todoClose != 0 {
		t.obey(c)
	}
}

func (t *turn) beginInflating(c *Conn, receiver *wire.Receiver, h frame.Header) {
	if r := c.rare; r != nil && r.deflation != nil && h.RSV&frame.RSV1 != 0 {
		receiver.Decompressor = r.deflation.Decompressor(t.now)
	}
}

func (t *turn) endInflating(c *Conn, receiver *wire.Receiver) {
	if receiver.Decompressor != nil {
		c.rare.deflation.PutDecompressor(receiver.Decompressor)
		receiver.Decompressor = nil
	}
}

func (t *turn) countPacked(c *Conn, packed, plain uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	m := c.extra()
	m.gotPacked += packed
	m.gotPlain += plain
}

// maxPongs is how many Pongs wait in the queue at most. Of the Pings that come
// while they do, only the newest is answered (RFC 6455 5.5.3).
const maxPongs = 16

func (t *turn) gotPing(c *Conn, payload []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.pings.received++
	if c.pongs >= maxPongs {
		c.extra().pongNext = append(c.extra().pongNext[:0], payload...)
		if payload == nil || c.more.pongNext == nil {
			c.more.pongNext = []byte{}
		}
		return
	}
	c.encodePong(payload)
}

// encodePong queues a Pong. A refusal says that a Close was sent, behind which
// nothing is owed. It is called with mu held.
func (c *Conn) encodePong(payload []byte) {
	if c.ended {
		return
	}
	q := c.output()
	b, err := c.sender().Control(q.waiting, frame.Pong, payload, [4]byte{})
	if err != nil {
		c.releaseEmpty()
		return
	}
	q.waiting = b
	c.pongs++
	c.sent.frames++
	c.pings.pongsSent++
}

func (t *turn) gotPong(c *Conn, payload []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.pings.pongsReceived++
	if c.rare == nil {
		return
	}
	if sentAt, answers, _ := c.rare.pings.Pong(payload); answers {
		c.rtt = uint32(min((clock()-sentAt)/1000, 1<<32-1))
	}
	if c.rare.pings.Waiting() == 0 {
		c.rare.pings.Reset()
	}
}
