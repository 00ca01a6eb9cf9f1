package websocket_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wiretrue/websocket"
	"github.com/wiretrue/websocket/wstest"
)

// through dials by way of a proxy that is the function, and expects a server
// that says hello behind it.
func through(t *testing.T, proxy, target string, serve func(nc net.Conn) error) (dialled string, err error) {
	t.Helper()
	to, err := url.Parse(proxy)
	if err != nil {
		t.Fatal(err)
	}
	opts := &websocket.DialOptions{
		Proxy: func(r *http.Request) (*url.URL, error) {
			if r.URL.Scheme != "http" || r.URL.User != nil {
				t.Errorf("a proxy is chosen for %s", r.URL)
			}
			return to, nil
		},
		NetDial: func(_ context.Context, network, address string) (net.Conn, error) {
			dialled = network + " " + address
			near, far := net.Pipe()
			go func() {
				defer far.Close()
				if err := serve(far); err != nil {
					return
				}
				if c, err := wstest.Accept(far, nil); err == nil {
					c.Write(context.Background(), websocket.Text, []byte("hello"))
					c.Close(context.Background(), websocket.StatusNormalClosure, "")
				}
			}()
			return near, nil
		},
	}
	c, err := websocket.Dial(t.Context(), target, opts)
	if err != nil {
		return dialled, err
	}
	defer c.CloseNow()
	if _, m, err := c.Read(t.Context()); err != nil || string(m) != "hello" {
		t.Errorf("through the proxy: %q, %v", m, err)
	}
	return dialled, nil
}

func TestConnectProxy(t *testing.T) {
	tunnel := func(want, answer string) func(nc net.Conn) error {
		return func(nc net.Conn) error {
			r, err := http.ReadRequest(bufio.NewReader(nc))
			if err != nil {
				return err
			}
			if got := r.Method + " " + r.RequestURI + " " + r.Host + " " + r.Header.Get("Proxy-Authorization"); got != want {
				t.Errorf("the proxy is asked %q, want %q", got, want)
			}
			_, err = io.WriteString(nc, answer)
			return err
		}
	}
	const ok = "HTTP/1.1 200 Connection established\r\n\r\n"
	dialled, err := through(t, "http://proxy.example", "ws://user:secret@example.com/", tunnel("CONNECT example.com:80 example.com:80 ", ok))
	if err != nil || dialled != "tcp proxy.example:80" {
		t.Errorf("dialled %s, %v", dialled, err)
	}
	dialled, err = through(t, "http://me:my%20password@[::1]:3128", "ws://[2001:db8::1]:81/", tunnel("CONNECT [2001:db8::1]:81 [2001:db8::1]:81 Basic bWU6bXkgcGFzc3dvcmQ=", ok))
	if err != nil || dialled != "tcp [::1]:3128" {
		t.Errorf("dialled %s, %v", dialled, err)
	}
	for _, tt := range []struct{ answer, want string }{
		{"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n", "407 Proxy Authentication Required"},
		{"HTTP/1.1 200", "ended the connection in the middle"},
		{"SSH-2.0-OpenSSH\r\n\r\n", "malformed"},
		{"HTTP/1.1 200 OK\r\nX: " + strings.Repeat("x", 1<<20), "in the middle"}, // bounded
	} {
		_, err := through(t, "http://user:secret@proxy.example:3128", "ws://example.com/", func(nc net.Conn) error {
			tunnel("CONNECT example.com:80 example.com:80 Basic dXNlcjpzZWNyZXQ=", tt.answer)(nc)
			return io.EOF
		})
		if refused := new(websocket.HandshakeError); err == nil || !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), "proxy.example:3128") ||
			strings.Contains(err.Error(), "secret") || errors.As(err, &refused) {
			t.Errorf("%.40q: %v, want %q", tt.answer, err, tt.want)
		}
	}
}

