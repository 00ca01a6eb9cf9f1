package websocket_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wiretrue/websocket"
	"github.com/wiretrue/websocket/wire/frame"
	"github.com/wiretrue/websocket/wstest"
)

// patient bounds a test that would hang when it fails. Nothing waits for it when
// all is well.
func patient(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	return ctx
}

// sockets are the kinds that are read by their descriptor, and the two ways to
// wait for it.
var sockets = []string{"tcp", "unix", "tcp watched", "unix watched"}

// socketEnds returns the two ends of a connection of that kind.
func socketEnds(t testing.TB, network string) (near, far net.Conn) {
	t.Helper()
	if strings.HasPrefix(network, "tcp") {
		return tcpEnds(t)
	}
	ln, err := net.Listen("unix", filepath.Join(t.TempDir(), "socket"))
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	if near, err = net.Dial("unix", ln.Addr().String()); err != nil {
		t.Fatal(err)
	}
	if far, err = ln.Accept(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { near.Close(); far.Close() })
	return near, far
}

// rawClient returns a server's connection and the bare socket of its client.
func rawClient(t testing.TB, network string, opts *websocket.AcceptOptions) (server *websocket.Conn, near net.Conn) {
	t.Helper()
	near, far := socketEnds(t, network)
	if _, err := io.WriteString(near, requestHead()); err != nil {
		t.Fatal(err)
	}
	server, err := wstest.Accept(far, opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { server.CloseNow() })
	if err := readResponseHead(near); err != nil {
		t.Fatal(err)
	}
	if strings.HasSuffix(network, "watched") {
		server.Watch()
		if runtime.GOOS == "linux" && !server.Watched() {
			t.Fatal("the socket is not watched")
		}
	}
	return server, near
}

// readResponseHead reads as far as the frames begin.
func readResponseHead(near net.Conn) error {
	var head []byte
	for b := make([]byte, 1); !bytes.HasSuffix(head, []byte("\r\n\r\n")); head = append(head, b...) {
		if _, err := near.Read(b); err != nil {
			return err
		}
	}
	return nil
}

// frames returns the bytes of n messages of a client.
func frames(n int) []byte { return slices.Concat(eachFrame(n)...) }

func eachFrame(n int) (all [][]byte) {
	for i := range n {
		text := fmt.Appendf(nil, "message %d", i)
		h := frame.Header{Fin: true, Opcode: frame.Text, Masked: true, MaskingKey: [4]byte{1, 2, 3, byte(i)}, Length: uint64(len(text))}
		b := append(h.Append(nil), text...)
		frame.Mask(b[len(b)-len(text):], h.MaskingKey, 0)
		all = append(all, b)
	}
	return all
}

// No edge comes behind the one that told of the last bytes and of the end.
func TestAnEndThatComesWithTheLastBytesIsSeen(t *testing.T) {
	quiet := &websocket.AcceptOptions{Options: websocket.Options{PingInterval: websocket.NoTimeout}}
	ends := map[string]func(near net.Conn) error{
		"fin":  func(near net.Conn) error { return near.(interface{ CloseWrite() error }).CloseWrite() },
		"gone": net.Conn.Close,
		"reset": func(near net.Conn) error {
			if tcp, ok := near.(*net.TCPConn); ok {
				tcp.SetLinger(0)
			}
			return near.Close()
		},
	}
	for _, network := range sockets {
		for name, end := range ends {
			t.Run(network+"/"+name, func(t *testing.T) {
				t.Parallel()
				for round := range 50 {
					server, near := rawClient(t, network, quiet)
					ctx := patient(t)
					read := make(chan error, 1)
					begin := func() {
						_, m, err := server.Read(ctx)
						if err == nil && string(m) != "message 0" {
							err = fmt.Errorf("read %q", m)
						}
						if err == nil {
							_, _, err = server.Read(ctx)
						}
						read <- err
					}
					if round%2 == 0 {
						go begin() // it may wait already
					}
					near.Write(frames(1))
					if err := end(near); err != nil {
						t.Fatal(err)
					}
					if round%2 == 1 {
						go begin()
					}
					err := <-read
					if !errors.Is(err, websocket.ErrPeerGone) && !errors.Is(err, websocket.ErrPeerReset) {
						t.Fatalf("round %d: %v", round, err)
					}
				}
			})
		}
	}
}

func TestAReadOfASocketThatItsContextEndsLosesNothing(t *testing.T) {
	for _, network := range sockets {
		t.Run(network, func(t *testing.T) {
			t.Parallel()
			server, near := rawClient(t, network, nil)
			const messages = 300
			read := func(ctx context.Context, i int) error {
				t.Helper()
				_, m, err := server.Read(ctx)
				if want := fmt.Sprintf("message %d", i); err == nil && string(m) != want {
					t.Fatalf("read %q; want %q", m, want)
				}
				if err != nil && !errors.Is(err, context.Canceled) {
					t.Fatal(err)
				}
				return err
			}
			for i, b := range eachFrame(messages) {
				// Of a message that has not come whole the end of the context is seen.
				cut := i % len(b)
				near.Write(b[:cut])
				ctx, cancel := context.WithCancel(patient(t))
				go cancel()
				if read(ctx, i) == nil {
					t.Fatalf("read a message of which %d of %d bytes were sent", cut, len(b))
				}
				// Of one that comes just now it may be.
				ctx, cancel = context.WithCancel(patient(t))
				go cancel()
				near.Write(b[cut:])
				for read(ctx, i) != nil {
					ctx = patient(t)
				}
			}
		})
	}
}

