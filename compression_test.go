package websocket_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wiretrue/websocket"
	"github.com/wiretrue/websocket/wire/handshake"
	"github.com/wiretrue/websocket/wire/rfc"
	"github.com/wiretrue/websocket/wstest"
)

func compressed(c *websocket.Compression) websocket.Options {
	return websocket.Options{Compression: c}
}

// samples are messages of every sort, one after the other.
func samples(n int) func(yield func(string) bool) {
	r := rand.New(rand.NewPCG(7, uint64(n)))
	return func(yield func(string) bool) {
		for i := range n {
			var m string
			switch i % 6 {
			case 0:
				m = fmt.Sprintf(`{"type":"tick","id":%d,"symbol":"WTRU","price":%d.%02d}`, i, r.IntN(1000), r.IntN(100))
			case 1:
				m = ""
			case 2:
				m = strings.Repeat("Grüße aus dem Netz, ", r.IntN(500))
			case 3:
				b := make([]byte, r.IntN(20_000))
				for j := range b {
					b[j] = byte(r.Uint32())
				}
				m = fmt.Sprintf("%x", b)
			case 4:
				m = "x"
			case 5:
				m = strings.Repeat("\x00", r.IntN(100_000))
			}
			if !yield(m) {
				return
			}
		}
	}
}

// Every agreement carries every message in both directions, whole and in
// fragments, with pings in between, compressed or not.
func TestCompressedMessages(t *testing.T) {
	for _, tt := range []struct {
		server, client *websocket.Compression
		want           string
	}{
		{&websocket.Compression{}, &websocket.Compression{}, "permessage-deflate; server_max_window_bits=12; client_max_window_bits=12"},
		{&websocket.Compression{WindowBits: 15, PeerWindowBits: 15}, &websocket.Compression{WindowBits: 15, PeerWindowBits: 15}, "permessage-deflate; server_max_window_bits=15; client_max_window_bits=15"},
		{&websocket.Compression{WindowBits: 8, PeerWindowBits: 8, Threshold: 1}, &websocket.Compression{WindowBits: 9}, "permessage-deflate; server_max_window_bits=8; client_max_window_bits=9"},
		{&websocket.Compression{NoContextTakeover: true}, &websocket.Compression{Level: websocket.CompressionFastest}, "permessage-deflate; server_no_context_takeover; server_max_window_bits=12; client_max_window_bits=12"},
		{&websocket.Compression{PeerNoContextTakeover: true}, &websocket.Compression{Level: websocket.CompressionBest}, "permessage-deflate; client_no_context_takeover; server_max_window_bits=12; client_max_window_bits=12"},
		{&websocket.Compression{}, &websocket.Compression{NoContextTakeover: true, PeerNoContextTakeover: true, PeerWindowBits: 10}, "permessage-deflate; server_no_context_takeover; client_no_context_takeover; server_max_window_bits=10; client_max_window_bits=12"},
		{&websocket.Compression{MaxMemory: 1}, &websocket.Compression{}, "permessage-deflate; server_no_context_takeover; client_no_context_takeover; server_max_window_bits=12; client_max_window_bits=12"},
	} {
		t.Run(tt.want, func(t *testing.T) {
			t.Parallel()
			server, client := wstest.Pipe(t, &websocket.AcceptOptions{Options: compressed(tt.server)}, &websocket.DialOptions{Options: compressed(tt.client)})
			if server.Compression() != tt.want || client.Compression() != tt.want {
				t.Fatalf("agreed on %q, %q, want %q", server.Compression(), client.Compression(), tt.want)
			}
			go echoAll(server)
			go func() {
				i := 0
				for m := range samples(120) {
					if err := send(client, i, m); err != nil {
						t.Error(err)
						return
					}
					if i++; i%7 == 0 {
						go client.Ping(t.Context())
					}
				}
			}()
			for want := range samples(120) {
				_, got, err := client.Read(t.Context())
				if err != nil || string(got) != want {
					t.Fatalf("%d bytes came back of %d, %v", len(got), len(want), err)
				}
			}
			if s := client.Stats(); s.Sent.Compressed == 0 || s.Sent.Compressed*2 > s.Sent.Uncompressed || s.Received.Compressed == 0 || s.Received.Compressed*2 > s.Received.Uncompressed {
				t.Errorf("%+v", s)
			}
		})
	}
}

func echoAll(c *websocket.Conn) {
	for m, err := range c.Messages(context.Background()) {
		if err != nil || c.Write(context.Background(), m.Type, m.Data) != nil {
			return
		}
	}
}

