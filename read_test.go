package websocket_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wiretrue/websocket"
	"github.com/wiretrue/websocket/wire/frame"
	"github.com/wiretrue/websocket/wire/rfc"
	"github.com/wiretrue/websocket/wstest"
)

func TestAContextThatEndsLosesNothing(t *testing.T) {
	read := map[string]func(ctx context.Context, c *websocket.Conn) (string, error){
		"Read": func(ctx context.Context, c *websocket.Conn) (string, error) {
			_, m, err := c.Read(ctx)
			return string(m), err
		},
		"ReadInto": func(ctx context.Context, c *websocket.Conn) (string, error) {
			buf := make([]byte, 100)
			_, m, err := c.ReadInto(ctx, buf)
			defer clear(buf) // the caller's again
			return string(m), err
		},
		"Reader": func(ctx context.Context, c *websocket.Conn) (string, error) {
			_, r, err := c.Reader(ctx)
			if err != nil {
				return "", err
			}
			m, err := io.ReadAll(r)
			return string(m), err
		},
	}
	for first := range read {
		for second := range read {
			if first == "Reader" {
				continue // what a Reader has handed out is the program's
			}
			t.Run(first+" then "+second, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					c, p := wstest.DialPeer(t, nil)
					// The context ends in the header, in the payload and between frames.
					for _, piece := range []string{`01`, `83 00000000`, `"a"`, `"bc"`, `89 80 00000002`, `80 83 00000000 "d"`, `"e"`} {
						p.Send(piece)
						ctx, cancel := context.WithTimeout(t.Context(), time.Second)
						if m, err := read[first](ctx, c); !errors.Is(err, context.DeadlineExceeded) {
							t.Fatalf("behind %s: %q, %v", piece, m, err)
						}
						cancel()
					}
					p.Send(`"f"`)
					if m, err := read[second](t.Context(), c); err != nil || m != "abcdef" {
						t.Fatalf("%q, %v", m, err)
					}
				})
			})
		}
	}
}

func TestAnEndedContextEndsTheCallAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server, client := wstest.Pipe(t, nil, nil)
		go server.Write(t.Context(), websocket.Text, []byte("there"))
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, _, err := client.Read(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("Read: %v", err)
		}
		if _, m, err := client.Read(t.Context()); err != nil || string(m) != "there" {
			t.Errorf("Read: %q, %v", m, err)
		}
	})
}

// One context for many reads, as a loop has it, and a late end of it.
func TestAContextOfManyReads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server, client := wstest.Pipe(t, nil, nil)
		ctx, cancel := context.WithCancel(t.Context())
		for range 3 {
			go server.Write(t.Context(), websocket.Text, []byte("x"))
			if _, _, err := client.Read(ctx); err != nil {
				t.Fatal(err)
			}
		}
		cancel() // between two reads
		synctest.Wait()
		go server.Write(t.Context(), websocket.Text, []byte("y"))
		if _, m, err := client.Read(t.Context()); err != nil || string(m) != "y" {
			t.Errorf("Read with another context: %q, %v", m, err)
		}
	})
}

func TestReader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, p := wstest.DialPeer(t, &websocket.AcceptOptions{Options: websocket.Options{ReadLimit: 10}})
		p.Send(`02 8a 00000001 "0123456789"^00000001 80 8a 00000002 "abcdefghij"^00000002 81 82 00000003 "hi"^00000003`)
		typ, r, err := c.Reader(t.Context())
		if err != nil || typ != websocket.Binary {
			t.Fatal(typ, err)
		}
		if m, err := io.ReadAll(r); err != nil || string(m) != "0123456789abcdefghij" { // past ReadLimit
			t.Errorf("%q, %v", m, err)
		}
		if _, m, err := c.Read(t.Context()); err != nil || string(m) != "hi" {
			t.Errorf("Read behind the Reader: %q, %v", m, err)
		}
		p.Send(`82 8b 00000004 "0123456789a"^00000004`) // the limit is in force again
		_, _, err = c.Read(t.Context())
		broken := new(websocket.RuleError)
		if !errors.As(err, &broken) || broken.Rule != rfc.MessageSize {
			t.Errorf("Read of too much: %v", err)
		}
		p.WantClose(1009)
	})
}

func TestAReaderThatIsNotFinishedIsPassedOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, p := wstest.DialPeer(t, nil)
		p.Send(`01 83 00000001 "abc"^00000001 80 83 00000002 "def"^00000002 81 82 00000003 "hi"^00000003`)
		_, r, err := c.Reader(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		b := make([]byte, 2)
		if n, err := r.Read(b); n != 2 || err != nil || string(b) != "ab" {
			t.Errorf("%q, %v", b[:n], err)
		}
		if _, m, err := c.Read(t.Context()); err != nil || string(m) != "hi" {
			t.Errorf("Read: %q, %v", m, err)
		}
		if _, err := r.Read(b); !errors.Is(err, websocket.ErrSuperseded) {
			t.Errorf("the old reader: %v", err)
		}
	})
}

