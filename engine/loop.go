package engine

import (
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

// backend is how a loop waits and how bytes come and go.
type backend interface {
	// listen accepts the connections of a socket, which unlisten closes.
	listen(fd int) error
	unlisten(fd int)
	// add begins to wait for a connection's bytes.
	add(c *Conn) error
	// read takes what there is. It is called in a turn.
	read(t *turn, c *Conn)
	// send gives the kernel the connection's output. It is called with mu held.
	send(c *Conn)
	// drop closes the connection's descriptor, in time, and calls dropped.
	drop(c *Conn)
	// wait waits for events, for so long at most, and asks the loop for the turns.
	// A negative time is without end.
	wait(d time.Duration)
	// wake ends wait, from any goroutine.
	wake()
	close()
}

// loop serves connections.
type loop struct {
	server  *Server
	kind    Backend
	backend backend
	turn    turn
	wheel   wheel
	due     []*Conn
	over    chan struct{} // closed when the loop has ended

	asleep atomic.Bool // in wait, or about to be

	mu       sync.Mutex
	list     []*Conn // to be given a turn
	spare    []*Conn
	calls    []func()
	stopping bool
	conns    []*Conn // by slot; none has the first
	free     []int32
}

// startLoop starts a loop with the server's backend.
func startLoop(s *Server) (*loop, error) {
	l := &loop{server: s, over: make(chan struct{}), conns: make([]*Conn, 1)}
	l.wheel = wheel{loop: l, tick: tickOf(clock()), alarm: noAlarm}
	l.turn = turn{loop: l, blocking: s.Blocking}
	ready := make(chan error)
	go l.run(ready)
	return l, <-ready
}

func (l *loop) run(ready chan<- error) {
	defer close(l.over)
	runtime.LockOSThread() // a ring is one thread's
	var err error
	if l.backend, l.kind, err = newBackend(l); l.kind == IOUring {
		defer runtime.UnlockOSThread()
	} else {
		runtime.UnlockOSThread() // the runtime goes on faster with what it may move
	}
	ready <- err
	if err != nil {
		return
	}
	l.turn.now = clock()
	for l.work() {
		l.asleep.Store(true) // from here on what is new wakes the loop
		wait := time.Duration(l.wheel.wait(l.turn.now))
		if l.busy() {
			wait = 0
		}
		l.backend.wait(wait)
		l.asleep.Store(false)
	}
	l.backend.close()
}

// woken is called by the backend between its waiting and the events.
func (l *loop) woken() {
	l.asleep.Store(false)
	l.turn.now = clock()
}

func (l *loop) busy() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.list) > 0 || len(l.calls) > 0 || l.stopping
}

// work gives the turns that were asked for and those that are due, and reports
// whether the loop goes on.
func (l *loop) work() bool {
	l.due = l.wheel.turnTo(l.turn.now, l.due[:0])
	for _, c := range l.due {
		if l.server.Blocking {
			c.watchStall(l.turn.now)
		}
		c.post(todoTime)
	}
	clear(l.due)
	l.mu.Lock()
	list, calls, stopping := l.list, l.calls, l.stopping
	l.list, l.calls = l.spare[:0], nil
	l.mu.Unlock()
	for _, c := range list {
		l.serve1(c)
	}
	clear(list)
	l.spare = list
	for _, f := range calls {
		f()
	}
	return !stopping
}

// serve1 gives a connection the turn that was asked for.
func (l *loop) serve1(c *Conn) {
	if todo := c.todo.And(^uint32(todoAll | listed)); todo&todoAll != 0 {
		l.turn.run(c, todo&todoAll)
	}
}

// event gives a connection a turn at once, or asks for one on a server that is
// Blocking.
func (l *loop) event(c *Conn, todo uint32) {
	if l.server.Blocking {
		// A function may be waiting for room to write, in its turn.
		c.mu.Lock()
		c.flush()
		c.mu.Unlock()
		c.post(todo)
		return
	}
	todo |= c.todo.And(^uint32(todoAll)) & todoAll // it may stay in the list
	l.turn.run(c, todo)
}

