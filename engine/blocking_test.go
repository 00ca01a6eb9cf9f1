package engine_test

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/wiretrue/websocket"
	"github.com/wiretrue/websocket/engine"
	"github.com/wiretrue/websocket/wire"
	"github.com/wiretrue/websocket/wire/frame"
	"github.com/wiretrue/websocket/wstest"
)

func blockingMode(t testing.TB) mode {
	t.Helper()
	m := mode{"blocking", engine.Auto, true}
	m.check(t)
	return m
}

// On a server that is Blocking a function may wait, and what it has written
// before is on its way.
func TestBlocking(t *testing.T) {
	m := blockingMode(t)
	next := make(chan struct{})
	addr := m.serve(t, &engine.Server{Loops: 1, Service: engine.Service{Handler: engine.Handler{
		OnMessage: func(c *engine.Conn, typ websocket.MessageType, p []byte) {
			c.Write(typ, append(bytes.Clone(p), " begun"...))
			<-next
			c.Write(typ, append(bytes.Clone(p), " done"...))
		},
	}}})
	const n = 100
	var peers []*wstest.Peer
	for range n {
		p := dialPeer(t, addr)
		p.SendBytes(slices.Concat(maskedText("one"), maskedText("two"), maskedText("three")))
		peers = append(peers, p)
	}
	for _, p := range peers {
		p.Want("FIN TEXT length 9", "one begun")
	}
	for range 3 * n {
		next <- struct{}{}
	}
	for _, p := range peers {
		p.Want("FIN TEXT length 8", "one done")
		p.Want("FIN TEXT length 9", "two begun")
		p.Want("FIN TEXT length 8", "two done")
		p.Want("FIN TEXT length 11", "three begun")
		p.Want("FIN TEXT length 10", "three done")
	}
}

