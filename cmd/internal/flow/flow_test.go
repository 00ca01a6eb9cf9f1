package flow

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/wiretrue/websocket/cmd/internal/packet"
)

var (
	client = netip.MustParseAddrPort("10.0.0.1:40000")
	server = netip.MustParseAddrPort("10.0.0.2:8080")
	epoch  = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
)

// A script is a capture in the making: every call adds a segment, one
// millisecond after the one before.
type script struct {
	segs []packet.Segment
	seq  [2]uint32 // next sequence numbers
	now  time.Time
	id   uint16
}

func newScript() *script {
	return &script{seq: [2]uint32{1000, 4294967000}, now: epoch} // the server's wraps
}

func (sc *script) add(d Dir, flags packet.TCPFlags, seq uint32, payload string) *packet.Segment {
	sc.id++
	sc.now = sc.now.Add(time.Millisecond)
	s := packet.Segment{
		Packet: int64(len(sc.segs) + 1), Time: sc.now, Src: client, Dst: server, IPID: sc.id,
		Seq: seq, Ack: sc.seq[d.Reverse()], Flags: flags, Window: 1000,
		Payload: []byte(payload), Length: len(payload),
	}
	if d == ToClient {
		s.Src, s.Dst = s.Dst, s.Src
	}
	if flags == packet.SYN {
		s.Ack = 0
	}
	sc.segs = append(sc.segs, s)
	return &sc.segs[len(sc.segs)-1]
}

func (sc *script) open() {
	sc.add(ToServer, packet.SYN, sc.seq[ToServer]-1, "")
	sc.add(ToClient, packet.SYN|packet.ACK, sc.seq[ToClient]-1, "")
	sc.ack(ToServer)
}

func (sc *script) data(d Dir, payload string) *packet.Segment {
	s := sc.add(d, packet.ACK|packet.PSH, sc.seq[d], payload)
	sc.seq[d] += uint32(len(payload))
	return s
}

func (sc *script) ack(d Dir) *packet.Segment { return sc.add(d, packet.ACK, sc.seq[d], "") }

func (sc *script) fin(d Dir) {
	sc.add(d, packet.ACK|packet.FIN, sc.seq[d], "")
	sc.seq[d]++
}

func (sc *script) close() {
	sc.fin(ToServer)
	sc.fin(ToClient)
	sc.ack(ToServer)
}

// drop removes the last segment, as if the capture had missed it.
func (sc *script) drop() { sc.segs = sc.segs[:len(sc.segs)-1] }

// A diary writes down what a tracker reports, and checks what every handler
// may rely on.
type diary struct {
	t      testing.TB
	lines  []string
	stream map[int64]*[2]bytes.Buffer // gaps as underscores
	next   map[int64]*[2]int64
	conns  []*Conn
	ended  map[int64]bool
	quiet  bool
}

func newDiary(t testing.TB) *diary {
	return &diary{t: t, stream: map[int64]*[2]bytes.Buffer{}, next: map[int64]*[2]int64{}, ended: map[int64]bool{}}
}

func (d *diary) Open(c *Conn) {
	if d.stream[c.ID] != nil {
		d.t.Errorf("connection %d opened twice", c.ID)
	}
	d.stream[c.ID], d.next[c.ID] = new([2]bytes.Buffer), new([2]int64)
	d.conns = append(d.conns, c)
}

func (d *diary) alive(c *Conn) {
	if d.stream[c.ID] == nil || d.ended[c.ID] {
		d.t.Fatalf("connection %d is not open", c.ID)
	}
}

func (d *diary) advance(c *Conn, dir Dir, off, n int64) {
	next := &d.next[c.ID][dir]
	if off != *next || n <= 0 {
		d.t.Fatalf("%s at %d, %d bytes, expected offset %d", dir, off, n, *next)
	}
	*next += n
}

func (d *diary) Data(c *Conn, dir Dir, r Run) {
	d.alive(c)
	d.advance(c, dir, r.Offset, int64(len(r.Data)))
	d.stream[c.ID][dir].Write(r.Data)
}

