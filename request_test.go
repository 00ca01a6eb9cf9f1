package websocket_test

import (
	"context"
	"maps"
	"net"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/wiretrue/websocket"
)

// A handler sees the request as its http.Handler did, with what those before it
// have made of it.
func TestTheRequestThatAHandlerSees(t *testing.T) {
	type key struct{}
	var was *http.Request
	seen := make(chan *http.Request, 2)
	inner := websocket.Handler(func(ctx context.Context, c *websocket.Conn) error {
		seen <- websocket.RequestFrom(ctx)
		seen <- websocket.RequestFrom(ctx)
		if got := ctx.Value(key{}); got != "of the middleware" {
			t.Errorf("the context has %v", got)
		}
		return nil
	})
	mux := http.NewServeMux()
	outer := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r = r.WithContext(context.WithValue(r.Context(), key{}, "of the middleware"))
		if r.PathValue("room") != "" {
			r.SetPathValue("user", "anna")
		}
		r.Header.Set("X-Empty", "")
		was = r
		copied := *r
		defer func() {
			if !reflect.DeepEqual(copied.Header, r.Header) || copied.URL != r.URL {
				t.Error("what the middleware has is changed")
			}
		}()
		inner.ServeHTTP(w, r)
	})
	mux.Handle("/rooms/{room}", outer)
	mux.Handle("/hall/", outer)
	for name, h := range map[string]http.Handler{
		"/rooms/blue%20sky":     mux,
		"/app/rooms/blue%20sky": http.StripPrefix("/app", mux),
		"/hall/rooms":           mux,
		"/hall/":                outer,
	} {
		l := serveHTTP(t, h)
		c, err := websocket.Dial(t.Context(), "ws://example.com"+name+"?q=1", &websocket.DialOptions{
			Header:  http.Header{"X-Many": {"one", "two", strings.Repeat("three", 100)}},
			NetDial: func(context.Context, string, string) (net.Conn, error) { return l.dial(), nil },
		})
		if err != nil {
			t.Fatal(err)
		}
		c.Read(t.Context())
		first, second := <-seen, <-seen
		for _, r := range []*http.Request{first, second} {
			if !maps.EqualFunc(r.Header, was.Header, slices.Equal) || *r.URL != *was.URL || r.Host != was.Host || r.RequestURI != was.RequestURI || r.RemoteAddr != was.RemoteAddr || r.Pattern != was.Pattern ||
				r.Method != was.Method || r.Proto != was.Proto || r.ProtoMajor != was.ProtoMajor || r.ProtoMinor != was.ProtoMinor || r.TLS != was.TLS || r.Body != http.NoBody {
				t.Errorf("at %q got %+v, want %+v", name, r, was)
			}
			for _, wildcard := range []string{"room", "user"} {
				if got, want := r.PathValue(wildcard), was.PathValue(wildcard); got != want {
					t.Errorf("at %q the path has the %s %q, want %q", name, wildcard, got, want)
				}
			}
			if got := r.Context().Value(key{}); got != "of the middleware" {
				t.Errorf("at %q its context has %v", name, got)
			}
			// What is done to it is nobody else's business.
			r.Header.Set("X-Many", "none")
			r.URL.Path = "/nowhere"
		}
	}
}