// What a reader has not handed out is in memory that no other connection reads
// to meanwhile.
func TestAReaderKeepsItsBytes(t *testing.T) {
	for _, network := range []string{"tcp", "tcp watched"} {
		one, near1 := rawClient(t, network, nil)
		two, near2 := rawClient(t, network, nil)
		for range 50 {
			near1.Write([]byte("\x81\x8a\x00\x00\x00\x000123456789"))
			_, r, err := one.Reader(patient(t))
			if err != nil {
				t.Fatal(err)
			}
			got := make([]byte, 10)
			if _, err := io.ReadFull(r, got[:4]); err != nil {
				t.Fatal(err)
			}
			near2.Write([]byte("\x81\x8a\x00\x00\x00\x00abcdefghij"))
			if _, _, err := two.Read(patient(t)); err != nil {
				t.Fatal(err)
			}
			if _, err := io.ReadFull(r, got[4:]); err != nil || string(got) != "0123456789" {
				t.Fatalf("%s: %q, %v", network, got, err)
			}
		}
	}
}

func TestCloseRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, p := wstest.DialPeer(t, nil)
		ctx := c.CloseRead(t.Context())
		p.Send(`89 81 00000001 "x"^00000001`)
		p.Want("FIN PONG length 1", "x")
		p.Send(`88 82 00000002 03e8^00000002`)
		p.WantClose(1000)
		<-ctx.Done()
	})
	synctest.Test(t, func(t *testing.T) {
		c, p := wstest.DialPeer(t, nil)
		ctx := c.CloseRead(t.Context())
		p.Send(`81 81 00000001 "x"^00000001`)
		p.WantClose(1008)
		<-ctx.Done()
	})
}

// A declared length pins no memory: it grows as bytes arrive.
func TestADeclaredLengthIsNotBelieved(t *testing.T) {
	const conns = 50
	opts := &websocket.AcceptOptions{Options: websocket.Options{ReadLimit: websocket.NoLimit}}
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	synctest.Test(t, func(t *testing.T) {
		for range conns {
			c, p := wstest.DialPeer(t, opts)
			go c.Read(t.Context())
			p.Send(`82 ff 4000000000000000 01020304 "a"*10`) // 2^62 bytes
		}
		synctest.Wait()
		runtime.GC()
		runtime.ReadMemStats(&after)
	})
	if grown := int64(after.HeapAlloc) - int64(before.HeapAlloc); grown > conns*(64<<10) {
		t.Errorf("%d connections hold %d KiB", conns, grown>>10)
	}
}

// A message that comes a byte at a time, for ever, is given up, be it read with
// the heartbeat of a server or without one, as by a client.
func TestAMessageThatTakesTooLong(t *testing.T) {
	opts := websocket.Options{ReadLimit: websocket.NoLimit}
	for _, end := range []struct {
		name, header string
		open         func(t *testing.T) (*websocket.Conn, *wstest.Peer)
		took         time.Duration // with a heartbeat's coarseness
	}{
		{"of a client's", `82 ff 4000000000000000 00000000`, func(t *testing.T) (*websocket.Conn, *wstest.Peer) {
			return wstest.DialPeer(t, &websocket.AcceptOptions{Options: opts})
		}, 30 * time.Second},
		{"of a server's", `82 7f 4000000000000000`, func(t *testing.T) (*websocket.Conn, *wstest.Peer) {
			return wstest.ServePeer(t, &websocket.DialOptions{Options: opts})
		}, 0},
	} {
		t.Run(end.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c, p := end.open(t)
				if end.took == 0 { // a message before it changes nothing
					p.Send(`01 01 "a"`)
					time.AfterFunc(time.Minute, func() { p.Send(`80 01 "b"`) })
					if _, m, err := c.Read(t.Context()); err != nil || string(m) != "ab" {
						t.Fatalf("%q, %v", m, err)
					}
				}
				go func() {
					p.Send(end.header)
					for {
						select {
						case <-c.Done():
							return
						case <-time.After(time.Second):
							p.Send(`00`)
						}
					}
				}()
				ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
				defer cancel()
				began := time.Now()
				_, _, err := c.Read(ctx)
				if lost := new(websocket.LostError); !errors.As(err, &lost) || !errors.Is(err, websocket.ErrAssemblyTimeout) {
					t.Errorf("Read: %v", err)
				}
				if took := time.Since(began); took < 5*time.Minute || took > 5*time.Minute+end.took {
					t.Errorf("given up after %v", took)
				}
				if c.Cause() == nil {
					c.CloseNow()
				}
				p.WantClose(1008)
			})
		})
	}
}

