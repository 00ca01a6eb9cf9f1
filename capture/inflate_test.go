package capture_test

import (
	"bytes"
	"compress/flate"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/wiretrue/websocket/capture"
	"github.com/wiretrue/websocket/wire"
	"github.com/wiretrue/websocket/wire/frame"
	"github.com/wiretrue/websocket/wire/rfc"
)

// packer compresses the messages of a side, by the standard library.
type packer struct {
	out   bytes.Buffer
	w     *flate.Writer
	fresh bool // forgets its window after each message
}

func (p *packer) pack(t testing.TB, text string) []byte {
	t.Helper()
	if p.w == nil || p.fresh {
		w, err := flate.NewWriter(&p.out, 6)
		if err != nil {
			t.Fatal(err)
		}
		p.w = w
	}
	p.out.Reset()
	if _, err := p.w.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
	if err := p.w.Flush(); err != nil {
		t.Fatal(err)
	}
	return bytes.Clone(bytes.TrimSuffix(p.out.Bytes(), []byte{0, 0, 0xff, 0xff}))
}

// packed is a conversation of compressed messages.
type packed struct {
	steps []step
	texts map[string]int // how often each text is sent
	sides [2]packer
	keys  uint32
}

// send appends a compressed message, in frames of at most size bytes.
func (c *packed) send(t testing.TB, from wire.Role, text string, size int) {
	t.Helper()
	b := c.sides[from].pack(t, text)
	if c.texts == nil {
		c.texts = map[string]int{}
	}
	c.texts[text]++
	h := frame.Header{Opcode: frame.Text, RSV: frame.RSV1}
	for {
		part := slices.Clone(b[:min(len(b), size)])
		b = b[len(part):]
		h.Fin = len(b) == 0
		h.Length, h.LengthSize = uint64(len(part)), frame.MinimalLengthSize(uint64(len(part)))
		if from == wire.Client {
			c.keys = c.keys*1664525 + 1013904223
			h.Masked, h.MaskingKey = true, [4]byte{byte(c.keys >> 24), byte(c.keys >> 16), byte(c.keys >> 8), byte(c.keys)}
			frame.Mask(part, h.MaskingKey, 0)
		}
		c.steps = append(c.steps, step{from: from, b: append(h.Append(nil), part...)})
		if h.Fin {
			return
		}
		h = frame.Header{}
	}
}

// ticks is a conversation in which each message has much in common with those
// before it.
func ticks(t testing.TB, n int) *packed {
	c := new(packed)
	for i := range n {
		c.send(t, wire.Role(i%2), fmt.Sprintf(`{"event":"tick","symbol":"WIRE","price":%d.%02d,"volume":%d}`, 100+i, i*7%100, i*i), 20)
	}
	return c
}

func messagesOf(all []capture.Record) (list []*capture.Message) {
	for _, r := range all {
		if r.Message != nil {
			list = append(list, r.Message)
		}
	}
	return list
}

func found(all []capture.Record, id string) (list []*capture.Finding) {
	for _, r := range all {
		if r.Finding != nil && r.Finding.ID == id {
			list = append(list, r.Finding)
		}
	}
	return list
}

