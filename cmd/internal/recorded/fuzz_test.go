package recorded

import (
	"bytes"
	"errors"
	"io"
	"net"
	"testing"
	"time"

	"github.com/wiretrue/websocket"
	"github.com/wiretrue/websocket/cmd/internal/flow"
	"github.com/wiretrue/websocket/cmd/internal/packet"
	"github.com/wiretrue/websocket/record"
)

// endpoints are those of connections, in pairs that may and may not be real.
var endpoints = [][2]net.Addr{
	{tcpAddr("10.0.0.1:40000"), tcpAddr("10.0.0.2:80")},
	{tcpAddr("[fd00::1]:40000"), tcpAddr("[fd00::2]:443")},
	{tcpAddr("[::ffff:10.0.0.3]:1"), tcpAddr("10.0.0.2:80")},
	{tcpAddr("[fe80::1%eth0]:7"), tcpAddr("[fe80::2%eth0]:9")},
	{tcpAddr("10.0.0.1:40000"), tcpAddr("[fd00::2]:443")}, // one family to the other: there is no such packet
	{&net.UnixAddr{Net: "unix", Name: "@"}, &net.UnixAddr{Net: "unix", Name: "/run/socket"}},
	{nil, nil},
}

func tcpAddr(s string) net.Addr {
	a, err := net.ResolveTCPAddr("tcp", s)
	if err != nil {
		panic(err) // of a constant
	}
	return a
}

// caller calls the functions of a Trace as a connection does, and remembers
// what it told. The streams are those of the client and of the server.
type caller struct {
	c       *websocket.Conn
	server  bool
	streams *[2][]byte
	ended   [2]bool // this end, the peer
	over    bool    // the cause was told
}

func (k *caller) stream(received bool) int {
	if k.server == received {
		return 0
	}
	return 1
}

func (k *caller) bytes(t *websocket.Trace, received bool, b []byte) {
	side := 0
	tell := t.Sent
	if received {
		side, tell = 1, t.Received
	}
	if k.ended[side] {
		return
	}
	k.streams[k.stream(received)] = append(k.streams[k.stream(received)], b...)
	tell(k.c, b)
}

func (k *caller) end(t *websocket.Trace, e websocket.TransportEvent) {
	switch e {
	case websocket.TransportEOF:
		k.ended[1] = true
	case websocket.TransportFinished:
		k.ended[0] = true
	default:
		k.ended = [2]bool{true, true}
	}
	t.Transport(k.c, e)
}

// flows collects the streams of TCP connections.
type flows struct {
	t       *testing.T
	order   []*flow.Conn
	streams map[*flow.Conn]*[2][]byte
}

func (f *flows) Open(c *flow.Conn) {
	f.order = append(f.order, c)
	f.streams[c] = new([2][]byte)
}
func (f *flows) End(*flow.Conn) {}
func (f *flows) Data(c *flow.Conn, dir flow.Dir, run flow.Run) {
	f.streams[c][dir] = append(f.streams[c][dir], run.Data...)
}
func (f *flows) Event(_ *flow.Conn, ev flow.Event) {
	switch ev.Kind {
	case flow.SYN, flow.Established, flow.FIN, flow.RST, flow.Closed:
	default:
		f.t.Errorf("packet %d: %v", ev.Packet, ev.Kind)
	}
}

// FuzzTrace states that whatever a Trace is told, in whatever order, is in the
// recording, and that nothing in there looks like a mistake of TCP.
func FuzzTrace(f *testing.F) {
	f.Add([]byte("\x00\x02\x10\x03\x20\x04\x05\x07"))
	f.Add([]byte("\x00\x40\x80\xc0\x02\xff\x42\x10\x83\x20\xc3\x01\x46\x06\x86\xc6\x07\x00\x02\x09"))
	f.Add([]byte("\x08\x02\xff\x02\xff\x03\xff\x03\xff\x05\x02\x01\x06\x02\x01\x07\x08\x02\x01"))
	f.Fuzz(func(t *testing.T, script []byte) {
		var file bytes.Buffer
		r, err := record.New(&file, nil)
		if err != nil {
			t.Fatal(err)
		}
		trace := r.Trace()
		var conns [4]*caller
		var want []*[2][]byte
		for total := 0; len(script) > 0 && total < 2<<20; script = script[1:] {
			// Of a byte, two bits choose the connection and four what it does.
			op, k := script[0]&0xf, &conns[script[0]>>6]
			size := 0
			if op == 2 || op == 3 {
				if len(script) > 1 {
					script = script[1:]
					size = int(script[0]) * int(script[0]) * 3 // up to several packets
					total += size
				}
			}
			switch {
			case *k == nil || op == 0 || op == 1:
				if *k != nil {
					(*k).end(trace, websocket.TransportClosed)
				}
				h := &websocket.HandshakeTrace{Server: op&1 == 1, Begun: time.Now(), Request: []byte("GET /\n"), Response: []byte("HTTP/1.1 101\n")}
				ends := endpoints[len(want)%len(endpoints)]
				if h.Local, h.Remote = ends[0], ends[1]; h.Server {
					h.Local, h.Remote = h.Remote, h.Local
				}
				*k = &caller{c: new(websocket.Conn), server: h.Server, streams: &[2][]byte{bytes.Clone(h.Request), bytes.Clone(h.Response)}}
				want = append(want, (*k).streams)
				if op == 8 { // which has no Conn
					h.Err, *k = errors.New("refused"), nil
					trace.Handshake(nil, h)
					break
				}
				trace.Handshake((*k).c, h)
			case op == 2, op == 3:
				(*k).bytes(trace, op == 3, bytes.Repeat([]byte{byte(len(script))}, size))
			case op == 4:
				if !(*k).over {
					(*k).over = true
					trace.Ended((*k).c, io.EOF)
				}
			case op == 5:
				(*k).end(trace, websocket.TransportEOF)
			case op == 6:
				(*k).end(trace, websocket.TransportFinished)
			case op == 7, op == 9:
				if op == 9 {
					(*k).end(trace, websocket.TransportReset)
				}
				(*k).end(trace, websocket.TransportClosed)
				*k = nil
			case op == 10:
				r.Flush()
			}
		}
		for _, k := range conns { // for whose end Close would wait
			if k != nil && k.over {
				k.end(trace, websocket.TransportClosed)
			}
		}
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
		if s := r.Stats(); s.Lost != 0 || s.Missed != 0 || s.Full || s.Bytes != int64(file.Len()) || s.Connections != int64(len(want)) {
			t.Fatalf("stats %+v of %d connections and %d bytes", s, len(want), file.Len())
		}

		got := &flows{t: t, streams: map[*flow.Conn]*[2][]byte{}}
		tracker := flow.New(got, nil)
		var decoder packet.Decoder
		for _, p := range packetsOf(t, file.Bytes()) {
			var s packet.Segment
			if k := decoder.Decode(&p, &s); k != packet.IsTCP || s.Truncated() {
				t.Fatalf("packet %d is no segment: %v", p.Number, k)
			}
			tracker.Segment(&s)
		}
		tracker.Close()
		if len(got.order) != len(want) {
			t.Fatalf("%d connections in the recording, of %d", len(got.order), len(want))
		}
		for i, c := range got.order {
			for dir := range 2 {
				if !bytes.Equal(got.streams[c][dir], want[i][dir]) {
					t.Errorf("connection %d: %d bytes of %v in the recording, of %d", i, len(got.streams[c][dir]), flow.Dir(dir), len(want[i][dir]))
				}
			}
		}
	})
}
