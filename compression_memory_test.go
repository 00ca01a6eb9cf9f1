package websocket_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"

	"github.com/wiretrue/websocket"
	"github.com/wiretrue/websocket/wstest"
)

// reading is the i-th of similar small messages.
func reading(i int) []byte {
	return fmt.Appendf(nil, `{"type":"reading","seq":%d,"sensor":"s-%02d","celsius":%d.%d}`, 5000+i, i*7%40, i*13%40, i%10)
}

// converse sends n small messages to an echo and reads them back.
func converse(t *testing.T, c *websocket.Conn, n int) {
	t.Helper()
	for i := range n {
		if err := c.Write(t.Context(), websocket.Text, reading(i)); err != nil {
			t.Fatal(err)
		}
		if _, m, err := c.Read(t.Context()); err != nil || !bytes.Equal(m, reading(i)) {
			t.Fatalf("message %d: %q, %v", i, m, err)
		}
	}
}

// A server whose budget is spent agrees on no context takeover, and on it again
// when a connection has ended.
func TestTheBudgetOfWindows(t *testing.T) {
	const takeover = "permessage-deflate; server_max_window_bits=12; client_max_window_bits=12"
	const none = "permessage-deflate; server_no_context_takeover; client_no_context_takeover; server_max_window_bits=12; client_max_window_bits=12"
	open := func(c *websocket.Compression, want string) (server *websocket.Conn) {
		t.Helper()
		server, client := wstest.Pipe(t, &websocket.AcceptOptions{Options: compressed(c)}, &websocket.DialOptions{Options: compressed(new(websocket.Compression))})
		if got := server.Compression(); got != want || client.Compression() != want {
			t.Errorf("agreed on %q, want %q", got, want)
		}
		go echoAll(server)
		converse(t, client, 20)
		return server
	}

	shared := &websocket.Compression{MaxMemory: 80 << 10} // for two
	first := open(shared, takeover)
	open(shared, takeover)
	third := open(shared, none)
	if n := third.CompressionMemory(); n != 0 {
		t.Errorf("a connection beyond the budget holds %d bytes", n)
	}
	if n := first.CompressionMemory(); n > 40<<10 {
		t.Errorf("a connection holds %d bytes, more than its part of the budget", n)
	}
	third.CloseNow()
	open(shared, none)
	first.CloseNow()
	open(shared, takeover)
	open(shared, none)

	compact := &websocket.Compression{MaxMemory: 20 << 10, CompactAfter: websocket.CompactAtOnce}
	open(compact, takeover)
	open(compact, takeover)
	open(compact, none)

	boundless := &websocket.Compression{MaxMemory: websocket.NoLimit}
	for range 5 {
		open(boundless, takeover)
	}
}

// TestTheMemoryOfWindows: what a connection that is in use holds for both of its
// directions.
func TestTheMemoryOfWindows(t *testing.T) {
	for bits, limit := range map[int]int{12: 48 << 10, 15: 160 << 10} {
		options := func() *websocket.Compression {
			return &websocket.Compression{WindowBits: bits, PeerWindowBits: bits}
		}
		server, client := compressedPair(t, options(), options())
		go echoAll(server)
		converse(t, client, 1000)
		large := bytes.Repeat(reading(1), 3000)
		if err := client.Write(t.Context(), websocket.Text, large); err != nil {
			t.Fatal(err)
		}
		if _, m, err := client.Read(t.Context()); err != nil || !bytes.Equal(m, large) {
			t.Fatal(err)
		}
		for _, c := range []*websocket.Conn{client, server} {
			if n := c.CompressionMemory(); n < 2<<bits || n > limit {
				t.Errorf("%d bits: %d bytes are held, of at most %d", bits, n, limit)
			}
		}
	}
}

// Under CompactAtOnce a connection holds its history and nothing else, and
// messages become as small as they do otherwise.
func TestCompactAtOnce(t *testing.T) {
	sizes := map[bool]uint64{}
	for _, atOnce := range []bool{false, true} {
		options := func() *websocket.Compression {
			if atOnce {
				return &websocket.Compression{CompactAfter: websocket.CompactAtOnce}
			}
			return new(websocket.Compression)
		}
		server, client := wstest.Pipe(t, &websocket.AcceptOptions{Options: compressed(options())}, &websocket.DialOptions{Options: compressed(options())})
		prepared, err := websocket.Prepare(websocket.Text, []byte(strings.Repeat("a message for everybody ", 20)))
		if err != nil {
			t.Fatal(err)
		}
		go func() {
			for i := 0; ; i++ {
				_, m, err := server.Read(t.Context())
				if err != nil || server.Write(t.Context(), websocket.Text, m) != nil {
					return
				}
				if i%20 == 0 {
					server.WritePrepared(t.Context(), prepared)
				}
			}
		}()
		for i := range 400 {
			client.Write(t.Context(), websocket.Text, reading(i))
			if _, m, err := client.Read(t.Context()); err != nil || !bytes.Equal(m, reading(i)) {
				t.Fatalf("message %d: %q, %v", i, m, err)
			}
			if i%20 == 0 {
				if _, m, err := client.Read(t.Context()); err != nil || !strings.HasPrefix(string(m), "a message for everybody") {
					t.Fatalf("the prepared message: %q, %v", m, err)
				}
			}
			if held := client.CompressionMemory(); atOnce && held > 2<<12 {
				t.Fatalf("after message %d %d bytes are held", i, held)
			}
		}
		sizes[atOnce] = server.Stats().Sent.Compressed
	}
	if sizes[true] > sizes[false]+sizes[false]/50 {
		t.Errorf("%d bytes were sent, %d otherwise", sizes[true], sizes[false])
	}
}

