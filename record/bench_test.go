package record_test

import (
	"fmt"
	"io"
	"net"
	"testing"
	"time"

	"github.com/wiretrue/websocket"
	"github.com/wiretrue/websocket/record"
)

// discard takes everything, as a file in the page cache does, without its cost.
type discard struct{}

func (discard) Write(p []byte) (int, error) { return len(p), nil }

// BenchmarkRecorder tells what a recording adds to a message: one call of Sent
// with its frame, and what the writing costs.
func BenchmarkRecorder(b *testing.B) {
	for _, format := range []record.Format{record.Pcapng, record.JSONLines} {
		for _, size := range []int{20, 1 << 10, 16 << 10} {
			name := map[record.Format]string{record.Pcapng: "pcapng", record.JSONLines: "jsonl"}[format]
			b.Run(fmt.Sprintf("%s/%d", name, size), func(b *testing.B) {
				r, err := record.New(discard{}, &record.Options{Format: format})
				if err != nil {
					b.Fatal(err)
				}
				c, t := open(b, r)
				message := make([]byte, size)
				message[0], message[1] = 0x82, 126
				message[2], message[3] = byte((size-4)>>8), byte(size-4)
				if size < 126 {
					message[1] = byte(size - 2)
				}
				b.ReportAllocs()
				b.SetBytes(int64(size))
				for b.Loop() {
					t.Sent(c, message)
				}
				b.StopTimer()
				if err := r.Close(); err != nil {
					b.Fatal(err)
				}
				s := r.Stats()
				b.ReportMetric(float64(s.Bytes)/float64(b.N), "file-B/op")
				b.ReportMetric(float64(s.Lost)/float64(b.N), "lost-B/op")
			})
		}
	}
}

func open(t testing.TB, r *record.Recorder) (*websocket.Conn, *websocket.Trace) {
	t.Helper()
	c := new(websocket.Conn)
	trace := r.Trace()
	trace.Handshake(c, &websocket.HandshakeTrace{
		Server: true, Begun: time.Now(),
		Local:    &net.TCPAddr{IP: net.IPv4(10, 0, 0, 1), Port: 80},
		Remote:   &net.TCPAddr{IP: net.IPv4(10, 0, 0, 2), Port: 40000},
		Request:  []byte("GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"),
		Response: []byte("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"),
	})
	return c, trace
}

// TestAMessageAllocatesNothing states it for captures, once the buffers have
// grown.
func TestAMessageAllocatesNothing(t *testing.T) {
	r, err := record.New(io.Discard, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	c, trace := open(t, r)
	message := []byte("\x81\x05Hello")
	// The buffer grows, and is written, once in very many messages.
	if n := testing.AllocsPerRun(2000, func() { trace.Sent(c, message) }); n >= 1 {
		t.Errorf("%v allocations a message", n)
	}
}