// takeTurns reads what a proxy must get and answers, by turns.
func takeTurns(nc net.Conn, turns ...string) error {
	for i, turn := range turns {
		if i%2 == 1 {
			if _, err := io.WriteString(nc, turn); err != nil {
				return err
			}
			continue
		}
		got := make([]byte, len(turn))
		if _, err := io.ReadFull(nc, got); err != nil {
			return err
		}
		if string(got) != turn {
			io.WriteString(nc, "\xff\xff\xff\xff")
			return fmt.Errorf("got %q, want %q", got, turn)
		}
	}
	return nil
}

func TestSOCKSProxy(t *testing.T) {
	const (
		hello  = "\x05\x01\x00"
		fine   = "\x05\x00"
		byName = "\x05\x01\x00\x03\x0bexample.com\x00\x50"
		open   = "\x05\x00\x00\x01\x7f\x00\x00\x01\x12\x34"
	)
	for _, tt := range []struct {
		name, proxy, target string
		turns               []string
		want                string // of the error; empty: none
	}{
		{"by name", "socks5://proxy.example", "ws://example.com/", []string{hello, fine, byName, open}, ""},
		{"by IPv4", "socks5h://proxy.example", "ws://192.0.2.1:81/", []string{hello, fine, "\x05\x01\x00\x01\xc0\x00\x02\x01\x00\x51", open}, ""},
		{"by IPv6", "socks5://proxy.example", "ws://[2001:db8::1]/", []string{hello, fine, "\x05\x01\x00\x04\x20\x01\x0d\xb8" + strings.Repeat("\x00", 11) + "\x01\x00\x50",
			"\x05\x00\x00\x04" + strings.Repeat("\x00", 18)}, ""},
		{"its name in the reply", "socks5://proxy.example", "ws://example.com/", []string{hello, fine, byName, "\x05\x00\x00\x03\x02me\x00\x50"}, ""},
		{"with a password", "socks5://user:secret@proxy.example", "ws://example.com/", []string{"\x05\x02\x00\x02", "\x05\x02", "\x01\x04user\x06secret", "\x01\x00", byName, open}, ""},
		{"whose password is not needed", "socks5://user:secret@proxy.example", "ws://example.com/", []string{"\x05\x02\x00\x02", fine, byName, open}, ""},
		{"a wrong password", "socks5://user:secret@proxy.example", "ws://example.com/", []string{"\x05\x02\x00\x02", "\x05\x02", "\x01\x04user\x06secret", "\x01\x01"}, "password refused"},
		{"no password", "socks5://proxy.example", "ws://example.com/", []string{hello, "\x05\xff"}, "may need a user"},
		{"a password that was not offered", "socks5://proxy.example", "ws://example.com/", []string{hello, "\x05\x02"}, "may need a user"},
		{"SOCKS4", "socks5://proxy.example", "ws://example.com/", []string{hello, "\x04\x00"}, "SOCKS version 4"},
		{"refused", "socks5://proxy.example", "ws://example.com/", []string{hello, fine, byName, "\x05\x05\x00\x01"}, "connection refused"},
		{"refused otherwise", "socks5://proxy.example", "ws://example.com/", []string{hello, fine, byName, "\x05\x63\x00\x01"}, "reply 99"},
		{"an odd address", "socks5://proxy.example", "ws://example.com/", []string{hello, fine, byName, "\x05\x00\x00\x09"}, "address type 9"},
		{"cut off", "socks5://proxy.example", "ws://example.com/", []string{hello, fine, byName, "\x05\x00\x00\x01\x7f"}, "in the middle"},
		{"a long name", "socks5://proxy.example", "ws://" + strings.Repeat("x", 256) + "/", []string{hello, fine}, "256 bytes"},
		{"a long password", "socks5://u:" + strings.Repeat("x", 256) + "@proxy.example", "ws://example.com/", []string{"\x05\x02\x00\x02", "\x05\x02"}, "255 bytes"},
		{"of another kind", "ftp://proxy.example", "ws://example.com/", nil, `scheme "ftp"`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dialled, err := through(t, tt.proxy, tt.target, func(nc net.Conn) error {
				err := takeTurns(nc, tt.turns...)
				if tt.want != "" && err == nil {
					err = io.EOF
				}
				return err
			})
			if tt.want == "" && (err != nil || dialled != "tcp proxy.example:1080") {
				t.Errorf("dialled %s, %v", dialled, err)
			}
			if tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "secret")) {
				t.Errorf("%v, want %q", err, tt.want)
			}
		})
	}
}