func (d *diary) Event(c *Conn, ev Event) {
	d.alive(c)
	if ev.Kind == Gap {
		d.advance(c, ev.Dir, ev.Offset, ev.Length)
		d.stream[c.ID][ev.Dir].WriteString(strings.Repeat("_", int(min(ev.Length, 1<<16))))
	}
	if d.quiet {
		return
	}
	line := fmt.Sprintf("%d %s %s", ev.Packet, ev.Dir, ev.Kind)
	if ev.Length != 0 {
		line += fmt.Sprintf(" %d+%d", ev.Offset, ev.Length)
	}
	for _, f := range []struct {
		on   bool
		name string
	}{{ev.ACK, "ack"}, {ev.OutOfWindow, "out-of-window"}, {ev.Acked, "acked"}, {ev.Unseen, "unseen"}, {ev.Reason != 0, ev.Reason.String()}} {
		if f.on {
			line += " " + f.name
		}
	}
	d.lines = append(d.lines, line)
}

func (d *diary) End(c *Conn) {
	d.alive(c)
	d.ended[c.ID] = true
	for _, dir := range []Dir{ToServer, ToClient} {
		if n := c.StreamBytes(dir); n != d.next[c.ID][dir] {
			d.t.Errorf("connection %d %s: StreamBytes %d, delivered %d", c.ID, dir, n, d.next[c.ID][dir])
		}
	}
}

func (d *diary) text(conn int64, dir Dir) string { return d.stream[conn][dir].String() }

func track(t testing.TB, segs []packet.Segment, opts *Options) *diary {
	t.Helper()
	d := newDiary(t)
	tr := New(d, opts)
	for i := range segs {
		s := segs[i]
		s.Payload = bytes.Clone(s.Payload)
		tr.Segment(&s)
		for j := range s.Payload {
			s.Payload[j] = '!' // borrowed bytes must not be kept
		}
	}
	tr.Close()
	for _, c := range d.conns {
		if !d.ended[c.ID] {
			t.Errorf("connection %d has no End", c.ID)
		}
	}
	if n := tr.Stats().Buffered; n != 0 {
		t.Errorf("%d bytes still counted as kept", n)
	}
	return d
}

