package websocket

import (
	"context"
	"errors"
	"io"
	"time"

	"github.com/wiretrue/websocket/internal/deflation"
	"github.com/wiretrue/websocket/wire"
	"github.com/wiretrue/websocket/wire/frame"
)

// Write sends a message in one frame. It may be called from any goroutine at
// any time; what several of them write at once goes out in one system call.
//
// A nil error says that the message was taken for sending, not that it has
// arrived. p is not kept. Text that is not UTF-8 is refused with ErrNotUTF8.
// When the peer reads too slowly, Options.QueuePolicy says what happens; when
// ctx ends while Write waits for room, nothing of the message is sent.
func (c *Conn) Write(ctx context.Context, typ MessageType, p []byte) error {
	return c.writeMessage(ctx, &outgoing{op: frame.Opcode(typ), p: p, compress: c.deflation.Compresses(p)})
}

// WriteUncompressed is Write without compression, for a message with a secret
// beside text that somebody else chose: its size would tell of the secret.
func (c *Conn) WriteUncompressed(ctx context.Context, typ MessageType, p []byte) error {
	return c.writeMessage(ctx, &outgoing{op: frame.Opcode(typ), p: p})
}

// outgoing is a message on its way out.
type outgoing struct {
	op       frame.Opcode
	p        []byte
	prepared *deflation.Message // from which it is sent, if it is prepared
	compress bool
	direct   bool // its payload is sent from where it is
}

func (c *Conn) writeMessage(ctx context.Context, m *outgoing) error {
	out, err := c.queueMessage(ctx, m)
	var behind []byte
	if m.direct {
		behind = m.p
	}
	c.flushFrom(out, behind)
	return c.writeError(err)
}

// queueMessage queues a message. What it returns is to be sent by the caller, if
// it is the one who is to flush.
func (c *Conn) queueMessage(ctx context.Context, m *outgoing) (out *buffer, err error) {
	if err := c.lock(ctx, &c.writing); err != nil {
		return nil, err
	}
	defer c.writing.unlock()
	c.mu.Lock()
	defer c.mu.Unlock()
	if err = c.makeRoom(ctx, frame.MaxHeaderSize+len(m.p)); err == nil {
		err = c.appendMessage(m)
	}
	switch {
	case m.direct:
		c.queue.lead()
		out = c.takeQueue()
		c.queue.flying += len(m.p)
	case !c.defers() && c.queue.lead():
		out = c.takeQueue()
	}
	return out, err
}

// appendMessage appends a message to the queue, or its header alone when the
// payload is to be sent from where it is. It is called with mu held.
func (c *Conn) appendMessage(m *outgoing) (err error) {
	if c.over.Load() {
		return c.last.cause
	}
	direct := !m.compress && c.writesDirectly(len(m.p))
	out, key := c.queue.buffer(), c.key()
	begin := len(out.b)
	b := out.b
	switch {
	case direct && m.prepared != nil:
		b, err = c.sender.Encoded(b, m.prepared.Header(), m.p)
	case direct:
		b, err = c.sender.MessageHeader(b, m.op, m.p)
	case m.prepared != nil && c.role == wire.Server:
		b, err = m.prepared.Append(b, &c.sender, c.deflation, m.compress, now())
	case m.compress:
		b, err = c.deflation.AppendMessage(b, &c.sender, m.op, m.p, key, now())
	default:
		b, err = c.sender.Message(b, m.op, m.p, key)
	}
	if err != nil {
		return err
	}
	out.b, m.direct = b, direct
	c.sent.frames.Add(1)
	c.sent.messages.Add(1)
	c.sent.payload.Add(uint64(len(m.p)))
	c.countCompressed(m.compress, begin, len(m.p))
	if c.opts.QueuePolicy == QueueDropOldest {
		c.queue.mark(begin)
	}
	return nil
}

// directSize is from how many bytes on it pays not to copy a payload.
const directSize = 4 << 10

// writesDirectly reports whether a payload of n bytes can be sent from where it
// is: unmasked, and with nothing in front of it that waits. It is called with mu
// held.
func (c *Conn) writesDirectly(n int) bool {
	return n >= directSize && c.role == wire.Server && c.transport.raw != nil && !c.queue.flushing && !c.queue.broken && c.queue.begin() == 0
}

const (
	deferFor  = 500 * time.Microsecond // at most
	deferSize = 16 << 10               // bytes in the queue end the deferment
)

// defers reports whether what is queued waits for more to leave with it: while
// messages that were received together are handled one after the other, the
// answers go out together. The last of them does not wait, nor does any once the
// program waits for bytes or deferFor has passed. It is called with mu held.
func (c *Conn) defers() bool {
	if !c.more.Load() || c.queue.flushing || c.queue.begin() == 0 || c.queue.begin() > deferSize {
		return false
	}
	switch {
	case c.queue.deferred:
	case c.queue.late == nil:
		c.queue.late = time.AfterFunc(deferFor, c.flushDeferred)
	default:
		c.queue.late.Reset(deferFor)
	}
	c.queue.deferred = true
	return true
}

