package capture_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/wiretrue/websocket/capture"
	"github.com/wiretrue/websocket/wire"
	"github.com/wiretrue/websocket/wire/rfc"
)

// linesOf tells a conversation's records, and its report, as lines of JSON.
func linesOf(t testing.TB, o capture.Options, steps []step, cut func([]byte) [][]byte) []string {
	return linesBy(t, func(to capture.Recorder) *capture.Analyser {
		return capture.New(o, func(r capture.Record) { to.Record(&r) })
	}, steps, cut)
}

// recorder is a Recorder.
type recorder func(*capture.Record)

func (f recorder) Record(r *capture.Record) { f(r) }

func linesBy(t testing.TB, newAnalyser func(capture.Recorder) *capture.Analyser, steps []step, cut func([]byte) [][]byte) (lines []string) {
	t.Helper()
	line := func(v any) {
		b, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		lines = append(lines, string(b))
	}
	a := newAnalyser(recorder(func(r *capture.Record) { line(r) }))
	line(play(a, steps, cut))
	return lines
}

// linesAtRest is linesOf with an Analyser that is sent to rest behind each call,
// as far as it can be.
func linesAtRest(t testing.TB, o capture.Options, steps []step) []string {
	t.Helper()
	pool := capture.NewPool(1, o)
	others := []*capture.Analyser{pool.New(nil), pool.New(nil)}
	return linesBy(t, pool.New, steps, func(b []byte) [][]byte {
		for _, other := range others {
			other.Bytes(wire.Server, start, 0, nil)
		}
		if len(b) > 40 {
			return [][]byte{b}
		}
		return byteByByte(b)
	})
}

func sameLines(t testing.TB, how string, got, want []string) {
	t.Helper()
	for i := range max(len(got), len(want)) {
		switch {
		case i >= len(got):
			t.Fatalf("%s: record %d is missing: %s", how, i, want[i])
		case i >= len(want):
			t.Fatalf("%s: record %d is one too many: %s", how, i, got[i])
		case got[i] != want[i]:
			n := 0
			for n < min(len(got[i]), len(want[i])) && got[i][n] == want[i][n] {
				n++
			}
			t.Fatalf("%s: record %d begins with %.60s and is\n%.200s\nwant\n%.200s", how, i, got[i], got[i][max(0, n-60):], want[i][max(0, n-60):])
		}
	}
}

func randomPieces(r *rand.Rand, b []byte) (pieces [][]byte) {
	most := 1 + r.IntN(1+len(b)/2)
	for len(b) > 0 {
		n := min(len(b), r.IntN(most+1)) // empty pieces, too
		pieces = append(pieces, b[:n])
		b = b[n:]
	}
	return pieces
}

func byteByByte(b []byte) [][]byte { return bytes.SplitAfter(b, nil) }

// cutEverywhere checks law 2: however the bytes are cut, the records are the
// same.
func cutEverywhere(t *testing.T, o capture.Options, steps []step) {
	t.Helper()
	want := linesOf(t, o, steps, nil)
	sameLines(t, "at rest between them", linesAtRest(t, o, steps), want)
	size, rounds := 0, 10
	for _, s := range steps {
		size += len(s.b)
	}
	switch {
	case testing.Short():
		rounds = 1
	case size > 4<<10:
		rounds = 2
	default:
		sameLines(t, "byte by byte", linesOf(t, o, steps, byteByByte), want)
	}
	r := rand.New(rand.NewPCG(1, uint64(len(want))))
	for range rounds {
		sameLines(t, "random cuts", linesOf(t, o, steps, func(b []byte) [][]byte { return randomPieces(r, b) }), want)
	}
}

func TestCorpusInPieces(t *testing.T) {
	t.Parallel()
	for _, v := range corpus(t) {
		t.Run(v.Name, func(t *testing.T) {
			t.Parallel()
			cutEverywhere(t, optionsOf(v), stepsOf(v))
			// From the middle, where the first bytes must be guessed.
			if steps := stepsOf(v); len(steps) > 2 {
				cutEverywhere(t, optionsOf(v), steps[2:])
			}
		})
	}
}