func TestEvents(t *testing.T) {
	tests := []struct {
		name           string
		script         func(*script)
		client, server string // streams of connection 0
		want           string // events other than the plain opening's
	}{{
		name:   "plain",
		script: func(s *script) { s.open(); s.data(0, "hello"); s.data(1, "world"); s.ack(0); s.close() },
		client: "hello", server: "world",
		want: "7 client fin; 8 server fin; 9 client closed",
	}, {
		name: "a segment is not in the capture",
		script: func(s *script) {
			s.open()
			s.data(0, "one")
			s.drop()
			s.data(0, "two")
			s.ack(1)
			s.close()
		},
		client: "___two",
		want:   "4 client hole 0+3; 6 client fin; 7 server fin; 8 client closed; 4 client gap 0+3 not captured",
	}, {
		name: "lost, sent again before the rest is acknowledged",
		script: func(s *script) {
			s.open()
			s.seq[0] += 3
			s.data(0, "two")
			s.seq[0] -= 6
			s.ack(1)
			s.now = s.now.Add(50 * time.Millisecond)
			s.data(0, "one")
			s.seq[0] += 3
			s.ack(1)
		},
		client: "onetwo",
		want:   "4 client hole 0+3; 6 client retransmission 0+3 unseen",
	}, {
		name:   "overtaken",
		script: func(s *script) { s.open(); s.seq[1] += 3; s.data(1, "two"); s.seq[1] -= 6; s.data(1, "one") },
		server: "onetwo",
		want:   "4 server hole 0+3; 5 server out of order 0+3",
	}, {
		name: "sent again, with more behind it",
		script: func(s *script) {
			s.open()
			s.data(0, "one")
			s.ack(1)
			s.seq[0] -= 3
			s.data(0, "onetwo")
		},
		client: "onetwo",
		want:   "6 client retransmission 0+3 acked",
	}, {
		name: "captured twice",
		script: func(s *script) {
			s.open()
			twice := *s.data(0, "one")
			twice.Packet++
			twice.Time = twice.Time.Add(time.Microsecond)
			s.segs = append(s.segs, twice)
			s.data(0, "two")
		},
		client: "onetwo",
		want:   "5 client duplicate 0+3",
	}, {
		name:   "reset",
		script: func(s *script) { s.open(); s.data(0, "one"); s.add(1, packet.RST|packet.ACK, s.seq[1], "") },
		client: "one",
		want:   "5 server rst; 5 server closed",
	}, {
		name: "a reset that does not fit",
		script: func(s *script) {
			s.open()
			s.add(1, packet.RST, s.seq[1]+1<<29, "")
			s.data(0, "on")
		},
		client: "on",
		want:   "4 server rst out-of-window",
	}, {
		name:   "refused",
		script: func(s *script) { s.add(0, packet.SYN, 999, ""); s.add(1, packet.RST|packet.ACK, 0, "") },
		want:   "2 server rst; 2 server closed",
	}, {
		name: "keep-alive and zero window",
		script: func(s *script) {
			s.open()
			s.data(0, "one")
			s.ack(1)
			s.add(0, packet.ACK, s.seq[0]-1, "")
			s.ack(1).Window = 0
			s.add(0, packet.ACK, s.seq[0]-1, "")
			s.ack(1).Window = 0
			s.ack(1)
			s.data(0, "two")
		},
		client: "onetwo",
		want:   "6 client keep-alive 2+0; 7 server zero window; 8 client window probe 2+0; 10 server zero window end",
	}, {
		name: "snap length",
		script: func(s *script) {
			s.open()
			s.data(0, "one").Length = 8
			s.seq[0] += 5
			s.data(0, "two")
		},
		client: "one_____two",
		want:   "4 client gap 3+5 packet cut by the snap length",
	}, {
		name: "in the middle",
		script: func(s *script) {
			s.data(1, "world")
			s.ack(0)
			s.data(0, "hello")
			s.ack(1)
		},
		client: "hello", server: "world",
		want: "1 server mid-stream",
	}, {
		name: "in the middle, out of order, held until acknowledged",
		script: func(s *script) {
			s.data(0, "one")
			s.data(0, "two")
			s.segs[0], s.segs[1] = s.segs[1], s.segs[0]
			s.ack(1)
		},
		client: "onetwo",
		want:   "2 client mid-stream; 2 client hole 0+3; 1 client out of order 0+3",
	}, {
		name: "the opening is captured after the data",
		script: func(s *script) {
			s.open()
			s.data(0, "one")
			s.segs = []packet.Segment{s.segs[3], s.segs[2], s.segs[1], s.segs[0]}
		},
		client: "one",
		want:   "",
	}, {
		name: "the tail is not in the capture",
		script: func(s *script) {
			s.open()
			s.data(0, "one")
			s.data(0, "two")
			s.drop()
			s.ack(1)
			s.close()
		},
		client: "one___",
		want:   "6 client fin; 7 server fin; 8 client closed; 6 client gap 3+3 not captured",
	}, {
		name: "data behind FIN, and far away",
		script: func(s *script) {
			s.open()
			s.data(0, "one")
			s.fin(0)
			s.data(0, "two")
			s.add(1, packet.ACK, s.seq[1]+1<<30+5, "far")
		},
		client: "one",
		want:   "5 client fin; 6 client stray 4+3; 7 server stray 1073741829+3",
	}, {
		name: "sent again while it is held",
		script: func(s *script) {
			s.open()
			s.seq[0] += 3
			s.data(0, "two")
			s.seq[0] -= 3
			s.data(0, "twothree")
			s.seq[0] -= 11
			s.data(0, "onetw")
		},
		client: "onetwothree",
		want:   "4 client hole 0+3; 6 client out of order 0+3",
	}}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			sc := newScript()
			tt.script(sc)
			d := track(t, sc.segs, nil)
			if got := d.text(0, ToServer); got != tt.client {
				t.Errorf("client sent %q, want %q", got, tt.client)
			}
			if got := d.text(0, ToClient); got != tt.server {
				t.Errorf("server sent %q, want %q", got, tt.server)
			}
			var got []string
			for _, l := range d.lines {
				if !strings.HasSuffix(l, "client syn") && !strings.HasSuffix(l, "syn ack") && !strings.HasSuffix(l, "established") {
					got = append(got, l)
				}
			}
			// Events without a length print without offset.
			want := strings.ReplaceAll(tt.want, " 2+0", "")
			if g := strings.Join(got, "; "); g != want {
				t.Errorf("events\n  %s\nwant\n  %s", g, want)
			}
		})
	}
}

