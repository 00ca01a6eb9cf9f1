// Package synth makes captures of connections that never were: for tests that
// need packets to be just so, and for captures of any size to measure with.
package synth

import (
	"encoding/binary"
	"io"
	"net/netip"
	"time"

	"github.com/wiretrue/websocket/cmd/internal/flow"
	"github.com/wiretrue/websocket/cmd/internal/packet"
)

// A Writer writes a classic capture of Ethernet packets, with nanoseconds.
type Writer struct {
	Now  time.Time     // of the next packet
	Step time.Duration // from one packet to the next

	out     io.Writer
	buf     []byte
	packets int64
	written int64
	err     error
}

const (
	pcapNanos   = 0xa1b23c4d
	snapLength  = 1 << 18
	recordStart = 16
	etherLen    = 14
	ipv4Len     = 20
	ipv6Len     = 40
	tcpLen      = 20
	bufferSize  = 256 << 10
)

// NewWriter returns a Writer that has begun a file, whose packets are a
// millisecond apart.
func NewWriter(out io.Writer) *Writer {
	w := &Writer{out: out, Now: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), Step: time.Millisecond}
	w.buf = make([]byte, 0, bufferSize+snapLength)
	w.buf = binary.LittleEndian.AppendUint32(w.buf, pcapNanos)
	w.buf = append(w.buf, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0)
	w.buf = binary.LittleEndian.AppendUint32(w.buf, snapLength)
	w.buf = binary.LittleEndian.AppendUint32(w.buf, uint32(packet.LinkEthernet))
	return w
}

// Packets returns how many packets have been written.
func (w *Writer) Packets() int64 { return w.packets }

// Written returns the size of the file so far.
func (w *Writer) Written() int64 { return w.written + int64(len(w.buf)) }

// Flush writes what is buffered. The error is the first of the output's.
func (w *Writer) Flush() error {
	if w.err == nil {
		_, w.err = w.out.Write(w.buf)
	}
	w.written += int64(len(w.buf))
	w.buf = w.buf[:0]
	return w.err
}

// A Conn is a TCP connection.
type Conn struct {
	MSS int // most bytes of a segment

	w    *Writer
	ends [2]netip.AddrPort // by who sends
	seq  [2]uint32
	id   uint16
}

// Conn returns a connection that has not been opened.
func (w *Writer) Conn(client, server netip.AddrPort) *Conn {
	return &Conn{MSS: 1460, w: w, ends: [2]netip.AddrPort{client, server}, seq: [2]uint32{1000, 5000}}
}

// Open opens the connection.
func (c *Conn) Open() {
	c.Segment(flow.ToServer, packet.SYN, nil)
	c.Segment(flow.ToClient, packet.SYN|packet.ACK, nil)
	c.Segment(flow.ToServer, packet.ACK, nil)
}

// Send sends bytes in as many segments as they need.
func (c *Conn) Send(dir flow.Dir, b []byte) {
	for len(b) > 0 {
		n := min(len(b), c.MSS)
		c.Segment(dir, packet.PSH|packet.ACK, b[:n])
		b = b[n:]
	}
}

// Ack acknowledges what the other side has sent.
func (c *Conn) Ack(dir flow.Dir) { c.Segment(dir, packet.ACK, nil) }

// FIN ends a direction.
func (c *Conn) FIN(dir flow.Dir) { c.Segment(dir, packet.FIN|packet.ACK, nil) }

// RST aborts the connection.
func (c *Conn) RST(dir flow.Dir) { c.Segment(dir, packet.RST|packet.ACK, nil) }

// Lose lets bytes be sent that the capture does not have.
func (c *Conn) Lose(dir flow.Dir, n int) { c.seq[dir] += uint32(n) }

// Segment writes a segment with the next sequence number.
func (c *Conn) Segment(dir flow.Dir, flags packet.TCPFlags, payload []byte) {
	w := c.w
	from, to := c.ends[dir], c.ends[dir.Reverse()]
	v6 := from.Addr().Is6()
	ipLen, etherType := ipv4Len, uint16(0x0800)
	if v6 {
		ipLen, etherType = ipv6Len, 0x86dd
	}
	n := tcpLen + len(payload)
	size := uint32(etherLen + ipLen + n)
	b := w.buf
	b = binary.LittleEndian.AppendUint32(b, uint32(w.Now.Unix()))
	b = binary.LittleEndian.AppendUint32(b, uint32(w.Now.Nanosecond()))
	b = binary.LittleEndian.AppendUint32(b, size)
	b = binary.LittleEndian.AppendUint32(b, size)
	b = append(b, 2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1)
	b = binary.BigEndian.AppendUint16(b, etherType)
	c.id++
	if v6 {
		b = append(b, 0x60, 0, 0, 0)
		b = binary.BigEndian.AppendUint16(b, uint16(n))
		b = append(b, 6, 64)
	} else {
		b = append(b, 0x45, 0)
		b = binary.BigEndian.AppendUint16(b, uint16(ipLen+n))
		b = binary.BigEndian.AppendUint16(b, c.id)
		b = append(b, 0x40, 0, 64, 6, 0, 0)
	}
	b = appendAddr(b, from.Addr())
	b = appendAddr(b, to.Addr())
	b = binary.BigEndian.AppendUint16(b, from.Port())
	b = binary.BigEndian.AppendUint16(b, to.Port())
	b = binary.BigEndian.AppendUint32(b, c.seq[dir])
	ack := c.seq[dir.Reverse()]
	if !flags.Has(packet.ACK) {
		ack = 0
	}
	b = binary.BigEndian.AppendUint32(b, ack)
	b = append(b, tcpLen/4<<4, byte(flags), 0xff, 0xff, 0, 0, 0, 0)
	w.buf = append(b, payload...)
	c.seq[dir] += uint32(len(payload))
	if flags&(packet.SYN|packet.FIN) != 0 {
		c.seq[dir]++
	}
	w.packets++
	w.Now = w.Now.Add(w.Step)
	if len(w.buf) >= bufferSize {
		w.Flush()
	}
}

func appendAddr(b []byte, a netip.Addr) []byte {
	if a.Is6() {
		v := a.As16()
		return append(b, v[:]...)
	}
	v := a.As4()
	return append(b, v[:]...)
}
