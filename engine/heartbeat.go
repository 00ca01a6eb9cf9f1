package engine

import (
	"time"

	"github.com/wiretrue/websocket"
	"github.com/wiretrue/websocket/wire/frame"
)

// look does what the time asks for, and says when to look again.
func (t *turn) look(c *Conn) {
	switch c.phase {
	case handshaking:
		t.refuseSilently(c, errHandshakeTimeout)
		t.drop(c)
		return
	case closing:
		t.lose(c, websocket.ErrCloseTimeout)
		return
	case lingering:
		if c.answers(t.now) {
			t.loop.wheel.set(c, t.now+int64(lingerTime))
			return
		}
		t.drop(c)
		return
	}
	o := c.options()
	c.mu.Lock()
	stalled := c.stalled(t.now)
	since := int64(0)
	if c.out != nil {
		since = c.out.since
	}
	c.mu.Unlock()
	switch {
	case stalled:
		t.lose(c, websocket.ErrWriteTimeout)
		return
	case c.partial != nil && o.AssemblyTimeout > 0 && t.now-c.partial.since > int64(o.AssemblyTimeout):
		t.fail(c, websocket.StatusPolicyViolation, "the message takes too long", c.lost(websocket.ErrAssemblyTimeout))
		return
	}
	t.compact(c)
	next := t.lookAfter(c)
	if o.PingInterval > 0 {
		next = min(next, t.now+int64(t.silence(c)))
		if c.phase != open {
			return
		}
	}
	if since != 0 && o.WriteTimeout > 0 {
		next = min(next, since+int64(o.WriteTimeout))
	}
	t.loop.wheel.set(c, next)
}

// lookAfter returns when a connection that does nothing is to be looked at.
func (t *turn) lookAfter(c *Conn) int64 {
	o := c.options()
	wait := time.Minute
	if o.PingInterval > 0 {
		wait = min(wait, o.PingInterval)
	}
	if c.rare != nil {
		if after := c.rare.deflation.CompactAfter(); after > 0 {
			wait = min(wait, after)
		}
	}
	if o.AssemblyTimeout > 0 {
		wait = min(wait, o.AssemblyTimeout)
	}
	if o.WriteTimeout > 0 {
		wait = min(wait, o.WriteTimeout)
	}
	return t.now + int64(wait)
}

// compact reduces the memory of windows that are not in use to their content.
func (t *turn) compact(c *Conn) {
	r := c.rare
	if r == nil || !r.deflation.Idle(t.now) {
		return
	}
	r.deflation.CompactReceived()
	c.mu.Lock()
	defer c.mu.Unlock()
	if compressor := c.sender().Compressor; compressor != nil {
		compressor.Compact()
	}
}

// silence sends a Ping to a silent peer and gives up one that does not answer.
func (t *turn) silence(c *Conn) (wait time.Duration) {
	o := c.options()
	if r := c.rare; r != nil && r.pings.Waiting() > 0 && c.heard.before(r.pingedAt) > 0 {
		unanswered := time.Duration(t.now - r.pingedAt)
		switch {
		case c.unread || r.stash != nil || c.todo.Load()&held != 0:
			return o.PingTimeout // what the peer has sent may be unread
		case unanswered >= o.PingTimeout:
			t.lose(c, websocket.ErrPingTimeout)
			return 0
		}
		return o.PingTimeout - unanswered
	}
	if silent := c.heard.before(t.now); silent < o.PingInterval {
		return o.PingInterval - silent
	}
	r := c.scarce()
	r.pingedAt = t.now
	payload := pingPayload(t.now)
	c.mu.Lock()
	defer c.mu.Unlock()
	q := c.output()
	b, err := c.sender().Control(q.waiting, frame.Ping, payload[:], [4]byte{})
	if err != nil { // a Close was sent, whose timeout counts
		c.releaseEmpty()
		return o.PingTimeout
	}
	q.waiting = b
	c.sent.frames++
	c.pings.sent++
	r.pings.Sent(payload[:], t.now)
	return o.PingTimeout
}
