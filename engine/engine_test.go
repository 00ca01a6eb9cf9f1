package engine_test

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/wiretrue/websocket"
	"github.com/wiretrue/websocket/engine"
	"github.com/wiretrue/websocket/wire/deflate"
	"github.com/wiretrue/websocket/wire/handshake"
	"github.com/wiretrue/websocket/wstest"
)

// mode is a way to run the engine. Whatever a server does, it does in each.
type mode struct {
	name     string
	backend  engine.Backend
	blocking bool
}

var modes = []mode{
	{"epoll", engine.Epoll, false},
	{"io_uring", engine.IOUring, false},
	{"blocking", engine.Auto, true},
	{"goroutines", engine.Goroutines, false},
}

// eachMode runs a test in each mode that there is here.
func eachMode(t *testing.T, test func(t *testing.T, m mode)) {
	for _, m := range modes {
		t.Run(m.name, func(t *testing.T) {
			m.check(t)
			test(t, m)
		})
	}
}

// check skips a test of a mode that is not to be had, or fails it in CI.
func (m mode) check(t testing.TB) {
	t.Helper()
	s := &engine.Server{Backend: m.backend, Blocking: m.blocking, Loops: 1}
	_, err := s.Using()
	s.Close()
	if errors.Is(err, engine.ErrBackend) {
		if os.Getenv("CI") != "" && m.backend != engine.IOUring {
			t.Fatal(err)
		}
		t.Skip(err)
	}
}

func listen(t testing.TB) net.Listener {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return ln
}

// serve runs the server in the mode until the test ends, and returns its address.
func (m mode) serve(t testing.TB, s *engine.Server) net.Addr {
	t.Helper()
	return m.serveOn(t, s, listen(t))
}

func (m mode) serveOn(t testing.TB, s *engine.Server, ln net.Listener) net.Addr {
	t.Helper()
	s.Backend, s.Blocking = m.backend, m.blocking
	served := make(chan error, 1)
	go func() { served <- s.Serve(ln) }()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := s.Shutdown(ctx); err != nil {
			t.Errorf("Shutdown: %v", err)
		}
		if err := <-served; !errors.Is(err, net.ErrClosed) {
			t.Errorf("Serve: %v", err)
		}
	})
	return ln.Addr()
}

func dial(t testing.TB, addr net.Addr, opts *websocket.DialOptions) *websocket.Conn {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	c, err := websocket.Dial(ctx, "ws://"+addr.String()+"/", opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.CloseNow() })
	return c
}

// dialPeer opens a connection whose client sends what the test says.
func dialPeer(t testing.TB, addr net.Addr) *wstest.Peer {
	t.Helper()
	nc, err := net.Dial(addr.Network(), addr.String())
	if err != nil {
		t.Fatal(err)
	}
	nc.SetDeadline(time.Now().Add(safety))
	p := wstest.NewPeer(t, nc)
	p.SendBytes(goodRequest)
	if r := p.ReadResponse(); r.Status != 101 {
		t.Fatalf("the server answered %d", r.Status)
	}
	return p
}

var goodRequest = handshake.AppendRequest(nil, "/", "wstest.invalid", handshake.Offer{
	Key:        "dGhlIHNhbXBsZSBub25jZQ==",
	Extensions: []handshake.Extension{deflate.Params{}.Offer()},
}, nil)

// less returns the first number, or the second in a short run.
func less(n, short int) int {
	if testing.Short() {
		return short
	}
	return n
}

// safety bounds what a test waits for. Nothing waits for it when all is well.
const safety = time.Minute

var quiet = slog.New(slog.DiscardHandler)

func echo(c *engine.Conn, typ websocket.MessageType, p []byte) { c.Write(typ, p) }

func read(t testing.TB, c *websocket.Conn) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), safety)
	defer cancel()
	_, p, err := c.Read(ctx)
	if err != nil {
		t.Fatalf("Read: %v", err)
	}
	return string(p)
}

