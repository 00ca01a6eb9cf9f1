package engine

import (
	"errors"
	"slices"
	"syscall"
	"time"
	"unsafe"
)

// epoll is the backend of the readiness kind. The kernel tells each change of a
// connection once (EPOLLET), so that a message costs two calls: a read and a
// write. A read that fills less than its buffer has emptied the socket, unless
// the end of the stream was announced before it, behind which no change follows.
type epoll struct {
	loop   *loop
	fd     int
	bell   int // an eventfd
	park   parker
	try    func(uintptr) bool // looks, and reports whether there is something
	found  int                // by try
	ln     []int
	pause  pause
	events [256]syscall.EpollEvent
	ready  [256]*Conn
}

const (
	epollET     = 1 << 31
	epollEvents = syscall.EPOLLIN | syscall.EPOLLOUT | syscall.EPOLLRDHUP | epollET
	slotBell    = -1
	slotListen  = -2 // and below: of the descriptor slotListen-Fd
)

func newEpoll(l *loop) (*epoll, error) {
	fd, err := syscall.EpollCreate1(syscall.EPOLL_CLOEXEC)
	if err != nil {
		return nil, err
	}
	e := &epoll{loop: l, fd: fd}
	e.try = func(uintptr) bool {
		e.found = e.look()
		return e.found > 0
	}
	if e.bell, err = newBell(); err == nil {
		err = e.control(syscall.EPOLL_CTL_ADD, e.bell, slotBell, syscall.EPOLLIN)
	}
	if err == nil {
		err = e.park.open(fd)
	}
	if err != nil {
		e.close()
		return nil, err
	}
	return e, nil
}

func (e *epoll) control(op, fd int, slot int32, events uint32) error {
	return syscall.EpollCtl(e.fd, op, fd, &syscall.EpollEvent{Events: events, Fd: slot})
}

func (e *epoll) listen(fd int) error {
	noDelay(fd) // which its connections inherit
	e.ln = append(e.ln, fd)
	return e.control(syscall.EPOLL_CTL_ADD, fd, slotListen-int32(fd), syscall.EPOLLIN)
}

func (e *epoll) unlisten(fd int) {
	if i := slices.Index(e.ln, fd); i >= 0 {
		e.ln = slices.Delete(e.ln, i, i+1)
		closeFD(fd)
	}
}

func (e *epoll) add(c *Conn) error {
	e.loop.seat(c)
	return e.control(syscall.EPOLL_CTL_ADD, int(c.fd), c.slot, epollEvents)
}

func (e *epoll) drop(c *Conn) { e.loop.closeConn(c) }

func (e *epoll) wake() { ring(e.bell) }

func (e *epoll) close() {
	for _, fd := range e.ln {
		closeFD(fd)
	}
	e.park.close()
	closeFD(e.bell)
	closeFD(e.fd)
}

func (e *epoll) wait(d time.Duration) {
	d, over := e.pause.bound(d)
	if over {
		for _, ln := range e.ln {
			e.control(syscall.EPOLL_CTL_ADD, ln, slotListen-int32(ln), syscall.EPOLLIN)
		}
	}
	n := e.poll(d)
	e.loop.woken()
	e.loop.mu.Lock()
	for i, ev := range e.events[:n] {
		if e.ready[i] = nil; ev.Fd >= 0 && int(ev.Fd) < len(e.loop.conns) {
			e.ready[i] = e.loop.conns[ev.Fd]
		}
	}
	e.loop.mu.Unlock()
	for i, ev := range e.events[:n] {
		switch c := e.ready[i]; {
		case c != nil:
			e.loop.event(c, todoOf(ev.Events))
		case ev.Fd == slotBell:
			unring(e.bell)
		case ev.Fd <= slotListen:
			e.accept(int(slotListen - ev.Fd))
		}
	}
	clear(e.ready[:n])
}

func todoOf(events uint32) (todo uint32) {
	if events&(syscall.EPOLLRDHUP|syscall.EPOLLHUP|syscall.EPOLLERR) != 0 {
		return todoRead | todoHup
	}
	if events&syscall.EPOLLIN != 0 {
		return todoRead
	}
	return todoFlush
}

// poll waits for events. With none there it is the runtime that waits: a system
// call that does would keep its processor until the runtime's monitor takes it.
func (e *epoll) poll(d time.Duration) int {
	if n := e.look(); n > 0 || d == 0 {
		return n
	}
	e.found = 0
	e.park.wait(d, e.try)
	return e.found
}

// look returns how many events there are.
func (e *epoll) look() int {
	n, _, errno := syscall.RawSyscall6(syscall.SYS_EPOLL_PWAIT, uintptr(e.fd), uintptr(unsafe.Pointer(&e.events)), uintptr(len(e.events)), 0, 0, 0)
	if errno != 0 { // as when interrupted
		return 0
	}
	return int(n)
}

// accept takes connections until there are none.
func (e *epoll) accept(ln int) {
	for range 64 {
		fd, err := acceptFD(ln)
		switch {
		case err == nil:
			e.loop.accepted(fd)
		case errors.Is(err, syscall.EAGAIN):
			return
		case exhausted(err):
			for _, ln := range e.ln {
				e.control(syscall.EPOLL_CTL_DEL, ln, 0, 0)
			}
			e.pause.begin()
			return
		}
	}
}

func (e *epoll) read(t *turn, c *Conn) {
	if drained := t.readSocket(c); !drained {
		c.post(todoRead)
	}
}

func (e *epoll) send(c *Conn) {
	for c.out != nil {
		b := c.nextOutput()
		if len(b) == 0 {
			return
		}
		n, err := writeFD(int(c.fd), b)
		switch {
		case errors.Is(err, syscall.EAGAIN):
			c.stall()
			return
		case errors.Is(err, syscall.EINTR):
		case err != nil:
			c.broken(err)
			return
		default:
			c.took(n)
		}
	}
}
