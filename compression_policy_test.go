package websocket_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/wiretrue/websocket"
	"github.com/wiretrue/websocket/wire/frame"
	"github.com/wiretrue/websocket/wire/rfc"
	"github.com/wiretrue/websocket/wstest"
)

// What is compressed and what is not, as it shows on the wire: RSV1 marks the
// first frame of a compressed message and no other frame.
func TestWhatIsCompressed(t *testing.T) {
	noise := make([]byte, 9000)
	rng := rand.New(rand.NewPCG(4, 2))
	for i := range noise {
		noise[i] = byte(rng.Uint32())
	}
	text := []byte(strings.Repeat("a text that repeats itself, ", 20))
	prepare := func(p []byte) *websocket.Prepared {
		m, err := websocket.Prepare(websocket.Binary, p)
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	streamed := func(p []byte) func(*websocket.Conn) error {
		return func(c *websocket.Conn) error {
			w, err := c.Writer(t.Context(), websocket.Binary)
			if err != nil {
				return err
			}
			if _, err := io.Copy(w, bytes.NewReader(p)); err != nil {
				return err
			}
			return w.Close()
		}
	}
	written := func(p []byte) func(*websocket.Conn) error {
		return func(c *websocket.Conn) error { return c.Write(t.Context(), websocket.Binary, p) }
	}
	for _, tt := range []struct {
		name  string
		send  func(*websocket.Conn) error
		fresh bool // without context takeover
		want  bool
	}{
		{"a text", written(text), false, true},
		{"a text, no takeover", written(text), true, true},
		{"16 bytes", written(text[:16]), false, true},
		{"15 bytes", written(text[:15]), false, false},
		{"127 bytes, no takeover", written(text[:127]), true, false},
		{"128 bytes, no takeover", written(text[:128]), true, true},
		{"a secret", func(c *websocket.Conn) error { return c.WriteUncompressed(t.Context(), websocket.Binary, text) }, false, false},
		{"noise", written(noise), false, false},
		{"few bytes of noise, no takeover", written(noise[:200]), true, false}, // tried, to no avail
		{"prepared", func(c *websocket.Conn) error { return c.WritePrepared(t.Context(), prepare(text)) }, false, true},
		{"prepared noise", func(c *websocket.Conn) error { return c.WritePrepared(t.Context(), prepare(noise)) }, false, false},
		{"streamed", streamed(bytes.Repeat(text, 100)), false, true},
		{"streamed in one frame", streamed(text), false, true},
		{"streamed, short", streamed(text[:15]), false, false},
		{"streamed noise", streamed(noise), false, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c, p := wstest.DialPeer(t, &websocket.AcceptOptions{Options: compressed(&websocket.Compression{NoContextTakeover: tt.fresh})})
				sent := make(chan error, 1)
				go func() { sent <- tt.send(c) }()
				for first := true; ; first = false {
					h, _, err := p.ReadFrame()
					if err != nil {
						t.Fatal(err)
					}
					want := uint8(0)
					if first && tt.want {
						want = frame.RSV1
					}
					if h.RSV != want {
						t.Fatalf("%v: the reserved bits are %03b, want %03b", h, h.RSV, want)
					}
					if h.Fin {
						break
					}
				}
				if err := <-sent; err != nil {
					t.Error(err)
				}
				s := c.Stats().Sent
				if s.Compressed > 0 != tt.want || s.Uncompressed > 0 != tt.want {
					t.Errorf("%+v", s)
				}
				go c.Ping(t.Context())
				if h, _, err := p.ReadFrame(); err != nil || h.Opcode != frame.Ping || h.RSV != 0 {
					t.Errorf("%v, %v; want a Ping as it is", h, err)
				}
			})
		})
	}
}

// One compression serves all connections with the same window and level.
func TestAPreparedMessageIsCompressedOnce(t *testing.T) {
	p, err := websocket.Prepare(websocket.Text, []byte(strings.Repeat("for everybody, ", 20)))
	if err != nil {
		t.Fatal(err)
	}
	for i := range 12 {
		options := &websocket.Compression{WindowBits: 12 + i%3, NoContextTakeover: i%2 == 0}
		server, client := wstest.Pipe(t, &websocket.AcceptOptions{Options: compressed(options)}, &websocket.DialOptions{Options: compressed(&websocket.Compression{PeerWindowBits: 15})})
		go server.WritePrepared(t.Context(), p)
		if _, m, err := client.Read(t.Context()); err != nil || string(m) != strings.Repeat("for everybody, ", 20) {
			t.Fatal(string(m), err)
		}
	}
	if n := p.Compressions(); n != 3 {
		t.Errorf("was compressed %d times for three windows", n)
	}
}

// The limit is on what comes out for a client, too, and for fragments.
func TestADecompressionBombAtAClient(t *testing.T) {
	for _, fragments := range []bool{false, true} {
		t.Run(fmt.Sprintf("fragments %t", fragments), func(t *testing.T) {
			server, client := wstest.Pipe(t,
				&websocket.AcceptOptions{Options: compressed(new(websocket.Compression))},
				&websocket.DialOptions{Options: websocket.Options{Compression: new(websocket.Compression), ReadLimit: 1 << 20}})
			go func() {
				bomb := make([]byte, 16<<20)
				if !fragments {
					server.Write(t.Context(), websocket.Binary, bomb)
					return
				}
				w, err := server.Writer(t.Context(), websocket.Binary)
				if err != nil {
					t.Error(err)
					return
				}
				defer w.Close()
				for len(bomb) > 0 {
					if _, err := w.Write(bomb[:64<<10]); err != nil {
						return
					}
					bomb = bomb[64<<10:]
				}
			}()
			_, _, err := client.Read(t.Context())
			broken := new(websocket.RuleError)
			if !errors.As(err, &broken) || broken.Rule != rfc.MessageSize {
				t.Errorf("Read: %v", err)
			}
			if s := client.Stats().Received; s.Payload > 1<<20+64<<10 || s.Compressed > 1<<20 {
				t.Errorf("%+v", s)
			}
		})
	}
}
