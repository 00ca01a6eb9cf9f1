package websocket_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wiretrue/websocket"
	"github.com/wiretrue/websocket/wstest"
)

// dialHandler opens a connection to a server of the handler.
func dialHandler(t *testing.T, h http.Handler, opts *websocket.DialOptions) *websocket.Conn {
	t.Helper()
	return wstest.Dial(t, serveHTTP(t, h).dial(), opts)
}

// logged returns a logger and what it was told.
func logged() (*slog.Logger, *bytes.Buffer) {
	b := new(bytes.Buffer)
	return slog.New(slog.NewTextHandler(b, nil)), b
}

func TestHandlerClosesWithWhatTheFunctionReturns(t *testing.T) {
	for _, tt := range []struct {
		name string
		f    websocket.HandlerFunc
		want websocket.CloseError
		log  string // within what is logged; empty: nothing is
	}{
		{"nil", func(context.Context, *websocket.Conn) error { return nil },
			websocket.CloseError{Code: 1000, ByPeer: true}, ""},
		{"a CloseError", func(context.Context, *websocket.Conn) error {
			return &websocket.CloseError{Code: 4002, Reason: "no such room"}
		}, websocket.CloseError{Code: 4002, Reason: "no such room", ByPeer: true}, ""},
		{"a CloseError, wrapped", func(context.Context, *websocket.Conn) error {
			return fmt.Errorf("login: %w", &websocket.CloseError{Code: websocket.StatusPolicyViolation})
		}, websocket.CloseError{Code: 1008, ByPeer: true}, ""},
		{"a CloseError without a code", func(context.Context, *websocket.Conn) error {
			return &websocket.CloseError{Code: websocket.StatusNoStatusReceived}
		}, websocket.CloseError{Code: 1005, ByPeer: true}, ""},
		{"an error", func(context.Context, *websocket.Conn) error { return errors.New("database password is hunter2") },
			websocket.CloseError{Code: 1011, ByPeer: true}, "hunter2"},
		{"a panic", func(context.Context, *websocket.Conn) error { panic("hunter2") },
			websocket.CloseError{Code: 1011, ByPeer: true}, "handler_test.go"},
		{"a CloseError of another connection", func(context.Context, *websocket.Conn) error {
			return &websocket.CloseError{Code: 1000, Reason: "hunter2", ByPeer: true}
		}, websocket.CloseError{Code: 1011, ByPeer: true}, "hunter2"},
		{"a code that may not be sent", func(context.Context, *websocket.Conn) error { return &websocket.CloseError{Code: 1006} },
			websocket.CloseError{Code: 1011, ByPeer: true}, "1006"},
		{"a zero CloseError", func(context.Context, *websocket.Conn) error { return new(websocket.CloseError) },
			websocket.CloseError{Code: 1011, ByPeer: true}, "cannot be sent"},
		{"a reason too long", func(context.Context, *websocket.Conn) error {
			return &websocket.CloseError{Code: 4000, Reason: strings.Repeat("x", 124)}
		}, websocket.CloseError{Code: 1011, ByPeer: true}, "124"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				logger, log := logged()
				s := &websocket.Server{AcceptOptions: websocket.AcceptOptions{Options: websocket.Options{Logger: logger}}}
				c := dialHandler(t, s.Handler(tt.f), nil)
				c.Read(t.Context())
				wantClosed(t, c, tt.want)
				synctest.Wait()
				if got := log.String(); (tt.log == "") != (got == "") || !strings.Contains(got, tt.log) {
					t.Errorf("logged %q, want %q", got, tt.log)
				}
			})
		})
	}
}

func TestHandlerLogsWhatTheEndOfTheConnectionDoesNotExplain(t *testing.T) {
	for _, tt := range []struct {
		name string
		f    func(ctx context.Context, c *websocket.Conn, err error) error
		log  string
	}{
		{"the cause", func(_ context.Context, _ *websocket.Conn, err error) error { return fmt.Errorf("read: %w", err) }, ""},
		{"the context", func(ctx context.Context, _ *websocket.Conn, _ error) error { return ctx.Err() }, ""},
		{"something else", func(context.Context, *websocket.Conn, error) error { return errors.New("disk full") }, "disk full"},
		{"a panic", func(context.Context, *websocket.Conn, error) error { panic("oh") }, "panic: oh"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				logger, log := logged()
				s := &websocket.Server{AcceptOptions: websocket.AcceptOptions{Options: websocket.Options{Logger: logger}}}
				c := dialHandler(t, s.Handler(func(ctx context.Context, c *websocket.Conn) error {
					_, _, err := c.Read(ctx)
					return tt.f(ctx, c, err)
				}), nil)
				if err := c.Close(t.Context(), 1000, ""); err != nil {
					t.Error(err)
				}
				synctest.Wait()
				if got := log.String(); (tt.log == "") != (got == "") || !strings.Contains(got, tt.log) {
					t.Errorf("logged %q, want %q", got, tt.log)
				}
			})
		})
	}
}