func TestOpening(t *testing.T) {
	sc := newScript()
	sc.add(0, packet.SYN, 999, "").Options = []byte{2, 4, 5, 180, 4, 2, 1, 3, 3, 7}
	sc.add(1, packet.SYN|packet.ACK, sc.seq[1]-1, "").Options = []byte{2, 4, 5, 160}
	sc.ack(0)
	d := track(t, sc.segs, nil)
	c := d.conns[0]
	if c.Client() != client || c.Server() != server || c.Evidence != SawSYN || c.MidStream || c.RTT() != 2*time.Millisecond {
		t.Errorf("%v -> %v, %v, mid-stream %v, rtt %v", c.Client(), c.Server(), c.Evidence, c.MidStream, c.RTT())
	}
	if c.windowScale != [2]int8{7, -1} || c.scale(ToServer) != 0 {
		t.Errorf("window scales %v, the client's %d in effect, want 7 and none, and so 0", c.windowScale, c.scale(ToServer))
	}
}

func TestClientIsGuessed(t *testing.T) {
	at := func(port uint16) netip.AddrPort { return netip.AddrPortFrom(server.Addr(), port) }
	tests := []struct {
		src, dst uint16
		payload  string
		client   uint16
		ev       Evidence
	}{
		{9000, 50000, "GET / HTTP/1.1", 9000, ByContent},
		{50000, 9000, "HTTP/1.1 101", 9000, ByContent},
		{443, 50000, "\x16\x03\x01\x00\x05\x01", 443, ByContent},
		{443, 50000, "x", 50000, ByPort},
		{50000, 8080, "x", 50000, ByPort},
		{40000, 50000, "x", 50000, ByPortSize},
		{40000, 50000, "\x81\x82\x01\x02\x03\x04hi", 40000, ByContent},
		{40000, 50000, "\x81\x02hi\x89\x00", 50000, ByContent},
		{30000, 50000, "\x89\x80\x01\x02\x03\x04", 30000, ByContent},
		{40000, 50000, "\x81\x03hi", 50000, ByPortSize}, // no whole frame
		{40000, 80, "\x81\x02hi", 40000, ByPort},        // only a server has that port
		{50000, 51000, "\x81\x02hi", 50000, ByPort},     // nor would it be asked
		{50000, 51000, "x", 50000, ByPort},              // 51000 is in ServerPorts
	}
	for _, tt := range tests {
		s := packet.Segment{Packet: 1, Time: epoch, Src: at(tt.src), Dst: at(tt.dst), Flags: packet.ACK,
			Payload: []byte(tt.payload), Length: len(tt.payload)}
		d := track(t, []packet.Segment{s}, &Options{ServerPorts: []uint16{51000}})
		if c := d.conns[0]; c.Client().Port() != tt.client || c.Evidence != tt.ev {
			t.Errorf("%d -> %d %q: client %d, %v", tt.src, tt.dst, tt.payload, c.Client().Port(), c.Evidence)
		}
	}
}

