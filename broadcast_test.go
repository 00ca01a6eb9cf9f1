package websocket_test

import (
	"context"
	"fmt"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/wiretrue/websocket"
)

// receivers returns the server's ends of n connections over TCP, and the clients.
func receivers(t testing.TB, n int, opts *websocket.AcceptOptions) (servers, clients []*websocket.Conn) {
	t.Helper()
	accepted := make(chan *websocket.Conn)
	done := make(chan struct{})
	t.Cleanup(func() { close(done) })
	s := &websocket.Server{AcceptOptions: *opts}
	hs := httptest.NewServer(s.Handler(func(ctx context.Context, c *websocket.Conn) error {
		accepted <- c
		<-done
		return nil
	}))
	t.Cleanup(hs.Close)
	url := "ws" + strings.TrimPrefix(hs.URL, "http")
	for range n {
		c, err := websocket.Dial(t.Context(), url, nil)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.CloseNow() })
		servers, clients = append(servers, <-accepted), append(clients, c)
	}
	return servers, clients
}

// A message that is sent to many is encoded once and written once to each, and
// one that does not read delays no other.
func TestBroadcast(t *testing.T) {
	const messages = 100
	for size, many := range map[int]int{100: 50, 128 << 10: 4} {
		t.Run(fmt.Sprintf("%d bytes to %d", size, many), func(t *testing.T) {
			var written atomic.Int64
			servers, clients := receivers(t, many, &websocket.AcceptOptions{Options: websocket.Options{
				QueuePolicy: websocket.QueueDropOldest,
				QueueLimit:  4 * size,
				Trace:       &websocket.Trace{Sent: func(*websocket.Conn, []byte) { written.Add(1) }},
			}})
			got := make(chan byte, many)
			var wg sync.WaitGroup
			for _, c := range clients[1:] { // the first does not read
				wg.Go(func() {
					for {
						_, m, err := c.Read(t.Context())
						if err != nil || len(m) != size {
							t.Errorf("%d bytes, %v", len(m), err)
							return
						}
						got <- m[0]
						if m[0] == messages-1 {
							return
						}
					}
				})
			}
			payload := make([]byte, size)
			for i := range messages {
				payload[0] = byte(i)
				p, err := websocket.Prepare(websocket.Binary, payload)
				if err != nil {
					t.Fatal(err)
				}
				for _, c := range servers {
					if err := c.WritePrepared(t.Context(), p); err != nil {
						t.Fatal(err)
					}
				}
				for range many - 1 { // all others have it before the next is sent
					if b := <-got; b != byte(i) {
						t.Fatalf("got message %d; want %d", b, i)
					}
				}
			}
			wg.Wait()
			if size < 4096 && written.Load() != int64(many*messages) {
				t.Errorf("%d writes for %d messages to %d", written.Load(), messages, many)
			}
			if size > 4096 && servers[0].Stats().Dropped == 0 {
				t.Error("nothing was dropped for the one who does not read")
			}
		})
	}
}

func BenchmarkBroadcast(b *testing.B) {
	const many = 200
	servers, clients := receivers(b, many, new(websocket.AcceptOptions))
	for _, c := range clients {
		go func() {
			buf := make([]byte, 128)
			for {
				if _, _, err := c.ReadInto(context.Background(), buf); err != nil {
					return
				}
			}
		}()
	}
	p, err := websocket.Prepare(websocket.Text, make([]byte, 100))
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		for _, c := range servers {
			if err := c.WritePrepared(context.Background(), p); err != nil {
				b.Fatal(err)
			}
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/many, "ns/receiver")
}