func TestHandlerLogsItsOwnMistakes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		logger, log := logged()
		s := &websocket.Server{AcceptOptions: websocket.AcceptOptions{
			Options: websocket.Options{Logger: logger},
			Origins: []string{"example.com"},
		}}
		l := serveHTTP(t, s.Handler(func(context.Context, *websocket.Conn) error { return nil }))
		exchange(l.dial(), requestHead())
		if !strings.Contains(log.String(), "Origins") {
			t.Errorf("logged %q", log)
		}
		log.Reset()
		exchange(l.dial(), requestHead("-Upgrade"))
		if log.Len() > 0 {
			t.Errorf("a client's mistake is logged: %q", log)
		}
	})
}

func TestHandlerContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		type key struct{}
		ended := make(chan error, 1)
		mux := http.NewServeMux()
		mux.Handle("/rooms/{room}", websocket.Handler(func(ctx context.Context, c *websocket.Conn) error {
			r := websocket.RequestFrom(ctx)
			if r == nil || r.PathValue("room") != "blue" || r.URL.Query().Get("q") != "1" || r.Header.Get("X-A") != "b" || ctx.Value(key{}) != "v" {
				t.Errorf("request %+v, value %v", r, ctx.Value(key{}))
			}
			if _, ok := ctx.Deadline(); ok || ctx.Err() != nil {
				t.Errorf("a deadline, or %v", ctx.Err())
			}
			child, cancel := context.WithCancel(ctx)
			defer cancel()
			go c.Read(context.Background())
			<-child.Done() // ends with the connection
			ended <- ctx.Err()
			return nil
		}))
		l := serveHTTP(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			mux.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), key{}, "v")))
		}))
		opts := &websocket.DialOptions{
			Header:  http.Header{"X-A": {"b"}},
			NetDial: func(context.Context, string, string) (net.Conn, error) { return l.dial(), nil },
		}
		c, err := websocket.Dial(t.Context(), "ws://example.com/rooms/blue?q=1", opts)
		if err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		select {
		case err := <-ended:
			t.Fatalf("the context has ended: %v", err)
		default:
		}
		c.CloseNow()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Errorf("the context ended with %v", err)
		}
	})
	if websocket.RequestFrom(context.Background()) != nil {
		t.Error("a request from nowhere")
	}
}

// stacks returns the stacks of all goroutines.
func stacks() string {
	b := make([]byte, 1<<20)
	return string(b[:runtime.Stack(b, true)])
}

func TestHandlerLetsNetHTTPGo(t *testing.T) {
	const netHTTP = "net/http.(*conn).serve"
	synctest.Test(t, func(t *testing.T) { // what staying inside the handler looks like
		block := make(chan struct{})
		dialHandler(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			websocket.Accept(w, r, nil)
			<-block
		}), nil)
		synctest.Wait()
		if !strings.Contains(stacks(), netHTTP) {
			t.Error("the test does not see net/http's goroutine")
		}
		close(block)
	})
	synctest.Test(t, func(t *testing.T) {
		c := dialHandler(t, websocket.Handler(func(ctx context.Context, c *websocket.Conn) error {
			_, _, err := c.Read(ctx)
			return err
		}), nil)
		synctest.Wait()
		if s := stacks(); strings.Contains(s, netHTTP) || !strings.Contains(s, "TestHandlerLetsNetHTTPGo") {
			t.Errorf("net/http's goroutine lives on:\n%s", s)
		}
		if err := c.Close(t.Context(), 1000, ""); err != nil {
			t.Error(err)
		}
	})
}

// say returns a function that sends its name.
func say(name string) websocket.HandlerFunc {
	return func(ctx context.Context, c *websocket.Conn) error {
		return c.Write(ctx, websocket.Text, []byte(name))
	}
}

