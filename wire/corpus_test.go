package wire_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/wiretrue/websocket/vectors"
	"github.com/wiretrue/websocket/wire"
	"github.com/wiretrue/websocket/wire/deflate"
	"github.com/wiretrue/websocket/wire/frame"
	"github.com/wiretrue/websocket/wire/handshake"
	"github.com/wiretrue/websocket/wire/rfc"
)

// alsoBroken names the vectors whose bytes cannot break their rule alone, and
// the further rules that they break.
var alsoBroken = map[string]string{
	"9112-2.1-request-without-version": "RequestHTTP11",
	"6455-11.3.5-version-list":         "Version13",
	"6455-4.4-426-without-versions":    "SwitchingProtocols",
	"6455-7.1.5-end-in-payload":        "CloseBeforeEnd",
	"6455-7.1.5-end-in-header":         "CloseBeforeEnd",
	"6455-7.1.5-end-in-message":        "CloseBeforeEnd",
	"6455-5.5.2-ping-unanswered":       "CloseBeforeEnd",
	"6455-5.5-fragmented-ping":         "ContinuationNeedsStart",
}

// needsClock says that nothing but a clock can see the rule broken.
func needsClock(r rfc.Rule) bool { return r == rfc.ControlRate }

// finding is one event that broke rules, or an end.
type finding struct {
	Broken rfc.Set
	At     int64 // of the first broken rule
}

