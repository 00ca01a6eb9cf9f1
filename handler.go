package websocket

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"runtime/debug"
	"slices"
	"sync"
	"time"
)

// HandlerFunc serves one connection. Its context ends with the connection and
// carries the request (RequestFrom). The connection is closed when the function
// returns: with 1000 for nil, with its own code and reason for a *CloseError,
// with 1001 while the server shuts down, and with 1011 for any other error,
// whose text goes to the logger and not to the peer.
type HandlerFunc func(ctx context.Context, c *Conn) error

// Server makes http.Handlers of functions, and can end all their connections
// together. The zero Server is ready.
type Server struct {
	AcceptOptions

	mu      sync.Mutex
	conns   map[*Conn]struct{}
	stopped bool
	idle    chan struct{} // closed when stopped and without connections
}

// Handler returns an http.Handler that serves f with the zero Server: the
// options are the defaults. Use a Server of your own for others.
func Handler(f HandlerFunc) http.Handler { return new(Server).Handler(f) }

// Handler returns an http.Handler that answers opening handshakes and calls f
// with each connection. f runs on a goroutine of its own, so that nothing of
// net/http's is held while the connection lives.
func (s *Server) Handler(f HandlerFunc) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.serve(w, r, s.AcceptOptions.Subprotocols, func(string) HandlerFunc { return f })
	})
}

// Services returns an http.Handler for several services on one URI, by
// subprotocol. Of those that a client offers, the first in the order of
// Subprotocols is chosen, and of those that it does not list the first in
// alphabetical order. A client that offers none of them gets the service "", or
// without such a one HTTP 400.
func (s *Server) Services(services map[string]HandlerFunc) http.Handler {
	var order []string
	for name := range services {
		if name != "" && !slices.Contains(s.AcceptOptions.Subprotocols, name) {
			order = append(order, name)
		}
	}
	slices.Sort(order)
	order = append(slices.Clone(s.AcceptOptions.Subprotocols), order...)
	order = slices.DeleteFunc(order, func(name string) bool { return services[name] == nil })
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.serve(w, r, order, func(subprotocol string) HandlerFunc { return services[subprotocol] })
	})
}

func (s *Server) serve(w http.ResponseWriter, r *http.Request, subprotocols []string, service func(subprotocol string) HandlerFunc) {
	if s.stopping() {
		refuse(w, r, &s.AcceptOptions, &HandshakeError{Status: http.StatusServiceUnavailable, Detail: "the server shuts down"})
		return
	}
	req := requestOf(r)
	if offer, broken := req.Offer(); broken.Fatal() == 0 && service(choose(subprotocols, offer.Subprotocols)) == nil {
		refuse(w, r, &s.AcceptOptions, &HandshakeError{
			Status: http.StatusBadRequest,
			Detail: fmt.Sprintf("no service for the subprotocols %q, only for %q", offer.Subprotocols, subprotocols),
		})
		return
	}
	c, err := accept(w, r, &s.AcceptOptions, subprotocols)
	if err != nil {
		return // the client was told
	}
	if !s.add(c) {
		go c.Close(context.Background(), StatusGoingAway, "")
		return
	}
	ctx := &connContext{context.WithoutCancel(r.Context()), c, r}
	go func() {
		defer s.remove(c)
		s.run(ctx, c, service(c.Subprotocol()))
	}()
}

// run calls the function and closes the connection with what it returns.
func (s *Server) run(ctx context.Context, c *Conn, f HandlerFunc) {
	err := call(ctx, c, f)
	if c.Cause() != nil {
		return // ended before
	}
	code, reason := StatusNormalClosure, ""
	closing := new(CloseError)
	switch {
	case errors.As(err, &closing) && !closing.ByPeer:
		code, reason = closing.Code, closing.Reason
	case s.stopping():
		code = StatusGoingAway
	case err != nil:
		code = StatusInternalError
		c.logger().Error("websocket handler", "remote", c.RemoteAddr(), "error", err)
	}
	if err := c.Close(context.Background(), code, reason); err != nil && c.Cause() == nil {
		c.logger().Error("websocket handler: close", "remote", c.RemoteAddr(), "error", err)
		c.CloseNow()
	}
}

// call turns a panic of the function into an error, as net/http does for its
// handlers: one connection's mistake is not another one's end.
func call(ctx context.Context, c *Conn, f HandlerFunc) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	return f(ctx, c)
}

// Shutdown ends every connection with 1001, one after the other over half of
// the time that ctx leaves, so that they do not all come back at once, and
// waits until their handlers have returned. When ctx ends first, the rest is cut
// and its error returned. New handshakes are refused with 503.
func (s *Server) Shutdown(ctx context.Context) error {
	s.mu.Lock()
	s.stopped = true
	if s.idle == nil {
		s.idle = make(chan struct{})
		if len(s.conns) == 0 {
			close(s.idle)
		}
	}
	idle := s.idle
	conns := make([]*Conn, 0, len(s.conns))
	for c := range s.conns {
		conns = append(conns, c)
	}
	s.mu.Unlock()

	gap := time.NewTicker(spread(ctx, len(conns)))
	defer gap.Stop()
	for i, c := range conns {
		if i > 0 {
			select {
			case <-gap.C:
			case <-ctx.Done():
			}
		}
		go c.Close(ctx, StatusGoingAway, "")
	}
	select {
	case <-idle:
		return nil
	case <-ctx.Done():
	}
	for _, c := range conns {
		c.CloseNow()
	}
	return ctx.Err()
}

// spread returns the time between two closes of a shutdown.
func spread(ctx context.Context, n int) time.Duration {
	gap := time.Millisecond
	if deadline, ok := ctx.Deadline(); ok && n > 0 {
		gap = min(gap, time.Until(deadline)/2/time.Duration(n))
	}
	return max(gap, time.Nanosecond)
}

func (s *Server) stopping() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.stopped
}

func (s *Server) add(c *Conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopped {
		return false
	}
	if s.conns == nil {
		s.conns = make(map[*Conn]struct{})
	}
	s.conns[c] = struct{}{}
	return true
}

func (s *Server) remove(c *Conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.conns, c)
	if s.stopped && len(s.conns) == 0 && s.idle != nil {
		select {
		case <-s.idle:
		default:
			close(s.idle)
		}
	}
}