func write(t testing.TB, c *websocket.Conn, typ websocket.MessageType, p string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), safety)
	defer cancel()
	if err := c.Write(ctx, typ, []byte(p)); err != nil {
		t.Fatalf("Write: %v", err)
	}
}

// ended takes what OnClose is told.
type ended chan error

func (e ended) wait(t testing.TB) error {
	t.Helper()
	select {
	case err := <-e:
		return err
	case <-time.After(safety):
		t.Fatal("OnClose is not called")
		return nil
	}
}

// An echo over a connection of each kind, small and large, and its end.
func TestEcho(t *testing.T) {
	eachMode(t, func(t *testing.T, m mode) {
		end := make(ended, 1)
		addr := m.serve(t, &engine.Server{Service: engine.Service{
			AcceptOptions: websocket.AcceptOptions{Subprotocols: []string{"echo"}},
			Handler: engine.Handler{
				OnOpen: func(c *engine.Conn) {
					if c.Subprotocol() != "echo" || c.RemoteAddr().String() == "" || c.Cause() != nil {
						t.Errorf("opened with %q from %v", c.Subprotocol(), c.RemoteAddr())
					}
					c.SetValue("mine")
					c.Write(websocket.Text, []byte("welcome"))
				},
				OnMessage: echo,
				OnClose: func(c *engine.Conn, cause error) {
					if c.Value() != "mine" || c.Cause() != cause {
						t.Errorf("ended with %v and %v", c.Value(), c.Cause())
					}
					if s := c.Stats(); s.Received.Messages != 5 || s.Sent.Messages != 6 || s.Sent.Payload != s.Received.Payload+7 {
						t.Errorf("ended with %+v", s)
					}
					end <- cause
				},
			},
		}})
		c := dial(t, addr, &websocket.DialOptions{Subprotocols: []string{"echo"}})
		if got := read(t, c); got != "welcome" {
			t.Errorf("read %q", got)
		}
		for _, size := range []int{0, 5, 126, 70_000, less(3<<20, 1<<20)} {
			sent := string(noise(size))
			write(t, c, websocket.Binary, sent)
			if got := read(t, c); got != sent {
				t.Fatalf("%d bytes came back as %d others", size, len(got))
			}
		}
		ctx, cancel := context.WithTimeout(t.Context(), safety)
		defer cancel()
		if err := c.Close(ctx, websocket.StatusNormalClosure, "enough"); err != nil {
			t.Errorf("Close: %v", err)
		}
		closed := new(websocket.CloseError)
		if err := end.wait(t); !errors.As(err, &closed) || closed.Code != websocket.StatusNormalClosure || closed.Reason != "enough" || !closed.ByPeer {
			t.Errorf("ended with %v", err)
		}
	})
}

// noise returns bytes that do not compress, others for each size.
func noise(size int) []byte {
	b := make([]byte, 0, size)
	for from := size % 1021; len(b) < size; from = 0 {
		b = append(b, random[from:min(len(random), from+size-len(b))]...)
	}
	return b
}

var random = func() []byte {
	b := make([]byte, 256<<10)
	rand.NewChaCha8([32]byte{}).Read(b)
	return b
}()

// A unix socket is served as a TCP socket is.
func TestUnixSocket(t *testing.T) {
	eachMode(t, func(t *testing.T, m mode) {
		s := &engine.Server{Service: engine.Service{Handler: engine.Handler{OnMessage: echo}}, Backend: m.backend, Blocking: m.blocking}
		ln, err := net.Listen("unix", filepath.Join(t.TempDir(), "s"))
		if err != nil {
			t.Fatal(err)
		}
		go s.Serve(ln)
		defer s.Close()
		nc, err := net.Dial("unix", ln.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		c := wstest.Dial(t, nc, nil)
		write(t, c, websocket.Text, "over a unix socket")
		if got := read(t, c); got != "over a unix socket" {
			t.Errorf("read %q", got)
		}
	})
}
