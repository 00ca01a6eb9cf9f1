package engine

import (
	"errors"
	"io"

	"github.com/wiretrue/websocket"
	"github.com/wiretrue/websocket/internal/shell"
	"github.com/wiretrue/websocket/wire"
	"github.com/wiretrue/websocket/wire/frame"
	"github.com/wiretrue/websocket/wire/rfc"
)

// What they bound stands in package shell.
const lingerTime, lingerBytes = shell.LingerTime, shell.LingerBytes

// obey does what another goroutine, or a function of the handler's, has asked
// for: Close, CloseNow, or the end of a connection that is of no use.
func (t *turn) obey(c *Conn) {
	c.todo.And(^uint32(todoClose))
	c.mu.Lock()
	var cut error
	var closeBy int64
	if m := c.more; m != nil {
		if !c.ended {
			cut, m.cut = m.cut, nil
		}
		if m.closing != nil {
			closeBy = m.closeBy
		}
	}
	how := c.hangup
	c.mu.Unlock()
	switch {
	case cut != nil && how == abandoned:
		t.lose(c, cut)
	case cut != nil:
		t.end(c, cut)
	case closeBy != 0 && c.phase == open:
		c.phase = closing
		t.loop.wheel.set(c, closeBy)
	}
}

// gotClose answers the peer's Close frame, or notes that it is the answer, and
// ends the connection. What was written before is sent, as long as the peer takes
// it.
func (t *turn) gotClose(c *Conn, body []byte) {
	cause := &websocket.CloseError{Code: websocket.StatusNoStatusReceived, ByPeer: true}
	if code, reason, ok := frame.ParseClose(body); ok {
		cause.Code, cause.Reason = websocket.StatusCode(code), string(reason)
	}
	c.mu.Lock()
	if err := c.encodeClose(cause.Code, ""); errors.Is(err, wire.ErrClosed) && c.more.closing != nil {
		cause = c.more.closing
	}
	c.hangup = answering
	c.mu.Unlock()
	t.end(c, cause)
}

// failRule fails the connection for a rule that the peer broke.
func (t *turn) failRule(c *Conn, rule rfc.Rule, ev wire.Event) {
	t.fail(c, rule.Info().Code, rule.CloseReason(), inside.BrokenBy(rule, &ev))
}

// fail sends a Close frame and ends the connection without waiting for the
// answer (RFC 6455 7.1.7).
func (t *turn) fail(c *Conn, code websocket.StatusCode, reason string, cause error) {
	c.mu.Lock()
	c.encodeClose(code, reason) // refused if one was sent before, which is as good
	c.hangup = drain
	c.mu.Unlock()
	t.end(c, cause)
}

// lose ends the connection because the transport did, or is to at once.
func (t *turn) lose(c *Conn, err error) {
	c.mu.Lock()
	c.hangup = abandoned
	c.mu.Unlock()
	if c.phase == handshaking {
		t.refuseSilently(c, err)
	} else {
		c.traceEnd(err)
		t.end(c, c.lost(err))
	}
	t.drop(c)
}

// outlive ends the connection of a peer that has ended its side of the stream.
// What it has sent before is answered: a program that reads until the end, and
// only then is done, does the same.
func (t *turn) outlive(c *Conn) {
	cause := inside.TransportCause(io.EOF)
	c.sawEnd = true
	c.mu.Lock()
	c.flush()
	c.hangup = answering
	c.mu.Unlock()
	c.traceEnd(cause)
	t.end(c, c.lost(cause))
}

// answers reports whether a connection that has ended is still answering, and
// its peer still takes what it is sent.
func (c *Conn) answers(now int64) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.hangup == answering && c.out != nil && !c.stalled(now)
}

// end notes the cause and tells the program of it. The transport is still to be
// ended.
func (t *turn) end(c *Conn, cause error) {
	if c.phase >= lingering {
		return
	}
	opened := c.phase != handshaking
	c.phase, c.partial = lingering, nil
	c.mu.Lock()
	c.ended = true
	m := c.extra()
	m.cause, m.pongNext = cause, nil
	endView := m.endView
	m.endView = nil
	m.wakeWriters()
	c.received.add(&t.received)
	t.received = counts{}
	m.sender.Compressor = nil
	c.mu.Unlock()
	c.todo.And(^uint32(heldFull))
	if r := c.rare; r != nil {
		r.deflation.Release()
		c.rare = nil
	}
	t.loop.wheel.set(c, t.now+int64(lingerTime))
	if endView != nil {
		endView(cause)
	}
	if opened {
		c.owesEnd = true
		t.payEnd(c)
	}
}

// payEnd calls OnClose if that is due and no function of Go runs.
func (t *turn) payEnd(c *Conn) {
	if !c.owesEnd || c.todo.Load()&heldJob != 0 {
		return
	}
	c.owesEnd = false
	if c.service.OnClose != nil {
		func() {
			defer func() {
				if p := recover(); p != nil {
					t.panicked(c, p)
				}
			}()
			c.service.OnClose(c, c.Cause())
		}()
	}
	if c.closed {
		c.server().conns.Leave(c)
	}
}

// hangUp ends the transport of a connection that has nothing to send any more.
func (t *turn) hangUp(c *Conn) {
	c.mu.Lock()
	how := c.hangup
	if how == drain && !c.sawEnd {
		c.hangup = halfGone
		halfClose(int(c.fd))
	}
	c.mu.Unlock()
	if how == drain && !c.sawEnd {
		c.traceTransport(websocket.TransportFinished)
		t.read(c) // the peer's end may be there already
	}
	if c.phase == lingering && (c.sawEnd || how == answering || how == stay) {
		t.drop(c)
	}
}

// drop gives the connection's transport up.
func (t *turn) drop(c *Conn) {
	if c.phase == gone {
		return
	}
	c.phase = gone
	c.rare, c.partial = nil, nil
	c.mu.Lock()
	c.ended = true
	c.abandonOutput()
	c.mu.Unlock()
	t.loop.backend.drop(c)
}

// dropped is called by the backend in the turn in which the descriptor is
// closed.
func (c *Conn) dropped() {
	c.closed = true
	c.traceTransport(websocket.TransportClosed)
	if !c.owesEnd {
		c.server().conns.Leave(c)
	}
}

// traceTransport tells the Trace of a step in the end of the transport.
func (c *Conn) traceTransport(e websocket.TransportEvent) {
	c.mu.Lock()
	var view *websocket.Conn
	if c.more != nil {
		view = c.more.view
	}
	c.mu.Unlock()
	if view != nil && c.service.Trace.Transport != nil {
		c.service.Trace.Transport(view, e)
	}
}

// traceEnd tells the Trace how the peer ended the transport, if it did.
func (c *Conn) traceEnd(err error) {
	switch {
	case errors.Is(err, websocket.ErrPeerGone):
		c.traceTransport(websocket.TransportEOF)
	case errors.Is(err, websocket.ErrPeerReset):
		c.traceTransport(websocket.TransportReset)
	}
}
