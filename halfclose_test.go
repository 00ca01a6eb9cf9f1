package websocket_test

import (
	"bytes"
	"io"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wiretrue/websocket"
	"github.com/wiretrue/websocket/wire"
	"github.com/wiretrue/websocket/wire/frame"
	"github.com/wiretrue/websocket/wstest"
)

// ends are the steps in which a transport ended.
type ends struct {
	mu    sync.Mutex
	steps []websocket.TransportEvent
	over  chan struct{}
}

func (e *ends) trace() *websocket.Trace {
	e.over = make(chan struct{})
	return &websocket.Trace{Transport: func(_ *websocket.Conn, step websocket.TransportEvent) {
		e.mu.Lock()
		defer e.mu.Unlock()
		if e.steps = append(e.steps, step); step == websocket.TransportClosed {
			close(e.over)
		}
	}}
}

func (e *ends) want(t *testing.T, want ...websocket.TransportEvent) {
	t.Helper()
	select {
	case <-e.over:
	case <-patient(t).Done():
		t.Fatal("the transport is not closed")
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if !slices.Equal(e.steps, want) {
		t.Errorf("the transport ended with %v, want %v", e.steps, want)
	}
}

// A peer that has ended its sending side, as one that is through with its
// questions, is still answered.
func TestAPeerThatHasEndedItsSideIsAnswered(t *testing.T) {
	for _, network := range sockets {
		t.Run(network, func(t *testing.T) {
			t.Parallel()
			var ended ends
			server, near := rawClient(t, network, &websocket.AcceptOptions{Options: websocket.Options{
				QueueLimit: websocket.NoLimit, PingInterval: websocket.NoTimeout, Trace: ended.trace(),
			}})
			// The kernel holds little of what is sent and not read.
			near.(interface{ SetReadBuffer(bytes int) error }).SetReadBuffer(64 << 10)
			server.Transport().(interface{ SetWriteBuffer(bytes int) error }).SetWriteBuffer(64 << 10)
			var in, want []byte
			asking, answering := wire.Sender{}, wire.Sender{Role: wire.Server}
			for i := range 16 {
				m := bytes.Repeat([]byte{byte(i)}, 128<<10)
				in, _ = asking.Message(in, frame.Binary, m, [4]byte{1, 2, 3, 4})
				want, _ = answering.Message(want, frame.Binary, m, [4]byte{})
			}
			go func() {
				near.Write(in)
				near.(interface{ CloseWrite() error }).CloseWrite()
			}()
			echoAll(server)
			wantLost(t, server, websocket.ErrPeerGone)
			got, err := io.ReadAll(near)
			if err != nil || !bytes.Equal(got, want) {
				t.Errorf("%d of %d bytes of answers came: %v", len(got), len(want), err)
			}
			ended.want(t, websocket.TransportEOF, websocket.TransportClosed)
		})
	}
}

// scripted is a connection whose peer has said all that it will.
type scripted struct {
	net.Conn
	said io.Reader
}

func (c *scripted) Read(p []byte) (int, error) { return c.said.Read(p) }

// What was queued before the closing handshake is sent, too, to a peer that takes
// its time.
func TestAPeerThatClosesIsAnsweredBefore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, p := wstest.DialPeer(t, nil)
		p.SendBytes(frames(1))
		p.Send(`88 82 00000000 03e8`)
		answer(t, c)
		if _, _, err := c.Read(t.Context()); err == nil {
			t.Fatal("a message behind the Close")
		}
		pass(10 * time.Second)
		if _, m, err := p.ReadFrame(); err != nil || string(m) != "message 0" {
			t.Errorf("got %q, %v", m, err)
		}
		p.WantClose(websocket.StatusNormalClosure)
		p.WantEnd()
	})
}

// One that takes nothing any more is not waited for longer than any other.
func TestAPeerThatHasEndedItsSideAndTakesNothingIsGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far := net.Pipe()
		defer near.Close()
		go readResponseHead(near)
		var ended ends
		server, err := wstest.Accept(&scripted{far, strings.NewReader(requestHead() + string(frames(1)))}, &websocket.AcceptOptions{Options: websocket.Options{
			WriteTimeout: 10 * time.Second, Trace: ended.trace(),
		}})
		if err != nil {
			t.Fatal(err)
		}
		answer(t, server)
		begun := time.Now()
		if _, _, err := server.Read(t.Context()); err == nil {
			t.Fatal("a message behind the end")
		}
		wantLost(t, server, websocket.ErrPeerGone)
		ended.want(t, websocket.TransportEOF, websocket.TransportClosed)
		if waited := time.Since(begun); waited != 10*time.Second {
			t.Errorf("given up after %v", waited)
		}
	})
}
