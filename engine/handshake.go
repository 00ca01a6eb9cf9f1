package engine

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"time"

	"github.com/wiretrue/websocket"
	"github.com/wiretrue/websocket/wire/handshake"
)

// errHandshakeTimeout is told to the Trace of a client that takes too long.
var errHandshakeTimeout = errors.New("the request takes too long")

// errPeerLeft is told to the Trace of a client that ends before its request.
var errPeerLeft = errors.New("the peer ended the connection before its request")

// begin takes a new connection up.
func (t *turn) begin(c *Conn) {
	c.heard.set(t.now)
	if err := t.loop.backend.add(c); err != nil {
		c.mu.Lock()
		c.hangup = abandoned
		c.mu.Unlock()
		if c.phase == open {
			t.end(c, c.lost(err))
		}
		t.drop(c)
		return
	}
	c.loop.server.endLate(c)
	if c.phase == handshaking {
		t.loop.wheel.set(c, t.now+int64(c.loop.server.handshakeTimeout()))
		return
	}
	t.opened(c) // net/http has read its request
	if r := c.rare; r != nil && r.stash != nil {
		early := r.stash
		r.stash = nil
		t.got(c, early)
	}
}

// opened tells the program of the connection.
func (t *turn) opened(c *Conn) {
	t.loop.wheel.set(c, t.lookAfter(c))
	if c.service.OnOpen != nil {
		c.service.OnOpen(c)
		if c.todo.Load()&todoClose != 0 {
			t.obey(c)
		}
	}
}

// readHead takes bytes of the request.
func (t *turn) readHead(c *Conn, b []byte) {
	head, begun := b, c.rare != nil && c.rare.head != nil
	if begun {
		c.rare.head = append(c.rare.head, b...)
		head = c.rare.head
	}
	var request handshake.Request
	n := 0
	// Looked at when a line may have ended, not at each of a slow peer's bytes. The
	// first ones tell what is no HTTP.
	if !begun || len(head) <= 16 || len(head) >= handshake.DefaultLimit || bytes.IndexByte(b, '\n') >= 0 {
		request, n = handshake.ParseRequest(head, 0)
	}
	if n == 0 {
		if r := c.scarce(); r.head == nil {
			r.head = slices.Clone(head)
		}
		return
	}
	service, accepted, refused := c.loop.server.answer(&request, false)
	c.mu.Lock()
	c.service = service
	c.mu.Unlock()
	if refused != nil {
		service.logRefusal(c.RemoteAddr().String(), refused)
		response := refused.Refusal()
		c.traceHandshake(nil, head[:n], response, refused)
		c.mu.Lock()
		c.queueHead(response)
		c.ended, c.hangup, c.phase = true, drain, lingering
		c.mu.Unlock()
		c.rare = nil
		t.loop.wheel.set(c, t.now+int64(lingerTime))
		return
	}
	c.mu.Lock()
	c.queueHead(accepted.Response)
	c.accept(accepted)
	c.phase = open
	c.mu.Unlock()
	t.view = c.traceAccepted(accepted, head[:n])
	if c.rare != nil {
		c.rare.head = nil
	}
	early := head[n:]
	t.opened(c)
	if len(early) > 0 {
		t.got(c, early)
	}
}

// answer chooses the service for a request and decides on it.
func (s *Server) answer(r *handshake.Request, secure bool) (*Service, *websocket.Accepted, *websocket.HandshakeError) {
	service, refused := s.route(r)
	if refused != nil {
		return service, nil, refused
	}
	accepted, refused := service.Answer(r, secure)
	return service, accepted, refused
}

// route chooses the service for a request. What there is no service for is
// refused by the server's own.
func (s *Server) route(r *handshake.Request) (service *Service, refused *websocket.HandshakeError) {
	if s.Route == nil {
		return &s.Service, nil
	}
	defer func() {
		if p := recover(); p != nil {
			service, refused = &s.Service, &websocket.HandshakeError{Status: http.StatusInternalServerError, Err: panicError(p)}
		}
	}()
	if service = s.Route(r); service == nil {
		return &s.Service, &websocket.HandshakeError{Status: http.StatusNotFound, Detail: fmt.Sprintf("there is no service at %s", r.Target)}
	}
	return service, nil
}

