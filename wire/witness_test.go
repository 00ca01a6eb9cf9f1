package wire_test

import (
	"encoding/binary"
	"fmt"
	"slices"
	"testing"

	"github.com/wiretrue/websocket/wire"
	"github.com/wiretrue/websocket/wire/deflate"
	"github.com/wiretrue/websocket/wire/rfc"
)

func TestPings(t *testing.T) {
	t.Parallel()
	const none = -1
	type pong struct {
		payload string
		at      int64 // of the ping that it answers, which is its number; or none
		broken  rfc.Set
		waiting int // pings that wait behind it
	}
	differs, unasked := rfc.SetOf(rfc.PongMatchesPing), rfc.SetOf(rfc.PongAnswersPing)
	many := make([]string, 20)
	for i := range many {
		many[i] = fmt.Sprint(i)
	}
	for _, tt := range []struct {
		name  string
		pings []string
		pongs []pong
	}{
		{"one", []string{"a"}, []pong{{"a", 0, rfc.Set{}, 0}}},
		{"unasked", nil, []pong{{"a", none, unasked, 0}}},
		{"different", []string{"a"}, []pong{{"b", none, differs, 1}, {"a", 0, rfc.Set{}, 0}}},
		{"longer", []string{"a"}, []pong{{"ab", none, differs, 1}}},
		{"twice", []string{"a"}, []pong{{"a", 0, rfc.Set{}, 0}, {"a", none, unasked, 0}}},
		{"in order", []string{"a", "b"}, []pong{{"a", 0, rfc.Set{}, 1}, {"b", 1, rfc.Set{}, 0}}},
		{"the newest alone", []string{"a", "b", "c"}, []pong{{"c", 2, rfc.Set{}, 0}}},
		{"the newest, then the others", []string{"a", "b"}, []pong{{"b", 1, rfc.Set{}, 0}, {"a", 0, rfc.Set{}, 0}, {"a", none, unasked, 0}}},
		{"the middle", []string{"a", "b", "c"}, []pong{{"b", 1, rfc.Set{}, 1}, {"x", none, differs, 1}, {"a", 0, rfc.Set{}, 1}, {"c", 2, rfc.Set{}, 0}}},
		{"equal ones", []string{"", "", ""}, []pong{{"", 2, rfc.Set{}, 0}, {"", 1, rfc.Set{}, 0}, {"", 0, rfc.Set{}, 0}, {"", none, unasked, 0}}},
		{"more than are remembered", many, []pong{
			{"0", none, rfc.Set{}, 16}, {"1", none, rfc.Set{}, 16}, {"2", none, rfc.Set{}, 16}, {"3", none, rfc.Set{}, 16},
			{"4", 4, rfc.Set{}, 15}, {"x", none, differs, 15}, {"19", 19, rfc.Set{}, 0},
		}},
	} {
		var p wire.Pings
		for i, payload := range tt.pings {
			p.Sent([]byte(payload), int64(i))
		}
		for i, want := range tt.pongs {
			at, answers, broken := p.Pong([]byte(want.payload))
			if !answers {
				at = none
			}
			if at != want.at || broken != want.broken || p.Waiting() != want.waiting {
				t.Errorf("%s: pong %d answers %d, breaks %v and leaves %d, want %+v", tt.name, i, at, broken, p.Waiting(), want)
			}
		}
	}
}

// A peer that is sent pings for ever and answers the newest now and then.
func TestPingsStayBounded(t *testing.T) {
	var p wire.Pings
	var n int64
	var payload []byte
	round := func() {
		for range 100 {
			n++
			payload = binary.BigEndian.AppendUint64(payload[:0], uint64(n))
			p.Sent(payload, n)
		}
		if at, answers, broken := p.Pong(payload); at != n || !answers || !broken.Clean() {
			t.Fatalf("the pong to %d answers %d, %v, breaks %v", n, at, answers, broken)
		}
	}
	round()
	if allocs := testing.AllocsPerRun(100, round); allocs != 0 {
		t.Errorf("%v allocations a hundred pings", allocs)
	}
}

// act is what one side does: frames in the notation, or the end.
type act struct {
	from wire.Role
	line string
	want rfc.Set // what its last event, or the end, breaks
}

const end = "end"