func TestInflates(t *testing.T) {
	t.Parallel()
	for _, extension := range []string{"permessage-deflate", "permessage-deflate; client_no_context_takeover; server_no_context_takeover"} {
		c := new(packed)
		for i := range c.sides {
			c.sides[i].fresh = strings.Contains(extension, "no_context")
		}
		var texts []string
		for i := range 40 {
			texts = append(texts, strings.Repeat(fmt.Sprintf("a message of the number %d, ", i), 1+i%5))
			c.send(t, wire.Role(i%2), texts[i], 1+i*3)
		}
		steps := append(opening(extension), c.steps...)
		all, report := records(capture.Options{}, steps, nil)
		if rules := rulesOf(all); len(rules) > 0 {
			t.Errorf("%s: found %s: %s", extension, rules[0].ID, rules[0].Seen)
		}
		var sent, came [2]uint64
		for i, m := range messagesOf(all) {
			if text, ok := m.Payload.Text(); !ok || text != texts[i] || m.Size != uint64(len(texts[i])) || !m.Compressed || m.NotInflated != "" {
				t.Errorf("%s: message %d is %+v, want %q", extension, i, m, texts[i])
			}
			sent[i%2] += m.WireSize
			came[i%2] += m.Size
		}
		for i, n := range []capture.Numbers{report.Client, report.Server} {
			if n.Deflated != sent[i] || n.Inflated != came[i] || n.Compressed != 20 || n.Compression != float64(came[i])/float64(sent[i]) {
				t.Errorf("%s: %+v, want %d bytes inflated from %d", extension, n, came[i], sent[i])
			}
		}
		cutEverywhere(t, capture.Options{}, steps)
	}
}

// Who comes late or misses bytes reads what can be read, and never wrong
// bytes.
func TestInflatesFromTheMiddle(t *testing.T) {
	t.Parallel()
	c := ticks(t, 120)
	c.send(t, wire.Server, strings.Repeat("0123456789", 4), 1000)
	for _, first := range []int{0, 1, 2, 5, 37} {
		all, _ := records(capture.Options{}, c.steps[first:], nil)
		checkTexts(t, c, all)
		cutEverywhere(t, capture.Options{}, c.steps[first:min(len(c.steps), first+30)])
	}
	for _, gap := range []int64{-1, 0} {
		for lost := 2; lost < 60; lost += 7 {
			steps := append(opening("permessage-deflate"), slices.Clone(c.steps)...)
			n := gap
			if n == 0 {
				n = int64(len(steps[lost].b))
			}
			steps[lost] = step{from: steps[lost].from, gap: n}
			all, _ := records(capture.Options{}, steps, nil)
			if n := checkTexts(t, c, all); n < lost/4 {
				t.Errorf("only %d messages were read with step %d missing", n, lost)
			}
			if f := found(all, rfc.InflatablePayload.String()); len(f) > 0 {
				t.Errorf("a gap is taken for the sender's fault: %+v", f[0])
			}
		}
	}
}

// checkTexts checks that what was inflated whole was sent, and returns how many
// messages those are.
func checkTexts(t *testing.T, c *packed, all []capture.Record) (n int) {
	t.Helper()
	for _, m := range messagesOf(all) {
		text, _ := m.Payload.Text()
		if m.NotInflated != "" || m.Cut {
			continue
		}
		if c.texts[text] == 0 {
			t.Errorf("nobody sent the message %q, %+v", text, m)
		}
		n++
	}
	return n
}

// A direction becomes readable again, which is said, at the first message that
// refers to known bytes alone.
func TestWindowUnknown(t *testing.T) {
	t.Parallel()
	const hello, again = "c1 07 f248cdc9c90700", "c1 05 f200110000" // RFC 7692 7.2.3.2
	k := &talk{t: t}
	k.send(wire.Server, again)
	k.send(wire.Server, again)
	at := k.send(wire.Server, hello)
	k.send(wire.Server, again)
	all, _ := records(capture.Options{}, k.steps, nil)
	var read []string
	for _, m := range messagesOf(all) {
		text, _ := m.Payload.Text()
		read = append(read, fmt.Sprintf("%s %v", text, m.NotInflated == ""))
	}
	if got := strings.Join(read, ", "); got != "H false, H false, Hello true, Hello true" {
		t.Errorf("read %s", got)
	}
	for _, id := range []string{"capture-window-unknown", "capture-compression-guessed"} {
		if f := found(all, id); len(f) != 1 || f[0].Offset != at || f[0].Frame != 3 || f[0].From != capture.Server {
			t.Errorf("%s: %+v", id, f)
		}
	}
	// And at the end, when none can be read.
	all, _ = records(capture.Options{}, k.steps[:2], nil)
	if f := found(all, "capture-window-unknown"); len(f) != 1 || f[0].Offset != -1 || !strings.Contains(f[0].Seen, "2 compressed messages") {
		t.Errorf("without a message that can be read: %+v", f)
	}
}

