package engine_test

import (
	"net"
	"sync"
	"testing"
	"time"

	"github.com/wiretrue/websocket"
	"github.com/wiretrue/websocket/engine"
)

// toldListener tells when it is closed, and its connections what deadlines they
// are given.
type toldListener struct {
	net.Listener
	closed    func()
	deadlines chan time.Time
}

func (l *toldListener) Accept() (net.Conn, error) {
	nc, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &toldConn{nc, l.deadlines}, nil
}

func (l *toldListener) Close() error {
	l.closed()
	return l.Listener.Close()
}

type toldConn struct {
	net.Conn
	deadlines chan time.Time
}

func (c *toldConn) SetDeadline(d time.Time) error {
	c.deadlines <- d
	return c.Conn.SetDeadline(d)
}

func (c *toldConn) Close() error {
	defer close(c.deadlines)
	return c.Conn.Close()
}

// A shutdown cuts opening handshakes short by their deadline. One that is over
// is a connection, which has the closing handshake.
func TestShutdownLeavesAConnectionItsDeadlines(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	stopped := make(chan struct{})
	told := &toldListener{ln, sync.OnceFunc(func() { close(stopped) }), make(chan time.Time, 16)}
	over := make(chan error, 1)
	s := &engine.Server{Backend: engine.Goroutines}
	s.Trace = &websocket.Trace{Handshake: func(*websocket.Conn, *websocket.HandshakeTrace) {
		go func() { over <- s.Shutdown(t.Context()) }()
		<-stopped
	}}
	go s.Serve(told)
	c := dial(t, ln.Addr(), nil)
	c.Read(t.Context())
	if err := <-over; err != nil {
		t.Errorf("Shutdown: %v", err)
	}
	begun := false
	for d := range told.deadlines {
		if begun && !d.IsZero() {
			t.Errorf("an open connection is given the deadline %v", d)
		}
		begun = begun || d.IsZero()
	}
	if !begun {
		t.Error("the connection has the handshake's deadline")
	}
}