// A proxy that does not answer does not keep Dial, and one that cannot be
// chosen is told of.
func TestProxyFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, proxy := range []string{"http://proxy.example", "https://proxy.example", "socks5://proxy.example"} {
			began := time.Now()
			_, err := through(t, proxy, "ws://example.com/", func(nc net.Conn) error {
				_, err := io.Copy(io.Discard, nc)
				return errors.Join(err, io.EOF)
			})
			if !errors.Is(err, context.DeadlineExceeded) || time.Since(began) != 30*time.Second {
				t.Errorf("%s: %v after %v", proxy, err, time.Since(began))
			}
		}
	})
	// Whatever goes wrong, the proxy's password is not told.
	for _, proxy := range []string{"http://u:secret@proxy.example", "socks5://u:secret@proxy.example", "ftp://u:secret@proxy.example"} {
		for _, fails := range []bool{false, true} { // to be reached
			opts := &websocket.DialOptions{Proxy: func(*http.Request) (*url.URL, error) { return url.Parse(proxy) }}
			opts.NetDial = func(context.Context, string, string) (net.Conn, error) {
				near, far := net.Pipe()
				go func() {
					far.Read(make([]byte, 1000))
					far.Close()
				}()
				if fails {
					return nil, io.ErrUnexpectedEOF
				}
				return near, nil
			}
			if _, err := websocket.Dial(t.Context(), "ws://example.com/", opts); err == nil || strings.Contains(err.Error(), "secret") || !strings.Contains(err.Error(), "proxy.example") {
				t.Errorf("%s: %v", proxy, err)
			}
		}
	}
	broken := errors.New("no proxy can be chosen")
	opts := &websocket.DialOptions{Proxy: func(*http.Request) (*url.URL, error) { return nil, broken }}
	if _, err := websocket.Dial(t.Context(), "ws://example.com/", opts); !errors.Is(err, broken) {
		t.Error(err)
	}
}

// Whatever a proxy answers, Dial ends, and takes none of it for a connection.
func FuzzProxy(f *testing.F) {
	f.Add([]byte("HTTP/1.1 200 OK\r\n\r\nHTTP/1.1 101 Switching Protocols\r\n\r\n"), "http://user:secret@proxy.example")
	f.Add([]byte("HTTP/1.1 407 No\r\nContent-Length: 9\r\n\r\n"), "http://proxy.example")
	f.Add([]byte("\x05\x00\x05\x00\x00\x01\x7f\x00\x00\x01\x12\x34"), "socks5://proxy.example")
	f.Add([]byte("\x05\x02\x01\x00\x05\x00\x00\x03\x02me\x00\x50"), "socks5://user:secret@proxy.example")
	f.Fuzz(func(t *testing.T, answer []byte, proxy string) {
		to, err := url.Parse(proxy)
		if err != nil || to.Scheme == "https" {
			return
		}
		opts := &websocket.DialOptions{
			Proxy: func(*http.Request) (*url.URL, error) { return to, nil },
			NetDial: func(context.Context, string, string) (net.Conn, error) {
				near, far := net.Pipe()
				go io.Copy(io.Discard, far)
				go func() {
					far.Write(answer)
					far.Close()
				}()
				return near, nil
			},
		}
		if c, err := websocket.Dial(t.Context(), "ws://example.com/", opts); err == nil {
			c.CloseNow()
			t.Error("a connection came of it")
		}
	})
}
