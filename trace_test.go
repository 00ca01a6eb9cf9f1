package websocket_test

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wiretrue/websocket"
	"github.com/wiretrue/websocket/wstest"
)

// told collects what a Trace is told of one connection, in words.
type told struct {
	mu    sync.Mutex
	words []string
	over  chan struct{} // closed by TransportClosed
}

func newTold() *told { return &told{over: make(chan struct{})} }

func (l *told) say(format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.words = append(l.words, fmt.Sprintf(format, args...))
}

func (l *told) trace() *websocket.Trace {
	return &websocket.Trace{
		Received: func(_ *websocket.Conn, b []byte) { l.say("received % x", b) },
		Sent:     func(_ *websocket.Conn, b []byte) { l.say("sent % x", b) },
		Ended:    func(*websocket.Conn, error) { l.say("ended") },
		Transport: func(_ *websocket.Conn, e websocket.TransportEvent) {
			l.say("%v", e)
			if e == websocket.TransportClosed {
				close(l.over)
			}
		},
	}
}

// want compares what was told at last, but for the cause: a Close frame may be
// on its way when it is told.
func (l *told) want(t *testing.T, want ...string) {
	t.Helper()
	<-l.over
	l.mu.Lock()
	defer l.mu.Unlock()
	got := slices.DeleteFunc(slices.Clone(l.words), func(s string) bool { return s == "ended" })
	if len(l.words) != len(got)+1 || l.words[len(l.words)-1] == "ended" {
		t.Errorf("the end is not told once before the last: %q", l.words)
	}
	if got = got[max(len(got)-len(want), 0):]; !slices.Equal(got, want) {
		t.Errorf("told\n\t%s\nexpected\n\t%s", strings.Join(got, "\n\t"), strings.Join(want, "\n\t"))
	}
}

func TestTraceTellsTheEnd(t *testing.T) {
	options := func(l *told) websocket.Options { return websocket.Options{Trace: l.trace()} }
	for _, tt := range []struct {
		name   string
		script func(t *testing.T, c *websocket.Conn, p *wstest.Peer)
		want   []string
	}{
		{"closed by the peer", func(t *testing.T, c *websocket.Conn, p *wstest.Peer) {
			p.Send(`88 82 00000000 03e8`)
			c.CloseRead(t.Context())
			p.WantClose(1000)
			p.WantEnd()
		}, []string{"received 88 82 00 00 00 00 03 e8", "sent 88 02 03 e8", "closed here"}},
		{"ended by the peer", func(t *testing.T, c *websocket.Conn, p *wstest.Peer) {
			p.End()
			c.CloseRead(t.Context())
		}, []string{"ended by the peer", "closed here"}},
		{"closed at once, twice", func(t *testing.T, c *websocket.Conn, p *wstest.Peer) {
			c.CloseNow()
			c.CloseNow()
		}, []string{"closed here"}},
		{"a rule broken, and more on its way", func(t *testing.T, c *websocket.Conn, p *wstest.Peer) {
			c.CloseRead(t.Context())
			p.Send(`89 00`)
			p.ReadFrame()
			p.Send(`89 80 00000000`)
			p.End()
		}, []string{"received 89 00",
			"sent 88 2c 03 ea 43 6c 69 65 6e 74 4d 75 73 74 4d 61 73 6b 20 28 36 34 35 35 2d 35 2e 31 2d 63 6c 69 65 6e 74 2d 6d 75 73 74 2d 6d 61 73 6b 29",
			"received 89 80 00 00 00 00", "ended by the peer", "closed here"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := newTold()
				c, p := wstest.DialPeer(t, &websocket.AcceptOptions{Options: options(l)})
				tt.script(t, c, p)
				l.want(t, tt.want...)
			})
		})
	}
	t.Run("a client waits for the server's end", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			l := newTold()
			c, p := wstest.ServePeer(t, &websocket.DialOptions{Options: options(l)})
			p.Send(`88 02 03e8`)
			c.CloseRead(t.Context())
			p.WantClose(1000)
			p.End()
			l.want(t, "ended by the peer", "closed here")
		})
	})
}

