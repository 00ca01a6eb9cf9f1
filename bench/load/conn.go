//go:build linux

package load

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/wiretrue/websocket/wire/deflate"
	"github.com/wiretrue/websocket/wire/frame"
)

// conn is one connection.
type conn struct {
	fd       int32
	index    int // among all
	state    state
	polled   bool // for room to write
	stream   *stream
	next     int    // the message to send
	want     int    // the message that is to come
	left     int    // messages of the turn that are to come
	out      []byte // what is still to be sent
	intended int64  // when the turn was meant to begin, with a Rate

	// What comes in.
	head    [frame.MaxHeaderSize]byte
	headN   int // bytes of head, while a header is cut
	header  frame.Header
	inside  bool   // a frame, whose header was read
	need    int    // payload bytes of it that are to come
	open    bool   // a message is, whose last frame has not ended
	packed  bool   // which is compressed
	have    int    // bytes of it, or of a raw echo
	control []byte // payload of a control frame
	ponged  bool   // a Ping was answered
	inflate *deflate.Decompressor
	forget  bool   // inflate has no context takeover
	scratch []byte // compressed payload of one message
}

type state uint8

const (
	closed state = iota
	connecting
	opening // the request is sent
	opened
)

// ErrWrongEcho says that the server cannot be measured.
var ErrWrongEcho = errors.New("the server echoes something else, or in another order")

var errPlain = errors.New("the server does not compress")

// receive takes bytes in and calls got for every message that they complete.
func (c *conn) receive(b []byte, got func(*conn)) error {
	for len(b) > 0 || c.inside {
		if !c.inside {
			var n int
			if c.headN == 0 {
				c.header, n = frame.Parse(b)
				if n == 0 {
					c.headN = copy(c.head[:], b)
					return nil
				}
				b = b[n:]
			} else {
				c.head[c.headN] = b[0]
				c.headN++
				b = b[1:]
				if c.header, n = frame.Parse(c.head[:c.headN]); n == 0 {
					continue
				}
				c.headN = 0
			}
			if err := c.begin(); err != nil {
				return err
			}
		}
		n := min(c.need, len(b))
		if err := c.payload(b[:n]); err != nil {
			return err
		}
		b = b[n:]
		if c.need -= n; c.need > 0 {
			return nil
		}
		c.inside = false
		switch {
		case c.header.Opcode == frame.Ping:
			c.pong()
		case c.header.Opcode == frame.Close:
			code, reason, _ := frame.ParseClose(c.control)
			return fmt.Errorf("the server closed with %d %q", code, reason)
		case c.header.Opcode.Control():
			c.ponged = true
		case c.header.Fin:
			if err := c.end(); err != nil {
				return err
			}
			got(c)
		}
	}
	return nil
}

// begin judges a header.
func (c *conn) begin() error {
	h := &c.header
	c.inside, c.need = true, int(h.Length)
	if h.Opcode.Control() {
		c.control = c.control[:0]
		return nil
	}
	want := frame.Continuation
	if !c.open {
		want = c.stream.opcode
		c.packed = h.RSV&frame.RSV1 != 0
		if c.inflate != nil && !c.packed {
			return errPlain
		}
	}
	if h.Opcode != want || h.Masked || c.packed && c.inflate == nil {
		return fmt.Errorf("%w: an unexpected frame: %v", ErrWrongEcho, h)
	}
	c.open = true
	return nil
}

func (c *conn) payload(b []byte) error {
	switch {
	case c.header.Opcode.Control():
		c.control = append(c.control, b...)
		return nil
	case c.packed:
		c.scratch = append(c.scratch, b...)
		return nil
	}
	return c.compare(b)
}

// compare compares a part of the message that is to come.
func (c *conn) compare(b []byte) error {
	want := c.stream.messages[c.want]
	if c.have+len(b) > len(want) || !bytes.Equal(b, want[c.have:c.have+len(b)]) {
		return ErrWrongEcho
	}
	c.have += len(b)
	return nil
}

// end ends a message.
func (c *conn) end() error {
	if c.packed {
		if err := c.unpack(); err != nil {
			return err
		}
	}
	if c.have != len(c.stream.messages[c.want]) {
		return ErrWrongEcho
	}
	c.open, c.have = false, 0
	c.want = (c.want + 1) % len(c.stream.messages)
	return nil
}

func (c *conn) unpack() error {
	if c.forget {
		c.inflate.Reset()
	}
	in := c.scratch
	c.scratch = c.scratch[:0]
	for {
		out, n, err := c.inflate.Next(in)
		if err != nil {
			return err
		}
		if err := c.compare(out); err != nil {
			return err
		}
		if in = in[n:]; n == 0 && len(out) == 0 {
			break
		}
	}
	for {
		out, err := c.inflate.Finish()
		if err != nil || len(out) == 0 {
			return err
		}
		if err := c.compare(out); err != nil {
			return err
		}
	}
}

// receiveRaw is receive for a server that sends back the bytes of the frames.
func (c *conn) receiveRaw(b []byte, got func(*conn)) error {
	for len(b) > 0 {
		want := c.stream.wire[c.stream.at[c.want]:c.stream.at[c.want+1]]
		n := min(len(b), len(want)-c.have)
		if !bytes.Equal(b[:n], want[c.have:c.have+n]) {
			return ErrWrongEcho
		}
		b = b[n:]
		if c.have += n; c.have == len(want) {
			c.have = 0
			c.want = (c.want + 1) % len(c.stream.messages)
			got(c)
		}
	}
	return nil
}

// send makes the next messages what is to be sent. It does not copy them.
func (c *conn) send(n int) {
	c.left = n
	c.out = c.stream.wire[c.stream.at[c.next]:c.stream.at[c.next+n]]
	c.next = (c.next + n) % len(c.stream.messages)
}

// pong answers a Ping.
func (c *conn) pong() { c.sendControl(frame.Pong, c.control) }

// sendControl sends a control frame behind what is being sent, under the masking
// key 0.
func (c *conn) sendControl(op frame.Opcode, payload []byte) {
	h := frame.Header{Fin: true, Opcode: op, Masked: true, Length: uint64(len(payload))}
	out := h.Append(append([]byte(nil), c.out...))
	c.out = append(out, payload...)
}