// flushDeferred sends what was left in the queue for more to leave with it.
func (c *Conn) flushDeferred() {
	c.mu.Lock()
	c.unlockAndFlush()
}

// writeError makes an error of the core the caller's.
func (c *Conn) writeError(err error) error {
	switch {
	case err == nil:
		return c.Cause()
	case errors.Is(err, wire.ErrClosed):
		return c.whyClosed()
	case errors.Is(err, wire.ErrNotUTF8), errors.Is(err, wire.ErrControlPayload), errors.Is(err, wire.ErrStatusCode), errors.Is(err, wire.ErrOpcode):
		return callError(err)
	}
	return err
}

// whyClosed returns why nothing more can be sent once a Close frame was.
func (c *Conn) whyClosed() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.over.Load():
		return c.last.cause
	case c.last.verdict != nil:
		return c.last.verdict
	}
	return c.last.sent
}

// Writer begins a message whose size need not be known; no other message is
// sent before it is closed. The writer is for one goroutine, its writes
// observe ctx, and its Close ends the message. It sends a frame whenever some
// KiB are together.
//
// Behind a write that has failed the message can only be ended as it is, or with
// the connection. A text that ends inside a character is refused by Close with
// ErrNotUTF8; when something of it was sent, the connection is failed with 1011.
func (c *Conn) Writer(ctx context.Context, typ MessageType) (io.WriteCloser, error) {
	if typ != Text && typ != Binary {
		return nil, callError(wire.ErrOpcode)
	}
	if err := c.lock(ctx, &c.writing); err != nil {
		return nil, err
	}
	return &messageWriter{c: c, ctx: ctx, op: frame.Opcode(typ)}, nil
}

type messageWriter struct {
	c    *Conn
	ctx  context.Context
	op   frame.Opcode
	buf  *buffer // what is not sent yet
	over bool

	begun    bool // the first frame is made, and so it is decided to
	compress bool
	open     bool // the peer waits for the message's end
}

// fragmentSize is how much a message writer collects before it sends a frame.
const fragmentSize = writeSize

func (w *messageWriter) Write(p []byte) (n int, err error) {
	if w.over {
		return 0, callError(io.ErrClosedPipe)
	}
	if w.buf == nil {
		w.buf = getWriteBuffer()
	}
	if len(w.buf.b)+len(p) < fragmentSize {
		w.buf.b = append(w.buf.b, p...)
		return len(p), nil
	}
	if len(w.buf.b) > 0 {
		if err := w.fragment(w.buf.b, false); err != nil {
			return 0, err
		}
		w.buf.b = w.buf.b[:0]
		if len(p) < fragmentSize {
			w.buf.b = append(w.buf.b, p...)
			return len(p), nil
		}
	}
	if err := w.fragment(p, false); err != nil {
		return 0, err
	}
	return len(p), nil
}

// Close sends the last frame. It does not wait for room, so that a message
// whose context has ended can be ended too.
func (w *messageWriter) Close() error {
	if w.over {
		return nil
	}
	w.over = true
	var last []byte
	if w.buf != nil {
		last = w.buf.b
		defer putWriteBuffer(w.buf)
	}
	err := w.fragment(last, true)
	if w.open && errors.Is(err, ErrNotUTF8) {
		w.c.fail(StatusInternalError, "", &CloseError{Code: StatusInternalError})
	}
	w.c.writing.unlock()
	return err
}

func (w *messageWriter) fragment(p []byte, fin bool) (err error) {
	c := w.c
	if !w.begun {
		w.begun = true
		w.compress = c.deflation.Compresses(p) || !fin && c.deflation.CompressesFrom(p)
	}
	c.mu.Lock()
	if !fin {
		err = c.makeRoom(w.ctx, frame.MaxHeaderSize+len(p))
	}
	begin := c.queue.begin()
	if err == nil {
		err = c.encode(func(dst []byte, key [4]byte) ([]byte, error) {
			if w.compress {
				c.deflation.Lend(&c.sender, now())
			}
			return c.sender.Fragment(dst, w.op, p, fin, w.compress, key)
		})
		if fin && w.compress {
			c.deflation.TakeBack(&c.sender)
		}
	}
	if err == nil {
		c.sent.payload.Add(uint64(len(p)))
		c.countCompressed(w.compress, begin, len(p))
		if w.open = !fin; fin {
			c.sent.messages.Add(1)
		}
	}
	c.unlockAndFlush()
	return c.writeError(err)
}

// The methods below are called with mu held.

// encode appends a frame to the queue.
func (c *Conn) encode(frame func(dst []byte, key [4]byte) ([]byte, error)) error {
	if c.over.Load() {
		return c.last.cause
	}
	out := c.queue.buffer()
	b, err := frame(out.b, c.key())
	if err != nil {
		return err
	}
	if len(b) > len(out.b) { // a compressed fragment may be kept back
		c.sent.frames.Add(1)
	}
	out.b = b
	return nil
}