func TestAClientLetsTheServerEndTCP(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newTold()
		c, p := wstest.ServePeer(t, &websocket.DialOptions{Options: websocket.Options{Trace: l.trace()}})
		closed := make(chan error)
		go func() { closed <- c.Close(t.Context(), 1000, "") }()
		p.WantClose(1000)
		p.Send(`88 02 03e8`)
		synctest.Wait()
		p.End()
		if err := <-closed; err != nil {
			t.Error(err)
		}
		l.want(t, "ended by the peer", "closed here")
	})
}

func TestAServerEndsTheTransportAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // over a pipe, whose directions do not end by themselves
		c, p := wstest.DialPeer(t, nil)
		began := time.Now()
		p.Send(`88 82 00000000 03e8`)
		c.CloseRead(t.Context())
		p.WantClose(1000)
		p.WantEnd()
		if waited := time.Since(began); waited != 0 {
			t.Errorf("the server waited %v for the client to end", waited)
		}
	})
}

func TestTraceTellsTheEndOfTCP(t *testing.T) {
	open := func(t *testing.T, l *told) (c *websocket.Conn, peer *net.TCPConn) {
		near, far := tcpEnds(t)
		accepted := make(chan *websocket.Conn)
		go func() {
			c, err := wstest.Accept(far, &websocket.AcceptOptions{Options: websocket.Options{Trace: l.trace()}})
			if err != nil {
				t.Error(err)
			}
			accepted <- c
		}()
		wstest.Dial(t, near, nil)
		return <-accepted, near.(*net.TCPConn)
	}
	t.Run("reset", func(t *testing.T) {
		l := newTold()
		c, peer := open(t, l)
		peer.SetLinger(0)
		peer.Close()
		c.Read(t.Context())
		l.want(t, "reset by the peer", "closed here")
	})
	t.Run("a rule broken", func(t *testing.T) {
		l := newTold()
		c, peer := open(t, l)
		peer.Write([]byte("\x83\x80\x00\x00\x00\x00"))
		c.Read(t.Context())
		buf := make([]byte, 1<<10)
		for {
			if _, err := peer.Read(buf); err != nil { // the server's FIN, behind its Close frame
				break
			}
		}
		peer.Close()
		l.want(t, "ended here", "ended by the peer", "closed here")
	})
}

