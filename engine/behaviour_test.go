package engine_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/wiretrue/websocket"
	"github.com/wiretrue/websocket/engine"
	"github.com/wiretrue/websocket/wire/handshake"
	"github.com/wiretrue/websocket/wstest"
)

// maskedText returns a client's frame.
func maskedText(text string) []byte {
	if len(text) > 125 {
		panic("too long")
	}
	return append([]byte{0x81, 0x80 | byte(len(text)), 0, 0, 0, 0}, text...)
}

// The end of the stream that comes together with the last data is seen at once,
// however the two come.
func TestEndTogetherWithData(t *testing.T) {
	eachMode(t, func(t *testing.T, m mode) {
		end, got := make(ended, 1), make(chan string, 1)
		addr := m.serve(t, &engine.Server{Service: engine.Service{Handler: engine.Handler{
			OnMessage: func(_ *engine.Conn, _ websocket.MessageType, p []byte) { got <- string(p) },
			OnClose:   func(_ *engine.Conn, cause error) { end <- cause },
		}}})
		for range 50 {
			nc, err := net.Dial("tcp", addr.String())
			if err != nil {
				t.Fatal(err)
			}
			nc.Write(append(bytes.Clone(goodRequest), maskedText("last words")...))
			nc.(*net.TCPConn).CloseWrite()
			if p := <-got; p != "last words" {
				t.Errorf("got %q", p)
			}
			if lost := new(websocket.LostError); !errors.As(end.wait(t), &lost) || !errors.Is(lost, websocket.ErrPeerGone) {
				t.Errorf("ended with %v", lost)
			}
			nc.Close()
		}
	})
}

// Of pipelined messages none is lost, and their order is kept.
func TestPipelined(t *testing.T) {
	eachMode(t, func(t *testing.T, m mode) {
		addr := m.serve(t, &engine.Server{Service: engine.Service{Handler: engine.Handler{OnMessage: echo}}})
		nc, err := net.Dial("tcp", addr.String())
		if err != nil {
			t.Fatal(err)
		}
		defer nc.Close()
		nc.SetDeadline(time.Now().Add(safety))
		n := less(20_000, 5000)
		go func() {
			b := bytes.Clone(goodRequest)
			for i := range n {
				b = append(b, maskedText(fmt.Sprintf("message %07d", i))...)
			}
			nc.Write(b)
		}()
		readHead(t, nc)
		buf := make([]byte, 2+15)
		for i := range n {
			if _, err := io.ReadFull(nc, buf); err != nil {
				t.Fatal(err)
			}
			if want := fmt.Sprintf("message %07d", i); string(buf[2:]) != want {
				t.Fatalf("got %q, want %q", buf[2:], want)
			}
		}
	})
}

// A peer that reads nothing does not make an echo's memory grow: it is not read
// until it reads, and then loses nothing.
func TestSlowReaderOfAnEcho(t *testing.T) {
	eachMode(t, func(t *testing.T, m mode) {
		failed := atomic.Int64{}
		addr := m.serveOn(t, &engine.Server{Service: engine.Service{
			AcceptOptions: websocket.AcceptOptions{Options: websocket.Options{QueueLimit: 64 << 10}},
			Handler: engine.Handler{OnMessage: func(c *engine.Conn, typ websocket.MessageType, p []byte) {
				if c.Write(typ, p) != nil {
					failed.Add(1)
				}
			}},
		}}, listenNarrow(t))
		c := dial(t, addr, nil)
		const size = 64 << 10
		n := less(150, 50)
		written := make(chan error, 1)
		go func() {
			for i := range n {
				p := noise(size)
				p[0], p[1] = byte(i), byte(i>>8)
				if err := c.Write(t.Context(), websocket.Binary, p); err != nil {
					written <- err
					return
				}
			}
			written <- nil
		}()
		for i := range n {
			p := read(t, c)
			if len(p) != size || int(p[0])|int(p[1])<<8 != i {
				t.Fatalf("message %d has %d bytes and the number %d (%d writes failed)", i, len(p), int(p[0])|int(p[1])<<8, failed.Load())
			}
		}
		if err := <-written; err != nil || failed.Load() != 0 {
			t.Errorf("written: %v; %d writes failed", err, failed.Load())
		}
	})
}