// key returns the masking key of the next frame, which only a client's has.
func (c *Conn) key() (key [4]byte) {
	if c.role == wire.Client {
		key = maskingKey()
	}
	return key
}

// countCompressed counts the frame of compressed payload that begins there.
func (c *Conn) countCompressed(compress bool, begin, size int) {
	if !compress {
		return
	}
	if h, n := frame.Parse(c.queue.out.b[begin:]); n > 0 && (h.RSV&frame.RSV1 != 0 || h.Opcode == frame.Continuation) {
		c.deflation.Sent.Compressed.Add(h.Length)
	} else if n > 0 {
		return // compression was of no use
	}
	c.deflation.Sent.Uncompressed.Add(uint64(size))
}

// makeRoom applies the queue's policy before n bytes are added. It may let go
// of mu while it waits.
func (c *Conn) makeRoom(ctx context.Context, n int) error {
	limit := c.opts.queueLimit()
	for !c.over.Load() && limit > 0 && c.queue.size() > 0 && c.queue.size()+n > limit {
		if c.queue.lead() { // what was deferred
			out := c.takeQueue()
			c.mu.Unlock()
			c.flushFrom(out, nil)
			c.mu.Lock()
			continue
		}
		switch c.opts.QueuePolicy {
		case QueueFail:
			return ErrQueueFull
		case QueueDropOldest:
			if !c.queue.dropOldest() {
				return ErrQueueFull // what waits is on its way, or no message
			}
			c.dropped.Add(1)
			continue
		case QueueDisconnect:
			c.mu.Unlock()
			c.fail(StatusPolicyViolation, "too slow", c.lost(ErrSlowConsumer))
			c.mu.Lock()
			return c.last.cause
		}
		room := c.queue.waitRoom()
		c.mu.Unlock()
		var err error
		select {
		case <-room:
		case <-c.doneOf(ctx):
			err = ctx.Err()
		case <-c.Done():
		}
		c.mu.Lock()
		if err != nil {
			return err
		}
	}
	return nil
}

// unlockAndFlush lets go of mu and sends what waits, unless somebody does so
// already.
func (c *Conn) unlockAndFlush() {
	var out *buffer
	if c.queue.lead() {
		out = c.takeQueue()
	}
	c.mu.Unlock()
	c.flushFrom(out, nil)
}

// The methods below are called without mu, by the one who leads the flush.

// flushFrom writes out, which was taken from the queue, and the queue until it
// is empty. What the kernel does not take at once is left to a goroutine, so
// that it never waits for the peer. behind out is to be sent, too, from where it
// is: the caller's memory, not to be kept.
func (c *Conn) flushFrom(out *buffer, behind []byte) {
	for out != nil {
		var n int
		var err error
		if c.opts.Trace == nil {
			n, err = c.transport.tryWrite(out, behind)
		} else {
			n, err = c.tryWrite(out, behind)
		}
		c.sent.bytes.Add(uint64(n))
		switch {
		case err != nil:
			putWriteBuffer(out)
			c.flushFailed(err)
			return
		case n < len(out.b)+len(behind):
			if over := n - len(out.b); over > 0 {
				out.b, behind, n = out.b[:0], behind[over:], 0
			}
			out.b = append(out.b, behind...)
			go c.flushSlowly(out, n)
			return
		}
		putWriteBuffer(out)
		out, behind = c.nextOfQueue(), nil
	}
}

// pieceSize is how much is written under one write deadline.
const pieceSize = 64 << 10

// flushSlowly writes the rest of out, and then the queue until it is empty.
func (c *Conn) flushSlowly(out *buffer, n int) {
	nc := c.transport.nc
	timeout := c.opts.writeTimeout()
	for out != nil {
		for n < len(out.b) {
			if timeout > 0 {
				nc.SetWriteDeadline(time.Now().Add(timeout))
			}
			piece := out.b[n:min(n+pieceSize, len(out.b))]
			c.opts.Trace.sent(c, piece) // while it waits an answer to its beginning may come
			m, err := nc.Write(piece)
			c.sent.bytes.Add(uint64(m))
			n += m
			if err != nil {
				putWriteBuffer(out)
				c.flushFailed(err)
				return
			}
			c.mu.Lock()
			c.queue.left(m)
			c.mu.Unlock()
		}
		putWriteBuffer(out)
		if timeout > 0 {
			nc.SetWriteDeadline(time.Time{})
		}
		out, n = c.nextOfQueue(), 0
	}
}

// nextOfQueue is takeQueue without mu.
func (c *Conn) nextOfQueue() *buffer {
	c.mu.Lock()
	out := c.takeQueue()
	c.mu.Unlock()
	return out
}

// takeQueue takes what waits, or ends the lead. It is called with mu held.
func (c *Conn) takeQueue() *buffer {
	out := c.queue.take()
	if owed := c.pong.take(); owed != nil {
		c.encodePong(owed.b)
		putWriteBuffer(owed)
	}
	return out
}