func TestServices(t *testing.T) {
	v1v2 := map[string]websocket.HandlerFunc{"v1": say("one"), "v2": say("two")}
	withDefault := map[string]websocket.HandlerFunc{"v1": say("one"), "": say("any")}
	for _, tt := range []struct {
		name     string
		services map[string]websocket.HandlerFunc
		likes    []string // the server
		offers   []string // the client
		want     string   // subprotocol and message; empty: HTTP 400
	}{
		{"one", v1v2, nil, []string{"v2"}, "v2 two"},
		{"both, alphabetically", v1v2, nil, []string{"v2", "v1"}, "v1 one"},
		{"both, as the server likes", v1v2, []string{"v2", "v1"}, []string{"v1", "v2"}, "v2 two"},
		{"what the server likes comes first", v1v2, []string{"v2"}, []string{"v1", "v2"}, "v2 two"},
		{"what the server likes has no service", v1v2, []string{"v3", "v2"}, []string{"v3", "v1"}, "v1 one"},
		{"none", v1v2, nil, nil, ""},
		{"unknown", v1v2, nil, []string{"v3"}, ""},
		{"other case", v1v2, nil, []string{"V1"}, ""},
		{"a nil service", map[string]websocket.HandlerFunc{"v1": nil}, nil, []string{"v1"}, ""},
		{"none, with a default", withDefault, nil, nil, " any"},
		{"unknown, with a default", withDefault, nil, []string{"v3"}, " any"},
		{"known, with a default", withDefault, nil, []string{"v3", "v1"}, "v1 one"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &websocket.Server{AcceptOptions: websocket.AcceptOptions{Subprotocols: tt.likes}}
				l := serveHTTP(t, s.Services(tt.services))
				c, err := websocket.Dial(t.Context(), wstest.URL, &websocket.DialOptions{
					Subprotocols: tt.offers,
					NetDial:      func(context.Context, string, string) (net.Conn, error) { return l.dial(), nil },
				})
				if tt.want == "" {
					refused := new(websocket.HandshakeError)
					if !errors.As(err, &refused) || refused.Status != 400 || !strings.Contains(string(refused.Body), "the services here are") {
						t.Fatalf("Dial: %v", err)
					}
					return
				}
				if err != nil {
					t.Fatal(err)
				}
				defer c.CloseNow()
				_, m, err := c.Read(t.Context())
				if got := c.Subprotocol() + " " + string(m); err != nil || got != tt.want {
					t.Errorf("got %q, %v; want %q", got, err, tt.want)
				}
			})
		})
	}
}

func TestServicesCheckTheOriginFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := new(websocket.Server)
		l := serveHTTP(t, s.Services(map[string]websocket.HandlerFunc{"secret": say("")}))
		r, body, _ := readResponse(t, exchange(l.dial(), requestHead("+Origin: https://evil.example")))
		if r.StatusCode != 403 || strings.Contains(body, "secret") {
			t.Errorf("HTTP %d, %q", r.StatusCode, body)
		}
	})
}

// closing lets clients of a server come and notes when and how they end.
type closing struct {
	mu   sync.Mutex
	ends []time.Time
}

func (cl *closing) dial(t *testing.T, l *pipeListener) *websocket.Conn {
	c := wstest.Dial(t, l.dial(), nil)
	go func() {
		c.Read(context.Background())
		cl.mu.Lock()
		cl.ends = append(cl.ends, time.Now())
		cl.mu.Unlock()
	}()
	return c
}

func TestShutdown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const n = 10
		var running sync.WaitGroup
		running.Add(n)
		s := new(websocket.Server)
		l := serveHTTP(t, s.Handler(func(ctx context.Context, c *websocket.Conn) error {
			defer running.Done()
			_, _, err := c.Read(ctx)
			<-time.After(time.Second) // tidies up
			return err
		}))
		var clients closing
		var conns []*websocket.Conn
		for range n {
			conns = append(conns, clients.dial(t, l))
		}
		synctest.Wait()
		began := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if err := s.Shutdown(ctx); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(began); took < time.Second || took > 2*time.Second {
			t.Errorf("Shutdown took %v of the handlers' second", took)
		}
		running.Wait()
		for _, c := range conns {
			wantClosed(t, c, websocket.CloseError{Code: 1001, ByPeer: true})
		}
		clients.mu.Lock()
		defer clients.mu.Unlock()
		slices.SortFunc(clients.ends, time.Time.Compare)
		for i := range n - 1 {
			if gap := clients.ends[i+1].Sub(clients.ends[i]); gap != time.Millisecond {
				t.Errorf("%v between two ends", gap)
			}
		}
		// New ones are refused, and a second Shutdown has nothing to do.
		r, _, _ := readResponse(t, exchange(l.dial(), requestHead()))
		if r.StatusCode != 503 || !r.Close {
			t.Errorf("a new handshake gets %d", r.StatusCode)
		}
		if err := s.Shutdown(ctx); err != nil {
			t.Error(err)
		}
	})
}

