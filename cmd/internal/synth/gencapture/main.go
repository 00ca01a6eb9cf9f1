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
	conns int // in all
	open  int // most at a time
	size  int // of a message
}

var shapes = map[string]shape{
	"small": {1_000, 1_000, 40},
	"large": {100, 100, 256 << 10},
	"conns": {100_000, 10_000, 40},
}

func main() {
	size := flag.Int64("size", 1<<30, "`bytes` of the capture")
	kind := flag.String("shape", "small", "small, large or conns")
	open := flag.Int("open", 0, "`number` of connections that are open at a time; 0: that of the shape")
	flag.Parse()
	s, ok := shapes[*kind]
	if *open > 0 {
		s.open = min(*open, s.conns)
	}
	if !ok || flag.NArg() > 0 {
		flag.Usage()
		os.Exit(2)
	}
	if err := generate(s, *size); err != nil {
		fmt.Fprintln(os.Stderr, "gencapture:", err)
		os.Exit(1)
	}
}

// generate writes connections, so many at a time, whose messages take turns,
// with an echo of each.
func generate(s shape, size int64) error {
	w := synth.NewWriter(os.Stdout)
	w.Step = 5 * time.Microsecond
	g := &generator{w: w, r: rand.New(rand.NewPCG(1, 2)), payload: make([]byte, s.size)}
	for i := range g.payload {
		g.payload[i] = "abcdefghijklmnopqrstuvwxyz 0123456789"[g.r.IntN(37)]
	}
	batches := s.conns / s.open
	for batch := range batches {
		conns := make([]*synth.Conn, s.open)
		for i := range conns {
			conns[i] = g.open(batch*s.open + i)
		}
		for turn := 0; w.Written() < size*int64(batch+1)/int64(batches); turn++ {
			c := conns[turn%len(conns)]
			g.send(c, flow.ToServer, frame.Text, g.payload)
			g.send(c, flow.ToClient, frame.Text, g.payload)
		}
		for _, c := range conns {
			g.close(c)
		}
	}
	return w.Flush()
}

type generator struct {
	w       *synth.Writer
	r       *rand.Rand
	payload []byte
	message []byte
}

// open opens a connection, with addresses of its own.
func (g *generator) open(number int) *synth.Conn {
	client := netip.AddrFrom4([4]byte{10, 0, byte(number >> 15), 1})
	c := g.w.Conn(netip.AddrPortFrom(client, uint16(10000+number&0x7fff)), netip.MustParseAddrPort("10.1.0.1:8080"))
	c.Open()
	c.Send(flow.ToServer, []byte(request))
	c.Send(flow.ToClient, []byte(response))
	return c
}

func (g *generator) send(c *synth.Conn, from flow.Dir, op frame.Opcode, payload []byte) {
	h := frame.Header{Fin: true, Opcode: op, Length: uint64(len(payload))}
	h.LengthSize = frame.MinimalLengthSize(h.Length)
	if from == flow.ToServer {
		h.Masked = true
		binary.NativeEndian.PutUint32(h.MaskingKey[:], g.r.Uint32())
	}
	g.message = append(h.Append(g.message[:0]), payload...)
	if h.Masked {
		frame.Mask(g.message[h.Size():], h.MaskingKey, 0)
	}
	c.Send(from, g.message)
}

func (g *generator) close(c *synth.Conn) {
	code := []byte{0x03, 0xe8}
	g.send(c, flow.ToServer, frame.Close, code)
	g.send(c, flow.ToClient, frame.Close, code)
	c.FIN(flow.ToClient)
	c.FIN(flow.ToServer)
	c.Ack(flow.ToClient)
}
