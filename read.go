package websocket

import (
	"context"
	"errors"
	"io"
	"iter"
	"os"
	"slices"

	"github.com/wiretrue/websocket/wire"
	"github.com/wiretrue/websocket/wire/frame"
	"github.com/wiretrue/websocket/wire/rfc"
)

// directRead is how much of a frame's payload must be to come for it to be
// read straight into the message instead of by way of a buffer.
const directRead = 8 << 10

// ErrSuperseded is returned by a message's reader once the program has begun
// to read the next message.
var ErrSuperseded = errors.New("websocket: the message was given up for the next one")

// Read waits for a message and returns it. The slice belongs to the caller.
//
// When ctx ends first, Read returns its error and the connection goes on: the
// next call returns the same message.
func (c *Conn) Read(ctx context.Context) (MessageType, []byte, error) {
	return c.ReadInto(ctx, nil)
}

// ReadInto is like Read but puts the message into dst from its beginning, or
// into a larger slice when dst is too small. With a dst that is large enough it
// allocates nothing.
func (c *Conn) ReadInto(ctx context.Context, dst []byte) (typ MessageType, p []byte, err error) {
	if err := c.lock(ctx, &c.reading); err != nil {
		return 0, nil, err
	}
	defer c.unlockReading()
	if err := c.begin(ctx); err != nil {
		return 0, nil, err
	}
	p = dst[:0]
	if c.intake != nil {
		p = append(p, c.intake.partial...)
	}
	for {
		var whole bool
		if p, whole, err = c.assemble(p); whole {
			c.intake.partial = nil
			if p == nil {
				p = []byte{}
			}
			return c.intake.typ, p, nil
		}
		if err == nil {
			p = c.aim(p)
			err = c.fill(ctx)
		}
		if err != nil {
			c.leave(p)
			return 0, nil, err
		}
	}
}

// leave keeps what has come of a message whose reading ends before it does.
func (c *Conn) leave(m []byte) {
	c.transport.into = nil // it is the caller's memory, as m may be
	if c.inMessage() {
		c.intake.partial = slices.Clone(m)
	}
}

// assemble appends to m what was received of a message, and reports whether that
// is all of it.
func (c *Conn) assemble(m []byte) (_ []byte, whole bool, err error) {
	var ev wire.Event
	for {
		if err := c.step(&ev); err != nil {
			return m, false, err
		}
		switch ev.Kind {
		case wire.NeedMore:
			return m, false, nil
		case wire.Header:
			c.noteHeader(&ev)
		case wire.Data:
			if n := len(ev.Data); n > 0 && len(m) < cap(m) && &ev.Data[0] == &m[:len(m)+1][len(m)] {
				m = m[:len(m)+n] // it was read to there
			} else {
				m = append(m, ev.Data...)
			}
		case wire.MessageEnd:
			c.received.messages.Add(1)
			if c.assembling.Load() != 0 {
				c.assembling.Store(0)
			}
			if more := c.holdsFrame(); more != c.more.Load() {
				c.more.Store(more)
			}
			return m, true, nil
		}
	}
}

// aim has the next bytes read straight into m when enough of a frame is to come.
// m grows as bytes arrive, never by the declared length.
func (c *Conn) aim(m []byte) []byte {
	if c.intake == nil {
		return m
	}
	left := c.intake.receiver.Left()
	if left < directRead {
		return m
	}
	if cap(m)-len(m) < directRead {
		m = slices.Grow(m, int(min(left, uint64(max(3*len(m), directRead)))))
	}
	room := m[len(m):cap(m)]
	c.transport.into = room[:min(uint64(len(room)), left)]
	return m
}

// Reader waits for a message and returns a reader of its bytes as they come,
// for messages of any size: ReadLimit does not apply. At the message's end the
// reader returns io.EOF. Its Read observes ctx as Conn.Read does.
//
// A message that is not read to its end is passed over when the next one is
// asked for; its reader then returns ErrSuperseded.
func (c *Conn) Reader(ctx context.Context) (MessageType, io.Reader, error) {
	if err := c.lock(ctx, &c.reading); err != nil {
		return 0, nil, err
	}
	defer c.unlockReading()
	if err := c.begin(ctx); err != nil {
		return 0, nil, err
	}
	r := &messageReader{c: c, ctx: ctx}
	c.setAnySize(true)
	if c.inMessage() { // an earlier Read was cut short by its context
		r.rest, c.intake.partial = c.intake.partial, nil
	} else {
		var ev wire.Event
		if err := c.next(ctx, &ev); err != nil {
			c.setAnySize(false)
			return 0, nil, err
		}
		c.noteHeader(&ev)
	}
	c.assembling.Store(0)
	c.intake.streaming = r
	return c.intake.typ, r, nil
}

