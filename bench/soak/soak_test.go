package soak

import (
	"context"
	"log/slog"
	"maps"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/wiretrue/websocket"
)

// echo starts a server that handles every message by f, and returns its URL and
// a function that ends it and returns how its connections ended.
func echo(t *testing.T, f func(i int, m websocket.Message) (websocket.Message, bool)) (string, func() map[string]int) {
	t.Helper()
	s := new(websocket.Server)
	s.Compression = new(websocket.Compression)
	s.Logger = slog.New(slog.DiscardHandler)
	var mu sync.Mutex
	ended := map[string]int{}
	h := httptest.NewServer(s.Handler(func(ctx context.Context, c *websocket.Conn) error {
		defer func() {
			mu.Lock()
			defer mu.Unlock()
			ended[Cause(c.Cause())]++
		}()
		i := 0
		for m, err := range c.Messages(ctx) {
			if err != nil {
				return err
			}
			m, ok := f(i, m)
			if i++; !ok {
				continue
			}
			if err := c.Write(ctx, m.Type, m.Data); err != nil {
				return err
			}
		}
		return nil
	}))
	t.Cleanup(h.Close)
	return "ws" + strings.TrimPrefix(h.URL, "http"), func() map[string]int {
		s.Shutdown(context.Background())
		return ended
	}
}

func TestASoundServerPasses(t *testing.T) {
	url, end := echo(t, func(_ int, m websocket.Message) (websocket.Message, bool) { return m, true })
	r, err := Run(url, 2*time.Second, 1)
	if err != nil {
		t.Fatal(err)
	}
	if r.Messages == 0 {
		t.Error("no message came back")
	}
	if got, want := end(), r.Ends(); !maps.Equal(got, want) {
		t.Errorf("the connections ended so: %v; expected %v", got, want)
	}
}

func TestUnsoundServersAreFound(t *testing.T) {
	for _, test := range []struct {
		name   string
		unlike func(i int, m websocket.Message) (websocket.Message, bool)
	}{
		{"one message in a thousand is changed", func(i int, m websocket.Message) (websocket.Message, bool) {
			if i == 999 {
				m.Data[len(m.Data)-1] ^= 1
			}
			return m, true
		}},
		{"one is sent with the other type", func(i int, m websocket.Message) (websocket.Message, bool) {
			if i == 20 {
				m.Type = 3 - m.Type
			}
			return m, true
		}},
		{"one is replaced by the one before", func() func(i int, m websocket.Message) (websocket.Message, bool) {
			var mu sync.Mutex
			var last websocket.Message
			return func(i int, m websocket.Message) (websocket.Message, bool) {
				mu.Lock()
				defer mu.Unlock()
				if i == 20 {
					return last, true
				}
				last = m
				return m, true
			}
		}()},
	} {
		t.Run(test.name, func(t *testing.T) {
			url, _ := echo(t, test.unlike)
			if r, err := Run(url, 20*time.Second, 1); err == nil {
				t.Errorf("nothing was noticed in %d messages", r.Messages)
			}
		})
	}
}