func TestWitness(t *testing.T) {
	t.Parallel()
	const c, s = wire.Client, wire.Server
	clean := rfc.Set{}
	for _, tt := range []struct {
		name string
		acts []act
	}{
		{"closing handshake", []act{{c, "88 82 01010101 03e8^01010101", clean}, {s, "88 02 03e8", clean}, {s, end, clean}, {c, end, clean}}},
		{"closing handshake without codes", []act{{s, "88 00", clean}, {c, "88 80 01010101", clean}, {s, end, clean}, {c, end, clean}}},
		{"both begin, with other codes", []act{{s, "88 02 03e9", clean}, {c, "88 82 01010101 03e8^01010101", rfc.SetOf(rfc.CloseCodeEchoed)}, {s, end, clean}, {c, end, clean}}},
		{"the server cuts before the answer", []act{{s, "88 02 03e9", clean}, {s, end, clean}, {c, end, rfc.SetOf(rfc.CloseAnswered)}}},
		{"the server cuts, the client answers", []act{{s, "88 02 03e9", clean}, {s, end, clean}, {c, "88 82 01010101 03e9^01010101", clean}, {c, end, clean}}},
		{"a ping behind the own close", []act{{s, "88 00", clean}, {s, "89 00", clean}, {c, "88 80 01010101", clean}, {s, end, clean}, {c, end, clean}}},
		{"a ping to who has closed", []act{{c, "88 80 01010101", clean}, {s, "89 00", clean}, {s, "88 00", clean}, {s, end, clean}, {c, end, clean}}},
		{"two closes of one side", []act{{c, "88 80 01010101", clean}, {c, "88 80 02020202", clean}, {s, "88 00", clean}, {s, end, clean}, {c, end, clean}}},
		{"an end in a ping", []act{{s, "89 05 00", clean}, {s, end, rfc.SetOf(rfc.EndBetweenFrames, rfc.CloseBeforeEnd)}, {c, end, clean}}},
		{"an end behind the first byte", []act{{s, "89", clean}, {s, end, rfc.SetOf(rfc.EndBetweenFrames, rfc.CloseBeforeEnd)}, {c, end, clean}}},
		{"a message left unfinished by a close", []act{{c, "01 80 01010101", clean}, {c, "88 80 02020202", clean}, {s, "88 00", clean}, {s, end, clean}, {c, end, clean}}},
		{"each side pings, the server answers", []act{
			{c, "89 81 01010101 00^01010101", clean}, {s, "89 01 01", clean}, {s, "8a 01 00", clean},
			{s, end, rfc.SetOf(rfc.CloseBeforeEnd)}, {c, end, rfc.SetOf(rfc.PingAnswered)},
		}},
		{"a pong in the wrong direction", []act{{s, "89 01 01", clean}, {s, "8a 01 01", rfc.SetOf(rfc.PongAnswersPing)}}},
		{"a masked server", []act{{s, "81 80 01010101", rfc.SetOf(rfc.ServerMustNotMask)}}},
		{"an unmasked client", []act{{c, "82 00", rfc.SetOf(rfc.ClientMustMask)}}},
	} {
		w := wire.NewWitness(wire.Limits{})
		for i, a := range tt.acts {
			var broken rfc.Set
			if a.line == end {
				broken = w.End(a.from)
			} else {
				for _, ev := range readAll(t, nextOf(w, a.from), notation(t, a.line)) {
					broken = broken.Union(ev.Broken)
				}
			}
			if broken != a.want {
				t.Errorf("%s: act %d (%v %s) breaks %q, want %q", tt.name, i, a.from, a.line, broken, a.want)
			}
		}
	}
}

