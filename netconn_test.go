package websocket_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wiretrue/websocket"
	"github.com/wiretrue/websocket/wstest"
)

func netPipe(t *testing.T, typ websocket.MessageType) (server, client net.Conn) {
	s, c := wstest.Pipe(t, nil, nil)
	return websocket.NetConn(s, typ), websocket.NetConn(c, typ)
}

// The stream of bytes is the same however it is written and read.
func TestNetConnCarriesAStream(t *testing.T) {
	server, client := netPipe(t, websocket.Binary)
	sent := make([]byte, 6<<20) // in writes that are larger than ReadLimit, too
	rng := rand.NewChaCha8([32]byte{1})
	rng.Read(sent)
	r := rand.New(rng)
	go func() {
		defer client.Close()
		for rest := sent; len(rest) > 0; {
			n := min(len(rest), 1+r.IntN(20_000))
			if len(rest) == len(sent) {
				n = 5 << 20
			}
			if n, err := client.Write(rest[:n]); err != nil {
				t.Errorf("Write: %d, %v", n, err)
				return
			}
			rest = rest[n:]
		}
	}()
	var got bytes.Buffer
	b := make([]byte, 4093)
	for {
		n, err := server.Read(b)
		got.Write(b[:n])
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(got.Bytes(), sent) {
		t.Errorf("%d bytes of %d came, or others", got.Len(), len(sent))
	}
	if _, err := server.Write([]byte("late")); !errors.Is(err, net.ErrClosed) {
		t.Errorf("Write after the end: %v", err)
	}
}

// net/http works over it, with its deadlines and keep-alive.
func TestNetConnUnderHTTP(t *testing.T) {
	server, client := netPipe(t, websocket.Binary)
	l := &oneConn{conns: make(chan net.Conn, 1), done: make(chan struct{})}
	l.conns <- server
	s := &http.Server{
		ReadTimeout: time.Minute,
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			w.Write(body)
		}),
	}
	go s.Serve(l)
	defer s.Close()
	transport := &http.Transport{DisableCompression: true}
	defer transport.CloseIdleConnections()
	transport.DialContext = func(context.Context, string, string) (net.Conn, error) { return client, nil }
	for range 3 {
		body := bytes.Repeat([]byte("over and over "), 10_000)
		response, err := (&http.Client{Transport: transport}).Post("http://example.com/", "text/plain", bytes.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(response.Body)
		response.Body.Close()
		if err != nil || !bytes.Equal(got, body) {
			t.Errorf("%d bytes of %d, %v", len(got), len(body), err)
		}
	}
}

// oneConn listens for one connection.
type oneConn struct {
	conns chan net.Conn
	done  chan struct{}
}

func (l *oneConn) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}
func (l *oneConn) Close() error   { close(l.done); return nil }
func (l *oneConn) Addr() net.Addr { return new(net.TCPAddr) }

func TestNetConnEnds(t *testing.T) {
	for _, tt := range []struct {
		name, send string
		want       error
		code       websocket.StatusCode // that the peer gets; 0: none
	}{
		{"closed with 1000", "88 02 03e8", io.EOF, 1000},
		{"closed with 1001", "88 02 03e9", io.EOF, 1001},
		{"closed with 1011", "88 02 03f3", net.ErrClosed, 1011},
		{"closed without a code", "88 00", net.ErrClosed, 1005},
		{"a message of the other type", `81 01 "x"`, net.ErrClosed, 1003},
		{"cut", "", websocket.ErrPeerGone, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c, p := wstest.ServePeer(t, nil)
			n := websocket.NetConn(c, websocket.Binary)
			p.Send(`82 02 "ab"`)
			p.Send(tt.send)
			if tt.code == 0 {
				p.End()
			}
			b := make([]byte, 1)
			for _, want := range "ab" {
				if k, err := n.Read(b); k != 1 || err != nil || rune(b[0]) != want {
					t.Fatalf("Read: %d, %v, %q", k, err, b)
				}
			}
			if k, err := n.Read(b); k != 0 || !errors.Is(err, tt.want) {
				t.Errorf("Read: %d, %v; want %v", k, err, tt.want)
			}
			if tt.code == 1003 {
				p.WantClose(1003)
			}
			if _, err := n.Write(b); !errors.Is(err, net.ErrClosed) {
				t.Errorf("Write: %v", err)
			}
		})
	}
}

func TestNetConnDeadlines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server, client := netPipe(t, websocket.Text)
		b := make([]byte, 10)
		timesOut := func(what string, after time.Duration, call func() (int, error)) {
			t.Helper()
			began := time.Now()
			n, err := call()
			timeout := net.Error(nil)
			if n != 0 || !errors.Is(err, os.ErrDeadlineExceeded) || !errors.As(err, &timeout) || !timeout.Timeout() || time.Since(began) != after {
				t.Errorf("%s: %d, %v after %v", what, n, err, time.Since(began))
			}
		}
		read := func() (int, error) { return server.Read(b) }

		server.SetReadDeadline(time.Now().Add(time.Second))
		timesOut("a deadline ahead", time.Second, read)
		timesOut("a deadline that has passed", 0, read)
		server.SetReadDeadline(time.Time{})
		go func() {
			pass(time.Second)
			server.SetDeadline(time.Now().Add(time.Second)) // while a read waits
		}()
		timesOut("a deadline set meanwhile", 2*time.Second, read)
		server.SetDeadline(time.Now().Add(-1))
		timesOut("Write", 0, func() (int, error) { return server.Write(b) })

		// None of it has harmed the connection.
		server.SetDeadline(time.Time{})
		client.Write([]byte("fine"))
		if n, err := server.Read(b); err != nil || string(b[:n]) != "fine" {
			t.Errorf("Read: %q, %v", b[:n], err)
		}

		// A peer that does not read delays a Write until its deadline.
		client.SetWriteDeadline(time.Now().Add(time.Second))
		began := time.Now()
		var err error
		for range 100 {
			if _, err = client.Write(bytes.Repeat([]byte("x"), 1<<20)); err != nil {
				break
			}
		}
		if !errors.Is(err, os.ErrDeadlineExceeded) || time.Since(began) != time.Second {
			t.Errorf("Write: %v after %v", err, time.Since(began))
		}
		if server.LocalAddr() == nil || client.RemoteAddr() == nil {
			t.Error("no addresses")
		}
	})
}