// TestTraceTellsAnAnswerBehindItsQuestion states the order of what two
// goroutines tell.
func TestTraceTellsAnAnswerBehindItsQuestion(t *testing.T) {
	pipe := func(*testing.T) (near, far net.Conn) { return net.Pipe() }
	tcp := func(t *testing.T) (near, far net.Conn) { return tcpEnds(t) }
	for name, ends := range map[string]func(*testing.T) (near, far net.Conn){"pipe": pipe, "tcp": tcp} {
		t.Run(name, func(t *testing.T) {
			near, far := ends(t)
			go func() {
				c, err := wstest.Accept(far, nil)
				if err != nil {
					return
				}
				for m, err := range c.Messages(t.Context()) {
					if err != nil || c.Write(t.Context(), m.Type, m.Data) != nil {
						return
					}
				}
			}()
			var mu sync.Mutex
			asked, answered := 0, 0 // in bytes, without the masking keys
			c := wstest.Dial(t, near, &websocket.DialOptions{Options: websocket.Options{Trace: &websocket.Trace{
				Sent: func(_ *websocket.Conn, b []byte) {
					mu.Lock()
					defer mu.Unlock()
					asked += len(b) - 4
				},
				Received: func(_ *websocket.Conn, b []byte) {
					mu.Lock()
					defer mu.Unlock()
					if answered += len(b); answered > asked {
						t.Errorf("%d bytes answered of %d", answered, asked)
					}
				},
			}}})
			const rounds = 2000
			go func() {
				for range rounds {
					c.Write(t.Context(), websocket.Binary, []byte("question"))
				}
			}()
			for range rounds {
				if _, _, err := c.Read(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

func TestJoinTraces(t *testing.T) {
	var calls []string
	named := func(name string) *websocket.Trace {
		return &websocket.Trace{
			Handshake: func(*websocket.Conn, *websocket.HandshakeTrace) { calls = append(calls, name+" handshake") },
			Received:  func(*websocket.Conn, []byte) { calls = append(calls, name+" received") },
			Sent:      func(*websocket.Conn, []byte) { calls = append(calls, name+" sent") },
			Ended:     func(*websocket.Conn, error) { calls = append(calls, name+" ended") },
			Transport: func(*websocket.Conn, websocket.TransportEvent) { calls = append(calls, name+" transport") },
		}
	}
	a := named("a")
	if websocket.JoinTraces() != nil || websocket.JoinTraces(nil, nil) != nil || websocket.JoinTraces(nil, a) != a {
		t.Error("of no more than one trace something else is made")
	}
	half := &websocket.Trace{Sent: func(*websocket.Conn, []byte) { calls = append(calls, "half sent") }}
	j := websocket.JoinTraces(half, a, nil, named("b"))
	j.Handshake(nil, nil)
	j.Received(nil, nil)
	j.Sent(nil, nil)
	j.Ended(nil, nil)
	j.Transport(nil, 0)
	want := []string{"a handshake", "b handshake", "a received", "b received", "half sent", "a sent", "b sent", "a ended", "b ended", "a transport", "b transport"}
	if !slices.Equal(calls, want) {
		t.Errorf("called %q; expected %q", calls, want)
	}
	if only := websocket.JoinTraces(half, half); only.Received != nil || only.Handshake != nil {
		t.Error("a function that nobody has is there")
	}
}

func TestTraceTellsARefusalWhole(t *testing.T) {
	var server, client websocket.HandshakeTrace
	keep := func(to *websocket.HandshakeTrace, done func()) *websocket.Trace {
		return &websocket.Trace{Handshake: func(_ *websocket.Conn, h *websocket.HandshakeTrace) {
			*to = *h
			done()
		}}
	}
	told := make(chan struct{})
	s := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		websocket.Accept(w, r, &websocket.AcceptOptions{Options: websocket.Options{Trace: keep(&server, func() { close(told) })}})
	}))
	defer s.Close()
	_, err := websocket.Dial(t.Context(), s.URL, &websocket.DialOptions{
		Origin:  "https://elsewhere.invalid",
		TLS:     s.Client().Transport.(*http.Transport).TLSClientConfig,
		Options: websocket.Options{Trace: keep(&client, func() {})},
	})
	<-told
	refused := new(websocket.HandshakeError)
	if !errors.As(err, &refused) || client.Err != err {
		t.Fatalf("Dial: %v, told %v", err, client.Err)
	}
	head, body, _ := strings.Cut(string(client.Response), "\r\n\r\n")
	if body != string(refused.Body) || !strings.HasPrefix(head, "HTTP/1.1 403 ") || !strings.HasSuffix(string(server.Response), "\r\n\r\n"+body) {
		t.Errorf("told %q and %q; the body was %q", client.Response, server.Response, refused.Body)
	}
	if server.Server == client.Server || client.Server || server.TLS == nil || client.TLS == nil || server.Begun.IsZero() || client.Begun.IsZero() {
		t.Errorf("told %+v and %+v", server, client)
	}
	if address := s.Listener.Addr().String(); server.Local.String() != address || client.Remote.String() != address || server.Remote.String() != client.Local.String() {
		t.Errorf("told the addresses %v, %v and %v, %v", server.Local, server.Remote, client.Local, client.Remote)
	}
}
