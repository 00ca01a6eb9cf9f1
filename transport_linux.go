package websocket

import (
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"unsafe"
)

// watch is what is known of a socket that the poller looks at.
//
// There are two ways to wait. The runtime's costs a read that finds nothing for
// each message, since an edge that comes before it is asked to wait would be
// lost. The poller's does not, but its goroutine wakes the one that waits, for
// which the scheduler wakes a thread wherever a processor is idle: several times
// the cost of that read. So a socket is watched while many are busy at once,
// when what is ready is passed on together and the processors have work.
type watch struct {
	state atomic.Uint32

	// Guarded by mu.
	has   bool // the slot is taken
	ended bool

	// Owned by the one who reads.
	on    bool          // the poller looks at the socket
	busy  uint8         // reads in a row that were made in a crowd
	turn  uint64        // that the last read took
	token chan struct{} // wakes the one who waits; made when first needed

	mu   sync.Mutex
	slot slot // guarded by it, too
}

// turns counts the reads of the process.
var turns atomic.Uint64

const (
	crowd = 16 // reads of others between two of one connection make a crowd
	often = 4  // reads in a crowd, in a row, make a connection watched
	alone = 64 // turns of the poller, in a row, for one event each make it not
)

// crowded notes a read, and reports whether it pays to be watched.
func (w *watch) crowded() bool {
	turn := turns.Add(1)
	if turn-w.turn > crowd {
		w.busy++
	} else {
		w.busy = 0
	}
	w.turn = turn
	return w.busy >= often
}

// The bits of a watch's state.
const (
	readable    = 1 << iota // an edge came that no read has answered
	hungUp                  // the peer's FIN or RST came: there is no edge behind it
	interrupted             // waiting ends without a byte
	lonely                  // the edge came alone, as those before it
	waiting                 // somebody waits for the token
)

// raise sets bits, and wakes the one who waits.
func (w *watch) raise(bits uint32) {
	if w.state.Or(bits)&waiting != 0 && w.state.And(^uint32(waiting))&waiting != 0 {
		w.token <- struct{}{} // there is room: one waits, and one takes the bit
	}
}

// lower takes bits back.
func (w *watch) lower(bits uint32) { w.state.And(^bits) }

// wait returns the state when it has a bit to be dealt with.
func (w *watch) wait() uint32 {
	for {
		s := w.state.Load()
		if s != 0 {
			return s
		}
		if w.state.CompareAndSwap(0, waiting) {
			<-w.token
		}
	}
}

// watched reports whether the poller looks at the socket.
func (t *transport) watched() bool { return t.watch.on }

// startWatching has the poller look at the socket, where there is one.
func (t *transport) startWatching() {
	t.watch.busy = 0
	// A goroutine of a synctest bubble cannot be woken from outside. Its clock
	// is behind that of the process.
	if now() < int64(startsAt) {
		return
	}
	p := poller()
	if p == nil {
		return
	}
	if t.watch.token == nil {
		t.watch.token = make(chan struct{}, 1)
	}
	slot, ok := t.watch.place(p)
	if !ok {
		return
	}
	// An edge comes at once when there are bytes already.
	event := syscall.EpollEvent{Events: syscall.EPOLLIN | syscall.EPOLLRDHUP | edge, Fd: slot.index, Pad: slot.use}
	t.watch.on = p.control(t.raw, syscall.EPOLL_CTL_ADD, &event) == nil
}

// stopWatching leaves the socket to the runtime.
func (t *transport) stopWatching() {
	poller().control(t.raw, syscall.EPOLL_CTL_DEL, nil)
	t.watch.on = false
	t.watch.lower(readable | hungUp)
}

// place returns the slot of the socket, unless it is closed.
func (w *watch) place(p *epoll) (s slot, ok bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.has && !w.ended {
		w.slot, w.has = p.add(w), true
	}
	return w.slot, !w.ended
}

// end gives the slot back, once the socket is closed.
func (w *watch) end() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.has && !w.ended {
		poller().remove(w.slot)
	}
	w.ended = true
}

// readWatched is read for a socket that is watched.
func (t *transport) readWatched() ([]byte, error) {
	for {
		s := t.watch.wait()
		if s&interrupted != 0 {
			return t.result(os.ErrDeadlineExceeded)
		}
		t.watch.lower(readable | lonely) // before the read: an edge behind it counts
		b := t.borrow()
		if err := t.raw.Control(b.read); err != nil {
			t.release()
			return t.result(err)
		}
		if b.err == errAgain {
			t.watch.lower(hungUp) // whatever it was, it was not the end
			t.release()
			continue
		}
		turns.Add(1)
		if s&lonely != 0 {
			t.stopWatching()
		} else if b.n == len(b.into) {
			t.watch.raise(readable) // there may be more
		}
		return t.result(nil)
	}
}

