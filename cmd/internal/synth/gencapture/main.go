// Command gencapture writes a capture of any size to standard output, to
// measure with: of many small messages, of few large ones, or of very many
// connections.
package main

import (
	"encoding/binary"
	"flag"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os"
	"time"

	"github.com/wiretrue/websocket/cmd/internal/flow"
	"github.com/wiretrue/websocket/cmd/internal/synth"
	"github.com/wiretrue/websocket/wire/frame"
)

const (
	request = "GET /chat HTTP/1.1\r\nHost: server.example.com\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
		"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
	response = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
		"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"
)

// A shape is how a capture looks.
type shape struct {
	conns int
	size  int           // of a message
	step  time.Duration // between packets
}

var shapes = map[string]shape{
	"small": {1_000, 40, 5 * time.Microsecond},
	"large": {100, 256 << 10, 5 * time.Microsecond},
	"conns": {100_000, 40, 5 * time.Microsecond},
}

func main() {
	size := flag.Int64("size", 1<<30, "`bytes` of the capture")
	kind := flag.String("shape", "small", "small, large or conns")
	flag.Parse()
	s, ok := shapes[*kind]
	if !ok || flag.NArg() > 0 {
		flag.Usage()
		os.Exit(2)
	}
	if err := generate(s, *size); err != nil {
		fmt.Fprintln(os.Stderr, "gencapture:", err)
		os.Exit(1)
	}
}

// generate writes the connections' messages in turns, an echo of each, until
// the size is reached, and then ends them.
func generate(s shape, size int64) error {
	w := synth.NewWriter(os.Stdout)
	w.Step = s.step
	server := netip.MustParseAddrPort("10.1.0.1:8080")
	conns := make([]*synth.Conn, s.conns)
	r := rand.New(rand.NewPCG(1, 2))
	payload := make([]byte, s.size)
	for i := range payload {
		payload[i] = "abcdefghijklmnopqrstuvwxyz 0123456789"[r.IntN(37)]
	}
	message := make([]byte, 0, s.size+14)
	send := func(c *synth.Conn, from flow.Dir, op frame.Opcode, payload []byte) {
		h := frame.Header{Fin: true, Opcode: op, Length: uint64(len(payload))}
		h.LengthSize = frame.MinimalLengthSize(h.Length)
		if from == flow.ToServer {
			h.Masked = true
			binary.NativeEndian.PutUint32(h.MaskingKey[:], r.Uint32())
		}
		message = append(h.Append(message[:0]), payload...)
		if h.Masked {
			frame.Mask(message[h.Size():], h.MaskingKey, 0)
		}
		c.Send(from, message)
	}
	for i := range conns {
		client := netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, byte(i >> 15), 1}), uint16(10000+i&0x7fff))
		c := w.Conn(client, server)
		conns[i] = c
		c.Open()
		c.Send(flow.ToServer, []byte(request))
		c.Send(flow.ToClient, []byte(response))
	}
	for turn := 0; w.Written() < size; turn++ {
		c := conns[turn%len(conns)]
		send(c, flow.ToServer, frame.Text, payload)
		send(c, flow.ToClient, frame.Text, payload)
	}
	code := []byte{0x03, 0xe8}
	for _, c := range conns {
		send(c, flow.ToServer, frame.Close, code)
		send(c, flow.ToClient, frame.Close, code)
		c.FIN(flow.ToClient)
		c.FIN(flow.ToServer)
		c.Ack(flow.ToClient)
	}
	return w.Flush()
}