func TestFragmentsUnderDefaultLimits(t *testing.T) {
	const fragments, size = 65_536, 64 // 4 MiB
	send := func(c *websocket.Conn) (want []byte) {
		want = bytes.Repeat([]byte("0123456789abcdef"), fragments*size/16)
		go func() {
			w, err := c.Writer(t.Context(), websocket.Text)
			if err != nil {
				t.Error(err)
				return
			}
			for b := want; len(b) > 0; b = b[size:] {
				websocket.WriteFragment(w, b[:size])
			}
			if err := w.Close(); err != nil {
				t.Error(err)
			}
		}()
		return want
	}
	server, client := wstest.Pipe(t, nil, nil)
	for _, to := range []struct{ from, to *websocket.Conn }{{client, server}, {server, client}} {
		want := send(to.from)
		if _, m, err := to.to.Read(t.Context()); err != nil || !bytes.Equal(m, want) {
			t.Errorf("%d bytes, %v", len(m), err)
		}
		if got := to.to.Stats().Received.Frames; got != fragments+1 {
			t.Errorf("%d frames came", got)
		}
	}
}

// A server takes fewer frames of a message than a client, whose servers may cut
// as they like; both count empty ones.
func TestFragmentsBeyondDefaultLimits(t *testing.T) {
	for _, end := range []struct {
		name, first, more string
		limit             int
		open              func(t *testing.T) (*websocket.Conn, *wstest.Peer)
	}{
		{"server", `01 80 00000001`, `00 80 00000000`, 100_000, func(t *testing.T) (*websocket.Conn, *wstest.Peer) { return wstest.DialPeer(t, nil) }},
		{"client", `01 00`, `00 00`, 1_000_000, func(t *testing.T) (*websocket.Conn, *wstest.Peer) { return wstest.ServePeer(t, nil) }},
	} {
		t.Run(end.name, func(t *testing.T) {
			c, p := end.open(t)
			fragment, err := frame.AppendNotation(nil, end.more)
			if err != nil {
				t.Fatal(err)
			}
			p.Send(end.first)
			p.SendBytes(bytes.Repeat(fragment, end.limit))
			_, _, err = c.Read(patient(t))
			if broken := new(websocket.RuleError); !errors.As(err, &broken) || broken.Rule != rfc.FragmentCount {
				t.Errorf("Read: %v", err)
			}
			if got := c.Stats().Received.Frames; got != uint64(end.limit) {
				t.Errorf("failed behind %d frames", got)
			}
			p.WantClose(1008)
		})
	}
}

func TestLargeMessagesWhenTheLimitIsRaised(t *testing.T) {
	opts := websocket.Options{ReadLimit: 16 << 20}
	server, client := wstest.Pipe(t, &websocket.AcceptOptions{Options: opts}, &websocket.DialOptions{Options: opts})
	want := []byte(strings.Repeat("wiretrue ", 16<<20/9))
	go func() {
		if err := client.Write(t.Context(), websocket.Text, want); err != nil {
			t.Error(err)
		}
	}()
	if _, m, err := server.Read(t.Context()); err != nil || !bytes.Equal(m, want) {
		t.Errorf("%d bytes, %v", len(m), err)
	}
}

// A reader of which the message is passed over hands out nothing more, whoever
// passes it over and however that ends: its bytes are in memory that is read to
// again.
func TestAReaderThatIsPassedOverHandsOutNothing(t *testing.T) {
	for _, pass := range []struct {
		name string
		over func(t *testing.T, c *websocket.Conn)
		want error // nil: the end of the connection
	}{
		{"a Read that its context ends", func(t *testing.T, c *websocket.Conn) {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			if _, _, err := c.Read(ctx); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("Read: %v", err)
			}
		}, websocket.ErrSuperseded},
		{"a Close that its context ends", func(t *testing.T, c *websocket.Conn) {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			if err := c.Close(ctx, websocket.StatusNormalClosure, ""); !errors.Is(err, websocket.ErrCloseTimeout) {
				t.Errorf("Close: %v", err)
			}
		}, nil},
	} {
		t.Run(pass.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c, p := wstest.DialPeer(t, nil)
				p.Send(`02 8a 00000000 "0123456789"`)
				_, r, err := c.Reader(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				b := make([]byte, 4)
				if n, err := r.Read(b); n != 4 || err != nil {
					t.Fatalf("%q, %v", b[:n], err)
				}
				go p.Send(`00 8a 00000000 "abcdefghij"`)
				pass.over(t, c)
				n, err := r.Read(b)
				if want := pass.want; n != 0 || want != nil && !errors.Is(err, want) || want == nil && (err == nil || err != c.Cause()) {
					t.Errorf("the reader: %q, %v; the connection ended with %v", b[:n], err, c.Cause())
				}
			})
		})
	}
}
