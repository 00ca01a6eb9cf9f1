package engine

import (
	"fmt"
	"slices"
	"syscall"
	"time"
	"unsafe"

	"github.com/wiretrue/websocket/internal/uring"
)

// ioUring is the backend of the completion kind. Each connection has one
// receive that stays in force (multishot) and takes one of the loop's buffers
// when bytes come; what is to be sent is put on the ring; and one call submits
// all that and waits for the next completions.
type ioUring struct {
	loop    *loop
	ring    *uring.Ring
	buffers *uring.Buffers
	bell    int
	rang    uint64 // read from the bell
	ln      []int
	closing []int // listeners that are not accepted from any more
	pause   pause
	starved []*Conn

	// The completion that a turn is for.
	chunk    []byte
	readable bool
	ended    bool
	err      error
}

const (
	ringEntries   = 1024
	receiveCount  = 256
	receiveSize   = 32 << 10
	msgNoSignal   = 0x4000
	publishAfter  = 32       // buffers
	largeRead     = 32 << 10 // what it pays to read, not to have received
	forBell       = 0
	forAccept     = 1
	forReceive    = 2
	forSend       = 3
	forCancelling = 4
	forReading    = 5
)

func tag(what uint64, slot int32) uint64 { return what<<32 | uint64(uint32(slot)) }

func newIOUring(l *loop) (*ioUring, error) {
	u := &ioUring{loop: l, bell: -1}
	var err error
	if u.ring, err = uring.New(ringEntries); err != nil {
		return nil, err
	}
	if u.buffers, err = uring.NewBuffers(u.ring, receiveCount, receiveSize); err == nil {
		if u.bell, err = newBell(); err == nil {
			err = u.probe()
		}
	}
	if err != nil {
		u.close()
		return nil, err
	}
	u.listenForBell()
	return u, nil
}

// probe receives once as connections will, which older kernels refuse.
func (u *ioUring) probe() error {
	pair, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC|syscall.SOCK_NONBLOCK, 0)
	if err != nil {
		return err
	}
	defer closeFD(pair[0])
	writeFD(pair[1], []byte("?"))
	closeFD(pair[1])
	u.receive(pair[0], 0)
	for received := 0; ; {
		if err := u.ring.Enter(time.Second); err != nil {
			return err
		}
		c := u.ring.Next()
		if c == nil {
			return fmt.Errorf("io_uring does not receive")
		}
		res, flags := c.Res, c.Flags
		u.ring.Done()
		if flags&uring.CQEBuffer != 0 {
			u.buffers.Put(uint16(flags >> uring.CQEBufferShift))
			u.buffers.Publish()
		}
		switch {
		case res < 0:
			return fmt.Errorf("io_uring does not receive: %w", syscall.Errno(-res))
		case res > 0:
			received += int(res)
		}
		if flags&uring.CQEMore == 0 {
			if received != 1 {
				return fmt.Errorf("io_uring received %d bytes", received)
			}
			return nil
		}
	}
}

func (u *ioUring) receive(fd int, slot int32) {
	e := u.ring.Prepare()
	e.Opcode, e.Flags, e.IOPrio, e.FD, e.BufGroup = uring.OpRecv, uring.SQEBufferSelect, uring.RecvMultishot, int32(fd), uring.BufGroup
	e.UserData = tag(forReceive, slot)
}

// cancel ends all that the kernel does with a descriptor.
func (u *ioUring) cancel(fd int) {
	e := u.ring.Prepare()
	e.Opcode, e.FD, e.OpFlags = uring.OpAsyncCancel, int32(fd), uring.CancelFD|uring.CancelAll
	e.UserData = tag(forCancelling, 0)
}

func (u *ioUring) listenForBell() {
	e := u.ring.Prepare()
	e.Opcode, e.FD, e.Addr, e.Len = uring.OpRead, int32(u.bell), uint64(uintptr(unsafe.Pointer(&u.rang))), 8
	e.UserData = tag(forBell, 0)
}

