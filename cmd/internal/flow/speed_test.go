package flow_test

import (
	"encoding/binary"
	"io"
	"testing"

	"github.com/wiretrue/websocket/cmd/internal/flow"
	"github.com/wiretrue/websocket/cmd/internal/packet"
)

// A capturer writes a classic capture of many connections with messages of
// one size, without end: it is an io.Reader.
type capturer struct {
	conns, size, limit int

	buf  []byte
	read int
	usec uint64
	turn int
	seq  [][2]uint32
	id   uint16
}

func (c *capturer) Read(b []byte) (int, error) {
	if c.seq == nil {
		c.seq = make([][2]uint32, c.conns)
		c.buf = binary.LittleEndian.AppendUint32(nil, 0xa1b2c3d4)
		c.buf = append(c.buf, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255, 0, 0, 1, 0, 0, 0)
	}
	if c.read >= c.limit {
		return 0, io.EOF
	}
	for len(c.buf) < len(b) {
		n := c.turn % c.conns
		switch c.turn / c.conns {
		case 0:
			c.packet(n, 0, 2, 0)
			c.packet(n, 1, 0x12, 0)
			c.packet(n, 0, 0x10, 0)
		default:
			c.packet(n, 0, 0x18, c.size)
			c.packet(n, 1, 0x18, c.size)
		}
		c.turn++
	}
	n := copy(b, c.buf)
	c.buf = c.buf[:copy(c.buf, c.buf[n:])]
	c.read += n
	return n, nil
}

func (c *capturer) packet(conn, dir int, flags byte, payload int) {
	le, be := binary.LittleEndian, binary.BigEndian
	c.usec += 5
	c.id++
	n := uint32(54 + payload)
	b := c.buf
	b = le.AppendUint32(b, uint32(c.usec/1e6))
	b = le.AppendUint32(b, uint32(c.usec%1e6))
	b = le.AppendUint32(b, n)
	b = le.AppendUint32(b, n)
	b = append(b, make([]byte, 12)...)
	b = append(b, 8, 0, 0x45, 0)
	b = be.AppendUint16(b, uint16(n-14))
	b = be.AppendUint16(b, c.id)
	b = append(b, 0x40, 0, 64, 6, 0, 0)
	addr := [2]uint32{10<<24 | uint32(conn>>15), 10<<24 | 1<<16 | 1}
	port := [2]uint16{uint16(10000 + conn&0x7fff), 8080}
	b = be.AppendUint32(b, addr[dir])
	b = be.AppendUint32(b, addr[1-dir])
	b = be.AppendUint16(b, port[dir])
	b = be.AppendUint16(b, port[1-dir])
	b = be.AppendUint32(b, c.seq[conn][dir])
	b = be.AppendUint32(b, c.seq[conn][1-dir])
	b = append(b, 0x50, flags, 255, 255, 0, 0, 0, 0)
	c.buf = append(b, make([]byte, payload)...)
	c.seq[conn][dir] += uint32(payload) + uint32(flags>>1&1)
}

type counter struct{ conns, bytes int64 }

func (c *counter) Open(*flow.Conn)                           { c.conns++ }
func (c *counter) Data(_ *flow.Conn, _ flow.Dir, r flow.Run) { c.bytes += int64(len(r.Data)) }
func (c *counter) Event(*flow.Conn, flow.Event)              {}
func (c *counter) End(*flow.Conn)                            {}

// BenchmarkCapture reads a capture from its bytes to its streams: the MB/s are
// those of the file.
func BenchmarkCapture(b *testing.B) {
	for _, bm := range []struct {
		name        string
		conns, size int
	}{{"small", 1000, 40}, {"large", 1000, 1400}, {"100kConnections", 100_000, 40}} {
		b.Run(bm.name, func(b *testing.B) {
			const limit = 64 << 20
			b.SetBytes(limit)
			b.ReportAllocs()
			for b.Loop() {
				r, err := packet.NewReader(&capturer{conns: bm.conns, size: bm.size, limit: limit}, nil)
				if err != nil {
					b.Fatal(err)
				}
				var c counter
				if err := follow(r, &c); c.bytes == 0 {
					b.Fatal(err)
				}
			}
		})
	}
}
