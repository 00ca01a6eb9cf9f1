package websocket_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wiretrue/websocket"
	"github.com/wiretrue/websocket/wire/handshake"
	"github.com/wiretrue/websocket/wstest"
)

// lives makes what a server does with each connection in turn, and with the
// last one again and again.
func lives(all ...func(p *wstest.Peer)) func(p *wstest.Peer) {
	var n int
	return func(p *wstest.Peer) {
		n++
		all[min(n, len(all))-1](p)
	}
}

func refuseWith(status string) func(p *wstest.Peer) {
	return func(p *wstest.Peer) {
		p.ReadRequest()
		p.SendBytes([]byte("HTTP/1.1 " + status + "\r\nContent-Length: 0\r\n\r\n"))
	}
}

func sayAndGo(p *wstest.Peer) {
	agree(p, handshake.Agreement{})
	p.Send(`81 05 "hello"`)
	p.End()
}

func closeWith(code string) func(p *wstest.Peer) {
	return func(p *wstest.Peer) {
		agree(p, handshake.Agreement{})
		p.Send("88 02 " + code)
		p.ReadFrame()
		p.End()
	}
}

// between are the bounds of a wait.
type between struct{ from, to time.Duration }

func TestRedialWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		opts := new(websocket.RedialOptions)
		stable := func(p *wstest.Peer) {
			agree(p, handshake.Agreement{})
			pass(time.Minute)
			p.End()
		}
		script(t, &opts.DialOptions, lives(
			sayAndGo, refuseWith("503 Service Unavailable"), sayAndGo, sayAndGo, sayAndGo, sayAndGo, sayAndGo, sayAndGo, stable, stable, sayAndGo, closeWith("03e8")))
		wants := []between{ // before each attempt; the upper half of what doubles
			{}, {250, 500}, {500, 1000}, {1000, 2000}, {2000, 4000}, {4000, 8000}, {8000, 16000}, {15000, 30000}, {15000, 30000},
			{250, 500}, {250, 500}, {500, 1000},
		}
		last, i, refusals := time.Now(), 0, 0
		for c, err := range websocket.Redial(t.Context(), "ws://example.com/", opts) {
			waited := time.Since(last) / time.Millisecond
			if i >= len(wants) || waited < wants[i].from || waited > wants[i].to {
				t.Fatalf("attempt %d after %d ms, want %v", i, waited, wants[min(i, len(wants)-1)])
			}
			i++
			if err != nil {
				refused := new(websocket.HandshakeError)
				if !errors.As(err, &refused) || refused.Status != 503 || c != nil {
					t.Errorf("%v, %v", c, err)
				}
				refusals++
			} else {
				for range c.Messages(t.Context()) {
				}
			}
			last = time.Now()
		}
		if i != len(wants) || refusals != 1 { // a close with 1000 is the end
			t.Errorf("%d attempts, %d refusals", i, refusals)
		}
	})
}

func TestRedialEnds(t *testing.T) {
	refused := func(status string) func(p *wstest.Peer) { return refuseWith(status) }
	for _, tt := range []struct {
		name     string
		url      string
		serve    func(p *wstest.Peer)
		retry    func(error) bool
		attempts int
	}{
		{"closed with 1000", "ws://example.com/", closeWith("03e8"), nil, 1},
		{"closed with 1001, then with 1000", "ws://example.com/", lives(closeWith("03e9"), closeWith("03e8")), nil, 2},
		{"401", "ws://example.com/", refused("401 Unauthorized"), nil, 1},
		{"404", "ws://example.com/", refused("404 Not Found"), nil, 1},
		{"502, then 403", "ws://example.com/", lives(refused("502 Bad Gateway"), refused("403 Forbidden")), nil, 2},
		{"429, 500, then 426", "ws://example.com/", lives(refused("429 Too Many Requests"), refused("500 Internal Server Error"), refused("426 Upgrade Required")), nil, 3},
		{"no HTTP, then 410", "ws://example.com/", lives(func(p *wstest.Peer) { p.End() }, refused("410 Gone")), nil, 2},
		{"a wrong URL", "ftp://example.com/", nil, nil, 1},
		{"as the program says", "ws://example.com/", lives(refused("401 Unauthorized"), refused("502 Bad Gateway")),
			func(err error) bool {
				refused := new(websocket.HandshakeError)
				return errors.As(err, &refused) && refused.Status == 401
			}, 2},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				opts := &websocket.RedialOptions{Retry: tt.retry}
				script(t, &opts.DialOptions, tt.serve)
				attempts := 0
				for c, err := range websocket.Redial(t.Context(), tt.url, opts) {
					attempts++
					if err == nil {
						<-c.CloseRead(t.Context()).Done()
					}
				}
				if attempts != tt.attempts {
					t.Errorf("%d attempts, want %d", attempts, tt.attempts)
				}
			})
		})
	}
}

// The hook logs in before the program sees the connection, and its failure is
// an attempt that failed.
func TestRedialResume(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		denied := errors.New("denied")
		tries := 0
		opts := &websocket.RedialOptions{Resume: func(ctx context.Context, c *websocket.Conn) error {
			if tries++; tries == 1 {
				return denied
			}
			return c.Write(ctx, websocket.Text, []byte("since 7"))
		}}
		var heard []string
		ended := make(chan error, 2)
		script(t, &opts.DialOptions, func(p *wstest.Peer) {
			agree(p, handshake.Agreement{})
			h, m, err := p.ReadFrame()
			if ended <- err; err == nil {
				heard = append(heard, h.Opcode.String()+" "+string(m))
				p.Send(`81 01 "8"`)
				p.Send(`88 02 03e8`)
			}
		})
		var seen []string
		for c, err := range websocket.Redial(t.Context(), "ws://example.com/", opts) {
			if err != nil {
				if !errors.Is(err, denied) {
					t.Error(err)
				}
				if err := <-ended; err == nil {
					t.Error("the connection that could not log in was not ended")
				}
				continue
			}
			for m := range c.Messages(t.Context()) {
				seen = append(seen, string(m.Data))
			}
		}
		if !slices.Equal(heard, []string{"TEXT since 7"}) || len(seen) == 0 || seen[0] != "8" {
			t.Errorf("heard %q, seen %q", heard, seen)
		}
	})
}

// A loop that breaks closes its connection; one whose context ends does not
// wait any more.
func TestRedialStops(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		closed := make(chan string, 1)
		opts := new(websocket.RedialOptions)
		script(t, &opts.DialOptions, func(p *wstest.Peer) {
			agree(p, handshake.Agreement{})
			h, payload, _ := p.ReadFrame()
			closed <- h.Opcode.String() + string(payload)
			p.SendBytes(append([]byte{0x88, byte(len(payload))}, payload...))
			p.End()
		})
		for _, err := range websocket.Redial(t.Context(), "ws://example.com/", opts) {
			if err != nil {
				t.Fatal(err)
			}
			break
		}
		if got := <-closed; got != "CLOSE\x03\xe8" {
			t.Errorf("the server gets %q", got)
		}

		script(t, &opts.DialOptions, sayAndGo)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		began := time.Now()
		for range websocket.Redial(ctx, "ws://example.com/", opts) {
		}
		if took := time.Since(began); took != time.Minute {
			t.Errorf("ended after %v", took)
		}
	})
}
