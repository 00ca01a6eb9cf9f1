package engine

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/wiretrue/websocket"
	"github.com/wiretrue/websocket/internal/deflation"
	"github.com/wiretrue/websocket/internal/shell"
	"github.com/wiretrue/websocket/wire"
	"github.com/wiretrue/websocket/wire/frame"
)

// throughSize is from where on a message that finds nothing waiting is given to
// the kernel from where it is, without being copied.
const throughSize = 16 << 10

// Write sends a message in one frame, from any goroutine. What is written while
// a connection's bytes are handled goes out in one system call.
//
// A nil error says that the message was taken for sending, not that it has
// arrived. p is not kept. Text that is not UTF-8 is refused with
// websocket.ErrNotUTF8. When the peer reads too slowly, Options.QueuePolicy says
// what happens; see Service for QueueBlock.
func (c *Conn) Write(typ websocket.MessageType, p []byte) error {
	if std := c.std(); std != nil {
		return std.Write(context.Background(), typ, p)
	}
	return c.write(frame.Opcode(typ), p, nil, true)
}

// WriteUncompressed is Write without compression, for a message with a secret
// beside text that somebody else chose: its size would tell of the secret.
func (c *Conn) WriteUncompressed(typ websocket.MessageType, p []byte) error {
	if std := c.std(); std != nil {
		return std.WriteUncompressed(context.Background(), typ, p)
	}
	return c.write(frame.Opcode(typ), p, nil, false)
}

// WritePrepared is Write for a prepared message.
func (c *Conn) WritePrepared(p *websocket.Prepared) error {
	if std := c.std(); std != nil {
		return std.WritePrepared(context.Background(), p)
	}
	m := inside.Message(p)
	return c.write(m.Opcode(), m.Payload(), m, true)
}

func (c *Conn) write(op frame.Opcode, p []byte, prepared *deflation.Message, compress bool) error {
	c.mu.Lock()
	err := c.makeRoom(frame.MaxHeaderSize + len(p))
	if err == nil {
		err = c.encode(op, p, prepared, compress)
	}
	flush := c.out != nil && !c.inTurn
	if c.inTurn && c.loop.server.Blocking {
		flush = !c.defers()
	}
	if flush && c.loop.server.Blocking {
		c.flush()
		flush = false
	}
	cut := err != nil && c.more != nil && c.more.cut != nil
	if errors.Is(err, wire.ErrClosed) {
		err = c.more.closing
	}
	c.mu.Unlock()
	switch {
	case cut:
		c.post(todoClose)
	case flush:
		c.post(todoFlush)
	}
	return c.writeError(err)
}

// encode queues a message. It is called with mu held.
func (c *Conn) encode(op frame.Opcode, p []byte, prepared *deflation.Message, compress bool) (err error) {
	var agreed *deflation.State
	if c.more != nil {
		agreed = c.more.deflation
	}
	if compress = compress && agreed.Compresses(p); !compress && prepared == nil && len(p) >= throughSize && c.out == nil && c.fd >= 0 {
		return c.writeThrough(op, p)
	}
	q := c.output()
	begin := len(q.waiting)
	b := q.waiting
	switch {
	case prepared != nil:
		b, err = prepared.Append(b, c.sender(), agreed, compress, clock())
	case compress:
		b, err = agreed.AppendMessage(b, c.sender(), op, p, [4]byte{}, clock())
	default:
		b, err = c.sender().Message(b, op, p, [4]byte{})
	}
	if err != nil {
		c.releaseEmpty()
		return err
	}
	q.waiting = b
	c.sent.frames++
	c.sent.messages++
	c.sent.payload += uint64(len(p))
	if compress {
		c.countPacked(b[begin:], len(p))
	}
	if c.options().QueuePolicy == websocket.QueueDropOldest {
		q.marks.Add(begin, len(b))
	}
	if limit := c.options().QueueLimit; limit > 0 && q.size() >= limit && c.options().QueuePolicy == websocket.QueueBlock && !c.loop.server.Blocking {
		c.todo.Or(heldFull)
	}
	return nil
}

// countPacked counts the payload of a message's frame, if it is compressed.
func (c *Conn) countPacked(b []byte, size int) {
	if h, _ := frame.Parse(b); h.RSV&frame.RSV1 != 0 {
		c.more.sentPacked += h.Length
		c.more.sentPlain += uint64(size)
	}
}

