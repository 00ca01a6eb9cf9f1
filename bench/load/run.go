//go:build linux

package load

import (
	"errors"
	"fmt"
	"io"
	"net/netip"
	"runtime"
	"runtime/debug"
	"syscall"
	"time"

	hdr "github.com/HdrHistogram/hdrhistogram-go"

	"github.com/wiretrue/websocket/wire/deflate"
	"github.com/wiretrue/websocket/wire/frame"
	"github.com/wiretrue/websocket/wire/handshake"
)

const (
	window  = 128              // handshakes at a time while connections are opened
	patient = 20 * time.Second // without any progress
)

// loop is the state of a run.
type loop struct {
	cfg     *Config
	offer   handshake.Offer
	request []byte
	streams map[deflate.Params]*stream
	plain   *stream
	ep      int
	server  syscall.Sockaddr
	conns   []conn
	buf     []byte
	events  []syscall.EpollEvent
	got     func(*conn) // method value, made once

	open      int // connections that are
	pending   int // that are being opened
	replacing bool
	received  int64
	unsent    int64 // with Messages
	running   bool
	spinning  bool    // rather than waiting, while time is measured
	delivered int     // of the broadcast under way
	free      []*conn // between two turns, with a Rate
	latency   *hdr.Histogram
	err       error
}

// Run measures a server. With hold, for Idle, it calls it once all connections
// are open and have exchanged their message, and goes on answering pings until
// hold's channel is closed.
func Run(cfg Config, hold func(*Result) <-chan struct{}) (*Result, error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	defer debug.SetGCPercent(debug.SetGCPercent(400))
	l, err := newLoop(&cfg)
	if err != nil {
		return nil, err
	}
	defer l.close()
	if cfg.Shape == Handshake {
		return l.handshakes()
	}
	openErr := l.openAll()
	if openErr != nil && (cfg.Shape != Idle || l.open == 0) {
		return nil, openErr
	}
	switch cfg.Shape {
	case Echo:
		return l.measure()
	case Broadcast:
		if err := l.gather(); err != nil {
			return nil, err
		}
		return l.measure()
	case Idle:
		if err := l.exchange(); err != nil {
			return nil, err
		}
		held := &Result{Conns: l.open, Messages: l.received}
		if openErr != nil {
			held.Stopped = openErr.Error()
		}
		done := hold(held)
		for {
			select {
			case <-done:
				return held, nil
			default:
				if l.turn(); l.err != nil {
					return nil, l.err
				}
			}
		}
	}
	return nil, fmt.Errorf("no shape %q", cfg.Shape)
}

func newLoop(cfg *Config) (*loop, error) {
	addr, err := netip.ParseAddrPort(cfg.Addr)
	if err != nil || !addr.Addr().Is4() {
		return nil, fmt.Errorf("%q is no IPv4 address with a port", cfg.Addr)
	}
	if cfg.Shape == Broadcast {
		cfg.InFlight = 1
	}
	l := &loop{
		cfg:     cfg,
		offer:   handshake.Offer{Key: handshake.Key([16]byte{1: 0x64, 15: 0x55})},
		streams: map[deflate.Params]*stream{},
		server:  &syscall.SockaddrInet4{Port: int(addr.Port()), Addr: addr.Addr().As4()},
		conns:   make([]conn, cfg.Conns),
		buf:     make([]byte, 256<<10),
		events:  make([]syscall.EpollEvent, 256),
	}
	switch cfg.Deflate {
	case NoDeflate:
	case Takeover:
		l.offer.Extensions = []handshake.Extension{deflate.Params{}.Offer()}
	case Reset:
		l.offer.Extensions = []handshake.Extension{deflate.Params{ServerNoContextTakeover: true, ClientNoContextTakeover: true}.Offer()}
	default:
		return nil, fmt.Errorf("no compression %q", cfg.Deflate)
	}
	l.request = handshake.AppendRequest(nil, cfg.Path, cfg.Addr, l.offer, nil)
	l.plain = newStream(cfg, nil)
	l.got = l.message
	if l.ep, err = syscall.EpollCreate1(syscall.EPOLL_CLOEXEC); err != nil {
		return nil, fmt.Errorf("epoll_create1: %w", err)
	}
	return l, nil
}

func (l *loop) close() {
	for i := range l.conns {
		if l.conns[i].state != closed {
			l.reset(&l.conns[i])
		}
	}
	syscall.Close(l.ep)
}

