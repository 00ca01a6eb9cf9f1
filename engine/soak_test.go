package engine_test

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/wiretrue/websocket"
	"github.com/wiretrue/websocket/engine"
	"github.com/wiretrue/websocket/wire/handshake"
)

var soakTime = flag.Duration("soak", 0, "how long TestSoak lasts in each mode; 0: 1 s")

// ledger accounts for the connections of a server.
type ledger struct {
	mu       sync.Mutex
	open     map[*engine.Conn]bool
	opened   int
	messages int
	ends     map[string]int
	wrong    []string
}

func (l *ledger) handler() engine.Handler {
	return engine.Handler{
		OnOpen: func(c *engine.Conn) {
			l.mu.Lock()
			defer l.mu.Unlock()
			l.open[c] = true
			l.opened++
		},
		OnMessage: func(c *engine.Conn, typ websocket.MessageType, p []byte) {
			l.mu.Lock()
			l.messages++
			if !l.open[c] {
				l.wrong = append(l.wrong, "a message of a connection that is not open")
			}
			l.mu.Unlock()
			if bytes.HasPrefix(p, []byte("job ")) {
				p = bytes.Clone(p)
				c.Go(func() { c.Write(typ, p) })
				return
			}
			c.Write(typ, p)
		},
		OnClose: func(c *engine.Conn, cause error) {
			l.mu.Lock()
			defer l.mu.Unlock()
			if !l.open[c] {
				l.wrong = append(l.wrong, "an end of a connection that is not open")
			}
			delete(l.open, c)
			l.ends[endOf(cause)]++
		},
	}
}

func endOf(cause error) string {
	broken, closed, lost := new(websocket.RuleError), new(websocket.CloseError), new(websocket.LostError)
	switch {
	case errors.As(cause, &broken):
		return broken.Rule.String()
	case errors.As(cause, &closed):
		return fmt.Sprint(uint16(closed.Code))
	case errors.As(cause, &lost):
		return lost.Err.Error()
	}
	return fmt.Sprint(cause)
}

// A server that all kinds of clients are let loose on loses and reorders
// nothing, accounts for each connection's end and leaves nothing behind.
func TestSoak(t *testing.T) {
	duration := time.Second
	if *soakTime > 0 {
		duration = *soakTime
	}
	eachMode(t, func(t *testing.T, m mode) {
		before := settled(t)
		dialed.Store(0)
		l := &ledger{open: map[*engine.Conn]bool{}, ends: map[string]int{}}
		opts := websocket.AcceptOptions{Options: websocket.Options{
			QueueLimit: 256 << 10, Compression: &websocket.Compression{},
			PingInterval: websocket.NoTimeout, WriteTimeout: patience, // of clients that a busy machine delays
		}}
		s := &engine.Server{
			Backend: m.backend, Blocking: m.blocking, HandshakeTimeout: patience,
			Service: engine.Service{AcceptOptions: opts, Handler: l.handler()},
		}
		ln := listenNarrow(t)
		go s.Serve(ln)
		ctx, cancel := context.WithTimeout(t.Context(), duration)
		defer cancel()
		var wg sync.WaitGroup
		ran := make([]atomic.Int64, len(clients))
		for i, client := range clients {
			for j := range client.count {
				wg.Go(func() {
					r := rand.New(rand.NewPCG(uint64(i), uint64(j)))
					for ctx.Err() == nil {
						if err := client.run(ctx, ln.Addr().String(), r); err != nil {
							t.Errorf("%s: %v", client.name, err)
							return
						}
						ran[i].Add(1)
					}
				})
			}
		}
		wg.Wait()
		shutdown, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		if err := s.Shutdown(shutdown); err != nil {
			t.Errorf("Shutdown: %v", err)
		}
		l.mu.Lock()
		defer l.mu.Unlock()
		ended := 0
		for _, n := range l.ends {
			ended += n
		}
		if len(l.open) > 0 || ended != l.opened || int64(l.opened) != dialed.Load() || len(l.wrong) > 0 {
			t.Errorf("%d dialed, %d opened, %d ended, %d are open; %q", dialed.Load(), l.opened, ended, len(l.open), l.wrong)
		}
		for i, client := range clients {
			t.Logf("%7d times %s", ran[i].Load(), client.name)
		}
		t.Logf("%7d messages of %d connections, which ended so:", l.messages, l.opened)
		for _, end := range slices.Sorted(maps.Keys(l.ends)) {
			t.Logf("%7d %s", l.ends[end], end)
		}
		after := checkLeaks(t, before)
		t.Logf("before and after: %d and %d goroutines, %d and %d descriptors, %d and %d KiB of heap", before.goroutines, after.goroutines,
			before.descriptors, after.descriptors, before.heap>>10, after.heap>>10)
	})
}

// patience is how long a client of the soak waits for what is due to come.
const patience = 5 * time.Minute

// dialed counts the opening handshakes that a client has seen succeed.
var dialed atomic.Int64

var clients = []struct {
	name  string
	count int
	run   func(ctx context.Context, addr string, r *rand.Rand) error
}{
	{"echo", 8, soakEcho},
	{"pipeline", 4, soakPipeline},
	{"slow reader", 2, soakSlowReader},
	{"slow writer", 2, soakSlowWriter},
	{"reset", 2, soakReset},
	{"half-close", 2, soakHalfClose},
	{"ping flood", 1, soakPings},
	{"stranger", 1, soakStranger},
}