// push puts a connection on the list.
func (l *loop) push(c *Conn) {
	l.mu.Lock()
	l.list = append(l.list, c)
	l.mu.Unlock()
	l.rouse()
}

func (l *loop) rouse() {
	if l.asleep.Load() && l.asleep.CompareAndSwap(true, false) {
		l.backend.wake()
	}
}

// call runs a function on the loop and waits for it. It returns false, and does
// not, when the loop is stopped.
func (l *loop) call(f func()) (called bool) {
	done := make(chan struct{})
	l.mu.Lock()
	if l.stopping {
		l.mu.Unlock()
		return false
	}
	l.calls = append(l.calls, func() { f(); close(done) })
	l.mu.Unlock()
	l.rouse()
	<-done
	return true
}

// stop ends the loop, whose connections are gone.
func (l *loop) stop() {
	l.mu.Lock()
	l.stopping = true
	l.mu.Unlock()
	l.rouse()
}

// seat gives a connection a slot.
func (l *loop) seat(c *Conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if n := len(l.free); n > 0 {
		c.slot = l.free[n-1]
		l.free = l.free[:n-1]
		l.conns[c.slot] = c
		return
	}
	c.slot = int32(len(l.conns))
	l.conns = append(l.conns, c)
}

// unseat takes it back.
func (l *loop) unseat(c *Conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if c.slot == 0 {
		return
	}
	l.wheel.unlink(c)
	l.conns[c.slot] = nil
	l.free = append(l.free, c.slot)
	c.slot = 0
}

// closeConn closes the descriptor of a connection of which nothing is in use.
func (l *loop) closeConn(c *Conn) {
	l.unseat(c)
	c.mu.Lock()
	fd := int(c.fd)
	if m := c.more; c.opened && m != nil { // the program may go on asking
		m.remote, m.local = remoteAddr(fd), localAddr(fd)
	}
	c.fd = -1
	c.mu.Unlock()
	closeFD(fd)
	c.dropped()
}

func (l *loop) appendConns(dst []*Conn) []*Conn {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, c := range l.conns {
		if c != nil {
			dst = append(dst, c)
		}
	}
	return dst
}

// pause is a time in which a loop accepts no connections, for the system can take
// no more. The zero pause is none.
type pause struct{ until int64 }

func (p *pause) begin() { p.until = clock() + int64(acceptPause) }

// bound returns how long to wait at most when it is to be for d (negative: without
// end), and whether the pause is over, which it reports once.
func (p *pause) bound(d time.Duration) (_ time.Duration, over bool) {
	if p.until == 0 {
		return d, false
	}
	left := time.Duration(p.until - clock())
	if left <= 0 {
		p.until = 0
		return d, true
	}
	if d < 0 || d > left {
		d = left
	}
	return d, false
}

// turns are those of the goroutines of servers that are Blocking.
var turns = sync.Pool{New: func() any { return new(turn) }}

// serve gives a connection turns until there is no reason for one.
func (l *loop) serve(c *Conn) {
	t := turns.Get().(*turn)
	t.loop, t.blocking = l, true
	for {
		todo := c.todo.And(^uint32(todoAll))
		if todo&todoAll == 0 {
			if c.todo.CompareAndSwap(todo, todo&^listed) {
				break
			}
			continue
		}
		t.now = clock()
		t.run(c, todo&todoAll)
	}
	t.loop = nil
	turns.Put(t)
}

// accepted takes a new connection of the loop's listener.
func (l *loop) accepted(fd int) {
	if !l.server.conns.Enter() {
		closeFD(fd)
		return
	}
	c := &Conn{service: &l.server.Service, loop: l, fd: int32(fd)}
	if len(l.server.loops) > 1 {
		c.loop = l.server.nextLoop()
	}
	if c.loop == l {
		l.event(c, todoOpen)
	} else {
		c.post(todoOpen)
	}
}