func (l *loop) fail(c *conn, err error) {
	if l.err == nil {
		l.err = fmt.Errorf("connection %d, message %d: %w", int(c.fd), l.received, err)
	}
}

// connect begins to open connection i.
func (l *loop) connect(i int) error {
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_NONBLOCK|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("socket: %w", err)
	}
	c := &l.conns[i]
	*c = conn{fd: int32(fd), index: i, state: connecting, stream: l.plain, polled: true}
	syscall.SetsockoptInt(fd, syscall.IPPROTO_TCP, syscall.TCP_NODELAY, 1)
	if l.cfg.Sources > 0 {
		const bindAddressNoPort = 24
		syscall.SetsockoptInt(fd, syscall.IPPROTO_IP, bindAddressNoPort, 1)
		source := 2 + i%l.cfg.Sources
		if err := syscall.Bind(fd, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, byte(source >> 8), byte(source)}}); err != nil {
			syscall.Close(fd)
			c.state = closed
			return fmt.Errorf("bind: %w", err)
		}
	}
	if err := syscall.Connect(fd, l.server); err != nil && !errors.Is(err, syscall.EINPROGRESS) {
		syscall.Close(fd)
		c.state = closed
		return fmt.Errorf("connect: %w", err)
	}
	l.watch(i, syscall.EPOLL_CTL_ADD, syscall.EPOLLIN|syscall.EPOLLOUT)
	l.pending++
	return nil
}

func (l *loop) watch(i, op int, events uint32) {
	if err := syscall.EpollCtl(l.ep, op, int(l.conns[i].fd), &syscall.EpollEvent{Events: events, Fd: int32(i)}); err != nil {
		l.fail(&l.conns[i], fmt.Errorf("epoll_ctl: %w", err))
	}
}

// reset ends a connection without leaving its port behind.
func (l *loop) reset(c *conn) {
	syscall.SetsockoptLinger(int(c.fd), syscall.SOL_SOCKET, syscall.SO_LINGER, &syscall.Linger{Onoff: 1})
	syscall.Close(int(c.fd))
	if c.state == opened {
		l.open--
	} else {
		l.pending--
	}
	c.state = closed
}

// turn handles what is ready now.
func (l *loop) turn() {
	n := 0
	if l.spinning {
		n = poll(l.ep, l.events)
	} else {
		n, _ = syscall.EpollWait(l.ep, l.events, 10)
		n = max(n, 0)
	}
	for _, e := range l.events[:n] {
		i := int(e.Fd)
		c := &l.conns[i]
		if c.state == connecting && e.Events&(syscall.EPOLLOUT|syscall.EPOLLERR|syscall.EPOLLHUP) != 0 {
			if errno, err := syscall.GetsockoptInt(int(c.fd), syscall.SOL_SOCKET, syscall.SO_ERROR); err != nil || errno != 0 {
				l.fail(c, fmt.Errorf("connect: %w", syscall.Errno(errno)))
				return
			}
			c.state, c.out = opening, l.request
			if l.cfg.Raw {
				c.out = nil
				l.opened(i)
			}
		}
		if e.Events&(syscall.EPOLLIN|syscall.EPOLLERR|syscall.EPOLLHUP) != 0 {
			l.readable(i)
		}
		if c.state >= opening && (len(c.out) > 0 || c.polled) {
			l.flush(i)
		}
		if l.err != nil {
			return
		}
	}
}

func (l *loop) readable(i int) {
	c := &l.conns[i]
	n, errno := read(c.fd, l.buf)
	switch {
	case errno == syscall.EAGAIN || errno == syscall.EINTR:
		return
	case errno != 0:
		l.fail(c, fmt.Errorf("read: %w", errno))
		return
	case n == 0:
		l.fail(c, fmt.Errorf("read: %w", io.ErrUnexpectedEOF))
		return
	}
	var err error
	switch {
	case c.state == opening:
		err = l.response(i, l.buf[:n])
	case l.cfg.Raw:
		err = c.receiveRaw(l.buf[:n], l.got)
	default:
		err = c.receive(l.buf[:n], l.got)
	}
	if err != nil {
		l.fail(c, err)
	}
}