// What was agreed on makes RSV1 legal, and binds each direction by its own
// parameters.
func TestWitnessAgrees(t *testing.T) {
	t.Parallel()
	const hello, again = "c1 07 f248cdc9c90700", "c1 05 f200110000" // RFC 7692 7.2.3.2
	w := wire.NewWitness(wire.Limits{})
	w.Agree(deflate.Params{ServerNoContextTakeover: true})
	for _, from := range []wire.Role{wire.Client, wire.Server} {
		w.Receiver(from).Decompressor = deflate.NewDecompressor(15)
	}
	for _, tt := range []struct {
		from wire.Role
		line string
		data string
		want rfc.Set
	}{
		{wire.Server, hello, "Hello", rfc.Set{}},
		{wire.Server, again, "H", rfc.SetOf(rfc.InflatablePayload)},
		{wire.Client, "c1 87 00000000 f248cdc9c90700", "Hello", rfc.Set{}},
		{wire.Client, "c1 85 00000001 f200110000^00000001", "Hello", rfc.Set{}},
		{wire.Server, "c9 00", "", rfc.SetOf(rfc.ReservedBitsZero)},
	} {
		var data string
		var broken rfc.Set
		for _, ev := range readAll(t, nextOf(w, tt.from), notation(t, tt.line)) {
			if broken = broken.Union(ev.Broken); ev.Kind == wire.Data {
				data += ev.Data
			}
		}
		if data != tt.data || broken != tt.want {
			t.Errorf("%v sends %s: %q, breaks %v, want %q, %v", tt.from, tt.line, data, broken, tt.data, tt.want)
		}
	}
}

// A Witness that was put away between frames goes on as if it had not been.
func TestWitnessResumes(t *testing.T) {
	t.Parallel()
	for _, v := range corpus(t) {
		w, again := wire.NewWitness(limitsOf(v)), wire.NewWitness(limitsOf(v))
		for _, s := range v.Steps {
			if s.Part != "frames" && s.Part != "end" {
				continue
			}
			if state, ok := again.State(); ok {
				again = new(wire.Witness)
				again.Resume(limitsOf(v), state)
			}
			from := roleOf(s.From)
			if s.Part == "end" {
				if got, want := again.End(from), w.End(from); got != want {
					t.Errorf("%s: the end breaks %v, want %v", v.Name, got, want)
				}
				continue
			}
			for _, b := range bytewise(s.Bytes) {
				want := readAll(t, nextOf(w, from), b)
				if got := readAll(t, nextOf(again, from), b); !slices.Equal(got, want) {
					t.Fatalf("%s: %s", v.Name, difference(got, want))
				}
				if state, ok := again.State(); ok {
					again.Resume(limitsOf(v), state)
				}
			}
		}
	}
}

func TestWitnessAppliesLimits(t *testing.T) {
	t.Parallel()
	w := wire.NewWitness(wire.Limits{Message: 2})
	for _, from := range []wire.Role{wire.Client, wire.Server} {
		events := readAll(t, nextOf(w, from), notation(t, `02 03 "abc"`))
		if !events[0].Broken.Has(rfc.MessageSize) {
			t.Errorf("the %v broke %v", from, events[0].Broken)
		}
		if got := w.Receiver(from); got.Role != from.Peer() || got.Offset() != 5 {
			t.Errorf("the Receiver of what the %v sends is a %v's, at %d", from, got.Role, got.Offset())
		}
	}
}

// Any bytes of both sides, in any turns: the cuts change nothing.
func FuzzWitness(f *testing.F) {
	for _, v := range corpus(f) {
		if c, s := v.Frames("client"), v.Frames("server"); v.To == "witness" && len(c)+len(s) > 0 {
			f.Add(c, s, []byte{3, 0x85, 2, 0x82})
		}
	}
	f.Fuzz(func(t *testing.T, fromClient, fromServer, turns []byte) {
		var steps []act
		for _, turn := range append(turns, 0x7f, 0xff) { // the top bit tells whose, the others how many bytes
			from, all := wire.Client, &fromClient
			if turn&0x80 != 0 {
				from, all = wire.Server, &fromServer
			}
			n := min(int(turn&0x7f), len(*all))
			if turn&0x7f == 0x7f {
				n = len(*all)
			}
			steps = append(steps, act{from: from, line: string((*all)[:n])})
			*all = (*all)[n:]
		}
		read := func(whole bool) (told []event) {
			w := wire.NewWitness(wire.Limits{})
			for _, s := range steps {
				pieces := [][]byte{[]byte(s.line)}
				if !whole {
					pieces = bytewise([]byte(s.line))
				}
				told = append(told, readAll(t, nextOf(w, s.from), pieces...)...)
			}
			for _, from := range []wire.Role{wire.Server, wire.Client} {
				told = append(told, event{Broken: w.End(from), Offset: w.Receiver(from).Offset()})
			}
			return told
		}
		want := read(true)
		if got := read(false); !slices.Equal(got, want) {
			t.Fatal(difference(got, want))
		}
	})
}