// logRefusal logs what the client was not told: the program's own mistake.
func (s *Service) logRefusal(remote string, err error) {
	if refused := new(websocket.HandshakeError); errors.As(err, &refused) && refused.Status == http.StatusInternalServerError {
		s.logger().Error("websocket handler: accept", "remote", remote, "error", err)
	}
}

// queueHead queues the response to the request. It is called with mu held.
func (c *Conn) queueHead(response []byte) {
	q := c.output()
	q.waiting = append(q.waiting, response...)
	q.head = len(response)
}

// accept makes an open connection of one whose handshake is decided on. It is
// called with mu held.
func (c *Conn) accept(a *websocket.Accepted) {
	c.opened = true
	agreed := inside.Deflation(a)
	if a.Subprotocol != "" || agreed != nil {
		c.extra().subprotocol, c.more.deflation = a.Subprotocol, agreed
	}
	if agreed != nil {
		c.scarce().deflation = agreed
	}
}

// traceAccepted tells the Trace of the handshake, and returns what it is told of
// the connection from now on.
func (c *Conn) traceAccepted(a *websocket.Accepted, request []byte) *websocket.Conn {
	if c.service.Trace == nil {
		return nil
	}
	view, end := inside.View(a, c.LocalAddr(), c.RemoteAddr())
	c.mu.Lock()
	m := c.extra()
	m.view, m.endView = view, end
	c.mu.Unlock()
	c.traceHandshake(view, request, a.Response, nil)
	return view
}

func (c *Conn) traceHandshake(view *websocket.Conn, request, response []byte, err error) {
	if t := c.service.Trace; t != nil && t.Handshake != nil {
		t.Handshake(view, &websocket.HandshakeTrace{
			Server: true, Local: c.LocalAddr(), Remote: c.RemoteAddr(), Begun: time.Now(),
			Request: request, Response: response, Err: err,
		})
	}
}

// refuseSilently tells the Trace of a handshake that was not to be.
func (t *turn) refuseSilently(c *Conn, err error) {
	if c.rare == nil || c.rare.head == nil {
		return // nothing was asked
	}
	if err == nil {
		err = errPeerLeft
	}
	c.traceHandshake(nil, c.rare.head, nil, &websocket.HandshakeError{Err: err})
}

// ServeHTTP answers the request of an opening handshake that net/http has read,
// and serves the connection with a loop from then on. A connection that is no
// plain TCP or unix socket, as one over TLS, is served by a goroutine.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if err := s.start(); err != nil {
		refused := &websocket.HandshakeError{Status: http.StatusInternalServerError, Err: err}
		s.logRefusal(r.RemoteAddr, inside.Refuse(w, r, &s.AcceptOptions, refused))
		return
	}
	service, refused := s.route(inside.Request(r))
	if refused != nil {
		service.logRefusal(r.RemoteAddr, inside.Refuse(w, r, &service.AcceptOptions, refused))
		return
	}
	accepted, nc, early, err := inside.Upgrade(w, r, &service.AcceptOptions)
	if err != nil {
		service.logRefusal(r.RemoteAddr, err)
		return
	}
	s.take(service, accepted, nc, early)
}

// take serves a connection whose handshake is done.
func (s *Server) take(service *Service, accepted *websocket.Accepted, nc net.Conn, early []byte) {
	if !s.conns.Enter() {
		accepted.Release()
		nc.Close()
		return
	}
	fd, err := -1, error(nil)
	if len(s.loops) > 0 {
		fd, err = takeConn(nc)
	}
	if fd < 0 || err != nil {
		s.serveStd(service, accepted.Conn(nc, early))
		return
	}
	c := &Conn{service: service, loop: s.nextLoop(), fd: int32(fd)}
	c.phase = open
	c.accept(accepted)
	c.traceAccepted(accepted, accepted.Request)
	if len(early) > 0 {
		c.scarce().stash = early
	}
	c.post(todoOpen)
}