// What a write does for a peer that does not read is what the policy says.
func TestQueuePolicies(t *testing.T) {
	eachMode(t, func(t *testing.T, m mode) {
		for _, test := range []struct {
			policy websocket.QueuePolicy
			want   func(err error, c *engine.Conn) bool // of a write that does not fit
			ends   error
		}{
			{websocket.QueueFail, func(err error, _ *engine.Conn) bool { return errors.Is(err, websocket.ErrQueueFull) }, nil},
			{websocket.QueueDropOldest, func(err error, c *engine.Conn) bool { return err == nil && c.Stats().Dropped > 0 }, nil},
			{websocket.QueueDisconnect, func(err error, _ *engine.Conn) bool { return errors.Is(err, websocket.ErrSlowConsumer) }, websocket.ErrSlowConsumer},
		} {
			t.Run(fmt.Sprint(test.policy), func(t *testing.T) {
				conns, end := make(chan *engine.Conn, 1), make(ended, 1)
				addr := m.serveOn(t, &engine.Server{Service: engine.Service{
					AcceptOptions: websocket.AcceptOptions{Options: websocket.Options{QueueLimit: 100_000, QueuePolicy: test.policy}},
					Handler: engine.Handler{
						OnOpen:  func(c *engine.Conn) { conns <- c },
						OnClose: func(_ *engine.Conn, cause error) { end <- cause },
					},
				}}, listenNarrow(t))
				dialPeer(t, addr) // which reads no more
				c := <-conns
				p := noise(1000)
				for i := 0; ; i++ {
					if err := c.Write(websocket.Binary, p); test.want(err, c) {
						break
					} else if err != nil || i == 1_000_000 {
						t.Fatalf("write %d: %v", i, err)
					}
				}
				if test.ends == nil {
					c.CloseNow()
					test.ends = websocket.ErrClosedHere
				}
				if err := end.wait(t); !errors.Is(err, test.ends) {
					t.Errorf("ended with %v", err)
				}
			})
		}
	})
}

// A function of Go may wait. Its connection's messages wait with it and keep
// their order, others do not wait, and OnClose comes last.
func TestGo(t *testing.T) {
	eachMode(t, func(t *testing.T, m mode) {
		release, events := make(chan struct{}), make(chan string, 16)
		addr := m.serve(t, &engine.Server{Loops: 1, Service: engine.Service{Handler: engine.Handler{
			OnMessage: func(c *engine.Conn, typ websocket.MessageType, p []byte) {
				text := string(p)
				if text != "slow" {
					events <- text
					c.Write(typ, p)
					return
				}
				c.Go(func() {
					<-release
					events <- "slow"
					c.Write(websocket.Text, []byte("slow"))
				})
				c.Go(func() { events <- "second" })
			},
			OnClose: func(*engine.Conn, error) { events <- "closed" },
		}}})
		slow, quick := dialPeer(t, addr), dial(t, addr, nil)
		slow.SendBytes(append(append(maskedText("slow"), maskedText("behind")...), maskedText("last")...))
		slow.SendBytes([]byte{0x88, 0x80, 0, 0, 0, 0})
		write(t, quick, websocket.Text, "quick")
		if got := read(t, quick); got != "quick" {
			t.Errorf("read %q", got)
		}
		close(release)
		slow.Want("FIN TEXT length 4", "slow")
		slow.Want("FIN TEXT length 6", "behind")
		slow.Want("FIN TEXT length 4", "last")
		slow.WantClose(0)
		var got []string
		for range 6 {
			got = append(got, <-events)
		}
		if want := "quick slow second behind last closed"; strings.Join(got, " ") != want {
			t.Errorf("events %v, want %v", got, want)
		}
	})
}