func TestTwelveInPieces(t *testing.T) {
	t.Parallel()
	steps, _ := twelve(t)
	cutEverywhere(t, capture.Options{}, steps)
	for i := range steps { // with a step lost
		lost := slices.Clone(steps)
		if n := len(lost[i].b); n > 0 {
			lost[i] = step{from: lost[i].from, gap: int64(n)}
			cutEverywhere(t, capture.Options{}, lost)
			lost[i].gap = -1
			cutEverywhere(t, capture.Options{}, lost)
		}
	}
}

// A client that does not take the answer is told of alike, whoever rested.
func TestDeclinedInPieces(t *testing.T) {
	t.Parallel()
	steps := opening("")
	steps[1].b = bytes.Replace(steps[1].b, []byte("s3pP"), []byte("aaaa"), 1)
	cutEverywhere(t, capture.Options{}, append(steps,
		step{from: wire.Client, end: capture.FIN}, step{from: wire.Server, end: capture.FIN},
		step{from: wire.Client}))
}

// What is no head is none of its bytes, however many of it are looked at.
func TestForeignBytesInPieces(t *testing.T) {
	t.Parallel()
	for _, response := range [][]step{
		{{b: []byte("HTTP/1.1 103 Early Hints\r\n\r\n\x81\x05hello")}},
		{{b: []byte("HTTP/1.1 103 Early Hints\r\n\r\n\x15eyc")}}, // which might have been TLS at the beginning
		{{b: []byte("H")}, {end: capture.Stopped}, {b: []byte("TT\x80 1.1 101 OK\r\nUpgrade: h2c\r\nConnection:")}},
	} {
		for i := range response {
			response[i].from = wire.Server
		}
		cutEverywhere(t, capture.Options{}, append(opening("")[:1], response...))
	}
}

// Behind an end that cuts a frame the rest of it may come all the same. It is
// told once, as it was cut, and the frame behind it begins with its own first
// byte.
func TestBytesBehindTheEndInPieces(t *testing.T) {
	t.Parallel()
	for name, frame := range map[string]string{
		"text":       "\x81\x0aHelloHello",
		"fragment":   "\x01\x0aHelloHello",
		"ping":       "\x89\x0aHelloHello",
		"close":      "\x88\x0a\x03\xe8helloooo",
		"unassigned": "\x8b\x0aHelloHello",
		"compressed": "\xc1\x0c\xf2\x48\xcd\xc9\xc9\x07\x93\x00\x00\x00\xff\xff",
	} {
		t.Run(name, func(t *testing.T) {
			steps := append(opening("permessage-deflate"),
				step{from: wire.Server, b: []byte(frame[:7])},
				step{from: wire.Server, end: capture.FIN},
				step{from: wire.Server, b: []byte(frame[7:])},
				step{from: wire.Server, b: []byte("\x82\x05again")},
				step{from: wire.Server, b: []byte("\x82\x05again")})
			cutEverywhere(t, capture.Options{}, steps)
			steps[4].b = []byte(frame[7:] + "\x82\x05again")
			cutEverywhere(t, capture.Options{}, steps)
			all, _ := records(capture.Options{}, steps, nil)
			var told []int64
			for _, r := range all {
				if r.Frame != nil {
					told = append(told, r.Frame.Number, r.Frame.FirstPacket)
				}
			}
			if want := []int64{1, 3, 2, 5, 3, 6, 4, 7}; !slices.Equal(told, want) {
				t.Errorf("frames and the packets in which they begin: %v, want %v", told, want)
			}
		})
	}
}