func TestPortReuse(t *testing.T) {
	for _, closed := range []bool{true, false} {
		sc := newScript()
		sc.open()
		sc.data(0, "first")
		if closed {
			sc.close()
		}
		sc.seq = [2]uint32{700000, 800000}
		sc.open()
		sc.data(0, "second")
		d := track(t, sc.segs, nil)
		if len(d.conns) != 2 || d.text(0, 0) != "first" || d.text(1, 0) != "second" {
			t.Fatalf("closed %v: %d connections: %q", closed, len(d.conns), d.lines)
		}
		want := PortReused
		if closed {
			want = Finished
		}
		if d.conns[0].Ended != want {
			t.Errorf("closed %v: ended %v", closed, d.conns[0].Ended)
		}
	}
}

// conversation is a long exchange in small segments.
func conversation(seed uint64, messages int) (*script, [2]string) {
	rnd := rand.New(rand.NewPCG(seed, 1))
	sc := newScript()
	sc.now = sc.now.Add(-time.Millisecond)
	sc.open()
	var sent [2]string
	for i := range messages {
		d := Dir(rnd.IntN(2))
		m := fmt.Sprintf("<%d:%s>", i, strings.Repeat("x", rnd.IntN(40)))
		sent[d] += m
		sc.data(d, m)
		if rnd.IntN(3) == 0 {
			sc.ack(d.Reverse())
		}
	}
	sc.ack(0)
	sc.ack(1)
	sc.close()
	for i := range sc.segs { // fast: whatever depends on time must not depend on this
		sc.segs[i].Time = epoch.Add(time.Duration(i) * 20 * time.Microsecond)
	}
	return sc, sent
}

func TestShuffledAndDuplicated(t *testing.T) {
	for seed := range uint64(200) {
		sc, sent := conversation(seed, 150)
		rnd := rand.New(rand.NewPCG(seed, 2))
		segs := sc.segs
		for range 40 { // duplicates, near and far
			i := rnd.IntN(len(segs))
			s := segs[i]
			i += rnd.IntN(len(segs) - i)
			segs = append(segs[:i:i], append([]packet.Segment{s}, segs[i:]...)...)
		}
		blockShuffle(rnd, segs, 12)
		d := track(t, segs, nil)
		if len(d.conns) != 1 {
			t.Fatalf("seed %d: %d connections", seed, len(d.conns))
		}
		for dir := range Dir(2) {
			if got := d.text(0, dir); got != sent[dir] {
				t.Fatalf("seed %d: %s: %d bytes of %d: %s", seed, dir, len(got), len(sent[dir]), strings.Join(d.lines, "\n"))
			}
		}
	}
}

// blockShuffle shuffles within consecutive blocks of n segments.
func blockShuffle(rnd *rand.Rand, segs []packet.Segment, n int) {
	for len(segs) > 0 {
		b := segs[:min(n, len(segs))]
		rnd.Shuffle(len(b), func(i, j int) { b[i], b[j] = b[j], b[i] })
		segs = segs[len(b):]
	}
}

func TestDroppedSegments(t *testing.T) {
	for seed := range uint64(200) {
		sc, sent := conversation(seed, 150)
		rnd := rand.New(rand.NewPCG(seed, 3))
		want := [2][]byte{[]byte(sent[0]), []byte(sent[1])}
		base := [2]uint32{1000, 4294967000}
		var segs []packet.Segment
		for _, s := range sc.segs {
			if len(s.Payload) > 0 && rnd.IntN(12) == 0 {
				dir := ToServer
				if s.Src == server {
					dir = ToClient
				}
				copy(want[dir][s.Seq-base[dir]:], bytes.Repeat([]byte("_"), len(s.Payload)))
				continue
			}
			segs = append(segs, s)
		}
		d := track(t, segs, nil)
		for dir := range Dir(2) {
			if got := d.text(0, dir); got != string(want[dir]) {
				t.Fatalf("seed %d: %s\ngot  %s\nwant %s", seed, dir, got, want[dir])
			}
		}
	}
}

func TestGapIsGivenUpWhileTheConnectionGoesOn(t *testing.T) {
	sc := newScript()
	sc.open()
	sc.data(0, "lost")
	sc.drop()
	for i := range 100 {
		sc.data(0, fmt.Sprint(i, ","))
		sc.ack(1)
	}
	d := newDiary(t)
	tr := New(d, nil)
	for i := range sc.segs {
		tr.Segment(&sc.segs[i])
	}
	if got := d.text(0, 0); !strings.HasPrefix(got, "____0,1,2,") || !strings.HasSuffix(got, "99,") {
		t.Errorf("before Close: %q", got)
	}
	tr.Close()
}