// response reads the answer to the request.
func (l *loop) response(i int, b []byte) error {
	c := &l.conns[i]
	c.scratch = append(c.scratch, b...)
	r, n := handshake.ParseResponse(c.scratch, 0)
	if n == 0 {
		return nil
	}
	agreed, broken := r.Agreement(l.offer)
	if rule := broken.Fatal(); rule != 0 {
		return fmt.Errorf("the handshake was answered %d %s: %v", r.Status, r.Reason, rule)
	}
	if n < len(c.scratch) {
		return errors.New("bytes behind the response")
	}
	c.scratch = nil
	if l.cfg.Deflate != NoDeflate {
		params, ok, _ := deflate.Confirm(agreed.Extensions, l.offer.Extensions)
		if !ok || l.cfg.Deflate == Takeover && (params.ServerNoContextTakeover || params.ClientNoContextTakeover) {
			return errPlain
		}
		if l.cfg.Deflate == Reset {
			params.ClientNoContextTakeover = true
		}
		if l.streams[params] == nil {
			l.streams[params] = newStream(l.cfg, &params)
		}
		c.stream = l.streams[params]
		c.inflate, c.forget = deflate.NewDecompressor(params.ServerWindow()), params.ServerNoContextTakeover
	}
	l.opened(i)
	return nil
}

func (l *loop) opened(i int) {
	l.conns[i].state = opened
	l.pending--
	l.open++
	if !l.replacing {
		return
	}
	l.received++
	l.reset(&l.conns[i])
	if err := l.connect(i); err != nil {
		l.err = err
	}
}

// flush sends what is to be sent, and sees to it that the rest is.
func (l *loop) flush(i int) {
	c := &l.conns[i]
	for len(c.out) > 0 {
		n, errno := write(c.fd, c.out)
		if errno == syscall.EAGAIN {
			break
		}
		if errno != 0 {
			l.fail(c, fmt.Errorf("write: %w", errno))
			return
		}
		c.out = c.out[n:]
	}
	if polled := len(c.out) > 0; polled != c.polled {
		c.polled = polled
		events := uint32(syscall.EPOLLIN)
		if polled {
			events |= syscall.EPOLLOUT
		}
		l.watch(i, syscall.EPOLL_CTL_MOD, events)
	}
}

// until takes turns until done, and fails when there is no progress.
func (l *loop) until(what string, done func() bool) error {
	at, since := l.progress(), time.Now()
	for spins := 0; !done(); spins++ {
		if l.turn(); l.err != nil {
			return l.err
		}
		if spins%4096 == 0 || !l.spinning {
			if p := l.progress(); p != at {
				at, since = p, time.Now()
			} else if time.Since(since) > patient {
				return fmt.Errorf("%s: nothing came for %v: %d connections, %d messages", what, patient, l.open, l.received)
			}
		}
	}
	return nil
}

func (l *loop) progress() int64 { return int64(l.open) + l.received }

// openAll opens the connections, some at a time. An error leaves those open
// that are.
func (l *loop) openAll() error {
	next := 0
	return l.until("opening", func() bool {
		for l.err == nil && l.pending < window && next < len(l.conns) {
			l.err = l.connect(next)
			next++
		}
		return l.open == len(l.conns)
	})
}

// exchange lets each open connection have one message.
func (l *loop) exchange() error {
	l.err = nil
	want := l.received + int64(l.open)
	next := 0
	return l.until("one message each", func() bool {
		for ; next < len(l.conns) && next < int(l.received)+window; next++ {
			if c := &l.conns[next]; c.state == opened {
				c.send(1)
				l.flush(next)
			}
		}
		return l.received >= want
	})
}

// gather waits until the server reads each connection, as the answer to a Ping
// tells: it is then among those that a broadcast goes to.
func (l *loop) gather() error {
	for i := range l.conns {
		l.conns[i].sendControl(frame.Ping, nil)
		l.flush(i)
	}
	next := 0
	return l.until("pongs", func() bool {
		for next < len(l.conns) && l.conns[next].ponged {
			next++
		}
		return next == len(l.conns)
	})
}

func (l *loop) handshakes() (*Result, error) {
	l.replacing = true
	for i := range l.conns {
		if err := l.connect(i); err != nil {
			return nil, err
		}
	}
	return l.timed(func() bool { return false })
}