// writeThrough writes a large message to the kernel, and queues what that does
// not take. It is called with mu held.
func (c *Conn) writeThrough(op frame.Opcode, p []byte) error {
	q := c.output() // whose memory the header stands in meanwhile
	head, err := c.sender().MessageHeader(q.waiting, op, p)
	if err != nil {
		c.releaseEmpty()
		return err
	}
	c.sent.frames++
	c.sent.messages++
	c.sent.payload += uint64(len(p))
	n, err := writeTwo(int(c.fd), head, p)
	if err != nil {
		c.broken(err)
		return nil // the connection's end tells of it
	}
	c.wrote(head[:min(n, len(head))])
	c.wrote(p[:max(0, n-len(head))])
	if n == len(head)+len(p) {
		c.releaseEmpty()
		return nil
	}
	if cap(q.flying) < len(p) {
		q.flying = getLarge()
	}
	q.flying = append(q.flying[:0], head[min(n, len(head)):]...)
	q.flying = append(q.flying, p[max(0, n-len(head)):]...)
	c.stall()
	return nil
}

// makeRoom applies the queue's policy before n bytes are added. It is called
// with mu held, and lets go of it while it waits.
func (c *Conn) makeRoom(n int) error {
	o := c.options()
	for {
		switch {
		case c.ended:
			return c.causeOfEnd()
		case c.more != nil && c.more.cut != nil:
			return c.more.cut
		case c.sender().Closed():
			return wire.ErrClosed
		case o.QueueLimit <= 0, c.out == nil, c.out.size() == 0, c.out.size()+n <= o.QueueLimit:
			return nil
		}
		switch o.QueuePolicy {
		case websocket.QueueDropOldest:
			if !c.out.dropOldest() {
				return websocket.ErrQueueFull
			}
			c.extra().dropped++
			continue
		case websocket.QueueDisconnect:
			c.failFrom(websocket.StatusPolicyViolation, "too slow", c.lost(websocket.ErrSlowConsumer))
			return c.more.cut
		case websocket.QueueBlock:
			if !c.loop.server.Blocking {
				// What answers the message that is being handled is taken, and no
				// other message is handled until there is room.
				if full := c.todo.Or(heldFull)&heldFull != 0; full || !c.inTurn {
					return websocket.ErrQueueFull
				}
				return nil
			}
			m := c.extra()
			if m.room == nil {
				m.room = make(chan struct{})
			}
			room := m.room
			if c.flush(); m.room == room {
				c.mu.Unlock()
				<-room // which the end closes too
				c.mu.Lock()
			}
			continue
		}
		return websocket.ErrQueueFull
	}
}

func (c *Conn) writeError(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, wire.ErrNotUTF8), errors.Is(err, wire.ErrOpcode):
		return callError(err)
	}
	return err
}

func callError(err error) error { return fmt.Errorf("engine: %w", err) }

// queue holds what is to be sent. A connection has one while there is something.
type queue struct {
	waiting []byte      // frames, whole ones
	flying  []byte      // what the kernel is being given
	done    int         // of flying, what it has taken
	head    int         // of all, bytes at the beginning that stand before the frames
	sending bool        // the kernel has it in hand
	since   int64       // when the kernel was given more than it took at once; 0: never
	marks   shell.Marks // of the messages in waiting that may be dropped
}

const (
	queueSize = 1 << 10  // of a queue to begin with; grows with what is written
	keepSize  = 64 << 10 // the most that small things keep
)

var queues = sync.Pool{New: func() any { return &queue{waiting: make([]byte, 0, queueSize)} }}

func (q *queue) size() int { return len(q.waiting) + len(q.flying) - q.done }

// next returns what the kernel is to be given, or nothing.
func (q *queue) next() []byte {
	if q.done == len(q.flying) {
		q.flying, q.waiting, q.done = q.waiting, q.flying[:0], 0
		q.marks.Clear()
	}
	return q.flying[q.done:]
}

func (q *queue) dropOldest() (dropped bool) {
	q.waiting, dropped = q.marks.DropOldest(q.waiting)
	return dropped
}

// The methods below are called with mu held.

// output returns the queue, to append to.
func (c *Conn) output() *queue {
	if c.out == nil {
		c.out = queues.Get().(*queue)
	}
	return c.out
}

// releaseEmpty gives the queue back if nothing is in it.
func (c *Conn) releaseEmpty() {
	q := c.out
	if q == nil || q.size() > 0 || q.sending {
		return
	}
	c.out = nil
	q.waiting, q.flying = putLarge(q.waiting), putLarge(q.flying)
	q.marks.Clear()
	*q = queue{waiting: q.waiting[:0], flying: q.flying[:0], marks: q.marks}
	queues.Put(q)
}