func TestTick(t *testing.T) {
	sc := newScript()
	sc.data(0, "a quiet connection, captured from its middle")
	d := newDiary(t)
	tr := New(d, nil)
	tr.Segment(&sc.segs[0])
	if len(d.conns) != 0 {
		t.Error("understood at once")
	}
	tr.Tick(sc.now.Add(time.Second))
	if len(d.conns) != 1 || d.text(0, 0) == "" {
		t.Error("not understood after a second")
	}
	tr.Close()
}

func TestBounds(t *testing.T) {
	const conns = 3000
	opts := &Options{MaxConns: 500, MaxBuffer: 10_000, MaxBuffered: 100_000}
	d := newDiary(t)
	d.quiet = true
	tr := New(d, opts)
	rnd := rand.New(rand.NewPCG(1, 1))
	for i := range 200_000 {
		s := packet.Segment{Packet: int64(i + 1), Time: epoch.Add(time.Duration(i) * time.Microsecond),
			Src: netip.AddrPortFrom(client.Addr(), uint16(rnd.IntN(conns))), Dst: server,
			Seq: rnd.Uint32N(1 << 20), Flags: packet.ACK, Payload: make([]byte, rnd.IntN(1400)), IPID: uint16(i)}
		s.Length = len(s.Payload)
		tr.Segment(&s)
		if st := tr.Stats(); st.Open > opts.MaxConns || st.Buffered > opts.MaxBuffered+1500 {
			t.Fatalf("%+v", st)
		}
		clear(d.stream)
		for _, c := range d.conns {
			if !d.ended[c.ID] {
				d.stream[c.ID] = new([2]bytes.Buffer)
			}
		}
		if len(d.conns) > 1000 {
			d.conns = d.conns[500:]
			break
		}
	}
	if tr.Stats().Evicted == 0 {
		t.Error("nothing was evicted")
	}
}

// When there are too many connections, those that have been quiet go first.
func TestQuietConnectionsGoFirst(t *testing.T) {
	tracker := New(newDiary(t), &Options{MaxConns: 4})
	n := int64(0)
	use := func(ports ...uint16) {
		for _, port := range ports {
			n++
			tracker.Segment(&packet.Segment{Packet: n, Time: epoch.Add(time.Duration(n) * time.Millisecond), Flags: packet.ACK,
				Src: netip.AddrPortFrom(client.Addr(), port), Dst: server, Seq: uint32(n), Payload: []byte("x"), Length: 1})
		}
	}
	use(1, 2, 3, 4, 5) // all of them were used: the first goes
	use(2, 3, 6)       // 4 was not used since
	use(2, 3, 5, 6)
	if got := tracker.Stats(); got.Conns != 6 || got.Evicted != 2 || got.Open != 4 {
		t.Errorf("%d connections, %d evicted, %d open, want 6, 2 and 4: 1 and 4 go", got.Conns, got.Evicted, got.Open)
	}
	tracker.Close()
}

func TestBufferLimitIsReported(t *testing.T) {
	sc := newScript()
	sc.open()
	sc.seq[0] += 10
	for range 100 {
		sc.data(0, strings.Repeat("y", 100))
	}
	d := track(t, sc.segs, &Options{MaxBuffer: 5000})
	if !strings.Contains(strings.Join(d.lines, "\n"), "gap 0+10 buffer limit") {
		t.Errorf("%q", d.lines)
	}
}

func TestDirReverse(t *testing.T) {
	if ToServer.Reverse() != ToClient || ToClient.Reverse() != ToServer {
		t.Error("Reverse does not reverse")
	}
	if !reflect.DeepEqual([]string{ToServer.String(), ToClient.String()}, []string{"client", "server"}) {
		t.Error("names")
	}
}
