package websocket_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wiretrue/websocket"
	"github.com/wiretrue/websocket/wstest"
)

// Many goroutines write messages, fragments, pings and prepared messages at
// once; all of it arrives, whole and in each writer's order.
func TestConcurrentWriters(t *testing.T) {
	for _, transport := range []string{"pipe", "tcp"} {
		t.Run(transport, func(t *testing.T) {
			server, client := wstest.Pipe(t, nil, nil)
			if transport == "tcp" {
				server, client = tcpPair(t)
			}
			client.CloseRead(t.Context())
			const writers, each = 20, 200
			var wg sync.WaitGroup
			for id := range writers {
				wg.Go(func() {
					for n := range each {
						if err := writeOne(t, client, id, n); err != nil {
							t.Error(err)
							return
						}
					}
				})
			}
			next := map[uint16]uint16{}
			for range writers * each {
				_, m, err := server.Read(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				id, n := binary.BigEndian.Uint16(m), binary.BigEndian.Uint16(m[2:])
				if n != next[id] {
					t.Fatalf("writer %d: message %d came, want %d", id, n, next[id])
				}
				next[id]++
				if !bytes.Equal(m[4:], filling(int(id), int(n))) {
					t.Fatalf("writer %d, message %d: the bytes are others'", id, n)
				}
			}
			wg.Wait()
		})
	}
}

func filling(id, n int) []byte { return bytes.Repeat([]byte{byte(id), byte(n)}, (id*n)%3000) }

// writeOne sends a message in one of the ways there are.
func writeOne(t *testing.T, c *websocket.Conn, id, n int) error {
	m := binary.BigEndian.AppendUint16(binary.BigEndian.AppendUint16(nil, uint16(id)), uint16(n))
	m = append(m, filling(id, n)...)
	switch n % 4 {
	case 0:
		w, err := c.Writer(t.Context(), websocket.Binary)
		if err != nil {
			return err
		}
		for len(m) > 0 {
			k := min(len(m), 700)
			if _, err := w.Write(m[:k]); err != nil {
				return err
			}
			m = m[k:]
		}
		return w.Close()
	case 1:
		p, err := websocket.Prepare(websocket.Binary, m)
		if err != nil {
			return err
		}
		return c.WritePrepared(t.Context(), p)
	}
	return c.Write(t.Context(), websocket.Binary, m)
}

// tcpPair returns the ends of a connection over TCP.
func tcpPair(t testing.TB) (server, client *websocket.Conn) {
	t.Helper()
	near, far := tcpEnds(t)
	accepted := make(chan *websocket.Conn, 1)
	go func() {
		defer close(accepted)
		if c, err := wstest.Accept(far, nil); err == nil {
			accepted <- c
		}
	}()
	client = wstest.Dial(t, near, nil)
	server = <-accepted
	if server == nil {
		t.Fatal("no connection")
	}
	t.Cleanup(func() { server.CloseNow() })
	return server, client
}

func tcpEnds(t testing.TB) (near, far net.Conn) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	near, err = net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	far, err = ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { near.Close(); far.Close() })
	return near, far
}

func TestWriteRefusesWhatIsIllegal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server, client := wstest.Pipe(t, nil, nil)
		if err := server.Write(t.Context(), websocket.Text, []byte("a\xffb")); !errors.Is(err, websocket.ErrNotUTF8) || !strings.Contains(err.Error(), "byte 1 is 0xff") {
			t.Errorf("Write of no UTF-8: %v", err)
		}
		if err := server.Write(t.Context(), websocket.MessageType(9), nil); err == nil {
			t.Error("Write of a Ping as a message: no error")
		}
		if _, err := websocket.Prepare(websocket.Text, []byte("\xff")); !errors.Is(err, websocket.ErrNotUTF8) {
			t.Errorf("Prepare of no UTF-8: %v", err)
		}
		w, err := server.Writer(t.Context(), websocket.Text)
		if err != nil {
			t.Fatal(err)
		}
		w.Write([]byte("gr\xc3")) // the character goes on in the next piece
		w.Write([]byte("\xbc\xc3\x9fe"))
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		if _, m, err := client.Read(t.Context()); err != nil || string(m) != "grüße" {
			t.Errorf("Read: %q, %v", m, err)
		}
	})
}

func TestAWriterHoldsOthersBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server, client := wstest.Pipe(t, nil, nil)
		w, err := server.Writer(t.Context(), websocket.Text)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := server.Write(ctx, websocket.Text, []byte("no")); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Write inside a message: %v", err)
		}
		go server.Write(t.Context(), websocket.Text, []byte("second"))
		fmt.Fprint(w, "first")
		w.Close()
		for _, want := range []string{"first", "second"} {
			if _, m, err := client.Read(t.Context()); err != nil || string(m) != want {
				t.Errorf("Read: %q, %v", m, err)
			}
		}
	})
}

// A text that ends inside a character is no message. Nothing of it was sent, and
// the connection goes on; or its beginning was, which nothing can follow then.
func TestAWriterOfTextThatEndsInsideACharacter(t *testing.T) {
	for _, tt := range []struct {
		begins string
		closed websocket.StatusCode // 0: the connection goes on
	}{
		{"short", 0},
		{strings.Repeat("long ", 10_000), websocket.StatusInternalError},
	} {
		for _, compression := range []*websocket.Compression{nil, {}} {
			synctest.Test(t, func(t *testing.T) {
				opts := websocket.Options{Compression: compression}
				server, client := wstest.Pipe(t, &websocket.AcceptOptions{Options: opts}, &websocket.DialOptions{Options: opts})
				w, err := server.Writer(t.Context(), websocket.Text)
				if err != nil {
					t.Fatal(err)
				}
				fmt.Fprint(w, tt.begins)
				fmt.Fprint(w, "\xc3")
				if err := w.Close(); !errors.Is(err, websocket.ErrNotUTF8) {
					t.Errorf("Close: %v", err)
				}
				go server.Write(t.Context(), websocket.Text, []byte("next"))
				_, m, err := client.Read(t.Context())
				if closed := new(websocket.CloseError); tt.closed != 0 && (!errors.As(err, &closed) || closed.Code != tt.closed) {
					t.Errorf("Read: %q, %v", m, err)
				} else if tt.closed == 0 && string(m) != "next" {
					t.Errorf("Read: %q, %v", m, err)
				}
				server.CloseNow()
			})
		}
	}
}

// A peer that never reads: the queue is bounded, and its policy is kept.
func TestQueuePolicies(t *testing.T) {
	message := make([]byte, 1000)
	open := func(t *testing.T, policy websocket.QueuePolicy) (*websocket.Conn, *wstest.Peer) {
		c, p := wstest.DialPeer(t, &websocket.AcceptOptions{Options: websocket.Options{QueueLimit: 10_000, QueuePolicy: policy, WriteTimeout: time.Hour}})
		return c, p
	}
	// write returns how many messages were taken before one was not.
	write := func(t *testing.T, c *websocket.Conn, n int) (taken int, err error) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		for taken = range n {
			binary.BigEndian.PutUint32(message, uint32(taken))
			if err := c.Write(ctx, websocket.Binary, message); err != nil {
				return taken, err
			}
			synctest.Wait()
		}
		return n, nil
	}
	t.Run("block", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			c, p := open(t, websocket.QueueBlock)
			taken, err := write(t, c, 100)
			if !errors.Is(err, context.DeadlineExceeded) || taken != 9 {
				t.Errorf("%d messages taken, then %v", taken, err)
			}
			go func() {
				for range taken {
					p.ReadFrame()
				}
			}()
			if _, err := write(t, c, 9); err != nil { // there is room again
				t.Error(err)
			}
		})
	})
	t.Run("fail", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			c, _ := open(t, websocket.QueueFail)
			taken, err := write(t, c, 100)
			if !errors.Is(err, websocket.ErrQueueFull) || taken != 9 || c.Cause() != nil {
				t.Errorf("%d messages taken, then %v; %v", taken, err, c.Cause())
			}
		})
	})
	t.Run("drop the oldest", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			c, p := open(t, websocket.QueueDropOldest)
			if _, err := write(t, c, 100); err != nil {
				t.Fatal(err)
			}
			if got := c.Stats().Dropped; got != 91 {
				t.Errorf("%d dropped", got)
			}
			var got []uint32
			for range 9 {
				_, m, err := p.ReadFrame()
				if err != nil || len(m) != len(message) {
					t.Fatal(len(m), err)
				}
				got = append(got, binary.BigEndian.Uint32(m))
			}
			if want := "[0 92 93 94 95 96 97 98 99]"; fmt.Sprint(got) != want { // the first was on its way
				t.Errorf("came %v, want %v", got, want)
			}
		})
	})
	t.Run("disconnect", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			c, _ := open(t, websocket.QueueDisconnect)
			taken, err := write(t, c, 100)
			if !errors.Is(err, websocket.ErrSlowConsumer) || taken != 9 {
				t.Errorf("%d messages taken, then %v", taken, err)
			}
			wantLost(t, c, websocket.ErrSlowConsumer)
		})
	})
}

func TestAPeerThatNeverReadsIsGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, _ := wstest.DialPeer(t, &websocket.AcceptOptions{Options: websocket.Options{PingInterval: websocket.NoTimeout}})
		began := time.Now()
		for {
			if err := c.Write(t.Context(), websocket.Binary, make([]byte, 1<<18)); err != nil {
				break
			}
		}
		wantLost(t, c, websocket.ErrWriteTimeout)
		if took := time.Since(began); took != time.Minute {
			t.Errorf("given up after %v", took)
		}
	})
}

// A message to one peer holds nothing of another's, whatever the pools held.
func TestPoisonedBuffersStayHere(t *testing.T) {
	const poison = "SECRET"
	server, client := tcpPair(t)
	for n := range 200 {
		websocket.PoisonBuffers(poison)
		want := bytes.Repeat([]byte("a"), n*37)
		if n%2 == 0 {
			w, err := server.Writer(t.Context(), websocket.Binary)
			if err != nil {
				t.Fatal(err)
			}
			w.Write(want)
			w.Close()
		} else if err := server.Write(t.Context(), websocket.Binary, want); err != nil {
			t.Fatal(err)
		}
		if _, m, err := client.Read(t.Context()); err != nil || !bytes.Equal(m, want) {
			t.Fatalf("%d bytes: %q, %v", len(want), m[:min(len(m), 80)], err)
		}
		websocket.PoisonBuffers(poison)
		client.Write(t.Context(), websocket.Binary, want)
		if _, m, err := server.Read(t.Context()); err != nil || !bytes.Equal(m, want) {
			t.Fatalf("%d bytes back: %v", len(want), err)
		}
	}
}

func TestAnIdleConnectionHoldsNoBuffer(t *testing.T) {
	server, client := tcpPair(t)
	for n := range 10 {
		if err := client.Write(t.Context(), websocket.Text, make([]byte, n*1000)); err != nil {
			t.Fatal(err)
		}
		if _, _, err := server.Read(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if server.HoldsBuffers() || client.HoldsBuffers() {
		t.Error("a connection without traffic holds a buffer")
	}
}

func TestNothingIsAllocatedPerMessage(t *testing.T) {
	if websocket.RaceEnabled {
		t.Skip("the race detector makes pools forget")
	}
	server, client := tcpPair(t)
	ctx := context.Background()
	go func() {
		buf := make([]byte, 32<<10)
		for {
			typ, m, err := server.ReadInto(ctx, buf)
			if err != nil || server.Write(ctx, typ, m) != nil {
				return
			}
		}
	}()
	for _, size := range []int{20, 1024, 16 << 10} {
		message, buf := make([]byte, size), make([]byte, 32<<10)
		got := testing.AllocsPerRun(2000, func() {
			if err := client.Write(ctx, websocket.Binary, message); err != nil {
				t.Fatal(err)
			}
			if _, _, err := client.ReadInto(ctx, buf); err != nil {
				t.Fatal(err)
			}
		})
		if got != 0 { // AllocsPerRun rounds down: a pool emptied by a collection does not count
			t.Errorf("%v allocations for an echo of %d bytes", got, size)
		}
		got = testing.AllocsPerRun(2000, func() {
			if err := client.Write(ctx, websocket.Binary, message); err != nil {
				t.Fatal(err)
			}
			if _, _, err := client.Read(ctx); err != nil {
				t.Fatal(err)
			}
		})
		if size < 4096 && got != 1 { // a large message grows as it comes
			t.Errorf("%v allocations for an echo of %d bytes that Read returns; want 1", got, size)
		}
	}
}