// What a client sent before the answer came is read in the order of the wire,
// though a gap in it makes its end be guessed: once, and before what came later.
func TestEarlyBytesWithAGapInPieces(t *testing.T) {
	t.Parallel()
	const lost = ", which is the end of a frame"
	frames := func(n int) (b []byte) {
		for i := range n {
			key := []byte{byte(i), byte(i >> 8), 3, 4}
			b = append(append(b, 0x81, 0x85), key...)
			for k, c := range []byte("hello") {
				b = append(b, c^key[k%4])
			}
		}
		return b
	}
	client := func(b []byte) step { return step{from: wire.Client, b: b} }
	gap := step{from: wire.Client, gap: -1}
	early := []step{client([]byte(goodRequest)), client(frames(1)), gap, client([]byte(lost))}
	for name, tt := range map[string]struct {
		steps  []step
		frames int
	}{
		"until the server's end": {append(early, step{from: wire.Server, gap: 100}, step{from: wire.Server, end: capture.FIN},
			client(frames(3)), step{from: wire.Client, end: capture.FIN}), 4},
		"until the server's end, and found by then": {append(early, client(frames(3)), step{from: wire.Server, gap: 100},
			step{from: wire.Server, end: capture.FIN}, client(frames(1))), 5},
		"until too much waits": {append(early, client(frames(7000))), 7001},
		"until the end":        {append(early, client(frames(3))), 4},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			steps := slices.Clone(tt.steps)
			cutEverywhere(t, capture.Options{}, steps)
			var ends [2]int
			var last int64
			all, report := records(capture.Options{}, steps, nil)
			for _, r := range all {
				switch {
				case r.End != nil && r.From == capture.Server:
					ends[wire.Server]++
				case r.End != nil:
					ends[wire.Client]++
				case r.Frame != nil && r.Packet < last:
					t.Errorf("frame %d of packet %d, told behind packet %d", r.Frame.Number, r.Packet, last)
				}
				if r.Frame != nil || r.End != nil {
					last = r.Packet
				}
			}
			if ends[wire.Client] > 1 || ends[wire.Server] > 1 {
				t.Errorf("%d ends of the client and %d of the server are told", ends[wire.Client], ends[wire.Server])
			}
			if report.Client.Frames != uint64(tt.frames) || report.Client.Gaps != 1 {
				t.Errorf("%d frames and %d gaps of the client, want %d and 1", report.Client.Frames, report.Client.Gaps, tt.frames)
			}
		})
	}
}

// Law 3: the first rule that fails the connection is the Receiver's.
func TestAgreement(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(3, 3))
	rounds := 3000
	if testing.Short() {
		rounds = 500
	}
	for range rounds {
		b := randomFrames(r)
		from := wire.Role(r.IntN(2))
		rule, at := firstFatal(from, b)
		all, _ := records(capture.Options{}, []step{
			{from: wire.Client, b: []byte(goodRequest)}, {from: wire.Server, b: []byte(goodResponse)}, {from: from, b: b},
		}, nil)
		var gotRule rfc.Rule
		gotAt := int64(-1)
		for _, f := range rulesOf(all) {
			if f.Rule.Info().Code != 0 && (gotRule == 0 || f.Offset < gotAt && f.Frame < 0) {
				gotRule, gotAt = f.Rule, f.Offset
				break
			}
		}
		if gotRule != rule || gotAt != at {
			t.Fatalf("%v sends %x: found %v at %d, the Receiver says %v at %d", from, b, gotRule, gotAt, rule, at)
		}
	}
}

func firstFatal(from wire.Role, b []byte) (rfc.Rule, int64) {
	recv := wire.Receiver{Role: from.Peer()}
	for in := slices.Clone(b); ; {
		var ev wire.Event
		n := recv.Next(in, &ev)
		in = in[n:]
		if rule := ev.Broken.Fatal(); rule != 0 {
			return rule, ev.At(rule)
		}
		if ev.Kind == wire.NeedMore {
			return 0, -1
		}
	}
}

// randomFrames are frames with a defect here and there.
func randomFrames(r *rand.Rand) (b []byte) {
	for range 1 + r.IntN(6) {
		first := []byte{0x81, 0x82, 0x89, 0x8a, 0x01, 0x00, 0x80}[r.IntN(7)]
		if r.IntN(4) == 0 {
			first = byte(r.Uint32())
		}
		payload := []byte("some text")[:r.IntN(10)]
		if r.IntN(5) == 0 {
			payload = []byte{0xc3}
		}
		second := byte(len(payload))
		masked := r.IntN(2) == 0
		if masked {
			second |= 0x80
		}
		b = append(b, first, second)
		if masked {
			b = append(b, 0, 0, 0, byte(r.Uint32()))
			key := b[len(b)-4:]
			for i, c := range payload {
				b = append(b, c^key[i&3])
			}
		} else {
			b = append(b, payload...)
		}
	}
	return b
}

// Everything that a record or a report holds can be written, and read again as
// JSON of the documented shape.
func TestSchema(t *testing.T) {
	t.Parallel()
	steps, _ := twelve(t)
	for _, line := range linesOf(t, capture.Options{}, steps, nil) {
		var m map[string]any
		if err := json.Unmarshal([]byte(line), &m); err != nil {
			t.Fatal(err)
		}
		if m["v"] != float64(capture.Version) {
			t.Errorf("v is %v in %s", m["v"], line)
		}
		if kind, ok := m["kind"].(string); ok && m[kind] == nil {
			t.Errorf("no object %q in %s", kind, line)
		}
	}
}

