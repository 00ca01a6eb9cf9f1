package story

import (
	"fmt"
	"io"
	"sync"

	websocket "github.com/wiretrue/websocket"
)

// Live returns a Trace that tells the traffic of live connections to w as it
// happens. It may be shared by any number of connections; each line begins
// with the number of its connection, and lines are never torn. Errors of w are
// ignored.
func Live(w io.Writer, o Options) *websocket.Trace {
	l := &live{w: w, o: o}
	return &websocket.Trace{
		Handshake: func(c *websocket.Conn, request, response []byte, err error) {
			l.line("handshake of %d and %d bytes", len(request), len(response))
		},
		Received: func(c *websocket.Conn, b []byte) { l.line("received %d bytes", len(b)) },
		Sent:     func(c *websocket.Conn, b []byte) { l.line("sent %d bytes", len(b)) },
		Ended:    func(c *websocket.Conn, cause error) { l.line("ended: %v", cause) },
	}
}

type live struct {
	mu sync.Mutex
	w  io.Writer
	o  Options
}

func (l *live) line(format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	fmt.Fprintf(l.w, format+"\n", args...)
}