func TestShutdownInAHurry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := new(websocket.Server)
		l := serveHTTP(t, s.Handler(func(ctx context.Context, c *websocket.Conn) error {
			_, _, err := c.Read(ctx)
			return err
		}))
		var clients closing
		for range 10 {
			clients.dial(t, l)
		}
		synctest.Wait()
		began := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
		defer cancel()
		if err := s.Shutdown(ctx); err != nil || time.Since(began) > 5*time.Millisecond {
			t.Errorf("Shutdown: %v after %v; it closes within half of its time", err, time.Since(began))
		}
	})
}

func TestShutdownOfNothing(t *testing.T) {
	s := new(websocket.Server)
	if err := s.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestShutdownCutsWhatDoesNotEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := new(websocket.Server)
		release := make(chan struct{})
		var served *websocket.Conn
		l := serveHTTP(t, s.Handler(func(ctx context.Context, c *websocket.Conn) error {
			served = c
			<-release // whatever happens to its connection
			return nil
		}))
		wstest.Dial(t, l.dial(), nil) // does not read, so does not answer
		synctest.Wait()
		began := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		if err := s.Shutdown(ctx); !errors.Is(err, context.DeadlineExceeded) || time.Since(began) != 3*time.Second {
			t.Errorf("Shutdown: %v after %v", err, time.Since(began))
		}
		lost := new(websocket.LostError)
		if <-served.Done(); !errors.As(served.Cause(), &lost) {
			t.Errorf("Cause = %v", served.Cause())
		}
		close(release)
	})
	synctest.Test(t, func(t *testing.T) { // a silent peer does not use up all the time that there is
		s := new(websocket.Server)
		l := serveHTTP(t, s.Handler(func(ctx context.Context, c *websocket.Conn) error {
			_, _, err := c.Read(ctx)
			return err
		}))
		wstest.Dial(t, l.dial(), nil)
		synctest.Wait()
		began := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		if err := s.Shutdown(ctx); err != nil || time.Since(began) != 5*time.Second {
			t.Errorf("Shutdown: %v after %v, CloseTimeout is 5 s", err, time.Since(began))
		}
	})
}

func TestShutdownAmongHandshakes(t *testing.T) {
	for range 20 {
		synctest.Test(t, func(t *testing.T) {
			s := new(websocket.Server)
			var running sync.WaitGroup
			l := serveHTTP(t, s.Handler(func(ctx context.Context, c *websocket.Conn) error {
				running.Add(1)
				defer running.Done()
				_, _, err := c.Read(ctx)
				return err
			}))
			var clients sync.WaitGroup
			for range 20 {
				clients.Go(func() {
					c, err := websocket.Dial(t.Context(), wstest.URL, &websocket.DialOptions{
						NetDial: func(context.Context, string, string) (net.Conn, error) { return l.dial(), nil },
					})
					refused := new(websocket.HandshakeError)
					if err != nil {
						if !errors.As(err, &refused) || refused.Status != 503 {
							t.Errorf("Dial: %v", err)
						}
						return
					}
					defer c.CloseNow()
					c.Read(t.Context())
					wantClosed(t, c, websocket.CloseError{Code: 1001, ByPeer: true})
				})
			}
			if err := s.Shutdown(t.Context()); err != nil {
				t.Error(err)
			}
			running.Wait() // nobody runs any more
			clients.Wait()
		})
	}
}

func TestShutdownLogsErrors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		logger, log := logged()
		s := &websocket.Server{AcceptOptions: websocket.AcceptOptions{Options: websocket.Options{Logger: logger}}}
		stop := make(chan struct{})
		c := dialHandler(t, s.Handler(func(context.Context, *websocket.Conn) error {
			<-stop
			return errors.New("interrupted")
		}), nil)
		synctest.Wait()
		done := make(chan error)
		go func() { done <- s.Shutdown(t.Context()) }()
		synctest.Wait() // the Close frame waits for the client, which does not read yet
		close(stop)
		c.Read(t.Context())
		wantClosed(t, c, websocket.CloseError{Code: 1001, ByPeer: true})
		if err := <-done; err != nil {
			t.Error(err)
		}
		if !strings.Contains(log.String(), "interrupted") {
			t.Errorf("logged %q", log)
		}
	})
}