func TestInflationMistakes(t *testing.T) {
	t.Parallel()
	kept := new(packed) // its sender keeps its window
	kept.send(t, wire.Server, strings.Repeat("the same words again and again. ", 4), 1000)
	kept.send(t, wire.Server, strings.Repeat("the same words again and again. ", 4), 1000)
	line := func(from wire.Role, line string) []step {
		k := &talk{t: t}
		k.send(from, line)
		return k.steps
	}
	far := new(packed)
	far.send(t, wire.Client, "far away: "+strings.Repeat("0123456789abcdefghijklmnopqrstuvwxyz", 1)+strings.Repeat("-", 600)+"0123456789abcdefghijklmnopqrstuvwxyz", 1000)
	offered := strings.Replace(goodRequest, "\r\n\r\n", "\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\r\n", 1)
	answered := strings.Replace(goodResponse, "\r\n\r\n", "\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\r\n", 1)
	heads := func(request, response string) []step {
		return []step{{from: wire.Client, b: []byte(request)}, {from: wire.Server, b: []byte(response)}}
	}
	const hello = "c1 07 f248cdc9c90700"
	for _, tt := range []struct {
		name    string
		opening []step
		steps   []step
		rule    rfc.Rule // "": none
		mistake string
		text    string // of the last message
	}{
		{"kept its window", opening("permessage-deflate; server_no_context_takeover"), kept.steps, rfc.InflatablePayload, "although server_no_context_takeover was agreed on", ""},
		{"larger window", opening("permessage-deflate; client_max_window_bits=8"), far.steps, rfc.InflatablePayload, "larger than the 8 bits of client_max_window_bits", ""},
		{"plain text", opening("permessage-deflate"), line(wire.Server, `c1 05 "Hello"`), rfc.InflatablePayload, "did not compress", ""},
		{"cut", opening("permessage-deflate"), line(wire.Server, `c1 04 f248cdc9`), rfc.InflatablePayload, "did not flush", "Hel"},
		{"nobody offered, the server compresses", opening(""), line(wire.Server, hello), rfc.ReservedBitsZero, "the client did not offer it", "Hello"},
		{"nobody offered, the server sets a bit", opening(""), line(wire.Server, `c1 05 "Hello"`), rfc.ReservedBitsZero, "is not compressed", "Hello"},
		{"nobody offered, in fragments", opening(""), line(wire.Server, "41 03 f248cd 80 04 c9c90700"), rfc.ReservedBitsZero, "the client did not offer it", "Hello"},
		{"offered, the answer was lost", heads(offered, goodResponse), line(wire.Server, hello), rfc.ReservedBitsZero, "the server did not answer the offer", "Hello"},
		{"answered, the offer was lost", heads(goodRequest, answered), line(wire.Server, hello), rfc.ReservedBitsZero, "the server answers with it, and the client did not offer it", "Hello"},
		{"no handshake, a bit", nil, append(line(wire.Server, `81 10 "{\"price\": 12345}"`), line(wire.Server, `c1 05 "Hello"`)...), rfc.ReservedBitsZero, "is not compressed", "Hello"},
		{"no handshake, compressed", nil, append(line(wire.Server, `81 10 "{\"price\": 12345}"`), line(wire.Server, hello)...), 0, "", "Hello"},
	} {
		steps := append(slices.Clone(tt.opening), tt.steps...)
		all, _ := records(capture.Options{}, steps, nil)
		rules := slices.DeleteFunc(rulesOf(all), func(f *capture.Finding) bool { return f.Rule == rfc.ExtensionOffered })
		switch {
		case tt.rule == 0:
			if len(rules) > 0 {
				t.Errorf("%s: found %+v", tt.name, rules[0])
			}
		case len(rules) != 1 || rules[0].Rule != tt.rule || !strings.Contains(rules[0].Mistake, tt.mistake) || rules[0].Frame == 0 || rules[0].Offset < 0:
			t.Errorf("%s: found %+v, want %v because %s", tt.name, rules, tt.rule, tt.mistake)
		}
		checkBytes(t, steps, all)
		list := messagesOf(all)
		if text, _ := list[len(list)-1].Payload.Text(); !strings.HasPrefix(text, tt.text) {
			t.Errorf("%s: the message says %q, want %q", tt.name, text, tt.text)
		}
		cutEverywhere(t, capture.Options{}, steps)
	}
}