// send sends a message in one of the ways there are.
func send(c *websocket.Conn, i int, m string) error {
	ctx := context.Background()
	switch i % 5 {
	case 0:
		w, err := c.Writer(ctx, websocket.Text)
		if err != nil {
			return err
		}
		if _, err := io.Copy(w, strings.NewReader(m)); err != nil {
			return err
		}
		return w.Close()
	case 1:
		p, err := websocket.Prepare(websocket.Text, []byte(m))
		if err != nil {
			return err
		}
		return c.WritePrepared(ctx, p)
	case 2:
		return c.WriteUncompressed(ctx, websocket.Text, []byte(m))
	}
	return c.Write(ctx, websocket.Text, []byte(m))
}

// A prepared message is one of many that a connection compresses, whatever
// each of them remembers.
func TestPreparedBetweenCompressedMessages(t *testing.T) {
	for _, fresh := range []bool{false, true} {
		server, client := wstest.Pipe(t, &websocket.AcceptOptions{Options: compressed(&websocket.Compression{NoContextTakeover: fresh})}, &websocket.DialOptions{Options: compressed(new(websocket.Compression))})
		p, err := websocket.Prepare(websocket.Text, []byte(strings.Repeat("prepared for everybody, ", 20)))
		if err != nil {
			t.Fatal(err)
		}
		go func() {
			for i := range 50 {
				server.Write(t.Context(), websocket.Text, fmt.Appendf(nil, "prepared for %d alone, and long enough to be compressed in any case, whatever the threshold of the connection may be: %s", i, strings.Repeat("x", i)))
				server.WritePrepared(t.Context(), p)
			}
		}()
		for i := range 50 {
			if _, m, err := client.Read(t.Context()); err != nil || !strings.HasPrefix(string(m), fmt.Sprintf("prepared for %d alone", i)) {
				t.Fatal(string(m), err)
			}
			if _, m, err := client.Read(t.Context()); err != nil || string(m) != strings.Repeat("prepared for everybody, ", 20) {
				t.Fatal(string(m), err)
			}
		}
	}
}

func TestCompressionIsDeclined(t *testing.T) {
	for _, tt := range []struct{ server, client *websocket.Compression }{
		{nil, new(websocket.Compression)},
		{new(websocket.Compression), nil},
	} {
		server, client := wstest.Pipe(t, &websocket.AcceptOptions{Options: compressed(tt.server)}, &websocket.DialOptions{Options: compressed(tt.client)})
		if server.Compression() != "" || client.Compression() != "" {
			t.Errorf("agreed on %q, %q", server.Compression(), client.Compression())
		}
		go echoAll(server)
		want := strings.Repeat("a", 1000)
		client.Write(t.Context(), websocket.Text, []byte(want))
		if _, m, err := client.Read(t.Context()); err != nil || string(m) != want || server.Stats().Received.Bytes < 1000 {
			t.Error(len(m), err)
		}
	}
}

// The limit is on what comes out, and is kept while it comes.
func TestADecompressionBomb(t *testing.T) {
	bomb := make([]byte, 8<<20)
	for _, read := range []string{"Read", "Reader"} {
		server, client := wstest.Pipe(t,
			&websocket.AcceptOptions{Options: websocket.Options{Compression: new(websocket.Compression), ReadLimit: 1 << 20, PingInterval: websocket.NoTimeout}},
			&websocket.DialOptions{Options: compressed(&websocket.Compression{WindowBits: 15})})
		go client.Write(t.Context(), websocket.Binary, bomb)
		if read == "Reader" { // which has no limit of its own, but does not collect
			_, r, err := server.Reader(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if n, err := io.Copy(io.Discard, r); n != int64(len(bomb)) || err != nil {
				t.Errorf("%d bytes, %v", n, err)
			}
			continue
		}
		_, _, err := server.Read(t.Context())
		broken := new(websocket.RuleError)
		if !errors.As(err, &broken) || broken.Rule != rfc.MessageSize {
			t.Errorf("Read: %v", err)
		}
		if got := server.Stats().Received.Payload; got > 1<<20+64<<10 {
			t.Errorf("%d bytes were inflated", got)
		}
	}
}

// What a connection without context takeover holds is in the pools; what one
// with it holds is little once it is idle, and still right.
func TestIdleCompressionIsCompact(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server, client := wstest.Pipe(t, &websocket.AcceptOptions{Options: compressed(new(websocket.Compression))}, &websocket.DialOptions{Options: compressed(new(websocket.Compression))})
		go echoAll(server)
		message := bytes.Repeat([]byte("a message that is compressed, "), 10)
		for range 3 {
			if err := client.Write(t.Context(), websocket.Text, message); err != nil {
				t.Fatal(err)
			}
			if _, m, err := client.Read(t.Context()); err != nil || !bytes.Equal(m, message) {
				t.Fatal(string(m), err)
			}
			before := server.CompressionMemory()
			got := make(chan error)
			go func() { _, _, err := client.Read(t.Context()); got <- err }()
			pass(2 * time.Minute)
			if after := server.CompressionMemory(); after >= before || after > 2*(1<<12+4<<10) {
				t.Errorf("%d bytes while active, %d when idle", before, after)
			}
			if err := client.Write(t.Context(), websocket.Text, message); err != nil {
				t.Fatal(err)
			}
			if err := <-got; err != nil {
				t.Fatal(err)
			}
		}
	})
}