// soakEcho is a client that does all as it should.
func soakEcho(ctx context.Context, addr string, r *rand.Rand) error {
	opts := &websocket.DialOptions{}
	if r.IntN(2) == 0 {
		opts.Compression = &websocket.Compression{}
	}
	limited, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	c, err := websocket.Dial(limited, "ws://"+addr+"/", opts)
	if err != nil {
		return err
	}
	dialed.Add(1)
	defer c.CloseNow()
	for range r.IntN(100) {
		size := 1 << r.IntN(18)
		sent := append([]byte([]string{"job ", "now "}[r.IntN(2)]), noise(r.IntN(size)+1)...)
		if err := c.Write(limited, websocket.Binary, sent); err != nil {
			return err
		}
		if _, got, err := c.Read(limited); err != nil || !bytes.Equal(got, sent) {
			return fmt.Errorf("%d bytes came back as %d: %w", len(sent), len(got), err)
		}
	}
	if r.IntN(4) > 0 {
		return c.Close(limited, websocket.StatusNormalClosure, "")
	}
	return nil
}

// plainRequest offers no compression: the replies are what was sent.
var plainRequest = handshake.AppendRequest(nil, "/", "wstest.invalid", handshake.Offer{Key: "dGhlIHNhbXBsZSBub25jZQ=="}, nil)

func soakDial(addr string) (*net.TCPConn, error) {
	nc, err := net.Dial("tcp", addr)
	if err != nil {
		return nil, err
	}
	nc.SetDeadline(time.Now().Add(patience))
	nc.Write(plainRequest)
	var head []byte
	for b := make([]byte, 1); !bytes.HasSuffix(head, []byte("\r\n\r\n")); head = append(head, b...) {
		if _, err := io.ReadFull(nc, b); err != nil {
			nc.Close()
			return nil, fmt.Errorf("reading the response: %w", err)
		}
	}
	dialed.Add(1)
	return nc.(*net.TCPConn), nil
}

// numbered are messages of which each has a number.
func numbered(from, n int) (b []byte) {
	for i := range n {
		b = append(b, maskedText(fmt.Sprintf(numberedText, from+i))...)
	}
	return b
}

const numberedText = "number %08d, of many that are all alike but for their number, so that none can be lost and none come twice"

var numberedReply = 2 + len(fmt.Sprintf(numberedText, 0))

// checkNumbered reads the echoes of numbered messages.
func checkNumbered(r io.Reader, from, n int) error {
	b := make([]byte, n*numberedReply)
	if _, err := io.ReadFull(r, b); err != nil {
		return err
	}
	for i := range n {
		if got, want := string(b[i*numberedReply+2:(i+1)*numberedReply]), fmt.Sprintf(numberedText, from+i); got != want {
			return fmt.Errorf("got %q, want %q", got, want)
		}
	}
	return nil
}

func soakPipeline(ctx context.Context, addr string, r *rand.Rand) error {
	nc, err := soakDial(addr)
	if err != nil {
		return err
	}
	defer nc.Close()
	for from, n := 0, 0; from < 2000 && ctx.Err() == nil; from += n {
		n = 1 + r.IntN(64)
		nc.Write(numbered(from, n))
		if err := checkNumbered(nc, from, n); err != nil {
			return err
		}
	}
	return nil
}

// soakSlowReader sends more than the server queues before it reads, and reads
// with pauses in which the queue is filled again.
func soakSlowReader(ctx context.Context, addr string, r *rand.Rand) error {
	nc, err := soakDial(addr)
	if err != nil {
		return err
	}
	defer nc.Close()
	const n, pieces = 10_000, 10
	sent := make(chan error, 1)
	go func() {
		_, err := nc.Write(numbered(0, n))
		sent <- err
	}()
	for i := range pieces {
		select {
		case <-time.After(time.Duration(r.IntN(50)) * time.Millisecond):
		case <-ctx.Done():
		}
		if err := checkNumbered(nc, i*n/pieces, n/pieces); err != nil {
			return err
		}
	}
	return <-sent
}

func soakSlowWriter(ctx context.Context, addr string, r *rand.Rand) error {
	nc, err := soakDial(addr)
	if err != nil {
		return err
	}
	defer nc.Close()
	nc.SetNoDelay(true)
	for b := numbered(0, 5); len(b) > 0; {
		n := min(len(b), 1+r.IntN(5))
		nc.Write(b[:n])
		if b = b[n:]; ctx.Err() == nil {
			<-time.After(time.Millisecond)
		}
	}
	return checkNumbered(nc, 0, 5)
}

func soakReset(_ context.Context, addr string, r *rand.Rand) error {
	nc, err := soakDial(addr)
	if err != nil {
		return err
	}
	nc.Write(numbered(0, r.IntN(2000)))
	nc.SetLinger(0)
	return nc.Close()
}

func soakHalfClose(_ context.Context, addr string, r *rand.Rand) error {
	nc, err := soakDial(addr)
	if err != nil {
		return err
	}
	defer nc.Close()
	b := numbered(0, 20)
	nc.Write(b[:r.IntN(len(b))])
	nc.CloseWrite()
	_, err = io.Copy(io.Discard, nc)
	return err
}

func soakPings(_ context.Context, addr string, _ *rand.Rand) error {
	nc, err := soakDial(addr)
	if err != nil {
		return err
	}
	defer nc.Close()
	go nc.Write(bytes.Repeat([]byte{0x89, 0x80, 0, 0, 0, 0}, 3000))
	io.Copy(io.Discard, nc) // the server fails it
	return nil
}

func soakStranger(_ context.Context, addr string, r *rand.Rand) error {
	nc, err := net.Dial("tcp", addr)
	if err != nil {
		return err
	}
	defer nc.Close()
	nc.SetDeadline(time.Now().Add(patience))
	nc.Write(append([]byte("GET /"), noise(r.IntN(50_000))...))
	nc.(*net.TCPConn).CloseWrite()
	io.Copy(io.Discard, nc)
	return nil
}