// A deadline that somebody has left on the socket, as of a handshake, ends no
// read.
func TestADeadlineOfSomebodyElseEndsNoRead(t *testing.T) {
	for _, network := range sockets {
		t.Run(network, func(t *testing.T) {
			server, near := rawClient(t, network, nil)
			server.Transport().SetDeadline(time.Unix(1, 0))
			near.Write(frames(1))
			if _, m, err := server.Read(patient(t)); err != nil || string(m) != "message 0" {
				t.Errorf("read %q, %v", m, err)
			}
		})
	}
}

func TestATransportThatSomebodyElseClosesIsLost(t *testing.T) {
	server, _ := rawClient(t, "tcp", nil)
	server.Transport().Close()
	_, _, err := server.Read(patient(t))
	if lost := new(websocket.LostError); !errors.As(err, &lost) || !errors.Is(lost.Err, net.ErrClosed) {
		t.Errorf("lost by %v", err)
	}
}

// Many that are busy at once are watched, and one that is busy alone is not.
func TestTheWayToWaitFollowsTheCrowd(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("there is one way to wait here")
	}
	type pair struct {
		server *websocket.Conn
		near   net.Conn
	}
	exchange := func(p pair) {
		t.Helper()
		p.near.Write(frames(1))
		if _, m, err := p.server.Read(patient(t)); err != nil || string(m) != "message 0" {
			t.Fatalf("read %q, %v", m, err)
		}
	}
	var pairs []pair
	for range 20 {
		server, near := rawClient(t, "tcp", nil)
		pairs = append(pairs, pair{server, near})
	}
	seen := make([]bool, len(pairs)) // watched, if only for a while
	for range 40 {
		for i, p := range pairs {
			exchange(p)
			seen[i] = seen[i] || p.server.Watched()
		}
	}
	if i := slices.Index(seen, false); i >= 0 {
		t.Fatalf("connection %d of the crowd was never watched", i)
	}
	one := pairs[0]
	one.server.Watch()
	for i := 0; one.server.Watched(); i++ {
		if i == 1000 {
			t.Fatal("a connection that is busy alone is still watched")
		}
		read := make(chan error)
		go func() {
			_, _, err := one.server.Read(patient(t))
			read <- err
		}()
		one.near.Write(frames(1))
		if err := <-read; err != nil {
			t.Fatal(err)
		}
	}
	exchange(one)
}

func TestCloseNowWakesAReadOfASocket(t *testing.T) {
	for _, network := range sockets {
		server, _ := rawClient(t, network, nil)
		read := make(chan error)
		go func() {
			_, _, err := server.Read(context.Background())
			read <- err
		}()
		server.CloseNow()
		if err := <-read; !errors.Is(err, websocket.ErrClosedHere) {
			t.Errorf("%s: %v", network, err)
		}
	}
}

func TestAnswersToMessagesReceivedTogetherLeaveTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var writes atomic.Int32
		const messages = 16
		server, p := wstest.DialPeer(t, &websocket.AcceptOptions{Options: websocket.Options{
			Trace: &websocket.Trace{Sent: func(*websocket.Conn, []byte) { writes.Add(1) }},
		}})
		p.SendBytes(frames(messages))
		for range messages {
			answer(t, server)
		}
		for i := range messages {
			if _, m, err := p.ReadFrame(); err != nil || string(m) != fmt.Sprintf("message %d", i) {
				t.Fatalf("%q, %v", m, err)
			}
		}
		synctest.Wait() // the trace is told after the peer
		if got := writes.Load(); got != 1 {
			t.Errorf("%d writes", got)
		}
	})
}

// answer reads a message and sends it back.
func answer(t *testing.T, c *websocket.Conn) {
	t.Helper()
	typ, m, err := c.Read(patient(t))
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Write(t.Context(), typ, m); err != nil {
		t.Fatal(err)
	}
}

// What is deferred makes no queue full.
func TestDeferredAnswersAreNotBehind(t *testing.T) {
	// In a bubble no deferment ends by its time while a socket is waited for, so
	// all is written, and counted, by the last Write.
	synctest.Test(t, func(t *testing.T) {
		server, near := rawClient(t, "tcp", &websocket.AcceptOptions{Options: websocket.Options{
			QueueLimit:  60,
			QueuePolicy: websocket.QueueFail,
		}})
		const messages = 16
		near.Write(frames(messages))
		for range messages {
			answer(t, server)
		}
		if got := server.Stats().Sent; got.Messages != messages || got.Bytes != got.Payload+2*messages {
			t.Errorf("sent %+v", got)
		}
	})
}

// A program that is slow to ask for the next message does not hold up the
// answer to the one before for long.
func TestADeferredAnswerLeavesInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, p := wstest.DialPeer(t, nil)
		p.SendBytes(frames(2))
		_, m, err := c.Read(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		if err := c.Write(t.Context(), websocket.Text, m); err != nil {
			t.Fatal(err)
		}
		_, got, err := p.ReadFrame()
		if err != nil || string(got) != "message 0" {
			t.Fatalf("%q, %v", got, err)
		}
		if waited := time.Since(began); waited == 0 || waited > time.Millisecond {
			t.Errorf("the answer left after %v", waited)
		}
	})
}
