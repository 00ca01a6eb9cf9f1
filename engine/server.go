package engine

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/wiretrue/websocket"
	"github.com/wiretrue/websocket/internal/shell"
	"github.com/wiretrue/websocket/wire/handshake"
)

// Handler is what a program does with its connections. Any function may be nil.
// For one connection they are called one after the other: OnOpen first, OnClose
// last and exactly once if OnOpen was due.
type Handler struct {
	// OnOpen is called when the opening handshake is done.
	OnOpen func(c *Conn)

	// OnMessage gets each message. The payload is the engine's and valid until
	// the function returns. It may be changed.
	OnMessage func(c *Conn, typ websocket.MessageType, payload []byte)

	// OnClose gets why the connection ended, as websocket.Conn.Cause tells it. The
	// connection can be asked for its addresses and its Stats, and written to no
	// more.
	OnClose func(c *Conn, cause error)
}

// Service is what is served to a connection, and how. It must not be
// copied, nor change while it is in use.
//
// QueueBlock, the zero of its QueuePolicy, means for a connection of a loop,
// which cannot wait: a connection whose queue is full is not read until half of
// it is sent, and a write that still finds it full returns
// websocket.ErrQueueFull. On a server that is Blocking, writes wait.
type Service struct {
	websocket.AcceptOptions
	Handler

	once     sync.Once
	resolved websocket.Options
}

// options returns the options with their defaults.
func (s *Service) options() *websocket.Options {
	s.once.Do(func() { s.resolved = inside.Resolved(&s.AcceptOptions.Options) })
	return &s.resolved
}

func (s *Service) logger() *slog.Logger {
	if s.Logger != nil {
		return s.Logger
	}
	return slog.Default()
}

// Backend is the operating system's means to wait for many connections.
type Backend uint8

const (
	Auto       Backend = iota // the best that there is
	IOUring                   // Linux 6.1 or later, where it is not forbidden
	Epoll                     // Linux
	Goroutines                // one for each connection, everywhere
)

func (b Backend) String() string {
	if b > Goroutines {
		return "unknown"
	}
	return [...]string{"auto", "io_uring", "epoll", "goroutines"}[b]
}

// ErrBackend is wrapped by the error of a server whose Backend was chosen and
// is not to be had.
var ErrBackend = errors.New("engine: the backend is not available")

// Server serves connections with loops. The zero Server accepts them and
// ignores what they send.
type Server struct {
	Service

	// Route chooses what is served by the request of the opening handshake. nil
	// is refused with 404. Without Route the server's own Service is served to
	// all.
	Route func(r *handshake.Request) *Service

	// Backend forces one. Auto: the first that works, of those in their order.
	Backend Backend

	// Loops is the number of loops. 0: GOMAXPROCS.
	Loops int

	// Blocking calls the functions on goroutines, so that they may wait: a
	// connection has one while it has sent something that is not handled. Its
	// loops use epoll.
	Blocking bool

	// HandshakeTimeout bounds the time from a connection's beginning to the end
	// of its opening handshake. 0: 10 s.
	HandshakeTimeout time.Duration

	// Jobs is how many functions of Conn.Go run at a time. 0: 1,024.
	Jobs int

	conns   shell.Group[*Conn] // those of goroutines were added; each loop knows its own
	cutting atomic.Bool        // what is left is cut

	mu      sync.Mutex
	started bool
	failed  error   // why there are no loops
	loops   []*loop // none: the backend is goroutines
	turn    int     // whose of the loops the next connection is
	ln      map[net.Listener]struct{}
	shaking map[net.Conn]struct{} // opening handshakes on goroutines
	done    chan struct{}         // closed by Shutdown
	jobs    jobs                  // of Conn.Go
}

// Serve serves the connections of a listener with the zero Server and the
// handler.
func Serve(ln net.Listener, h Handler) error {
	return (&Server{Service: Service{Handler: h}}).Serve(ln)
}