func TestExcerpt(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		e    capture.Excerpt
		want string
	}{
		{capture.Excerpt{Bytes: []byte("abc"), Size: 3}, `{"size":3,"text":"abc"}`},
		{capture.Excerpt{Bytes: []byte{0xff, 0}, Size: 2}, `{"size":2,"base64":"/wA="}`},
		{capture.Excerpt{Bytes: []byte("a\xc3"), Size: 9}, `{"size":9,"text":"a","cut":true}`},
		{capture.Excerpt{Bytes: []byte("a\xc3"), Size: 2}, `{"size":2,"base64":"YcM="}`},
		{capture.Excerpt{}, `{"size":0,"text":""}`},
	} {
		b, err := json.Marshal(tt.e)
		if err != nil || string(b) != tt.want {
			t.Errorf("%q marshals to %s, want %s (%v)", tt.e.Bytes, b, tt.want, err)
		}
		var back capture.Excerpt
		if err := json.Unmarshal(b, &back); err != nil || back.Size != tt.e.Size {
			t.Errorf("%s reads back as %+v (%v)", b, back, err)
		}
	}
}

func TestDiagnosesAreWhole(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, d := range capture.Diagnoses() {
		if !strings.HasPrefix(d.ID, "capture-") || seen[d.ID] || d.Name == "" || d.Severity == "" || d.Expected == "" || d.Seen == "" || d.Do == "" {
			t.Errorf("%+v lacks something, or stands twice", d)
		}
		seen[d.ID] = true
	}
}

// Bytes that are searched for frames, however small the packets, cost no more
// the more of them there are.
func TestSearchIsLinear(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	b := make([]byte, 32<<10)
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	cost := func(n int) uint64 {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		steps := append(opening(""), step{from: wire.Server, gap: -1})
		for i := range n {
			steps = append(steps, step{from: wire.Server, b: b[i : i+1]})
		}
		play(capture.New(capture.Options{}, nil), steps, nil)
		runtime.ReadMemStats(&after)
		return after.TotalAlloc - before.TotalAlloc
	}
	cost(100)
	if few, many := cost(len(b)/8), cost(len(b)); many > 24*few {
		t.Errorf("%d bytes cost %d bytes of memory, eight times as many %d", len(b)/8, few, many)
	}
}

// Losing bytes changes no message that is read whole, and those behind the gap
// are found again.
func TestLosses(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(7, 7))
	for range 100 {
		k := &talk{t: t}
		texts := map[string]bool{}
		for i := range 60 {
			text := fmt.Sprintf("message %d of a conversation", i*i)
			texts[text] = true
			if i%2 == 0 {
				k.send(wire.Server, fmt.Sprintf(`81 %02x %q`, len(text), text))
			} else {
				key := r.Uint32()
				k.send(wire.Client, fmt.Sprintf(`81 %02x %08x %q^%08x`, 0x80|len(text), key, text, key))
			}
		}
		steps := append(opening(""), k.steps...)
		lost := 0
		for i := 2; i < len(steps); i++ {
			b := steps[i].b
			if r.IntN(12) > 0 {
				continue
			}
			lost++
			from, to := r.IntN(len(b)), len(b)
			if r.IntN(2) == 0 {
				to = from + 1 + r.IntN(len(b)-from)
			}
			n := int64(to - from)
			if r.IntN(3) == 0 {
				n = -1
			}
			pieces := []step{{from: steps[i].from, b: b[:from]}, {from: steps[i].from, gap: n}, {from: steps[i].from, b: b[to:]}}
			steps = slices.Replace(steps, i, i+1, pieces...)
			i += 2
		}
		all, _ := records(capture.Options{}, steps, nil)
		whole := 0
		for _, m := range messagesOf(all) {
			if text, _ := m.Payload.Text(); !m.Cut && !texts[text] {
				t.Fatalf("nobody sent %q", text)
			} else if !m.Cut {
				whole++
			}
		}
		if least := 60 - 3*lost - 4; whole < least {
			t.Errorf("%d messages are whole with %d losses, want at least %d", whole, lost, least)
		}
	}
}
