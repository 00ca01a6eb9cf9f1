package interop

import (
	"context"
	"crypto/tls"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"

	"github.com/wiretrue/websocket"
)

// TestServer runs our server with every peer as its client, by every route.
func TestServer(t *testing.T) {
	for name, start := range kinds {
		for _, r := range routes {
			t.Run(name+"/"+r.name, func(t *testing.T) {
				full(t)
				t.Parallel()
				converse(t, asServer(t, start(t), r))
			})
		}
	}
}

// TestClient runs our client with every peer as its server, by every route.
func TestClient(t *testing.T) {
	for name, start := range kinds {
		for _, r := range routes {
			t.Run(name+"/"+r.name, func(t *testing.T) {
				full(t)
				t.Parallel()
				converse(t, asClient(t, start(t), r))
			})
		}
	}
}

// spoken are the subprotocols that the servers speak, the peers' too.
var spoken = []string{"chat", "v2.chat"}

// meeting is a peer with a way to open connections between it and us.
type meeting struct {
	them   *peer
	server bool                                      // we are
	url    string                                    // of the server
	ca     string                                    // of the server; empty: no TLS
	mux    *http.ServeMux                            // of our server
	taken  <-chan *websocket.Conn                    // by our server
	open   func(t testing.TB, offer ...string) *pair // the client offers these subprotocols
}

// pair is one connection with both its ends.
type pair struct {
	meeting
	us          *websocket.Conn
	conn        int    // their number for it
	subprotocol string // what they take for agreed
}

func asServer(t testing.TB, p *peer, r route, opts ...websocket.Options) *meeting {
	t.Helper()
	id := newIdentity(t)
	accepted := make(chan *websocket.Conn, 1)
	s := &websocket.Server{AcceptOptions: websocket.AcceptOptions{Subprotocols: spoken}}
	for _, o := range opts {
		s.Options = o
	}
	hand := func(_ context.Context, c *websocket.Conn) error {
		accepted <- c
		<-c.Done()
		return nil
	}
	mux := http.NewServeMux()
	mux.Handle("GET /hand", s.Handler(hand))
	mux.Handle("GET /services", s.Services(map[string]websocket.HandlerFunc{"chat": hand}))
	hs := httptest.NewUnstartedServer(mux)
	if r.toTLS {
		hs.TLS = &tls.Config{Certificates: []tls.Certificate{id.pair}}
		hs.StartTLS()
	} else {
		hs.Start()
	}
	t.Cleanup(hs.Close)
	m := &meeting{them: p, server: true, url: r.url(t, id, hs.Listener.Addr().String(), "")}
	if r.fromTLS {
		m.ca = id.cert
	}
	m.mux = mux
	m.taken = accepted
	m.open = func(t testing.TB, offer ...string) *pair { return m.openFrom(t, "", offer...) }
	return m
}

// openFrom lets the peer connect to our server, with an origin.
func (m *meeting) openFrom(t testing.TB, origin string, offer ...string) *pair {
	t.Helper()
	m.dial("/hand", origin, offer...)
	ev := m.them.await(t, 0, "open")
	return newPair(t, m, m.take(t), ev)
}

// take returns the connection that our server has accepted.
func (m *meeting) take(t testing.TB) *websocket.Conn {
	t.Helper()
	select {
	case c := <-m.taken:
		return c
	case <-safe(t).Done():
		t.Fatal("our server has accepted no connection")
		return nil
	}
}

// dial tells the peer to connect to our server.
func (m *meeting) dial(path, origin string, offer ...string) {
	m.them.do(command{Do: "dial", URL: m.url + path, CA: m.ca, Origin: origin, Subprotocols: offer})
}

func asClient(t testing.TB, p *peer, r route) *meeting {
	t.Helper()
	id := newIdentity(t)
	c := command{Do: "listen", Subprotocols: spoken}
	if r.toTLS {
		c.Cert, c.Key = id.cert, id.key
	}
	p.do(c)
	port := p.await(t, 0, "listening").Port
	m := &meeting{them: p, url: r.url(t, id, "127.0.0.1:"+strconv.Itoa(port), "/")}
	m.open = func(t testing.TB, offer ...string) *pair {
		t.Helper()
		us, err := websocket.Dial(safe(t), m.url, &websocket.DialOptions{
			Subprotocols: offer,
			TLS:          &tls.Config{RootCAs: id.roots},
		})
		if err != nil {
			t.Fatalf("%v\n%s", err, p.stderr())
		}
		return newPair(t, m, us, p.await(t, 0, "open"))
	}
	return m
}

func newPair(t testing.TB, m *meeting, us *websocket.Conn, opened event) *pair {
	t.Cleanup(func() { us.CloseNow() })
	return &pair{meeting: *m, us: us, conn: opened.Conn, subprotocol: opened.Subprotocol}
}

// do tells the peer to do something on this connection.
func (p *pair) do(c command) {
	c.Conn = p.conn
	p.them.do(c)
}

// await returns what the peer tells next of this connection.
func (p *pair) await(t testing.TB, kind string) event {
	t.Helper()
	return p.them.await(t, p.conn, kind)
}

// origin is what a page from the server's own host would send.
func (m *meeting) origin() string { return "http" + strings.TrimPrefix(m.url, "ws") }
