package engine_test

import (
	"context"
	"errors"
	"net"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/wiretrue/websocket"
	"github.com/wiretrue/websocket/engine"
	"github.com/wiretrue/websocket/wstest"
)

// A connection that its loop has not come to is ended by a Shutdown, too.
func TestShutdownEndsWhatIsNew(t *testing.T) {
	for _, m := range modes[:2] {
		t.Run(m.name, func(t *testing.T) {
			m.check(t)
			busy, release := make(chan struct{}), make(chan struct{})
			s := &engine.Server{Backend: m.backend, Loops: 1, Service: engine.Service{Handler: engine.Handler{
				OnMessage: func(*engine.Conn, websocket.MessageType, []byte) { close(busy); <-release },
			}}}
			hs := httptest.NewServer(s)
			defer hs.Close()
			open := func() *wstest.Peer {
				nc, err := net.Dial("tcp", hs.Listener.Addr().String())
				if err != nil {
					t.Fatal(err)
				}
				nc.SetDeadline(time.Now().Add(safety))
				p := wstest.NewPeer(t, nc)
				p.SendBytes(goodRequest)
				p.ReadResponse()
				return p
			}
			first := open()
			first.SendBytes(maskedText("wait"))
			<-busy
			second := open() // whose turn is to come
			for s.Active() < 2 {
				<-time.After(time.Millisecond)
			}
			ctx, cancel := context.WithTimeout(t.Context(), safety)
			defer cancel()
			shut := make(chan error)
			go func() { shut <- s.Shutdown(ctx) }()
			for !s.Stopped() {
				<-time.After(time.Millisecond)
			}
			close(release)
			for _, p := range []*wstest.Peer{first, second} {
				p.WantClose(websocket.StatusGoingAway)
				p.SendBytes([]byte{0x88, 0x82, 0, 0, 0, 0, 0x03, 0xe9})
			}
			if err := <-shut; err != nil && !errors.Is(err, net.ErrClosed) {
				t.Errorf("Shutdown: %v", err)
			}
		})
	}
}

// A Serve that a Shutdown overtakes ends, and leaves no descriptor behind.
func TestServeThatAShutdownOvertakes(t *testing.T) {
	for _, m := range modes[:2] {
		t.Run(m.name, func(t *testing.T) {
			m.check(t)
			before := settled(t)
			s := &engine.Server{Backend: m.backend, Loops: 1}
			if _, err := s.Using(); err != nil {
				t.Fatal(err)
			}
			s.StopLoops()
			for range 5 {
				served := make(chan error, 1)
				go func() { served <- s.Serve(listen(t)) }()
				select {
				case err := <-served:
					if !errors.Is(err, net.ErrClosed) {
						t.Errorf("Serve: %v", err)
					}
				case <-time.After(safety):
					t.Fatal("Serve goes on")
				}
			}
			checkLeaks(t, before)
		})
	}
}