func (u *ioUring) listen(fd int) error {
	noDelay(fd) // which its connections inherit
	u.ln = append(u.ln, fd)
	u.accept(fd)
	return nil
}

func (u *ioUring) accept(fd int) {
	e := u.ring.Prepare()
	e.Opcode, e.IOPrio, e.FD, e.OpFlags = uring.OpAccept, uring.AcceptMultishot, int32(fd), syscall.SOCK_NONBLOCK|syscall.SOCK_CLOEXEC
	e.UserData = tag(forAccept, int32(fd))
}

func (u *ioUring) unlisten(fd int) {
	if i := slices.Index(u.ln, fd); i >= 0 {
		u.ln = slices.Delete(u.ln, i, i+1)
		u.closing = append(u.closing, fd)
		u.cancel(fd)
	}
}

func (u *ioUring) add(c *Conn) error {
	u.loop.seat(c)
	u.arm(c, false)
	return nil
}

// read takes the completion's bytes, and sees to it that more are received, or
// none while the connection is held.
func (u *ioUring) read(t *turn, c *Conn) {
	chunk, readable, ended, err := u.chunk, u.readable, u.ended, u.err
	u.chunk, u.readable, u.ended, u.err = nil, false, false, nil
	switch {
	case readable:
		t.readSocket(c)
	case len(chunk) > 0:
		t.got(c, chunk)
	}
	if ended && c.phase != gone {
		t.eof(c, err)
	}
	switch {
	case c.phase == gone, c.sawEnd:
	case c.holds():
		if !c.unread && c.armed && !c.polled {
			u.cancelReceive(c)
		}
		c.unread = true
	case !c.armed && !c.unread:
		u.arm(c, c.bulky || len(t.spare(c)) >= largeRead)
	case c.armed && !c.polled && len(t.spare(c)) >= largeRead:
		c.polled = true
		u.cancelReceive(c)
	}
}

// arm makes the kernel receive for a connection or, where large messages come,
// tell when there is something: to read that straight into the message is
// cheaper than to copy it there from one small buffer after the other.
func (u *ioUring) arm(c *Conn, large bool) {
	c.armed, c.polled = true, large
	if !large {
		u.receive(int(c.fd), c.slot)
		return
	}
	e := u.ring.Prepare()
	e.Opcode, e.FD, e.OpFlags, e.UserData = uring.OpPollAdd, c.fd, uring.PollIn, tag(forReading, c.slot)
}

// cancelReceive ends what receives for a connection; its last completion says so.
func (u *ioUring) cancelReceive(c *Conn) {
	e := u.ring.Prepare()
	e.Opcode, e.Addr, e.UserData = uring.OpAsyncCancel, tag(forReceive, c.slot), tag(forCancelling, 0)
}

func (u *ioUring) send(c *Conn) {
	if c.out.sending {
		return
	}
	b := c.nextOutput()
	if len(b) == 0 {
		return
	}
	if c.out.since == 0 {
		c.out.since = u.loop.turn.now
	}
	c.out.sending = true
	e := u.ring.Prepare()
	e.Opcode, e.FD, e.Addr, e.Len, e.OpFlags = uring.OpSend, c.fd, uint64(uintptr(unsafe.Pointer(&b[0]))), uint32(min(len(b), 1<<30)), msgNoSignal
	e.UserData = tag(forSend, c.slot)
}

func (u *ioUring) drop(c *Conn) {
	if c.armed || c.isSending() {
		u.cancel(int(c.fd))
		return // until the last completion
	}
	u.finish(c)
}

func (c *Conn) isSending() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.out != nil && c.out.sending
}

// finish closes the descriptor of a connection that is gone when the kernel does
// nothing for it any more.
func (u *ioUring) finish(c *Conn) {
	if c.phase != gone || c.armed || c.closed || c.isSending() {
		return
	}
	u.loop.closeConn(c)
}

func (u *ioUring) wake() { ring(u.bell) }

func (u *ioUring) close() {
	for _, fd := range slices.Concat(u.ln, u.closing) {
		closeFD(fd)
	}
	u.ring.Close()
	if u.buffers != nil {
		u.buffers.Close()
	}
	if u.bell >= 0 {
		closeFD(u.bell)
	}
}

