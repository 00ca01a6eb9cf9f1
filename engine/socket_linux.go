package engine

import (
	"errors"
	"syscall"
)

const (
	readSize = 64 << 10
	maxReads = 4 // of a connection before others are served
)

// readSocket reads what the kernel has for a connection: the payload of a large
// message straight into it. drained says that no more is there, or is wanted.
func (t *turn) readSocket(c *Conn) (drained bool) {
	if t.in == nil {
		t.in = make([]byte, readSize)
	}
	for range maxReads {
		if c.holds() {
			c.unread = true
			return true
		}
		asked := len(t.in)
		spare := t.spare(c)
		var n int
		var err error
		if spare != nil {
			asked += len(spare)
			n, err = readTwo(int(c.fd), spare, t.in)
		} else {
			n, err = readFD(int(c.fd), t.in)
		}
		switch {
		case errors.Is(err, syscall.EAGAIN):
			return true
		case errors.Is(err, syscall.EINTR):
			continue
		case err != nil || n == 0:
			t.eof(c, err)
			return true
		}
		if direct := min(n, len(spare)); direct > 0 {
			t.got(c, spare[:direct])
			n, asked = n-direct, asked-direct
		}
		if n > 0 && c.phase != gone {
			t.got(c, t.in[:n])
		}
		if c.phase == gone || n < asked && !c.hup {
			return true
		}
	}
	return false
}
