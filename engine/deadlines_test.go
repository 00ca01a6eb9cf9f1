package engine_test

import (
	"errors"
	"net"
	"testing"
	"time"

	"github.com/wiretrue/websocket"
	"github.com/wiretrue/websocket/engine"
	"github.com/wiretrue/websocket/wstest"
)

// The deadlines: of a handshake, of a silent peer, of a message's assembly, of
// the closing handshake, of a peer that takes nothing.
func TestDeadlines(t *testing.T) {
	eachMode(t, func(t *testing.T, m mode) {
		t.Run("handshake", func(t *testing.T) {
			t.Parallel()
			addr := m.serve(t, &engine.Server{HandshakeTimeout: 100 * time.Millisecond})
			nc, err := net.Dial("tcp", addr.String())
			if err != nil {
				t.Fatal(err)
			}
			defer nc.Close()
			nc.Write([]byte("GET / HTTP/1.1\r\n"))
			if n, err := nc.Read(make([]byte, 1)); n != 0 || err == nil {
				t.Errorf("read %d, %v", n, err)
			}
		})
		for name, test := range map[string]struct {
			opts websocket.Options
			do   func(p *wstest.Peer, c *engine.Conn)
			want error
		}{
			"ping": {
				websocket.Options{PingInterval: 100 * time.Millisecond, PingTimeout: 200 * time.Millisecond},
				func(*wstest.Peer, *engine.Conn) {},
				websocket.ErrPingTimeout,
			},
			"assembly": {
				websocket.Options{AssemblyTimeout: 200 * time.Millisecond, PingInterval: 100 * time.Millisecond},
				func(p *wstest.Peer, c *engine.Conn) {
					p.Send(`01 81 00 00 00 00 "a"`)
					go func() {
						for c.Cause() == nil {
							p.Send(`8a 80 00 00 00 00`)
							<-time.After(20 * time.Millisecond)
						}
					}()
				},
				websocket.ErrAssemblyTimeout,
			},
			"close": {
				websocket.Options{CloseTimeout: 100 * time.Millisecond},
				func(_ *wstest.Peer, c *engine.Conn) { c.Close(websocket.StatusGoingAway, "") },
				websocket.ErrCloseTimeout,
			},
			"write": {
				websocket.Options{WriteTimeout: 300 * time.Millisecond, PingInterval: 100 * time.Millisecond, PingTimeout: safety},
				func(_ *wstest.Peer, c *engine.Conn) {
					p := noise(1 << 20)
					for range 4 {
						go c.Write(websocket.Binary, p)
					}
				},
				websocket.ErrWriteTimeout,
			},
		} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				conns, end := make(chan *engine.Conn, 1), make(ended, 1)
				test.opts.QueueLimit = websocket.NoLimit
				addr := m.serveOn(t, &engine.Server{Service: engine.Service{
					AcceptOptions: websocket.AcceptOptions{Options: test.opts},
					Handler: engine.Handler{
						OnOpen:  func(c *engine.Conn) { conns <- c },
						OnClose: func(_ *engine.Conn, cause error) { end <- cause },
					},
				}}, listenNarrow(t))
				p := dialPeer(t, addr)
				test.do(p, <-conns)
				if err := end.wait(t); !errors.Is(err, test.want) {
					t.Errorf("ended with %v, want %v", err, test.want)
				}
			})
		}
	})
}

// A peer that answers Pings is kept, and its round-trip time known.
func TestHeartbeat(t *testing.T) {
	eachMode(t, func(t *testing.T, m mode) {
		conns := make(chan *engine.Conn, 1)
		addr := m.serve(t, &engine.Server{Service: engine.Service{
			AcceptOptions: websocket.AcceptOptions{Options: websocket.Options{PingInterval: 50 * time.Millisecond}},
			Handler:       engine.Handler{OnOpen: func(c *engine.Conn) { conns <- c }},
		}})
		client := dial(t, addr, nil)
		go client.Read(t.Context())
		c := <-conns
		for c.Stats().Received.Pongs == 0 {
			if c.Cause() != nil {
				t.Fatal(c.Cause())
			}
			<-time.After(10 * time.Millisecond)
		}
		if c.RTT() <= 0 {
			t.Errorf("RTT %v", c.RTT())
		}
	})
}
