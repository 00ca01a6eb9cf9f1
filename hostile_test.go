package websocket_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wiretrue/websocket"
	"github.com/wiretrue/websocket/internal/corpus"
	"github.com/wiretrue/websocket/wstest"
)

// pipeListener is a net.Listener over net.Pipe, so that a server can be met
// thousands of times without ports.
type pipeListener struct {
	conns chan net.Conn
	done  chan struct{}
	once  sync.Once
}

func listenPipe() *pipeListener {
	return &pipeListener{conns: make(chan net.Conn), done: make(chan struct{})}
}

func (l *pipeListener) dial() net.Conn {
	near, far := net.Pipe()
	l.conns <- far
	return near
}

func (l *pipeListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}

func (l *pipeListener) Close() error   { l.once.Do(func() { close(l.done) }); return nil }
func (l *pipeListener) Addr() net.Addr { return new(net.UnixAddr) }

// Random and mutated streams at a server do not make it panic, and leave
// neither goroutines nor memory behind.
func TestHostileStreams(t *testing.T) {
	streams := 20_000
	if testing.Short() {
		streams = 2_000
	}
	seeds := corpus.Streams(t)
	server := &websocket.Server{}
	l := listenPipe()
	hs := &http.Server{Handler: server.Handler(func(ctx context.Context, c *websocket.Conn) error {
		for m, err := range c.Messages(ctx) {
			if err != nil {
				return err
			}
			if err := c.Write(ctx, m.Type, m.Data); err != nil {
				return err
			}
		}
		return nil
	})}
	go hs.Serve(l)
	before := settled()

	var wg sync.WaitGroup
	work := make(chan uint64)
	for range 16 {
		wg.Go(func() {
			for seed := range work {
				attack(l.dial(), corpus.Mutate(seeds, rand.New(rand.NewPCG(seed, 1))))
			}
		})
	}
	for seed := range uint64(streams) {
		work <- seed
	}
	close(work)
	wg.Wait()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if err := server.Shutdown(ctx); err != nil {
		t.Errorf("connections are left: %v", err)
	}
	hs.Close()

	after := settled()
	if after.goroutines > before.goroutines {
		buf := make([]byte, 1<<16)
		t.Errorf("%d goroutines before, %d after:\n%s", before.goroutines, after.goroutines, buf[:runtime.Stack(buf, true)])
	}
	if after.heap > before.heap+8<<20 {
		t.Errorf("%d KiB of heap before, %d after", before.heap>>10, after.heap>>10)
	}
}

type resources struct {
	goroutines int
	heap       uint64
}

// settled waits until goroutines that are about to end have ended, for a while
// at most.
func settled() (r resources) {
	for range 200 {
		n := runtime.NumGoroutine()
		<-time.After(10 * time.Millisecond)
		if r.goroutines = runtime.NumGoroutine(); r.goroutines >= n && n < 20 {
			break
		}
	}
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	r.heap = m.HeapAlloc
	return r
}

// attack sends the bytes and ends the connection, reading what is answered.
func attack(nc net.Conn, b []byte) {
	defer nc.Close()
	go io.Copy(io.Discard, nc)
	nc.Write(b)
}

// A server that says nothing, or a little at a time, does not keep Dial.
func TestAHandshakeThatIsNotAnswered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far := net.Pipe()
		go func() {
			io.CopyN(io.Discard, far, 10)
			go io.Copy(io.Discard, far)
			for _, b := range []byte("HTTP/1.1 101 Switching Protocols\r\nX: " + strings.Repeat("x", 60)) {
				<-time.After(time.Second)
				if _, err := far.Write([]byte{b}); err != nil {
					return
				}
			}
		}()
		began := time.Now()
		_, err := websocket.Dial(t.Context(), wstest.URL, &websocket.DialOptions{
			NetDial: func(context.Context, string, string) (net.Conn, error) { return near, nil },
		})
		if !errors.Is(err, context.DeadlineExceeded) || time.Since(began) != 30*time.Second {
			t.Errorf("Dial: %v after %v", err, time.Since(began))
		}
		far.Close()
		pass(2 * time.Second) // so that the server notices
	})
}

