// Package wstest helps to test programs that speak WebSocket, without a
// network: a pair of connections that talk to each other, and a scripted peer
// that sends any bytes and says what it wants to see. All of it works in a
// testing/synctest bubble.
package wstest

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"testing"

	"github.com/wiretrue/websocket"
)

// URL is the address that the connections of this package are dialled at.
const URL = "ws://wstest.invalid/"

// Pipe returns the two ends of a connection that was opened by a handshake over
// net.Pipe. The options may be nil. Both ends are cut when the test ends.
func Pipe(t testing.TB, accept *websocket.AcceptOptions, dial *websocket.DialOptions) (server, client *websocket.Conn) {
	t.Helper()
	near, far := net.Pipe()
	accepted := make(chan *websocket.Conn, 1)
	go func() {
		defer close(accepted)
		if c, err := Accept(far, accept); err == nil {
			accepted <- c
		}
	}()
	client = Dial(t, near, dial)
	server = <-accepted
	if server == nil {
		t.Fatal("wstest: the server refused the handshake")
	}
	t.Cleanup(func() { server.CloseNow() })
	return server, client
}

// Dial performs the client's part of the handshake on nc.
func Dial(t testing.TB, nc net.Conn, opts *websocket.DialOptions) *websocket.Conn {
	t.Helper()
	var o websocket.DialOptions
	if opts != nil {
		o = *opts
	}
	o.NetDial = func(context.Context, string, string) (net.Conn, error) { return nc, nil }
	o.Proxy = func(*http.Request) (*url.URL, error) { return nil, nil }
	c, err := websocket.Dial(t.Context(), URL, &o)
	if err != nil {
		t.Fatalf("wstest: dial: %v", err)
	}
	t.Cleanup(func() { c.CloseNow() })
	return c
}

// Accept reads a request from nc and performs the server's part of the
// handshake.
func Accept(nc net.Conn, opts *websocket.AcceptOptions) (*websocket.Conn, error) {
	rw := bufio.NewReadWriter(bufio.NewReader(nc), bufio.NewWriter(nc))
	r, err := http.ReadRequest(rw.Reader)
	if err != nil {
		return nil, err
	}
	return websocket.Accept(&responseWriter{nc: nc, rw: rw, header: http.Header{}}, r, opts)
}

// responseWriter is what net/http gives a handler, for one request.
type responseWriter struct {
	nc     net.Conn
	rw     *bufio.ReadWriter
	header http.Header
	status int
}

func (w *responseWriter) Header() http.Header { return w.header }

func (w *responseWriter) WriteHeader(status int) {
	w.status = status
	fmt.Fprintf(w.nc, "HTTP/1.1 %d %s\r\n", status, http.StatusText(status))
	w.header.Write(w.nc)
	fmt.Fprint(w.nc, "\r\n")
}

func (w *responseWriter) Write(b []byte) (int, error) {
	if w.status == 0 {
		w.WriteHeader(http.StatusOK)
	}
	return w.nc.Write(b)
}

func (w *responseWriter) Hijack() (net.Conn, *bufio.ReadWriter, error) { return w.nc, w.rw, nil }