// messageReader reads one message. It is the connection's streaming reader
// until the message has ended or is given up.
type messageReader struct {
	c    *Conn
	ctx  context.Context
	rest []byte // of the last event
	err  error
}

func (r *messageReader) Read(p []byte) (int, error) {
	c := r.c
	if err := c.lock(r.ctx, &c.reading); err != nil {
		return 0, err
	}
	defer c.unlockReading()
	if r.err == ErrSuperseded && c.Cause() != nil {
		r.err = c.Cause()
	}
	for r.err == nil && len(r.rest) == 0 {
		if len(p) == 0 {
			return 0, nil
		}
		var ev wire.Event
		err := c.next(r.ctx, &ev)
		switch {
		case err != nil && r.ctx.Err() != nil:
			return 0, err
		case err != nil:
			r.err = err
		case ev.Kind == wire.Data:
			r.rest = ev.Data
		case ev.Kind == wire.MessageEnd:
			c.received.messages.Add(1)
			c.endStreaming()
			r.err = io.EOF
		}
	}
	if len(r.rest) == 0 {
		return 0, r.err
	}
	n := copy(p, r.rest)
	r.rest = r.rest[n:]
	return n, nil
}

// giveUp ends the reader in the middle of its message: what it has not handed
// out is in memory that is read to again.
func (r *messageReader) giveUp() {
	if r.err == nil {
		r.rest, r.err = nil, ErrSuperseded
	}
}

func (c *Conn) endStreaming() {
	c.intake.streaming = nil
	c.setAnySize(false)
}

// Messages returns an iterator over the messages to come. It ends with the
// connection or with ctx, yielding the error; breaking out of the loop leaves
// the connection open. Each message's bytes belong to the caller.
func (c *Conn) Messages(ctx context.Context) iter.Seq2[Message, error] {
	return func(yield func(Message, error) bool) {
		for {
			typ, data, err := c.Read(ctx)
			if !yield(Message{typ, data}, err) || err != nil {
				return
			}
		}
	}
}

// CloseRead reads in the background, for a program that only writes: pings are
// answered, and a close is noticed. A data message fails the connection with
// 1008. The context that is returned ends with the connection, or with ctx.
func (c *Conn) CloseRead(ctx context.Context) context.Context {
	ctx, cancel := context.WithCancel(ctx)
	go func() {
		defer cancel()
		if c.lock(ctx, &c.reading) != nil {
			return
		}
		defer c.unlockReading()
		if err := c.next(ctx, new(wire.Event)); err == nil {
			c.fail(StatusPolicyViolation, "no messages are taken here", &CloseError{Code: StatusPolicyViolation, Reason: "no messages are taken here"})
		}
	}()
	return ctx
}

// begin passes over what is left of a message that a Reader has begun.
func (c *Conn) begin(ctx context.Context) error {
	if c.doneOf(ctx) != nil && ctx.Err() != nil {
		return ctx.Err()
	}
	if c.streamed() != nil {
		return c.passOver(ctx)
	}
	return nil
}

// passOver reads the rest of the message that a Reader has begun.
func (c *Conn) passOver(ctx context.Context) error {
	c.intake.streaming.giveUp()
	var ev wire.Event
	for ev.Kind != wire.MessageEnd {
		if err := c.next(ctx, &ev); err != nil {
			return err
		}
	}
	c.endStreaming()
	return nil
}

// holdsFrame reports whether a whole frame was received that is not consumed.
func (c *Conn) holdsFrame() bool {
	in := c.intake.in
	h, n := frame.Parse(in)
	return n > 0 && h.Length <= uint64(len(in)-n)
}

func (c *Conn) noteHeader(ev *wire.Event) {
	if ev.Header.Opcode != frame.Continuation {
		c.intake.typ = MessageType(ev.Header.Opcode)
	}
}

// next waits for the next event of a data message.
func (c *Conn) next(ctx context.Context, ev *wire.Event) error {
	for {
		if err := c.step(ev); err != nil || ev.Kind != wire.NeedMore {
			return err
		}
		if err := c.fill(ctx); err != nil {
			return err
		}
	}
}