// slot is a place in the poller's table, and how often it was used before.
type slot struct{ index, use int32 }

// epoll watches sockets for edges, itself watched by the runtime's poller.
type epoll struct {
	fd int

	// Owned by the goroutine that waits.
	single int // turns in a row with one event each

	mu    sync.Mutex
	table []entry
	free  []int32
}

type entry struct {
	w   *watch // nil: free
	use int32
}

// poller returns the process's epoll, or nil where it has none.
var poller = sync.OnceValue(func() *epoll {
	fd, err := syscall.EpollCreate1(syscall.EPOLL_CLOEXEC)
	if err != nil {
		return nil
	}
	syscall.SetNonblock(fd, true) // so that NewFile has the runtime watch it
	raw, err := os.NewFile(uintptr(fd), "epoll").SyscallConn()
	if err != nil {
		return nil
	}
	p := &epoll{fd: fd}
	go raw.Read(p.turn())
	return p
})

// turn returns the function that passes the events on.
func (p *epoll) turn() func(fd uintptr) (done bool) {
	events := make([]syscall.EpollEvent, 256)
	return func(fd uintptr) bool {
		for {
			n, _, errno := syscall.RawSyscall6(syscall.SYS_EPOLL_PWAIT, fd, uintptr(unsafe.Pointer(&events[0])), uintptr(len(events)), 0, 0, 0)
			if errno != 0 {
				return false
			}
			p.pass(events[:n])
			if int(n) < len(events) {
				return false
			}
		}
	}
}

func (p *epoll) pass(events []syscall.EpollEvent) {
	switch len(events) {
	case 0:
	case 1:
		p.single++
	default:
		p.single = 0
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for i := range events {
		e := &events[i]
		entry := p.table[e.Fd]
		if entry.w == nil || entry.use != e.Pad {
			continue // closed meanwhile
		}
		bits := uint32(readable)
		if p.single >= alone {
			bits |= lonely
		}
		if e.Events&(syscall.EPOLLRDHUP|syscall.EPOLLHUP|syscall.EPOLLERR) != 0 {
			bits |= hungUp
		}
		entry.w.raise(bits)
	}
}

const edge = 1 << 31 // EPOLLET, as the field has it

func (p *epoll) add(w *watch) slot {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.free) == 0 {
		p.free = append(p.free, int32(len(p.table)))
		p.table = append(p.table, entry{})
	}
	index := p.free[len(p.free)-1]
	p.free = p.free[:len(p.free)-1]
	p.table[index].w = w
	return slot{index, p.table[index].use}
}

func (p *epoll) remove(s slot) {
	p.mu.Lock()
	defer p.mu.Unlock()
	entry := &p.table[s.index]
	entry.w = nil
	entry.use++
	p.free = append(p.free, s.index)
}

// control changes what the epoll watches.
func (p *epoll) control(raw syscall.RawConn, op int, event *syscall.EpollEvent) (err error) {
	closed := raw.Control(func(fd uintptr) { err = syscall.EpollCtl(p.fd, op, int(fd), event) })
	if closed != nil {
		return closed
	}
	return err
}

// receive is a read that does not wait, so the scheduler need not be told of it.
func receive(fd uintptr, p []byte) (int, error) {
	return transfer(sysRecv, fd, unsafe.Pointer(unsafe.SliceData(p)), len(p), 0)
}

// send is a write of a and, behind it, b that does not wait.
func send(fd uintptr, a, b []byte) (int, error) {
	if len(b) == 0 {
		return transfer(sysSend, fd, unsafe.Pointer(unsafe.SliceData(a)), len(a), syscall.MSG_NOSIGNAL)
	}
	both := [2]syscall.Iovec{{Base: unsafe.SliceData(a)}, {Base: unsafe.SliceData(b)}}
	both[0].SetLen(len(a))
	both[1].SetLen(len(b))
	return transfer(syscall.SYS_WRITEV, fd, unsafe.Pointer(&both), len(both), 0)
}

// transfer makes a call with an argument of that many items and flags.
func transfer(trap, fd uintptr, p unsafe.Pointer, items int, flags uintptr) (int, error) {
	for {
		n, _, errno := syscall.RawSyscall6(trap, fd, uintptr(p), uintptr(items), flags, 0, 0)
		switch errno {
		case 0:
			return int(n), nil
		case syscall.EINTR:
			continue
		case syscall.EAGAIN:
			return 0, errAgain
		}
		return 0, errno
	}
}