// Serve accepts connections and serves them until Shutdown or Close, and then
// returns net.ErrClosed. It takes the listener over, and may be called for
// several; those of one port, by SO_REUSEPORT, may belong to several processes.
func (s *Server) Serve(ln net.Listener) error {
	if err := s.start(); err != nil {
		ln.Close()
		return err
	}
	s.mu.Lock()
	if s.conns.Stopped() {
		s.mu.Unlock()
		ln.Close()
		return net.ErrClosed
	}
	s.ln[ln] = struct{}{}
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		delete(s.ln, ln)
		s.mu.Unlock()
		ln.Close()
	}()
	if len(s.loops) == 0 {
		return s.acceptConns(ln)
	}
	fd, err := dupListener(ln)
	if err != nil {
		if s.Backend == Auto {
			return s.acceptConns(ln)
		}
		return fmt.Errorf("%w: %v for a %T: %w", ErrBackend, s.Backend, ln, err)
	}
	l := s.nextLoop()
	if !l.call(func() { err = l.backend.listen(fd) }) {
		err = net.ErrClosed // by a Shutdown meanwhile
	}
	if err != nil {
		closeFD(fd)
		return err
	}
	<-s.done
	l.call(func() { l.backend.unlisten(fd) })
	return net.ErrClosed
}

// start starts the loops, once.
func (s *Server) start() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.started {
		return s.failed
	}
	s.started = true
	s.ln, s.shaking, s.done = map[net.Listener]struct{}{}, map[net.Conn]struct{}{}, make(chan struct{})
	if s.jobs.limit = s.Jobs; s.Jobs <= 0 {
		s.jobs.limit = 1024
	}
	if s.Backend == Goroutines {
		return nil
	}
	n := s.Loops
	if n == 0 {
		n = runtime.GOMAXPROCS(0)
	}
	for range n {
		l, err := startLoop(s)
		if err != nil {
			for _, l := range s.loops {
				l.stop()
			}
			s.loops = nil
			if s.Backend != Auto {
				s.failed = fmt.Errorf("%w: %v: %w", ErrBackend, s.Backend, err)
			}
			return s.failed
		}
		s.loops = append(s.loops, l)
	}
	return nil
}

// Using returns the backend that the server has chosen.
func (s *Server) Using() (Backend, error) {
	if err := s.start(); err != nil {
		return 0, err
	}
	if len(s.loops) == 0 {
		return Goroutines, nil
	}
	return s.loops[0].kind, nil
}

func (s *Server) nextLoop() *loop {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.turn++
	return s.loops[s.turn%len(s.loops)]
}

func (s *Server) handshakeTimeout() time.Duration {
	if s.HandshakeTimeout <= 0 {
		return 10 * time.Second
	}
	return s.HandshakeTimeout
}

// Shutdown accepts no more, ends every connection with 1001 and waits until all
// are gone, as websocket.Server.Shutdown does. When ctx ends first, the rest is
// cut and its error returned.
func (s *Server) Shutdown(ctx context.Context) error {
	idle := s.stop()
	shell.Pace(ctx, s.connections(), func(c *Conn) { c.Close(websocket.StatusGoingAway, "") })
	err := error(nil)
	select {
	case <-idle:
	case <-ctx.Done():
		err = ctx.Err()
		s.cut()
	}
	s.end(idle)
	return err
}

// Close accepts no more and cuts every connection.
func (s *Server) Close() error {
	idle := s.stop()
	s.cut()
	s.end(idle)
	return nil
}

// stop closes the listeners. The channel is closed when no connection is left.
func (s *Server) stop() (idle <-chan struct{}) {
	s.start()
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.conns.Stopped() {
		close(s.done)
	}
	for ln := range s.ln {
		ln.Close()
	}
	for nc := range s.shaking {
		nc.SetDeadline(time.Unix(1, 0))
	}
	return s.conns.Stop()
}

// connections returns those that are open. One that becomes known after stop is
// ended by endLate.
func (s *Server) connections() []*Conn {
	s.mu.Lock()
	loops := s.loops
	s.mu.Unlock()
	conns := s.conns.All()
	for _, l := range loops {
		conns = l.appendConns(conns)
	}
	return conns
}

func (s *Server) cut() {
	s.cutting.Store(true)
	for _, c := range s.connections() {
		c.CloseNow()
	}
}

// endLate ends a connection that became known when the others had been ended.
func (s *Server) endLate(c *Conn) {
	switch {
	case s.cutting.Load():
		c.CloseNow()
	case s.conns.Stopped():
		c.Close(websocket.StatusGoingAway, "")
	}
}

// end stops the loops when the last connection is gone, which for those that
// were cut is as soon as no function of theirs runs.
func (s *Server) end(idle <-chan struct{}) {
	s.mu.Lock()
	loops := s.loops
	s.mu.Unlock()
	stop := func() {
		for _, l := range loops {
			l.stop()
		}
	}
	select {
	case <-idle:
		stop()
	default:
		go func() { <-idle; stop() }()
	}
}
