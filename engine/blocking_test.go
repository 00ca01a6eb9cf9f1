package engine_test

import (
	"bytes"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/wiretrue/websocket"
	"github.com/wiretrue/websocket/engine"
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

// binaryMasked is a client's empty binary message.
var binaryMasked = []byte{0x82, 0x80, 0, 0, 0, 0}
