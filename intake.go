package websocket

import (
	"sync"

	"github.com/wiretrue/websocket/wire"
)

// intake is what a connection needs for bytes that have come. It belongs to a
// connection only from the first byte of a frame until all that was received is
// dealt with and no message is under way: one that waits for a message has none.
type intake struct {
	receiver  wire.Receiver
	in        []byte         // received and not consumed
	typ       MessageType    // of the message being read
	partial   []byte         // of a message whose reading a context ended; nil: none
	streaming *messageReader // whose message is being read, or nil
	pongDue   []byte         // the payload of the newest Ping
	owesPong  bool           // which has no Pong yet
}

var intakes = sync.Pool{New: func() any { return new(intake) }}

// take takes bytes in, of which the first stands at the offset.
func (c *Conn) take(b []byte, offset uint64) {
	if c.intake == nil {
		c.intake = intakes.Get().(*intake)
		r := &c.intake.receiver
		r.Role, r.Limits = c.role, c.limits()
		c.deflation.Receive(r)
		r.Resume(c.rest, int64(offset))
	}
	c.intake.in = b
}

// settle gives the intake back, unless it is needed.
func (c *Conn) settle() {
	i := c.intake
	if i == nil || len(i.in) > 0 {
		return
	}
	rest, atRest := i.receiver.Rest()
	if !atRest {
		i.in = nil // it may be the end of a buffer that goes
		return
	}
	c.rest, c.intake = rest, nil
	*i = intake{pongDue: i.pongDue[:0]}
	intakes.Put(i)
}

// inMessage reports whether a message is under way.
func (c *Conn) inMessage() bool { return c.intake != nil && c.intake.receiver.InMessage() }

// streamed returns the reader whose message is being read, or nil.
func (c *Conn) streamed() *messageReader {
	if c.intake == nil {
		return nil
	}
	return c.intake.streaming
}

// limits returns what the receiver is to hold the peer to.
func (c *Conn) limits() (l wire.Limits) {
	if c.passing {
		return l
	}
	if !c.anySize {
		l.Message = uint64(c.opts.readLimit())
	}
	l.Fragments = c.opts.maxFragments(c.role)
	return l
}

// setAnySize says whether a message may have any size, as a Reader's may.
func (c *Conn) setAnySize(anySize bool) {
	c.anySize = anySize
	c.applyLimits()
}

// passAll says that what comes is passed over, however much it is.
func (c *Conn) passAll() {
	c.passing = true
	c.applyLimits()
}

func (c *Conn) applyLimits() {
	if c.intake != nil {
		c.intake.receiver.Limits = c.limits()
	}
}