// A connection that net/http has upgraded is served by the engine, with what the
// client has sent early.
func TestServeHTTP(t *testing.T) {
	eachMode(t, func(t *testing.T, m mode) {
		s := &engine.Server{Backend: m.backend, Blocking: m.blocking, Service: engine.Service{Handler: engine.Handler{OnMessage: echo}}}
		hs := httptest.NewServer(s)
		defer hs.Close()
		defer s.Close()
		nc, err := net.Dial("tcp", hs.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		p := wstest.NewPeer(t, nc)
		p.SendBytes(append(bytes.Clone(goodRequest), maskedText("early")...))
		p.ReadResponse()
		p.Want("FIN TEXT length 5", "early")
		p.SendBytes(maskedText("late"))
		p.Want("FIN TEXT length 4", "late")
	})
}

// Behind a request that ServeHTTP refuses nothing is read: it may be frames, or
// what somebody smuggles.
func TestServeHTTPReadsNothingBehindARefusal(t *testing.T) {
	for name, s := range map[string]*engine.Server{
		"no service": {Route: func(*handshake.Request) *engine.Service { return nil }},
		"no backend": {Backend: engine.IOUring, Blocking: true},
		"no upgrade": {Service: engine.Service{AcceptOptions: websocket.AcceptOptions{Origins: []string{"not an origin"}}}},
	} {
		t.Run(name, func(t *testing.T) {
			s.Logger = quiet
			defer s.Close()
			hs := httptest.NewServer(s)
			defer hs.Close()
			nc, err := net.Dial("tcp", hs.Listener.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			defer nc.Close()
			nc.SetDeadline(time.Now().Add(safety))
			nc.Write(append(bytes.Clone(goodRequest), goodRequest...))
			b, err := io.ReadAll(nc)
			if n := bytes.Count(b, []byte("HTTP/1.1 ")); n != 1 || !bytes.Contains(b, []byte("\r\nConnection: close\r\n")) || err != nil {
				t.Errorf("%d answers: %q, %v", n, b, err)
			}
		})
	}
}

// What is no HTTP is answered at once, as to a client that speaks TLS.
func TestWhatIsNoHTTP(t *testing.T) {
	eachMode(t, func(t *testing.T, m mode) {
		addr := m.serve(t, &engine.Server{HandshakeTimeout: 2 * safety})
		nc, err := net.Dial("tcp", addr.String())
		if err != nil {
			t.Fatal(err)
		}
		nc.SetDeadline(time.Now().Add(safety))
		p := wstest.NewPeer(t, nc)
		p.SendBytes([]byte("\x16\x03\x01\x00\xc8\x01\x00\x00\xc4\x03\x03" + strings.Repeat("r", 32))) // a ClientHello
		if r := p.ReadResponse(); r.Status != http.StatusBadRequest {
			t.Errorf("answered with %d", r.Status)
		}
	})
}

// TLS is served by goroutines, behind net/http and by itself. The origin of its
// pages is https.
func TestTLS(t *testing.T) {
	s := &engine.Server{Service: engine.Service{Handler: engine.Handler{OnMessage: echo}}}
	defer s.Close()
	hs := httptest.NewTLSServer(s)
	defer hs.Close()
	config := hs.Client().Transport.(*http.Transport).TLSClientConfig
	ln := tls.NewListener(listen(t), hs.TLS)
	go s.Serve(ln)
	for _, addr := range []net.Addr{hs.Listener.Addr(), ln.Addr()} {
		c, err := websocket.Dial(t.Context(), "wss://"+addr.String(), &websocket.DialOptions{TLS: config, Origin: "https://" + addr.String()})
		if err != nil {
			t.Fatal(err)
		}
		write(t, c, websocket.Text, "over TLS")
		if got := read(t, c); got != "over TLS" {
			t.Errorf("read %q", got)
		}
		if err := c.Close(t.Context(), websocket.StatusNormalClosure, ""); err != nil {
			t.Errorf("Close: %v", err)
		}
		refused := new(websocket.HandshakeError)
		_, err = websocket.Dial(t.Context(), "wss://"+addr.String(), &websocket.DialOptions{TLS: config, Origin: "http://" + addr.String()})
		if !errors.As(err, &refused) || refused.Status != http.StatusForbidden {
			t.Errorf("Dial from a page without TLS: %v", err)
		}
	}
}

// Each connection is served as its request's path says; what nothing serves is
// answered with 404.
func TestRoute(t *testing.T) {
	eachMode(t, func(t *testing.T, m mode) {
		shout := &engine.Service{Handler: engine.Handler{OnMessage: func(c *engine.Conn, typ websocket.MessageType, p []byte) { c.Write(typ, bytes.ToUpper(p)) }}}
		addr := m.serve(t, &engine.Server{Route: func(r *handshake.Request) *engine.Service {
			if r.Target == "/shout" {
				return shout
			}
			return nil
		}})
		c, err := websocket.Dial(t.Context(), "ws://"+addr.String()+"/shout", nil)
		if err != nil {
			t.Fatal(err)
		}
		defer c.CloseNow()
		write(t, c, websocket.Text, "hello")
		if got := read(t, c); got != "HELLO" {
			t.Errorf("read %q", got)
		}
		refused := new(websocket.HandshakeError)
		if _, err := websocket.Dial(t.Context(), "ws://"+addr.String()+"/other", nil); !errors.As(err, &refused) || refused.Status != http.StatusNotFound {
			t.Errorf("Dial: %v", err)
		}
	})
}

// What keeps a server from answering is logged, and the client told nothing but
// that: a Route that panics, which ends no other connection, and options that
// make no sense.
func TestItsOwnMistakesAreLogged(t *testing.T) {
	eachMode(t, func(t *testing.T, m mode) {
		var log lockedBuffer
		opts := websocket.AcceptOptions{Options: websocket.Options{Logger: slog.New(slog.NewTextHandler(&log, nil))}}
		nonsense := &engine.Service{AcceptOptions: opts}
		nonsense.Origins = []string{"not an origin"}
		s := &engine.Server{Service: engine.Service{AcceptOptions: opts}, Route: func(r *handshake.Request) *engine.Service {
			if r.Target == "/panics" {
				panic("in Route")
			}
			return nonsense
		}}
		addr := m.serve(t, s)
		hs := httptest.NewServer(s)
		defer hs.Close()
		for _, addr := range []net.Addr{addr, hs.Listener.Addr()} {
			for path, want := range map[string]string{"/panics": "in Route", "/origins": "not an origin"} {
				log.Reset()
				refused := new(websocket.HandshakeError)
				_, err := websocket.Dial(t.Context(), "ws://"+addr.String()+path, nil)
				if !errors.As(err, &refused) || refused.Status != http.StatusInternalServerError || string(refused.Body) != "Internal Server Error\n" {
					t.Errorf("Dial %s: %v", path, err)
				}
				if got := log.String(); !strings.Contains(got, want) {
					t.Errorf("logged for %s: %q", path, got)
				}
			}
		}
	})
}

// lockedBuffer is a buffer for several goroutines.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func (l *lockedBuffer) Reset() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.b.Reset()
}

// Once Close has returned nothing is sent, and a write says so.
func TestNothingIsSentBehindClose(t *testing.T) {
	eachMode(t, func(t *testing.T, m mode) {
		wrote := make(chan error, 1)
		addr := m.serve(t, &engine.Server{Service: engine.Service{Handler: engine.Handler{
			OnMessage: func(c *engine.Conn, typ websocket.MessageType, p []byte) {
				c.Close(websocket.StatusServiceRestart, "come back")
				wrote <- c.Write(typ, p)
			},
		}}})
		for range 20 {
			p := dialPeer(t, addr)
			p.SendBytes(maskedText("x"))
			p.WantClose(websocket.StatusServiceRestart)
			closed := new(websocket.CloseError)
			if err := <-wrote; !errors.As(err, &closed) || closed.Code != websocket.StatusServiceRestart || closed.Reason != "come back" {
				t.Errorf("Write: %v", err)
			}
		}
	})
}

// A prepared message goes to a thousand connections and is encoded once; one
// that reads nothing delays nobody.
func TestBroadcast(t *testing.T) {
	const rounds = 5
	n := less(1000, 50)
	eachMode(t, func(t *testing.T, m mode) {
		var mu sync.Mutex
		var all []*engine.Conn
		addr := m.serve(t, &engine.Server{Service: engine.Service{
			AcceptOptions: websocket.AcceptOptions{Options: websocket.Options{QueuePolicy: websocket.QueueFail, Compression: &websocket.Compression{}}},
			Handler: engine.Handler{OnOpen: func(c *engine.Conn) {
				mu.Lock()
				defer mu.Unlock()
				all = append(all, c)
			}},
		}})
		dialPeer(t, addr) // reads nothing
		var clients []*websocket.Conn
		for i := range n {
			opts := &websocket.DialOptions{}
			if i%2 == 0 {
				opts.Compression = &websocket.Compression{}
			}
			clients = append(clients, dial(t, addr, opts))
		}
		for got := 0; got <= n; { // the client knows of the handshake before the server's program
			mu.Lock()
			got = len(all)
			mu.Unlock()
			<-time.After(time.Millisecond)
		}
		text := strings.Repeat("the same for all ", 1000)
		go func() {
			for i := range rounds {
				p, err := websocket.Prepare(websocket.Text, fmt.Appendf(nil, "%d %s", i, text))
				if err != nil {
					t.Error(err)
				}
				mu.Lock()
				for _, c := range all {
					c.WritePrepared(p)
				}
				mu.Unlock()
			}
		}()
		var wg sync.WaitGroup
		for _, c := range clients {
			wg.Go(func() {
				ctx, cancel := context.WithTimeout(t.Context(), safety)
				defer cancel()
				for i := range rounds {
					_, p, err := c.Read(ctx)
					if want := fmt.Sprintf("%d %s", i, text); err != nil || string(p) != want {
						t.Errorf("read %d bytes, %v", len(p), err)
						return
					}
				}
			})
		}
		wg.Wait()
	})
}

// Shutdown ends each connection with 1001 and waits for its end.
func TestShutdown(t *testing.T) {
	eachMode(t, func(t *testing.T, m mode) {
		var closed atomic.Int64
		opened := make(chan struct{}, 100)
		s := &engine.Server{Backend: m.backend, Blocking: m.blocking, Service: engine.Service{Handler: engine.Handler{
			OnOpen: func(*engine.Conn) { opened <- struct{}{} },
			OnClose: func(_ *engine.Conn, cause error) {
				if e := new(websocket.CloseError); errors.As(cause, &e) && e.Code == websocket.StatusGoingAway {
					closed.Add(1)
				}
			},
		}}}
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		go s.Serve(ln)
		const n = 20
		for range n {
			c := dial(t, ln.Addr(), nil)
			go c.Read(context.Background())
			<-opened
		}
		ctx, cancel := context.WithTimeout(t.Context(), safety)
		defer cancel()
		if err := s.Shutdown(ctx); err != nil || closed.Load() != n {
			t.Errorf("Shutdown: %v, with %d connections closed", err, closed.Load())
		}
		if _, err := net.Dial("tcp", ln.Addr().String()); err == nil {
			t.Error("the server still accepts")
		}
	})
}

// A function that panics ends its connection with 1011, and no other.
func TestPanic(t *testing.T) {
	eachMode(t, func(t *testing.T, m mode) {
		opts := websocket.AcceptOptions{Options: websocket.Options{Logger: quiet}}
		addr := m.serve(t, &engine.Server{Service: engine.Service{AcceptOptions: opts, Handler: engine.Handler{
			OnMessage: func(c *engine.Conn, typ websocket.MessageType, p []byte) {
				if string(p) == "job" {
					c.Go(func() { panic("in a job") })
					return
				}
				panic("in a message")
			},
			OnClose: func(*engine.Conn, error) { panic("at the end") },
		}}})
		other := dial(t, addr, nil)
		for _, text := range []string{"job", "message"} {
			p := dialPeer(t, addr)
			p.SendBytes(maskedText(text))
			p.WantClose(websocket.StatusInternalError)
		}
		if err := other.Close(t.Context(), websocket.StatusNormalClosure, ""); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
}

// A compressed echo, with context takeover and without.
func TestCompressed(t *testing.T) {
	eachMode(t, func(t *testing.T, m mode) {
		for _, compression := range []*websocket.Compression{{}, {NoContextTakeover: true, PeerNoContextTakeover: true}} {
			stats := make(chan websocket.Stats, 1)
			addr := m.serve(t, &engine.Server{Service: engine.Service{
				AcceptOptions: websocket.AcceptOptions{Options: websocket.Options{Compression: compression}},
				Handler: engine.Handler{
					OnMessage: echo,
					OnClose:   func(c *engine.Conn, _ error) { stats <- c.Stats() },
				},
			}})
			c := dial(t, addr, &websocket.DialOptions{Options: websocket.Options{Compression: &websocket.Compression{}}})
			if c.Compression() == "" {
				t.Fatal("nothing was agreed on")
			}
			for i := range less(100, 30) {
				sent := strings.Repeat(fmt.Sprintf("message %d ", i), 1+i*40)
				write(t, c, websocket.Text, sent)
				if got := read(t, c); got != sent {
					t.Fatalf("message %d came back as %d other bytes", i, len(got))
				}
			}
			ctx, cancel := context.WithTimeout(t.Context(), safety)
			defer cancel()
			c.Close(ctx, websocket.StatusNormalClosure, "")
			if s := <-stats; s.Received.Compressed == 0 || s.Received.Compressed >= s.Received.Uncompressed || s.Sent.Compressed == 0 || s.Sent.Compressed >= s.Sent.Uncompressed {
				t.Errorf("%+v", s)
			}
		}
	})
}

// The Trace is told the bytes as they were on the wire.
func TestTrace(t *testing.T) {
	eachMode(t, func(t *testing.T, m mode) {
		var mu sync.Mutex
		var sent, received []byte
		var heads int
		end, over := make(chan error, 1), make(chan struct{})
		trace := &websocket.Trace{
			Handshake: func(c *websocket.Conn, h *websocket.HandshakeTrace) {
				if heads++; c == nil || h.Err != nil || c.RemoteAddr().String() == "" || !bytes.HasPrefix(h.Response, []byte("HTTP/1.1 101 ")) || !bytes.HasPrefix(h.Request, []byte("GET / ")) {
					t.Errorf("told of %q, %q, %v", h.Request, h.Response, h.Err)
				}
			},
			Received: func(_ *websocket.Conn, b []byte) { mu.Lock(); received = append(received, b...); mu.Unlock() },
			Sent:     func(_ *websocket.Conn, b []byte) { mu.Lock(); sent = append(sent, b...); mu.Unlock() },
			Transport: func(_ *websocket.Conn, e websocket.TransportEvent) {
				if e == websocket.TransportClosed {
					close(over)
				}
			},
			Ended: func(c *websocket.Conn, cause error) { end <- errors.Join(cause, c.Cause()) },
		}
		addr := m.serve(t, &engine.Server{Service: engine.Service{
			AcceptOptions: websocket.AcceptOptions{Options: websocket.Options{Trace: trace}},
			Handler:       engine.Handler{OnMessage: echo},
		}})
		p := dialPeer(t, addr)
		in := append(maskedText("Hello"), 0x88, 0x80, 0, 0, 0, 0)
		p.SendBytes(bytes.Clone(in))
		p.Want("FIN TEXT length 5", "Hello")
		p.WantClose(0)
		p.WantEnd()
		if closed := new(websocket.CloseError); !errors.As(<-end, &closed) {
			t.Error("told of another end")
		}
		select {
		case <-over:
		case <-time.After(safety):
			t.Error("not told that the transport is closed")
		}
		mu.Lock()
		defer mu.Unlock()
		if !bytes.Equal(received, in) || string(sent) != "\x81\x05Hello\x88\x00" || heads != 1 {
			t.Errorf("told of %q and %q, and of %d handshakes", received, sent, heads)
		}
	})
}

// A backend that was chosen and is not there is an error.
func TestBackendThatIsNotThere(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &engine.Server{Backend: engine.IOUring, Blocking: true}
	if err := s.Serve(ln); !errors.Is(err, engine.ErrBackend) {
		t.Errorf("Serve: %v", err)
	}
}

// A connection that the peer has reset can be asked for its addresses by OnClose,
// also when that has waited for a function of Go, and when nothing is left of it.
func TestAddressesOfAConnectionThatHasEnded(t *testing.T) {
	type pair struct{ remote, local string }
	addresses := func(c *engine.Conn) pair { return pair{c.RemoteAddr().String(), c.LocalAddr().String()} }
	for _, at := range []string{"127.0.0.1:0", "[::1]:0"} {
		eachMode(t, func(t *testing.T, m mode) {
			ln, err := net.Listen("tcp", at)
			if err != nil {
				t.Skip(err)
			}
			for _, busy := range []bool{false, true} {
				conns, release, end := make(chan *engine.Conn, 1), make(chan struct{}), make(chan pair, 1)
				s := &engine.Server{Service: engine.Service{Handler: engine.Handler{
					OnMessage: func(c *engine.Conn, typ websocket.MessageType, p []byte) {
						if busy {
							c.Go(func() { <-release })
						}
						conns <- c
					},
					OnClose: func(c *engine.Conn, _ error) { end <- addresses(c) },
				}}}
				addr := m.serveOn(t, s, ln)
				nc, err := net.Dial("tcp", addr.String())
				if err != nil {
					t.Fatal(err)
				}
				want := pair{nc.LocalAddr().String(), nc.RemoteAddr().String()}
				nc.Write(goodRequest)
				readHead(t, nc)
				nc.Write(maskedText("x"))
				c := <-conns
				if got := addresses(c); got != want {
					t.Errorf("open: %v, want %v", got, want)
				}
				nc.(*net.TCPConn).SetLinger(0)
				nc.Close()
				close(release)
				if got := <-end; got != want {
					t.Errorf("at the end: %v, want %v", got, want)
				}
				for s.Active() > 0 {
					<-time.After(time.Millisecond)
				}
				if got := addresses(c); got != want {
					t.Errorf("behind it: %v, want %v", got, want)
				}
				if ln, err = net.Listen("tcp", at); err != nil {
					t.Fatal(err)
				}
			}
			ln.Close()
		})
	}
}