func corpus(t testing.TB) []vectors.Vector {
	t.Helper()
	all, err := vectors.All()
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func TestCorpus(t *testing.T) {
	t.Parallel()
	for _, v := range corpus(t) {
		t.Run(v.Name, func(t *testing.T) {
			t.Parallel()
			found := append(judgeHeads(t, v), judgeFrames(t, v)...)
			checkFindings(t, v, found)
			if v.To != "witness" {
				checkMessages(t, v)
				checkGoesOn(t, v)
			}
		})
	}
}

func checkFindings(t *testing.T, v vectors.Vector, found []finding) {
	t.Helper()
	var broken rfc.Set
	for _, f := range found {
		broken = broken.Union(f.Broken)
	}
	if v.Expect == "clean" || needsClock(v.Rule) {
		if !broken.Clean() {
			t.Errorf("broke %v, want a clean vector", broken)
		}
		return
	}
	if len(found) == 0 {
		t.Fatalf("nothing was broken, want %v", v.Rule)
	}
	if got := found[0].Broken.First(); got != v.Rule {
		t.Errorf("broke %v first, want %v", got, v.Rule)
	}
	if v.At >= 0 && found[0].At != v.At {
		t.Errorf("broken at %d, want %d", found[0].At, v.At)
	}
	want := rfc.SetOf(v.Rule)
	for name := range strings.FieldsSeq(alsoBroken[v.Name]) {
		rule, ok := rfc.Parse(name)
		if !ok {
			t.Fatalf("alsoBroken: %q is no rule", name)
		}
		want.Add(rule)
	}
	if broken != want {
		t.Errorf("broke %v, want %v", broken, want)
	}
	info := v.Rule.Info()
	switch fatal := broken.Fatal(); v.Expect {
	case "close":
		if fatal != v.Rule || int(info.Code) != v.Code {
			t.Errorf("the connection fails for %v with %d, want %d", fatal, info.Code, v.Code)
		}
	case "refuse":
		if fatal != v.Rule || info.Status != v.Code {
			t.Errorf("the request is refused for %v with %d, want %d", fatal, info.Status, v.Code)
		}
	case "fail":
		if fatal != v.Rule || info.Binds != rfc.Server {
			t.Errorf("the handshake fails for %v, want %v", fatal, v.Rule)
		}
	case "note":
		if info.Code != 0 || info.Status != 0 {
			t.Errorf("%v is no note: it ends the connection", v.Rule)
		}
	}
}

// judgeHeads judges the opening handshake of the vector, if it has one.
func judgeHeads(t *testing.T, v vectors.Vector) (found []finding) {
	t.Helper()
	note := func(broken rfc.Set) {
		if !broken.Clean() {
			found = append(found, finding{broken, -1})
		}
	}
	var offer handshake.Offer
	for i, s := range v.Steps {
		switch s.Part {
		case "request":
			b := s.Bytes
			if next := i + 1; next < len(v.Steps) && v.Steps[next].Part == "frames" {
				b = append(bytes.Clone(b), v.Steps[next].Bytes...)
			}
			r, n := handshake.ParseRequest(b, 0)
			if n != len(s.Bytes) && r.Broken.Clean() {
				t.Errorf("%d bytes of the request were read, want %d", n, len(s.Bytes))
			}
			var broken rfc.Set
			offer, broken = r.Offer()
			if v.To == "server" && !r.OriginAllowed(false, v.Origins) {
				broken.Add(rfc.OriginAllowed)
			}
			_, _, brokenOffer := deflate.Choose(offer.Extensions, deflate.Params{})
			note(broken.Union(brokenOffer))
		case "response":
			r, n := handshake.ParseResponse(s.Bytes, 0)
			if n != len(s.Bytes) && r.Broken.Clean() {
				t.Errorf("%d bytes of the response were read, want %d", n, len(s.Bytes))
			}
			agreed, broken := r.Agreement(offer)
			_, _, brokenAnswer := deflate.Confirm(agreed.Extensions, offer.Extensions)
			note(broken.Union(brokenAnswer))
		}
	}
	return found
}

func roleOf(name string) wire.Role {
	if name == "server" {
		return wire.Server
	}
	return wire.Client
}

func receiverFor(v vectors.Vector) *wire.Receiver {
	r := &wire.Receiver{Role: roleOf(v.To), Limits: limitsOf(v)}
	agree(r, v)
	return r
}

// agree sets the receiver up for the extension of the vector.
func agree(r *wire.Receiver, v vectors.Vector) {
	extensions, _ := handshake.ParseExtensions([]string{v.Agreed})
	params, ok, _ := deflate.Confirm(extensions, nil)
	if !ok {
		return
	}
	r.Compression = true
	r.Decompressor = deflate.NewDecompressor(params.ServerWindow())
	r.NoContextTakeover = params.ServerNoContextTakeover
	if r.Role == wire.Server {
		r.Decompressor = deflate.NewDecompressor(params.ClientWindow())
		r.NoContextTakeover = params.ClientNoContextTakeover
	}
}

func limitsOf(v vectors.Vector) wire.Limits {
	return wire.Limits{Message: v.Message, Fragments: v.Fragments}
}

// judgeFrames judges what stands behind the handshake.
func judgeFrames(t *testing.T, v vectors.Vector) (found []finding) {
	t.Helper()
	note := func(broken rfc.Set, at int64) {
		if !broken.Clean() {
			found = append(found, finding{broken, at})
		}
	}
	if v.To != "witness" {
		for _, ev := range readAll(t, receiverFor(v).Next, sent(v)) {
			note(ev.Broken, ev.At)
		}
		return found
	}
	w := wire.NewWitness(limitsOf(v))
	for _, s := range v.Steps {
		from := roleOf(s.From)
		switch s.Part {
		case "frames":
			for _, ev := range readAll(t, nextOf(w, from), s.Bytes) {
				note(ev.Broken, ev.At)
			}
		case "end":
			note(w.End(from), w.Receiver(from).Offset())
		}
	}
	return found
}

func sent(v vectors.Vector) []byte { return v.Frames(roleOf(v.To).Peer().String()) }

// event is an Event that can be kept and compared.
type event struct {
	Kind   wire.Kind
	Header frame.Header
	Data   string
	Broken rfc.Set
	Offset int64
	At     int64 // of the first broken rule
}

// next is Receiver.Next, or Witness.Next for one side.
type next func([]byte, *wire.Event) int

// readAll passes a copy of the pieces to read, one after the other, and
// returns what it told. Data that the cuts alone divided is joined.
func readAll(t testing.TB, read next, pieces ...[]byte) (events []event) {
	t.Helper()
	var data []byte // of the last event, when that is Data
	for _, piece := range pieces {
		in := bytes.Clone(piece)
		for {
			var ev wire.Event
			n := read(in, &ev)
			if n < 0 || n > len(in) {
				t.Fatalf("Next consumed %d of %d bytes", n, len(in))
			}
			in = in[n:]
			if ev.Kind == wire.NeedMore {
				if len(in) != 0 || !ev.Broken.Clean() {
					t.Fatalf("Next wants more with %d bytes left, and breaks %v", len(in), ev.Broken)
				}
				break
			}
			last := len(events) - 1
			if ev.Kind == wire.Data && data != nil && ev.Broken.Clean() {
				if inflated := ev.Offset == events[last].Offset; !inflated && events[last].Offset+int64(len(data)) != ev.Offset {
					t.Fatalf("data at %d, want it behind %+v", ev.Offset, events[last])
				}
				data = append(data, ev.Data...)
				continue
			}
			if data != nil {
				events[last].Data, data = string(data), nil
			}
			got := event{ev.Kind, ev.Header, string(ev.Data), ev.Broken, ev.Offset, ev.At(ev.Broken.First())}
			if ev.Kind == wire.Data {
				data = bytes.Clone(ev.Data)
			}
			events = append(events, got)
		}
	}
	if data != nil {
		events[len(events)-1].Data = string(data)
	}
	return events
}

// checkMessages compares what an endpoint reads before it fails.
func checkMessages(t *testing.T, v vectors.Vector) {
	t.Helper()
	if v.Messages == nil {
		return
	}
	got := messages(readAll(t, receiverFor(v).Next, sent(v)))
	if !reflect.DeepEqual(got, v.Messages) {
		t.Errorf("messages %v, want %v", got, v.Messages)
	}
}

func messages(events []event) []vectors.Message {
	read := []vectors.Message{}
	var open vectors.Message
	for _, ev := range events {
		if ev.Broken.Fatal() != 0 {
			return read
		}
		switch ev.Kind {
		case wire.Header:
			switch ev.Header.Opcode {
			case frame.Text:
				open = vectors.Message{Kind: "text", Payload: []byte{}}
			case frame.Binary:
				open = vectors.Message{Kind: "binary", Payload: []byte{}}
			}
		case wire.Data:
			open.Payload = append(open.Payload, ev.Data...)
		case wire.MessageEnd:
			read = append(read, open)
		case wire.Ping, wire.Pong:
			read = append(read, vectors.Message{Kind: ev.Kind.String(), Payload: []byte(ev.Data)})
		case wire.Close:
			code, reason, _ := frame.ParseClose([]byte(ev.Data))
			return append(read, vectors.Message{Kind: "close", Payload: append([]byte{}, reason...), Code: int(code)})
		}
	}
	return read
}

// checkGoesOn appends a good frame, which must be read whatever was broken
// before it, if only the frames before it are whole.
func checkGoesOn(t *testing.T, v vectors.Vector) {
	t.Helper()
	r := receiverFor(v)
	readAll(t, r.Next, sent(v))
	if r.InFrame() {
		return
	}
	before := r.Offset()
	s := wire.Sender{Role: r.Role.Peer()}
	good, err := s.Control(nil, frame.Ping, []byte("still here"), [4]byte{0x99, 0x88, 0x77, 0x66})
	if err != nil {
		t.Fatal(err)
	}
	events := readAll(t, r.Next, good)
	if len(events) != 2 || events[1].Kind != wire.Ping || events[1].Data != "still here" || events[1].Offset != before ||
		!events[0].Broken.Clean() || !events[1].Broken.Clean() {
		t.Errorf("a good ping behind it reads as %+v", events)
	}
}

// Law 2: however the bytes are cut into reads, the events are the same.
func TestCorpusInPieces(t *testing.T) {
	t.Parallel()
	for _, v := range corpus(t) {
		t.Run(v.Name, func(t *testing.T) {
			t.Parallel()
			inPieces(t, v)
		})
	}
}

func inPieces(t *testing.T, v vectors.Vector) {
	r := rand.New(rand.NewPCG(1, uint64(len(v.Name))))
	headInPieces(t, v.Head("client"), func(b []byte) (rfc.Set, int) {
		head, n := handshake.ParseRequest(b, 0)
		return head.Broken, n
	})
	headInPieces(t, v.Head("server"), func(b []byte) (rfc.Set, int) {
		head, n := handshake.ParseResponse(b, 0)
		return head.Broken, n
	})
	if v.To != "witness" {
		all := sent(v)
		want := readAll(t, receiverFor(v).Next, all)
		check := func(how string, pieces ...[]byte) {
			if got := readAll(t, receiverFor(v).Next, pieces...); !slices.Equal(got, want) {
				t.Fatalf("%s: %s", how, difference(got, want))
			}
		}
		for _, cut := range someCuts(r, len(all)) {
			check(fmt.Sprint("cut at ", cut), all[:cut], all[cut:])
		}
		check("byte by byte", bytewise(all)...)
		rounds := 20
		if len(all) > 2000 {
			rounds = 4
		}
		for range rounds {
			check("random cuts", randomPieces(r, all)...)
		}
		return
	}
	// Both directions, each step in pieces of its own.
	witness := func(cut func([]byte) [][]byte) (told []event) {
		w := wire.NewWitness(limitsOf(v))
		for _, s := range v.Steps {
			from := roleOf(s.From)
			switch s.Part {
			case "frames":
				told = append(told, readAll(t, nextOf(w, from), cut(s.Bytes)...)...)
			case "end":
				told = append(told, event{Broken: w.End(from), Offset: w.Receiver(from).Offset()})
			}
		}
		return told
	}
	want := witness(func(b []byte) [][]byte { return [][]byte{b} })
	if got := witness(func(b []byte) [][]byte { return bytewise(b) }); !slices.Equal(got, want) {
		t.Errorf("byte by byte: %s", difference(got, want))
	}
	for range 20 {
		if got := witness(func(b []byte) [][]byte { return randomPieces(r, b) }); !slices.Equal(got, want) {
			t.Errorf("random cuts: %s", difference(got, want))
		}
	}
}

// headInPieces checks that a head is asked for more until it is whole, and
// that one that fails before it is whole fails for the same rule.
func headInPieces(t *testing.T, head []byte, parse func([]byte) (rfc.Set, int)) {
	t.Helper()
	if head == nil {
		return
	}
	want, size := parse(head)
	step := 1 + len(head)/2000
	for short := 0; short < len(head); short += step {
		broken, n := parse(head[:short])
		if n == 0 {
			continue
		}
		if broken != want || n > short {
			t.Fatalf("%d of %d bytes: broke %v in %d, want %v in %d", short, len(head), broken, n, want, size)
		}
	}
}

// someCuts returns every place to cut n bytes, or those at both ends and
// some between when they are many.
func someCuts(r *rand.Rand, n int) (cuts []int) {
	for cut := range n + 1 {
		if n < 2000 || cut < 4 || cut > n-4 || r.IntN(n/4) == 0 {
			cuts = append(cuts, cut)
		}
	}
	return cuts
}

func bytewise(b []byte) [][]byte { return slices.Collect(slices.Chunk(b, 1)) }

func randomPieces(r *rand.Rand, b []byte) (pieces [][]byte) {
	most := 1 + r.IntN(1+len(b)/2)
	for len(b) > 0 {
		n := min(len(b), r.IntN(most+1)) // empty pieces, too
		pieces = append(pieces, b[:n])
		b = b[n:]
	}
	return pieces
}

// difference names the first event in which got is not want.
func difference(got, want []event) string {
	for i := range max(len(got), len(want)) {
		switch {
		case i >= len(got):
			return fmt.Sprintf("event %d is missing: %+v", i, want[i])
		case i >= len(want):
			return fmt.Sprintf("event %d is one too many: %+v", i, got[i])
		case got[i] != want[i]:
			return fmt.Sprintf("event %d is %+v\nwant %+v", i, got[i], want[i])
		}
	}
	return "no difference"
}

// nextOf is Witness.Next for what one side sends.
func nextOf(w *wire.Witness, from wire.Role) next {
	return func(in []byte, ev *wire.Event) int { return w.Next(from, in, ev) }
}