// A write on a server that is Blocking waits for room, and goes on when there is.
func TestBlockingWriteWaits(t *testing.T) {
	m := blockingMode(t)
	done := make(chan error, 1)
	const size = 1000
	n := less(20_000, 2000)
	addr := m.serveOn(t, &engine.Server{Service: engine.Service{
		AcceptOptions: websocket.AcceptOptions{Options: websocket.Options{QueueLimit: 10_000}},
		Handler: engine.Handler{OnOpen: func(c *engine.Conn) {
			go func() {
				for range n {
					if err := c.Write(websocket.Binary, noise(size)); err != nil {
						done <- err
						return
					}
				}
				done <- nil
			}()
		}},
	}}, listenNarrow(t))
	c := dial(t, addr, nil)
	for range n {
		if got := read(t, c); len(got) != size {
			t.Fatalf("read %d bytes", len(got))
		}
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// A function that waits with the peer's next messages in hand keeps back nothing
// that it has written, in no message of them.
func TestBlockingWritesAreOnTheirWay(t *testing.T) {
	m := blockingMode(t)
	next := make(chan struct{})
	defer close(next)
	addr := m.serve(t, &engine.Server{Loops: 1, Service: engine.Service{Handler: engine.Handler{
		OnMessage: func(c *engine.Conn, typ websocket.MessageType, p []byte) {
			c.Write(typ, p)
			<-next
		},
	}}})
	p := dialPeer(t, addr)
	p.SendBytes(bytes.Repeat(maskedText("one of five"), 5))
	for i := range 5 {
		p.Want("FIN TEXT length 11", "one of five")
		if i < 4 {
			next <- struct{}{}
		}
	}
}

// A peer that takes nothing is given up while a function waits for room to
// write, however often its connection was looked at before that is due.
func TestBlockingWriteTimesOut(t *testing.T) {
	m := blockingMode(t)
	end, failed := make(ended, 1), make(chan error, 1)
	addr := m.serveOn(t, &engine.Server{Loops: 1, Service: engine.Service{
		AcceptOptions: websocket.AcceptOptions{Options: websocket.Options{
			QueueLimit: 10_000, WriteTimeout: 700 * time.Millisecond, PingInterval: 100 * time.Millisecond, PingTimeout: safety,
		}},
		Handler: engine.Handler{
			OnMessage: func(c *engine.Conn, typ websocket.MessageType, _ []byte) {
				p := noise(1000)
				for c.Write(typ, p) == nil {
				}
				failed <- c.Write(typ, p)
			},
			OnClose: func(_ *engine.Conn, cause error) { end <- cause },
		},
	}}, listenNarrow(t))
	p := dialPeer(t, addr) // which reads no more
	p.SendBytes(binaryMasked)
	if err := end.wait(t); !errors.Is(err, websocket.ErrWriteTimeout) {
		t.Errorf("ended with %v", err)
	}
	if err := <-failed; !errors.Is(err, websocket.ErrWriteTimeout) {
		t.Errorf("the write that waited fails with %v", err)
	}
}

// A Close is bounded by its timeout while a function waits for room to write. That
// goes on at once: its message may not follow the Close.
func TestBlockingWriteEndsWithClose(t *testing.T) {
	m := blockingMode(t)
	conns, end, failed := make(chan *engine.Conn), make(ended, 1), make(chan error, 1)
	addr := m.serveOn(t, &engine.Server{Loops: 1, Service: engine.Service{
		AcceptOptions: websocket.AcceptOptions{Options: websocket.Options{
			QueueLimit: 10_000, CloseTimeout: 100 * time.Millisecond, WriteTimeout: websocket.NoTimeout,
		}},
		Handler: engine.Handler{
			OnMessage: func(c *engine.Conn, typ websocket.MessageType, _ []byte) {
				p := noise(1000)
				for range 20 { // more than the queue and the kernel take
					go c.Write(typ, make([]byte, 1<<20))
				}
				conns <- c
				for {
					if err := c.Write(typ, p); err != nil {
						failed <- err
						return
					}
				}
			},
			OnClose: func(_ *engine.Conn, cause error) { end <- cause },
		},
	}}, listenNarrow(t))
	p := dialPeer(t, addr) // which reads no more
	p.SendBytes(binaryMasked)
	if err := (<-conns).Close(websocket.StatusGoingAway, ""); err != nil {
		t.Error(err)
	}
	if err := end.wait(t); !errors.Is(err, websocket.ErrCloseTimeout) {
		t.Errorf("ended with %v", err)
	}
	if err := <-failed; !errors.Is(err, net.ErrClosed) {
		t.Errorf("the write that waited fails with %v", err)
	}
}

// binaryMasked is a client's empty binary message.
var binaryMasked = []byte{0x82, 0x80, 0, 0, 0, 0}

// Whoever writes to a slow reader on a server that is Blocking goes on when there
// is room, be it the function that is handling a message, one of Go's or any
// goroutine, with messages that fit the queue, that do not, and that do not need
// it. What each has written comes whole and in order.
func TestBlockingWritersOfASlowReader(t *testing.T) {
	m := blockingMode(t)
	const handler, job, other, writers = 'h', 'j', 'o', 3
	n := less(600, 150)
	// A message names its writer and its number, and is as long as that says.
	size := func(i int) int { return []int{20, 300, 3000, 20_000, 50_000}[i%5] + i }
	message := func(writer byte, i int) []byte {
		p := noise(size(i))
		p[0], p[1], p[2] = writer, byte(i), byte(i>>8)
		return p
	}
	addr := m.serveOn(t, &engine.Server{Service: engine.Service{
		AcceptOptions: websocket.AcceptOptions{Options: websocket.Options{QueueLimit: 16 << 10}},
		Handler: engine.Handler{
			OnOpen: func(c *engine.Conn) {
				go func() {
					for i := range n {
						if err := c.Write(websocket.Binary, message(other, i)); err != nil {
							t.Errorf("write %d of a goroutine: %v", i, err)
							return
						}
					}
				}()
			},
			OnMessage: func(c *engine.Conn, typ websocket.MessageType, p []byte) {
				i := int(p[0]) | int(p[1])<<8
				if err := c.Write(typ, message(handler, i)); err != nil {
					t.Errorf("write %d of a message's function: %v", i, err)
				}
				c.Go(func() {
					if err := c.Write(typ, message(job, i)); err != nil {
						t.Errorf("write %d of Go's function: %v", i, err)
					}
				})
			},
		},
	}}, listenNarrow(t))
	var wg sync.WaitGroup
	for seed := range uint64(4) {
		wg.Go(func() {
			r := rand.New(rand.NewPCG(seed, 0))
			nc, err := soakDial(addr.String())
			if err != nil {
				t.Error(err)
				return
			}
			defer nc.Close()
			go func() {
				var sender wire.Sender
				var b []byte
				for i := range n {
					b, _ = sender.Message(b, frame.Binary, []byte{byte(i), byte(i >> 8)}, [4]byte{})
				}
				nc.Write(b)
			}()
			slow := bufio.NewReaderSize(nc, 32<<10)
			next := map[byte]int{}
			for range writers * n {
				if r.IntN(100) == 0 {
					<-time.After(time.Duration(r.IntN(10)) * time.Millisecond)
				}
				p, err := readMessage(slow)
				if err != nil {
					t.Errorf("behind %v: %v", next, err)
					return
				}
				if i := next[p[0]]; !bytes.Equal(p, message(p[0], i)) {
					t.Errorf("message %d of %c is number %d, with %d bytes", i, p[0], int(p[1])|int(p[2])<<8, len(p))
					return
				}
				next[p[0]]++
			}
		})
	}
	wg.Wait()
}

// readMessage reads the server's frame of a message.
func readMessage(r *bufio.Reader) ([]byte, error) {
	for size := 2; ; size++ {
		b, err := r.Peek(size)
		if err != nil {
			return nil, err
		}
		if h, n := frame.Parse(b); n > 0 {
			r.Discard(n)
			p := make([]byte, h.Length)
			_, err := io.ReadFull(r, p)
			return p, err
		}
	}
}