func (l *loop) measure() (*Result, error) {
	l.running = true
	l.unsent = int64(l.cfg.Messages)
	if l.cfg.Shape == Broadcast {
		l.unsent /= int64(len(l.conns))
	}
	l.unsent -= l.unsent % int64(l.cfg.InFlight)
	total := l.unsent
	if l.cfg.Shape == Broadcast {
		total *= int64(len(l.conns))
	}
	step := func() bool { return total > 0 && l.received >= total }
	if l.cfg.Rate > 0 {
		l.latency = hdr.New(1, int64(time.Minute), 3)
		for i := range l.conns {
			l.free = append(l.free, &l.conns[i])
		}
		gap := time.Duration(float64(time.Second) * float64(l.cfg.InFlight) / l.cfg.Rate)
		due := time.Now()
		step = func() bool {
			for len(l.free) > 0 && !due.After(time.Now()) {
				c := l.free[0]
				l.free = l.free[:copy(l.free, l.free[1:])]
				c.intended = due.UnixNano()
				due = due.Add(gap)
				l.begin(c)
			}
			return false
		}
	} else {
		n := len(l.conns)
		if l.cfg.Shape == Broadcast {
			n = 1
		}
		for i := range n {
			l.begin(&l.conns[i])
		}
	}
	return l.timed(step)
}

// timed measures for a time, after a warm-up, or until step is true.
func (l *loop) timed(step func() bool) (*Result, error) {
	if l.cfg.Messages > 0 {
		start, err := l.mark()
		start.received = 0 // what has come back already counts
		if err == nil {
			err = l.until("messages", step)
		}
		if err != nil {
			return nil, err
		}
		return l.since(start)
	}
	l.spinning = true
	if _, err := l.pass(l.cfg.Warmup, step); err != nil {
		return nil, err
	}
	if l.latency != nil {
		l.latency.Reset()
	}
	start, err := l.pass(0, step)
	if err != nil {
		return nil, err
	}
	if _, err := l.pass(l.cfg.Duration, step); err != nil {
		return nil, err
	}
	return l.since(start)
}

// pass goes on until the server has used the processor time, and has had a few
// messages of each connection. On a machine that does other things, too, that
// may take a while. A server that has time to wait is not waited for so long.
func (l *loop) pass(d time.Duration, step func() bool) (mark, error) {
	start, err := l.mark()
	if err != nil || d == 0 {
		return start, err
	}
	enough := l.received + int64(2*len(l.conns)*l.cfg.InFlight)
	next := start.wall.Add(d / 8)
	spins := 0
	return start, l.until("messages", func() bool {
		step()
		if spins++; spins%16 != 0 {
			return false
		}
		now := time.Now()
		if now.Before(next) {
			return false
		}
		next = now.Add(d / 64)
		cpu, err := processTime(l.cfg.PID)
		if err != nil {
			l.err = err
		}
		took := now.Sub(start.wall)
		return l.received >= enough && (cpu-start.cpu >= d || took >= 16*d || l.cfg.PID == 0 && took >= d)
	})
}

// mark is a point in time, of several clocks.
type mark struct {
	wall       time.Time
	cpu, delay time.Duration
	received   int64
}

func (l *loop) mark() (m mark, err error) {
	m.delay = runDelay(l.cfg.PID)
	m.cpu, err = processTime(l.cfg.PID)
	m.wall, m.received = time.Now(), l.received
	return m, err
}

// since returns what was measured since the mark.
func (l *loop) since(start mark) (*Result, error) {
	end, err := l.mark()
	if err != nil {
		return nil, err
	}
	r := &Result{
		Conns:    l.open,
		Messages: end.received - start.received,
		Wall:     end.wall.Sub(start.wall),
		CPU:      end.cpu - start.cpu,
		Delay:    end.delay - start.delay,
	}
	if r.Messages == 0 {
		return nil, errors.New("no message came back in time")
	}
	if l.latency != nil {
		r.Latency = latencyOf(l.latency)
	}
	return r, nil
}

// begin begins a turn of a connection, unless all is sent.
func (l *loop) begin(c *conn) {
	if l.cfg.Messages > 0 {
		if l.unsent == 0 {
			return
		}
		l.unsent -= int64(l.cfg.InFlight)
	}
	c.send(l.cfg.InFlight)
	l.flush(c.index)
}

// message is called for every message that has come back whole.
func (l *loop) message(c *conn) {
	l.received++
	switch {
	case !l.running:
	case l.cfg.Shape == Broadcast:
		if l.delivered++; l.delivered == len(l.conns) {
			l.delivered = 0
			l.begin(&l.conns[0])
		}
	default:
		if c.left--; c.left > 0 {
			return
		}
		if l.latency == nil {
			l.begin(c)
			return
		}
		l.latency.RecordValue(max(1, time.Now().UnixNano()-c.intended))
		l.free = append(l.free, c)
	}
}
