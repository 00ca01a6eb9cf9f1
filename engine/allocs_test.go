package engine_test

import (
	"io"
	"net"
	"runtime"
	"testing"
	"time"

	"github.com/wiretrue/websocket/engine"
	"github.com/wiretrue/websocket/wire"
	"github.com/wiretrue/websocket/wire/frame"
)

// In steady state a message that is echoed allocates nothing. The client here
// allocates nothing either, and what the runtime does on its own is less than a
// hundredth of an allocation per message.
func TestAllocations(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector makes sync.Pool forget")
	}
	for _, test := range []struct {
		name           string
		size, messages int
	}{
		{"20 bytes", 20, 20_000},
		{"1 KiB", 1 << 10, 10_000},
		{"16 KiB", 16 << 10, 2_000},
	} {
		t.Run(test.name, func(t *testing.T) {
			eachMode(t, func(t *testing.T, m mode) {
				if m.backend == engine.Goroutines || m.blocking {
					t.Skip("a goroutine serves each connection")
				}
				addr := m.serve(t, &engine.Server{Loops: 1, Service: engine.Service{Handler: engine.Handler{OnMessage: echo}}})
				nc, err := net.Dial("tcp", addr.String())
				if err != nil {
					t.Fatal(err)
				}
				defer nc.Close()
				nc.SetDeadline(time.Now().Add(safety))
				nc.Write(goodRequest)
				readHead(t, nc)
				sender := wire.Sender{}
				out, err := sender.Message(nil, frame.Binary, make([]byte, test.size), [4]byte{})
				if err != nil {
					t.Fatal(err)
				}
				in := make([]byte, len(out)-4) // without the masking key
				echoes := func(n int) {
					for range n {
						if _, err := nc.Write(out); err != nil {
							t.Fatal(err)
						}
						if _, err := io.ReadFull(nc, in); err != nil {
							t.Fatal(err)
						}
					}
				}
				echoes(test.messages / 10)
				var before, after runtime.MemStats
				runtime.ReadMemStats(&before)
				echoes(test.messages)
				runtime.ReadMemStats(&after)
				if n := after.Mallocs - before.Mallocs; n > uint64(test.messages/100) {
					t.Errorf("%d allocations for %d messages", n, test.messages)
				}
			})
		})
	}
}