// flush gives the kernel what it takes. On a loop of io_uring only the turn may
// call it.
func (c *Conn) flush() {
	if c.out != nil && c.fd >= 0 {
		c.loop.backend.send(c)
	}
}

// nextOutput returns what is to be sent next, after nothing is left of what came
// before. With nothing the queue is given back.
func (c *Conn) nextOutput() []byte {
	b := c.out.next()
	if len(c.out.waiting) == 0 && c.pongs > 0 {
		c.pongs = 0
		if m := c.more; m != nil && m.pongNext != nil {
			c.encodePong(m.pongNext)
			m.pongNext = nil
		}
	}
	if len(b) == 0 {
		c.releaseEmpty()
	}
	return b
}

// took notes that the kernel has taken n bytes of the flying ones.
func (c *Conn) took(n int) {
	q := c.out
	b := q.flying[q.done : q.done+n]
	q.done += n
	k := min(q.head, n)
	q.head -= k
	c.wrote(b[k:])
	q.since = 0
	c.announceRoom()
}

// announceRoom lets those go on who wait until half of the queue is sent.
func (c *Conn) announceRoom() {
	if c.out.size() > c.options().QueueLimit/2 {
		return
	}
	if m := c.more; m != nil {
		m.wakeWriters()
	}
	if c.todo.Load()&heldFull != 0 {
		c.todo.And(^uint32(heldFull))
		c.post(todoResume)
	}
}

func (c *Conn) wrote(b []byte) {
	c.sent.bytes += uint64(len(b))
	if m := c.more; m != nil && m.view != nil && len(b) > 0 {
		if t := c.service.Trace; t.Sent != nil {
			t.Sent(m.view, b)
		}
	}
}

// stall notes that the kernel takes no more for now.
func (c *Conn) stall() {
	if c.out.since != 0 {
		return
	}
	c.out.since = clock()
	if timeout := c.options().WriteTimeout; timeout > 0 {
		c.loop.wheel.sooner(c, c.out.since+int64(timeout))
	}
}

// stalled reports whether the peer has taken no byte for too long.
func (c *Conn) stalled(now int64) bool {
	timeout := c.options().WriteTimeout
	return timeout > 0 && c.out != nil && c.out.since != 0 && now-c.out.since >= int64(timeout)
}

// watchStall gives up a peer that takes nothing, on a server that is Blocking:
// the turn may be waiting for room to write, and so does not come to look.
func (c *Conn) watchStall(now int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	timeout := c.options().WriteTimeout
	switch {
	case c.stalled(now):
		c.broken(websocket.ErrWriteTimeout)
	case timeout > 0 && c.out != nil && c.out.since != 0: // it was looked at for another reason
		c.loop.wheel.sooner(c, c.out.since+int64(timeout))
	}
}

// broken notes that nothing can be sent any more.
func (c *Conn) broken(err error) {
	c.abandonOutput()
	if m := c.extra(); !c.ended && m.cut == nil {
		m.cut, c.hangup = inside.TransportCause(err), abandoned
	}
	c.post(todoClose)
}

// abandonOutput drops what waits to be sent, but for what the kernel has in hand.
func (c *Conn) abandonOutput() {
	if q := c.out; q != nil {
		q.waiting = q.waiting[:0]
		q.marks.Clear()
		if !q.sending {
			q.flying, q.done = q.flying[:0], 0
		}
		c.releaseEmpty()
	}
	if m := c.more; m != nil {
		m.wakeWriters()
	}
}

// wakeWriters lets those go on who wait for room.
func (m *more) wakeWriters() {
	if m.room != nil {
		close(m.room)
		m.room = nil
	}
}

// deferTime is how long a write on a server that is Blocking waits at most for
// the turn's end, to go out with others.
const deferTime = time.Millisecond

// defers reports whether the output may wait for the turn's end, which is not
// near while the function that runs waits: a timer bounds it. It is called with
// mu held.
func (c *Conn) defers() bool {
	if !c.deferring || c.out == nil || c.out.size() >= keepSize {
		return false
	}
	if !c.timed {
		c.timed = true
		time.AfterFunc(deferTime, func() {
			c.mu.Lock()
			defer c.mu.Unlock()
			c.timed = false
			c.flush()
		})
	}
	return true
}