func (u *ioUring) wait(d time.Duration) {
	d, over := u.pause.bound(d)
	if over {
		for _, ln := range u.ln {
			u.accept(ln)
		}
	}
	u.ring.Enter(d)
	u.loop.woken()
	free := 0
	for c := u.ring.Next(); c != nil; c = u.ring.Next() {
		got := *c
		u.ring.Done()
		u.complete(&got)
		if got.Flags&uring.CQEBuffer != 0 {
			u.buffers.Put(uint16(got.Flags >> uring.CQEBufferShift))
			if free++; free == publishAfter {
				free = 0
				u.buffers.Publish()
			}
		}
	}
	u.buffers.Publish()
	for _, c := range u.starved {
		if c.phase != gone && !c.armed && !c.unread {
			u.arm(c, false)
		}
	}
	clear(u.starved)
	u.starved = u.starved[:0]
}

// complete does what follows from a completion.
func (u *ioUring) complete(done *uring.CQE) {
	slot := int32(uint32(done.UserData))
	switch done.UserData >> 32 {
	case forBell:
		u.listenForBell()
	case forAccept:
		u.accepted(done, int(slot))
	case forReceive:
		u.received(done, u.loop.conns[slot])
	case forReading:
		u.polled(u.loop.conns[slot])
	case forSend:
		u.sent(done, u.loop.conns[slot])
	}
}

func (u *ioUring) received(done *uring.CQE, c *Conn) {
	more := done.Flags&uring.CQEMore != 0
	c.armed = more
	if c.phase == gone {
		u.finish(c)
		return
	}
	errno := syscall.Errno(0)
	if done.Res < 0 {
		errno = syscall.Errno(-done.Res)
	}
	switch {
	case done.Res > 0:
		u.chunk = u.buffers.Get(uint16(done.Flags>>uring.CQEBufferShift), int(done.Res))
	case errno == syscall.ENOBUFS:
		u.starved = append(u.starved, c)
		return
	case errno == syscall.ECANCELED: // it was held, and may be no more, or is to be polled
		if c.holds() {
			c.unread = true
			return
		}
		c.unread = false
	case errno == syscall.EINTR, errno == syscall.EAGAIN:
	default:
		u.ended = true
		if errno != 0 {
			u.err = errno
		}
	}
	u.loop.event(c, todoRead)
	u.chunk, u.ended, u.err = nil, false, nil
}

// polled reads a connection that the kernel tells of.
func (u *ioUring) polled(c *Conn) {
	c.armed = false
	switch {
	case c.phase == gone:
		u.finish(c)
	case c.holds():
		c.unread = true
	default:
		u.readable = true
		u.loop.event(c, todoRead)
		u.readable = false
	}
}

func (u *ioUring) sent(done *uring.CQE, c *Conn) {
	c.mu.Lock()
	c.out.sending = false
	switch {
	case c.phase == gone:
		c.abandonOutput()
		c.mu.Unlock()
		u.finish(c)
		return
	case done.Res >= 0:
		c.took(int(done.Res))
		c.flush()
	case syscall.Errno(-done.Res) == syscall.EINTR, syscall.Errno(-done.Res) == syscall.EAGAIN:
		c.flush()
	default:
		c.broken(syscall.Errno(-done.Res))
	}
	empty := c.out == nil
	c.mu.Unlock()
	if empty && c.phase == lingering {
		u.loop.event(c, todoFlush)
	}
}

func (u *ioUring) accepted(done *uring.CQE, ln int) {
	more := done.Flags&uring.CQEMore != 0
	if done.Res >= 0 {
		u.loop.accepted(int(done.Res))
	}
	if more {
		return
	}
	if i := slices.Index(u.closing, ln); i >= 0 {
		u.closing = slices.Delete(u.closing, i, i+1)
		closeFD(ln)
		return
	}
	if exhausted(syscall.Errno(max(0, -done.Res))) {
		u.pause.begin()
		return
	}
	u.accept(ln)
}
