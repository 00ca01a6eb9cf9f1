package engine_test

import (
	"bytes"
	"errors"
	"io"
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/wiretrue/websocket"
	"github.com/wiretrue/websocket/engine"
	"github.com/wiretrue/websocket/wire"
	"github.com/wiretrue/websocket/wire/frame"
)

// A peer that has ended its sending side, or has sent a Close, is still answered:
// all that it asked comes, before the server's end.
func TestHalfClose(t *testing.T) {
	for _, test := range []struct {
		name    string
		closes  bool // with a Close, and not the stream
		n, size int
		pause   time.Duration // before the peer begins to read
	}{
		{"small messages", false, 20, 100, 0},
		{"more than the kernel holds", false, 16, 128 << 10, 0},
		{"read when others would have been cut", false, 16, 128 << 10, 3 * time.Second / 2},
		{"more than the kernel holds, and a Close", true, 16, 128 << 10, 0},
		{"a Close, and read when others would have been cut", true, 16, 128 << 10, 3 * time.Second / 2},
	} {
		t.Run(test.name, func(t *testing.T) {
			if testing.Short() && test.pause > 0 {
				t.Skip("it waits")
			}
			eachMode(t, func(t *testing.T, m mode) {
				t.Parallel()
				testHalfClose(t, m, test.closes, test.n, test.size, test.pause)
			})
		})
	}
}

func testHalfClose(t *testing.T, m mode, closes bool, n, size int, pause time.Duration) {
	var mu sync.Mutex
	var steps []websocket.TransportEvent
	end, over := make(ended, 1), make(chan struct{})
	addr := m.serveOn(t, &engine.Server{Service: engine.Service{
		AcceptOptions: websocket.AcceptOptions{Options: websocket.Options{QueueLimit: websocket.NoLimit, Trace: &websocket.Trace{
			Transport: func(_ *websocket.Conn, e websocket.TransportEvent) {
				mu.Lock()
				defer mu.Unlock()
				if steps = append(steps, e); e == websocket.TransportClosed {
					close(over)
				}
			},
		}}},
		Handler: engine.Handler{OnMessage: echo, OnClose: func(_ *engine.Conn, cause error) { end <- cause }},
	}}, listenNarrow(t))
	var in, want []byte
	in = bytes.Clone(goodRequest)
	receiving, answering := wire.Sender{}, wire.Sender{Role: wire.Server}
	for range n {
		in, _ = receiving.Message(in, frame.Binary, noise(size), [4]byte{1, 2, 3, 4})
		want, _ = answering.Message(want, frame.Binary, noise(size), [4]byte{})
	}
	if closes {
		in, _ = receiving.Close(in, websocket.StatusNormalClosure, "", [4]byte{4, 3, 2, 1})
		want, _ = answering.Close(want, websocket.StatusNormalClosure, "", [4]byte{})
	}
	nc, err := net.Dial("tcp", addr.String())
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	nc.SetDeadline(time.Now().Add(safety))
	go func() {
		if nc.Write(in); !closes {
			nc.(*net.TCPConn).CloseWrite()
		}
	}()
	readHead(t, nc)
	<-time.After(pause)
	got := make([]byte, len(want))
	if k, err := io.ReadFull(nc, got); err != nil || !bytes.Equal(got, want) {
		t.Fatalf("%d of %d bytes of answers came: %v", k, len(want), err)
	}
	if k, err := nc.Read(got); k > 0 || !errors.Is(err, io.EOF) {
		t.Errorf("behind the answers came %d bytes and %v", k, err)
	}
	cause := end.wait(t)
	if closed := new(websocket.CloseError); closes && !(errors.As(cause, &closed) && closed.ByPeer) || !closes && !errors.Is(cause, websocket.ErrPeerGone) {
		t.Errorf("ended with %v", cause)
	}
	select {
	case <-over:
	case <-time.After(safety):
		t.Fatal("the transport is not closed")
	}
	mu.Lock()
	defer mu.Unlock()
	told := []websocket.TransportEvent{websocket.TransportEOF, websocket.TransportClosed}
	if closes {
		told = told[1:]
	}
	if !slices.Equal(steps, told) {
		t.Errorf("the Trace was told of %v, want %v", steps, told)
	}
}