// step goes on to the next event of a data message, or to NeedMore when all that
// was received is consumed. Control frames are dealt with on the way. It does not
// wait, so that what it needs of the stack is free while the connection does.
func (c *Conn) step(ev *wire.Event) error {
	for {
		if i := c.intake; i != nil {
			n := i.receiver.Next(i.in, ev)
			i.in = i.in[n:]
		} else {
			*ev = wire.Event{Kind: wire.NeedMore}
		}
		if !ev.Broken.Clean() {
			if rule := ev.Broken.Fatal(); rule != 0 {
				return c.failRule(rule, ev)
			}
		}
		switch ev.Kind {
		case wire.NeedMore:
			c.sendPong()
			if c.more.Load() {
				c.more.Store(false)
				c.flushDeferred()
			}
			return nil
		case wire.Header:
			c.received.frames.Add(1)
			if !ev.Header.Opcode.Control() {
				c.beginInflating(ev.Header)
				if c.intake.receiver.Inflating() {
					c.deflation.Received.Compressed.Add(ev.Header.Length)
				}
				c.sendPong()
				return nil
			}
			if !c.rate.Take(c.heard.at(), c.opts.maxControlRate()) {
				return c.failRule(rfc.ControlRate, ev)
			}
		case wire.Data:
			c.received.payload.Add(uint64(len(ev.Data)))
			if c.intake.receiver.Inflating() {
				c.deflation.Received.Uncompressed.Add(uint64(len(ev.Data)))
			}
			return nil
		case wire.MessageEnd:
			c.endInflating()
			return nil
		default:
			if err := c.onControl(ev); err != nil {
				return err
			}
		}
	}
}

func (c *Conn) onControl(ev *wire.Event) error {
	switch ev.Kind {
	case wire.Ping:
		c.received.pings.Add(1)
		c.queuePong() // that of the Ping before, to leave together with the next
		c.intake.pongDue = append(c.intake.pongDue[:0], ev.Data...)
		c.intake.owesPong = true
	case wire.Pong:
		c.received.pongs.Add(1)
		c.gotPong(ev.Data)
	case wire.Close:
		c.sendPong() // a Ping in front of the Close wants its answer (RFC 6455 5.5.2)
		return c.gotClose(ev.Data)
	}
	return nil
}

// fill waits for bytes.
func (c *Conn) fill(ctx context.Context) error {
	if c.inMessage() && c.intake.streaming == nil && c.assembling.Load() == 0 {
		c.assembling.Store(now())
		c.watchAssembly()
	}
	c.settle()
	for {
		err := c.watch(ctx)
		// Asked behind watch, which may have undone what the end does to wake a read.
		if cause := c.Cause(); cause != nil {
			return cause
		}
		if err != nil {
			return err
		}
		c.heard.wait()
		b, err := c.transport.read()
		if err == nil {
			c.heard.note(now())
			before := c.received.bytes.Add(uint64(len(b))) - uint64(len(b))
			c.traceReceived(b)
			c.take(b, before)
			return nil
		}
		if err := c.readFailed(err); err != nil {
			return err
		}
	}
}

// readFailed deals with the error of a read. It returns nil when that is to be
// tried again.
func (c *Conn) readFailed(err error) error {
	if errors.Is(err, os.ErrDeadlineExceeded) {
		// Of the context, the end or the heartbeat, or left by somebody on the
		// transport.
		c.heard.waited()
		c.silentUntil.Store(now())
		c.compactReading()
		c.stopWatching()
		c.transport.wake.clear(&c.transport)
		return nil
	}
	if cause := c.Cause(); cause != nil {
		return cause
	}
	if errors.Is(err, io.EOF) {
		return c.outlive()
	}
	return c.lose(transportCause(err))
}

// watch sees to it that the end of ctx wakes the read. A context that is
// passed again, as by a loop, costs nothing.
func (c *Conn) watch(ctx context.Context) error {
	done := c.doneOf(ctx)
	if done != nil && ctx.Err() != nil {
		return ctx.Err()
	}
	if done == c.watched {
		return nil
	}
	c.stopWatching()
	if done == nil {
		return nil // the connection's end wakes the read by itself
	}
	turn := c.transport.wake.next(&c.transport)
	c.watched = done
	c.unwatch = context.AfterFunc(ctx, func() { c.transport.wake.poke(&c.transport, turn) })
	return nil
}

func (c *Conn) stopWatching() {
	if c.unwatch != nil {
		c.unwatch()
		c.unwatch = nil
	}
	c.watched = nil
	c.transport.wake.next(&c.transport)
}

func (c *Conn) unlockReading() {
	if i := c.intake; i == nil || len(i.in) == 0 && i.streaming == nil {
		c.transport.release()
		c.settle()
	}
	c.reading.unlock()
}
