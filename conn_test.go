package websocket

import (
	"bytes"
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// echo sends every message back.
func echo(ctx context.Context, c *Conn) error {
	for m, err := range c.Messages(ctx) {
		if err != nil {
			return err
		}
		if err := c.Write(ctx, m.Type, m.Data); err != nil {
			return err
		}
	}
	return nil
}

// serve runs a handler and returns its ws URL.
func serve(t testing.TB, h http.Handler) string {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return "ws" + strings.TrimPrefix(s.URL, "http")
}

func dial(t testing.TB, url string, opts *DialOptions) *Conn {
	t.Helper()
	c, err := Dial(t.Context(), url, opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.CloseNow() })
	return c
}

func TestEcho(t *testing.T) {
	url := serve(t, Handler(echo))
	c := dial(t, url, nil)
	for _, size := range []int{0, 1, 125, 126, 65535, 65536, 1 << 20, 4 << 20} {
		msg := bytes.Repeat([]byte{'a'}, size)
		for _, typ := range []MessageType{Text, Binary} {
			if err := c.Write(t.Context(), typ, msg); err != nil {
				t.Fatal(err)
			}
			gotType, got, err := c.Read(t.Context())
			if err != nil || gotType != typ || !bytes.Equal(got, msg) {
				t.Fatalf("%v of %d bytes: %v of %d bytes, %v", typ, size, gotType, len(got), err)
			}
		}
	}
	if err := c.Close(t.Context(), StatusNormalClosure, "bye"); err != nil {
		t.Fatal(err)
	}
	_, _, err := c.Read(t.Context())
	if !errors.Is(err, net.ErrClosed) {
		t.Errorf("Read after Close: %v", err)
	}
	closed := new(CloseError)
	if !errors.As(c.Cause(), &closed) || closed.ByPeer || closed.Code != StatusNormalClosure {
		t.Errorf("Cause = %v", c.Cause())
	}
}

// echoInto is echo without an allocation.
func echoInto(ctx context.Context, c *Conn) error {
	var buf []byte
	for {
		typ, m, err := c.ReadInto(ctx, buf)
		if err != nil {
			return err
		}
		buf = m
		if err := c.Write(ctx, typ, m); err != nil {
			return err
		}
	}
}

func BenchmarkEcho(b *testing.B) {
	url := serve(b, Handler(echoInto))
	c := dial(b, url, nil)
	msg := []byte("01234567890123456789")
	buf := make([]byte, 128)
	ctx := context.Background()
	b.ReportAllocs()
	for b.Loop() {
		if err := c.Write(ctx, Text, msg); err != nil {
			b.Fatal(err)
		}
		if _, _, err := c.ReadInto(ctx, buf); err != nil {
			b.Fatal(err)
		}
	}
}