// A client fails the handshake on an answer that its offer does not allow.
func TestCompressionAnswers(t *testing.T) {
	for answer, want := range map[string]rfc.Rule{
		"permessage-deflate; server_max_window_bits=12; client_max_window_bits=10": 0,
		"permessage-deflate; server_max_window_bits=12":                            0,
		"permessage-deflate; server_max_window_bits=\"8\"":                         0,
		"permessage-deflate; server_no_context_takeover; server_max_window_bits=9": 0,
		"permessage-deflate":                                                       0, // answers the second offer
		"permessage-deflate; server_max_window_bits=13":                            0,
		"permessage-deflate; server_max_window_bits=7":                             rfc.ResponseParameters,
		"permessage-deflate; server_max_window_bits=012":                           rfc.ResponseParameters,
		"permessage-deflate; server_max_window_bits=12; client_max_window_bits":    rfc.ResponseParameters,
		"permessage-deflate; server_max_window_bits=12; unknown":                   rfc.ResponseParameters,
		"permessage-deflate; server_max_window_bits=12; server_max_window_bits=12": rfc.ResponseParameters,
		"permessage-deflate; server_max_window_bits=12, permessage-deflate":        rfc.ResponseParameters,
		"x-webkit-deflate-frame":                                                   rfc.ExtensionOffered,
	} {
		near, far := net.Pipe()
		p := wstest.NewPeer(t, far)
		go func() {
			r := p.ReadRequest()
			offer, _ := r.Offer()
			extensions, _ := handshake.ParseExtensions([]string{answer})
			p.SendBytes(handshake.AppendSwitching(nil, offer.Key, handshake.Agreement{Extensions: extensions}, nil))
			p.End()
		}()
		c, err := websocket.Dial(t.Context(), wstest.URL, &websocket.DialOptions{
			Options: compressed(new(websocket.Compression)),
			NetDial: func(context.Context, string, string) (net.Conn, error) { return near, nil },
		})
		refused := new(websocket.HandshakeError)
		if errors.As(err, &refused); refused.Rule != want || want == 0 && err != nil {
			t.Errorf("%s: %v, want %v", answer, err, want)
		}
		if c != nil {
			c.CloseNow()
		}
	}
}

// What is dropped from the queue of a slow reader is in no window: what it then
// reads is what was sent.
func TestDroppedMessagesAreInNoWindow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		opts := compressed(new(websocket.Compression))
		opts.QueueLimit, opts.QueuePolicy = 1000, websocket.QueueDropOldest
		server, client := wstest.Pipe(t, &websocket.AcceptOptions{Options: opts}, &websocket.DialOptions{Options: compressed(new(websocket.Compression))})
		message := func(i int) string {
			r := rand.New(rand.NewPCG(3, uint64(i/3))) // each is like some others
			return fmt.Sprintf("%d: %x", i, r.Perm(100))
		}
		const n = 200
		for i := range n {
			if err := server.Write(t.Context(), websocket.Text, []byte(message(i))); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
		}
		if server.Stats().Dropped == 0 || server.Compression() == "" {
			t.Fatalf("%+v with %q", server.Stats(), server.Compression())
		}
		for last := -1; last < n-1; {
			_, m, err := client.Read(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			before := last
			if fmt.Sscanf(string(m), "%d:", &last); last <= before || string(m) != message(last) {
				t.Fatalf("behind %d comes %q", before, m)
			}
		}
	})
}
