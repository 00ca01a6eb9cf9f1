package engine_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/wiretrue/websocket"
	"github.com/wiretrue/websocket/engine"
	"github.com/wiretrue/websocket/internal/corpus"
	"github.com/wiretrue/websocket/wire/rfc"
	"github.com/wiretrue/websocket/wstest"
)

// Random and mutated streams at a server do not make it panic, and leave neither
// goroutines nor descriptors nor memory behind.
func TestHostileStreams(t *testing.T) {
	streams := uint64(less(10_000, 800))
	eachMode(t, func(t *testing.T, m mode) {
		seeds := corpus.Streams(t)
		before := settled(t)
		s := &engine.Server{Backend: m.backend, Blocking: m.blocking, Service: engine.Service{Handler: engine.Handler{OnMessage: echo}}}
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		go s.Serve(ln)
		addr := ln.Addr().String()

		var wg sync.WaitGroup
		work := make(chan uint64)
		for range 16 {
			wg.Go(func() {
				for seed := range work {
					attack(t, addr, corpus.Mutate(seeds, rand.New(rand.NewPCG(seed, 1))))
				}
			})
		}
		for seed := range streams {
			work <- seed
		}
		close(work)
		wg.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), safety)
		defer cancel()
		if err := s.Shutdown(ctx); err != nil {
			t.Errorf("connections are left: %v", err)
		}
		checkLeaks(t, before)
	})
}

type resources struct {
	goroutines, descriptors int
	heap                    uint64
}

// checkLeaks waits until nothing of what was served is left. One goroutine and
// one descriptor more may be those that all websocket.Conns of a process share.
func checkLeaks(t *testing.T, before resources) (after resources) {
	t.Helper()
	after = settled(t)
	for range 500 { // what was ended is about to be gone
		if after.goroutines <= before.goroutines+1 && after.descriptors <= before.descriptors+1 {
			break
		}
		<-time.After(10 * time.Millisecond)
		after = settled(t)
	}
	if after.goroutines > before.goroutines+1 {
		buf := make([]byte, 1<<16)
		t.Errorf("%d goroutines before, %d after:\n%s", before.goroutines, after.goroutines, buf[:runtime.Stack(buf, true)])
	}
	if after.descriptors > before.descriptors+1 {
		t.Errorf("%d descriptors before, %d after", before.descriptors, after.descriptors)
	}
	if after.heap > before.heap+8<<20 {
		t.Errorf("%d KiB of heap before, %d after", before.heap>>10, after.heap>>10)
	}
	return after
}

func settled(t *testing.T) (r resources) {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	r.heap, r.goroutines = m.HeapAlloc, runtime.NumGoroutine()
	if fds, err := os.ReadDir("/proc/self/fd"); err == nil {
		r.descriptors = len(fds)
	}
	return r
}

// attack sends the bytes and ends the connection in one of the ways there are.
func attack(t *testing.T, addr string, b []byte) {
	nc, err := net.Dial("tcp", addr)
	if err != nil {
		t.Error(err)
		return
	}
	defer nc.Close()
	nc.Write(b)
	switch tcp := nc.(*net.TCPConn); len(b) % 4 {
	case 0: // a reset
		tcp.SetLinger(0)
	case 1: // the end, and what is answered
		tcp.CloseWrite()
		nc.SetReadDeadline(time.Now().Add(safety))
		io.Copy(io.Discard, nc)
	}
}

// A declared length pins no memory: it grows as bytes arrive.
func TestADeclaredLengthIsNotBelieved(t *testing.T) {
	const conns = 50
	eachMode(t, func(t *testing.T, m mode) {
		opened := make(chan *engine.Conn, conns)
		addr := m.serve(t, &engine.Server{Service: engine.Service{
			AcceptOptions: websocket.AcceptOptions{Options: websocket.Options{ReadLimit: websocket.NoLimit}},
			Handler:       engine.Handler{OnOpen: func(c *engine.Conn) { opened <- c }},
		}})
		var peers []*wstest.Peer
		for range conns {
			peers = append(peers, dialPeer(t, addr))
		}
		before := settled(t)
		const header, piece = `82 ff 4000000000000000 01020304`, `"a"*10` // 2^62 bytes
		for _, p := range peers {
			p.Send(header + " " + piece)
		}
		sent := uint64(2 + 8 + 4)
		for range 3 { // reads of which the first makes room
			sent += 10
			for range conns {
				c := <-opened
				for c.Stats().Received.Bytes < sent {
					<-time.After(time.Millisecond)
				}
				opened <- c
			}
			for _, p := range peers {
				p.Send(piece)
			}
		}
		if grown := int64(settled(t).heap - before.heap); grown > conns*(64<<10) {
			t.Errorf("%d connections hold %d KiB", conns, grown>>10)
		}
	})
}

