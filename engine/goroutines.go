package engine

import (
	"context"
	"errors"
	"io"
	"net"
	"slices"
	"time"

	"github.com/wiretrue/websocket"
	"github.com/wiretrue/websocket/wire"
	"github.com/wiretrue/websocket/wire/handshake"
)

// acceptConns accepts connections that goroutines serve.
func (s *Server) acceptConns(ln net.Listener) error {
	for {
		nc, err := ln.Accept()
		var temporary interface{ Temporary() bool }
		switch {
		case err == nil:
			go s.shakeHands(nc)
			continue
		case s.conns.Stopped():
			return net.ErrClosed
		case errors.As(err, &temporary) && temporary.Temporary(): // as without descriptors
			select {
			case <-time.After(acceptPause):
				continue
			case <-s.done:
				return net.ErrClosed
			}
		}
		return err
	}
}

// acceptPause is how long no connection is accepted when the system can take no
// more.
const acceptPause = 100 * time.Millisecond

// shakeHands serves a connection from its opening handshake on, which a shutdown
// cuts short.
func (s *Server) shakeHands(nc net.Conn) {
	nc.SetDeadline(time.Now().Add(s.handshakeTimeout()))
	s.mu.Lock()
	if !s.conns.Enter() {
		s.mu.Unlock()
		nc.Close()
		return
	}
	s.shaking[nc] = struct{}{}
	s.mu.Unlock()

	service, accepted, early := s.handshake(nc)

	s.mu.Lock()
	delete(s.shaking, nc)
	s.mu.Unlock()
	if accepted == nil {
		s.conns.Leave(nil)
		return
	}
	nc.SetDeadline(time.Time{}) // nobody sets one any more
	s.serveStd(service, accepted.Conn(nc, early))
}

// handshake reads and answers the request of an opening handshake. One that is
// not accepted is over, and its connection closed.
func (s *Server) handshake(nc net.Conn) (service *Service, accepted *websocket.Accepted, early []byte) {
	request, head, early, err := readRequest(nc)
	if err != nil {
		nc.Close()
		return nil, nil, nil
	}
	_, secure := nc.(interface{ HandshakeContext(context.Context) error }) // as a tls.Conn
	service, accepted, refused := s.answer(&request, secure)
	if refused != nil {
		service.logRefusal(nc.RemoteAddr().String(), refused)
		response := refused.Refusal()
		if t := service.Trace; t != nil && t.Handshake != nil {
			t.Handshake(nil, &websocket.HandshakeTrace{Server: true, Local: nc.LocalAddr(), Remote: nc.RemoteAddr(), Begun: time.Now(), Request: head, Response: response, Err: refused})
		}
		nc.Write(response)
		nc.SetDeadline(time.Now().Add(lingerTime))
		if half, ok := nc.(interface{ CloseWrite() error }); ok {
			half.CloseWrite()
		}
		io.Copy(io.Discard, io.LimitReader(nc, lingerBytes))
		nc.Close()
		return nil, nil, nil
	}
	if _, err := nc.Write(accepted.Response); err != nil {
		accepted.Release()
		nc.Close()
		return nil, nil, nil
	}
	accepted.Request = head
	return service, accepted, early
}

// readRequest reads a request, and what came with it.
func readRequest(nc net.Conn) (r handshake.Request, head, early []byte, err error) {
	var b []byte
	for {
		b = slices.Grow(b, 2<<10)
		n, err := nc.Read(b[len(b):cap(b)])
		b = b[:len(b)+n]
		if r, n := handshake.ParseRequest(b, 0); n > 0 {
			return r, b[:n:n], b[n:], nil
		}
		if err != nil {
			return r, nil, nil, err
		}
	}
}

// serveStd serves a connection that has entered on a goroutine.
func (s *Server) serveStd(service *Service, std *websocket.Conn) {
	c := &Conn{service: service, more: &more{std: std, server: s}}
	s.conns.Add(c)
	s.endLate(c)
	go c.runStd(std)
}

// idleSize is the most memory that a connection keeps for its next message.
const idleSize = 1 << 10

func (c *Conn) runStd(std *websocket.Conn) {
	defer c.server().conns.Leave(c)
	if c.service.OnOpen != nil {
		c.guard(std, func() { c.service.OnOpen(c) })
	}
	var buf []byte
	for {
		c.awaitJobs()
		typ, p, err := std.ReadInto(context.Background(), buf)
		if err != nil {
			break
		}
		if c.service.OnMessage != nil && c.todo.Load()&todoClose == 0 {
			c.guard(std, func() { c.service.OnMessage(c, typ, p) })
		}
		if buf = p; cap(buf) > idleSize {
			buf = nil
		}
	}
	<-std.Done()
	c.awaitJobs()
	if c.service.OnClose != nil {
		c.guard(std, func() { c.service.OnClose(c, std.Cause()) })
	}
}

// guard calls a function of the handler's. If it panics its connection ends.
func (c *Conn) guard(std *websocket.Conn, f func()) {
	defer func() {
		if p := recover(); p != nil {
			c.logPanic(p)
			c.closeStd(std, websocket.StatusInternalError, "")
		}
	}()
	f()
}

// awaitJobs waits until no function of Go runs.
func (c *Conn) awaitJobs() {
	if c.todo.Load()&heldJob == 0 {
		return
	}
	c.mu.Lock()
	done := c.more.jobsDone
	c.mu.Unlock()
	if done != nil {
		<-done
	}
}

// closeStd is Close for a connection that a goroutine serves.
func (c *Conn) closeStd(std *websocket.Conn, code websocket.StatusCode, reason string) error {
	switch err := inside.SendClose(std, code, reason); {
	case err == nil:
		c.todo.Or(todoClose) // from now on messages are passed over
		go std.Close(context.Background(), code, reason)
		return nil
	case errors.Is(err, wire.ErrClosed):
		return nil
	case errors.Is(err, net.ErrClosed):
		return err
	default:
		return callError(err)
	}
}