// A client that sends its request a byte at a time, or does not read the
// response, does not keep the server.
func TestAHandshakeThatTakesTooLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		served := make(chan struct{}, 1)
		l := listenPipe()
		hs := &http.Server{ReadHeaderTimeout: 10 * time.Second, Handler: websocket.Handler(func(context.Context, *websocket.Conn) error {
			served <- struct{}{}
			return nil
		})}
		go hs.Serve(l)
		defer hs.Close()
		nc := l.dial()
		began := time.Now()
		ended := make(chan time.Duration, 1)
		go func() {
			io.Copy(io.Discard, nc)
			ended <- time.Since(began)
		}()
		for _, b := range []byte(requestHead("X: " + strings.Repeat("x", 100))) {
			if _, err := nc.Write([]byte{b}); err != nil {
				break
			}
			pass(time.Second)
		}
		if took := <-ended; took != 10*time.Second || len(served) > 0 {
			t.Errorf("ended after %v", took)
		}
		nc.Close()
	})
	synctest.Test(t, func(t *testing.T) {
		near, far := net.Pipe()
		p := wstest.NewPeer(t, near)
		p.SendBytes([]byte(requestHead()))
		began := time.Now()
		_, err := wstest.Accept(far, nil)
		refused := new(websocket.HandshakeError)
		if !errors.As(err, &refused) || refused.Rule != 0 || !errors.Is(err, os.ErrDeadlineExceeded) || time.Since(began) != 10*time.Second {
			t.Errorf("Accept: %v after %v", err, time.Since(began))
		}
	})
}

// Behind a refusal nothing is read, on either side: it may be frames that
// somebody smuggles.
func TestNothingIsReadBehindARefusal(t *testing.T) {
	const smuggled = "GET /admin HTTP/1.1\r\nHost: example.com\r\n\r\n"
	l := serveHTTP(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/admin" {
			t.Error("the smuggled request was served")
		}
		websocket.Accept(w, r, nil)
	}))
	for _, edit := range []string{"Sec-WebSocket-Version: 8", "-Connection", "Upgrade: h2c", "+Content-Length: 5", "Sec-WebSocket-Key: short"} {
		all := exchange(l.dial(), requestHead(edit)+smuggled)
		if n := bytes.Count(all, []byte("HTTP/1.1 ")); n != 1 || !bytes.Contains(all, []byte("\r\nConnection: close\r\n")) {
			t.Errorf("%s: %d responses: %q", edit, n, all)
		}
	}

	ended := make(chan bool, 1)
	opts := new(websocket.DialOptions)
	script(t, opts, func(p *wstest.Peer) {
		p.ReadRequest()
		p.SendBytes([]byte("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n"))
		p.Send(`89 00`)
		_, _, err := p.ReadFrame() // no Pong
		ended <- errors.Is(err, io.EOF)
	})
	if _, err := websocket.Dial(t.Context(), wstest.URL, opts); err == nil {
		t.Error("Dial takes a refusal for a connection")
	}
	if !<-ended {
		t.Error("the client answers behind a refusal")
	}
}

// Masking keys come from a source that nobody can guess: none is like another,
// and each byte takes all its values.
func TestMaskingKeysAreFresh(t *testing.T) {
	c, p := wstest.ServePeer(t, nil)
	const frames = 4096
	go func() {
		for range frames {
			c.Write(t.Context(), websocket.Binary, nil)
		}
	}()
	keys := map[[4]byte]bool{}
	var seen [4][256]bool
	for range frames {
		h, _, err := p.ReadFrame()
		if err != nil {
			t.Fatal(err)
		}
		keys[h.MaskingKey] = true
		for i, b := range h.MaskingKey {
			seen[i][b] = true
		}
	}
	if len(keys) < frames-8 { // some 0.002 pairs are alike by chance
		t.Errorf("%d keys for %d frames", len(keys), frames)
	}
	for i := range seen {
		missing := 0
		for _, there := range seen[i] {
			if !there {
				missing++
			}
		}
		if missing > 2 {
			t.Errorf("byte %d never has %d of its values", i, missing)
		}
	}
}

// A peer that broke a rule, and goes on sending while it is waited for, is not
// read without end.
func TestLingerIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far := net.Pipe()
		defer near.Close()
		go func() {
			c, err := wstest.Accept(far, nil)
			if err != nil {
				t.Error(err)
				return
			}
			c.Read(t.Context())
		}()
		io.WriteString(near, requestHead())
		if err := readResponseHead(near); err != nil {
			t.Fatal(err)
		}
		go io.Copy(io.Discard, near)
		near.Write([]byte{0x83, 0x80, 0, 0, 0, 0}) // an opcode that is not assigned
		b := make([]byte, 64<<10)
		sent, err := 0, error(nil)
		for n := 0; err == nil && sent < 64<<20; sent += n {
			n, err = near.Write(b) // in none of the bubble's time
		}
		if sent < 15<<20 || sent > 17<<20 {
			t.Errorf("%d bytes were taken behind a broken rule", sent)
		}
	})
}