// A small frame that inflates to much is not inflated beyond the limit.
func TestADecompressionBomb(t *testing.T) {
	bomb := make([]byte, 8<<20)
	eachMode(t, func(t *testing.T, m mode) {
		end, stats := make(ended, 1), make(chan websocket.Stats, 1)
		addr := m.serve(t, &engine.Server{Service: engine.Service{
			AcceptOptions: websocket.AcceptOptions{Options: websocket.Options{Compression: new(websocket.Compression), ReadLimit: 1 << 20}},
			Handler: engine.Handler{
				OnMessage: func(_ *engine.Conn, _ websocket.MessageType, p []byte) { t.Errorf("got %d bytes", len(p)) },
				OnClose: func(c *engine.Conn, cause error) {
					end <- cause
					stats <- c.Stats()
				},
			},
		}})
		c := dial(t, addr, &websocket.DialOptions{Options: websocket.Options{Compression: new(websocket.Compression)}})
		write(t, c, websocket.Binary, string(bomb))
		if broken := new(websocket.RuleError); !errors.As(end.wait(t), &broken) || broken.Rule != rfc.MessageSize {
			t.Errorf("ended with %v", broken)
		}
		if got := (<-stats).Received; got.Payload > 1<<20+64<<10 || got.Bytes > 64<<10 {
			t.Errorf("%d bytes came and %d were inflated", got.Bytes, got.Payload)
		}
		if closed := new(websocket.CloseError); !errors.As(readEnd(t, c), &closed) || closed.Code != websocket.StatusMessageTooBig {
			t.Errorf("the client was told %v", closed)
		}
	})
}

// readEnd returns why a connection ended from which no message comes.
func readEnd(t testing.TB, c *websocket.Conn) error {
	ctx, cancel := context.WithTimeout(t.Context(), safety)
	defer cancel()
	_, _, err := c.Read(ctx)
	return err
}

// A flood of control frames fails the connection.
func TestAFloodOfControlFrames(t *testing.T) {
	eachMode(t, func(t *testing.T, m mode) {
		end := make(ended, 1)
		addr := m.serve(t, &engine.Server{Service: engine.Service{
			AcceptOptions: websocket.AcceptOptions{Options: websocket.Options{MaxControlRate: 10}},
			Handler:       engine.Handler{OnClose: func(_ *engine.Conn, cause error) { end <- cause }},
		}})
		p := dialPeer(t, addr)
		p.Send(`8a8000000000*100`)
		p.WantClose(websocket.StatusPolicyViolation)
		if broken := new(websocket.RuleError); !errors.As(end.wait(t), &broken) || broken.Rule != rfc.ControlRate {
			t.Errorf("ended with %v", broken)
		}
	})
}

// Of the Pings of a peer that does not read only the newest wait for an answer.
func TestAPingStormIsNotAnsweredInFull(t *testing.T) {
	eachMode(t, func(t *testing.T, m mode) {
		conns := make(chan *engine.Conn, 1)
		addr := m.serveOn(t, &engine.Server{Service: engine.Service{
			AcceptOptions: websocket.AcceptOptions{Options: websocket.Options{MaxControlRate: websocket.NoLimit}},
			Handler:       engine.Handler{OnOpen: func(c *engine.Conn) { conns <- c }},
		}}, listenNarrow(t))
		p := dialPeer(t, addr)
		c := <-conns
		const n = 200_000
		ping := append([]byte{0x89, 0xfd, 0, 0, 0, 0}, make([]byte, 125)...)
		p.SendBytes(bytes.Repeat(ping, n))
		for c.Stats().Received.Pings < n {
			<-time.After(time.Millisecond)
			if err := c.Cause(); err != nil {
				t.Fatal(err)
			}
		}
		if got := c.Stats().Sent.Pongs; got > n/2 {
			t.Errorf("%d Pongs for %d Pings", got, n)
		}
	})
}