// A bomb is worked on up to the limit, and kept up to the excerpt.
func TestBomb(t *testing.T) {
	t.Parallel()
	c := new(packed)
	c.send(t, wire.Server, strings.Repeat("\x00", 4<<20), 1<<20)
	c.send(t, wire.Server, "after it", 100)
	c.send(t, wire.Client, "the other side", 100)
	steps := append(opening("permessage-deflate"), c.steps...)
	o := capture.Options{Inflate: 1 << 20}
	all, report := records(o, steps, nil)
	list := messagesOf(all)
	bomb := list[0]
	if want := uint64(1<<20) + 100*bomb.WireSize; bomb.Size != want || bomb.NotInflated == "" || len(bomb.Payload.Bytes) > 4096 {
		t.Errorf("the bomb is told as %d bytes of %d, %q", bomb.Size, want, bomb.NotInflated)
	}
	if f := found(all, "capture-inflation-limit"); len(f) != 1 || f[0].Fault != capture.Server || f[0].Frame != 1 {
		t.Errorf("found %+v", f)
	}
	if list[1].NotInflated == "" || list[2].NotInflated != "" {
		t.Errorf("behind it %+v, of the other side %+v", list[1], list[2])
	}
	if report.Errors != 0 || report.Warnings != 1 {
		t.Errorf("%d errors, %d warnings", report.Errors, report.Warnings)
	}
	cutEverywhere(t, o, steps)
	// With a limit of the endpoint, it is the rule that is broken.
	all, _ = records(capture.Options{Limits: wire.Limits{Message: 1 << 16}}, steps, nil)
	if rules := rulesOf(all); len(rules) != 1 || rules[0].Rule != rfc.MessageSize {
		t.Errorf("with a limit: %+v", rules)
	}
}

// What was lost at random changes no message that is read whole, whatever the
// losses are.
func TestInflatesBehindLosses(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(5, 5))
	rounds := 60
	if testing.Short() {
		rounds = 15
	}
	for range rounds {
		c := ticks(t, 40)
		steps := append(opening("permessage-deflate"), c.steps...)
		for i := 2; i < len(steps); i++ {
			if r.IntN(15) == 0 {
				n := int64(-1)
				if r.IntN(2) == 0 {
					n = int64(len(steps[i].b))
				}
				steps[i] = step{from: steps[i].from, gap: n}
			}
		}
		all, _ := records(capture.Options{}, steps, nil)
		checkTexts(t, c, all)
	}
}

// An answer with a window that there is not is broken; what is sent behind it
// is read all the same.
func TestInflatesWithAnImpossibleWindow(t *testing.T) {
	t.Parallel()
	for _, bits := range []int{7, 16, 121} {
		extension := fmt.Sprintf("permessage-deflate; client_max_window_bits=%d; server_max_window_bits=%[1]d", bits)
		all, report := records(capture.Options{}, append(opening(extension), ticks(t, 3).steps...), nil)
		if report.Counts[rfc.ResponseParameters.String()] != 1 {
			t.Errorf("%d bits: found %v", bits, report.Counts)
		}
		for _, m := range messagesOf(all) {
			if m.NotInflated != "" {
				t.Errorf("%d bits: message %d is not inflated: %s", bits, m.Number, m.NotInflated)
			}
		}
	}
}
