package websocket

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"runtime/debug"
	"slices"

	"github.com/wiretrue/websocket/internal/shell"
)

// HandlerFunc serves one connection. Its context ends with the connection and
// carries the request (RequestFrom). The connection is closed when the function
// returns: with 1000 for nil, with its own code and reason for a *CloseError,
// with 1001 while the server shuts down, and with 1011 for any other error or a
// panic, whose text goes to Options.Logger and not to the peer. An error that
// only says that the connection has ended is not logged.
type HandlerFunc func(ctx context.Context, c *Conn) error

// Server makes http.Handlers of functions, and can end all their connections
// together. The zero Server is ready.
type Server struct {
	AcceptOptions

	conns shell.Group[*Conn] // from the handshake until the handler is done
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
	if !s.conns.Enter() {
		refuse(w, r, &s.AcceptOptions, &HandshakeError{Status: http.StatusServiceUnavailable, Detail: "the server shuts down"})
		return
	}
	running := false
	defer func() {
		if !running {
			s.conns.Leave(nil)
		}
	}()
	c, err := accept(w, r, &s.AcceptOptions, subprotocols, func(name string) bool { return service(name) != nil })
	if err != nil {
		s.logRefusal(r, err)
		return
	}
	running = true
	s.conns.Add(c)
	go s.call(contextOf(c, r), c, service(c.Subprotocol()))()
}

// logRefusal logs what the client was not told: the program's own mistake.
func (s *Server) logRefusal(r *http.Request, err error) {
	if refused := new(HandshakeError); errors.As(err, &refused) && refused.Status == http.StatusInternalServerError {
		s.logger().Error("websocket handler: accept", "remote", r.RemoteAddr, "error", err)
	}
}

// call returns what calls the function and closes the connection with what that
// returns. A panic of the function is an error, as net/http makes it one for its
// handlers: one connection's mistake is not another one's end. While the server
// shuts down the function is not called any more. Its stack is small, since it
// lies below all that the function does.
func (s *Server) call(ctx context.Context, c *Conn, f HandlerFunc) func() {
	return func() {
		var err error
		defer func() {
			if p := recover(); p != nil {
				err = &panicError{p, debug.Stack()}
			}
			s.conclude(c, err)
			s.conns.Leave(c)
		}()
		if !s.conns.Stopped() {
			err = f(ctx, c)
		}
	}
}

// conclude closes the connection with what its function has returned.
func (s *Server) conclude(c *Conn, err error) {
	panicked := new(panicError)
	closing := new(CloseError)
	code, reason, unexpected := StatusNormalClosure, "", false
	switch {
	case errors.As(err, &panicked):
		code, unexpected = StatusInternalError, true
	case c.Cause() != nil:
		// What follows from the end of the connection is no news.
		unexpected = err != nil && !errors.Is(err, net.ErrClosed) && !errors.Is(err, context.Canceled) && !errors.Is(err, io.EOF)
	case errors.As(err, &closing) && !closing.ByPeer:
		code, reason = closing.Code, closing.Reason
	case s.conns.Stopped():
		code, unexpected = StatusGoingAway, err != nil
	case err != nil:
		code, unexpected = StatusInternalError, true
	}
	if unexpected {
		s.logger().Error("websocket handler", "remote", c.RemoteAddr(), "error", err)
	}
	if c.Cause() != nil {
		return
	}
	if err := c.Close(context.Background(), code, reason); err != nil && c.Cause() == nil {
		s.logger().Error("websocket handler: the CloseError cannot be sent", "remote", c.RemoteAddr(), "error", err)
		c.Close(context.Background(), StatusInternalError, "")
	}
}

type panicError struct {
	value any
	stack []byte
}

func (e *panicError) Error() string { return fmt.Sprintf("panic: %v\n%s", e.value, e.stack) }

// Shutdown ends every connection with 1001 and waits until their handlers have
// returned. The connections are closed 1 ms apart, or closer together to be
// through with them in half of the time that ctx leaves, so that they do not all
// come back at once. A peer has Options.CloseTimeout to answer. When ctx ends
// first, the rest is cut and its error returned, without waiting for handlers.
// New handshakes are refused with 503.
func (s *Server) Shutdown(ctx context.Context) error {
	idle := s.conns.Stop()
	timeout := s.Options.closeTimeout()
	shell.Pace(ctx, s.conns.All(), func(c *Conn) {
		go func() {
			ctx, cancel := context.WithTimeout(ctx, timeout)
			defer cancel()
			c.Close(ctx, StatusGoingAway, "")
		}()
	})
	select {
	case <-idle:
		return nil
	case <-ctx.Done():
	}
	for _, c := range s.conns.All() {
		c.CloseNow()
	}
	return ctx.Err()
}

func (s *Server) logger() *slog.Logger {
	if s.Logger != nil {
		return s.Logger
	}
	return slog.Default()
}