// compressedPair returns the ends of a connection over TCP.
func compressedPair(t testing.TB, ofServer, ofClient *websocket.Compression) (server, client *websocket.Conn) {
	t.Helper()
	near, far := tcpEnds(t)
	accepted := make(chan error, 1)
	go func() {
		var err error
		server, err = wstest.Accept(far, &websocket.AcceptOptions{Options: compressed(ofServer)})
		accepted <- err
	}()
	client = wstest.Dial(t, near, &websocket.DialOptions{Options: compressed(ofClient)})
	if err := <-accepted; err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { server.CloseNow() })
	return server, client
}

// In the long run neither side of a compressed conversation allocates.
func TestNothingIsAllocatedPerCompressedMessage(t *testing.T) {
	if websocket.RaceEnabled {
		t.Skip("the race detector makes pools forget")
	}
	for name, options := range map[string]func() *websocket.Compression{
		"takeover":    func() *websocket.Compression { return new(websocket.Compression) },
		"no takeover": func() *websocket.Compression { return &websocket.Compression{NoContextTakeover: true} },
		"at once":     func() *websocket.Compression { return &websocket.Compression{CompactAfter: websocket.CompactAtOnce} },
	} {
		t.Run(name, func(t *testing.T) {
			server, client := compressedPair(t, options(), options())
			ctx := context.Background()
			go func() {
				buf := make([]byte, 4096)
				for {
					typ, m, err := server.ReadInto(ctx, buf)
					if err != nil || server.Write(ctx, typ, m) != nil {
						return
					}
				}
			}()
			buf := make([]byte, 4096)
			var messages [][]byte
			for i := range 100 {
				messages = append(messages, bytes.Repeat(reading(i), 1+i%20))
			}
			i := 0
			echo := func() {
				m := messages[i%len(messages)]
				i++
				if err := client.Write(ctx, websocket.Text, m); err != nil {
					t.Fatal(err)
				}
				if _, got, err := client.ReadInto(ctx, buf); err != nil || !bytes.Equal(got, m) {
					t.Fatalf("%d bytes came back of %d, %v", len(got), len(m), err)
				}
			}
			for range messages {
				echo()
			}
			// AllocsPerRun rounds down: a pool emptied by a collection does not count.
			if got := testing.AllocsPerRun(2000, echo); got != 0 {
				t.Errorf("%v allocations for an echo", got)
			}
			if s := client.Stats(); s.Sent.Compressed == 0 || s.Received.Compressed == 0 {
				t.Errorf("nothing was compressed: %+v", s)
			}
		})
	}
}

// What stands for no window is refused before anything is sent.
func TestCompressionOptionsAreChecked(t *testing.T) {
	for _, c := range []*websocket.Compression{{WindowBits: 7}, {WindowBits: 16}, {PeerWindowBits: 7}, {PeerWindowBits: 16}, {Level: 3}} {
		_, err := websocket.Dial(t.Context(), wstest.URL, &websocket.DialOptions{
			Options: compressed(c),
			NetDial: func(context.Context, string, string) (net.Conn, error) { return nil, errors.New("was dialled") },
		})
		if err == nil || !strings.Contains(err.Error(), "compression: ") {
			t.Errorf("Dial with %d, %d, %d: %v", c.WindowBits, c.PeerWindowBits, c.Level, err)
		}
		near, far := net.Pipe()
		defer near.Close()
		go near.Write([]byte("GET / HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"))
		accepted := make(chan error)
		go func() {
			_, err := wstest.Accept(far, &websocket.AcceptOptions{Options: compressed(c)})
			accepted <- err
		}()
		answer := make([]byte, 12)
		near.Read(answer)
		near.Close()
		refused := new(websocket.HandshakeError)
		if err := <-accepted; !errors.As(err, &refused) || refused.Status != 500 || string(answer) != "HTTP/1.1 500" {
			t.Errorf("Accept with %d, %d, %d: %v, %q", c.WindowBits, c.PeerWindowBits, c.Level, err, answer)
		}
	}
}
