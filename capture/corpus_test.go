package capture_test

import (
	"cmp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/wiretrue/websocket/capture"
	"github.com/wiretrue/websocket/vectors"
	"github.com/wiretrue/websocket/wire"
	"github.com/wiretrue/websocket/wire/frame"
	"github.com/wiretrue/websocket/wire/rfc"
)

// alsoBroken names the vectors whose bytes cannot break their rule alone, and
// the further rules that they break.
var alsoBroken = map[string][]rfc.Rule{
	"9112-2.1-request-without-version": {rfc.RequestHTTP11},
	"6455-11.3.5-version-list":         {rfc.Version13},
	"6455-4.4-426-without-versions":    {rfc.SwitchingProtocols},
	"6455-7.1.5-end-in-payload":        {rfc.CloseBeforeEnd},
	"6455-7.1.5-end-in-header":         {rfc.CloseBeforeEnd},
	"6455-7.1.5-end-in-message":        {rfc.CloseBeforeEnd},
	"6455-5.5.2-ping-unanswered":       {rfc.CloseBeforeEnd},
	"6455-5.5-fragmented-ping":         {rfc.ContinuationNeedsStart},
}

var start = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

const (
	goodRequest = "GET /chat HTTP/1.1\r\nHost: server.example.com\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
		"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
	goodResponse = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
		"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"
)

// opening is a good handshake, in which the extension is agreed on, if there
// is one.
func opening(extension string) []step {
	request, response := goodRequest, goodResponse
	if extension != "" {
		offer := "permessage-deflate; client_max_window_bits"
		request = strings.TrimSuffix(request, "\r\n") + "Sec-WebSocket-Extensions: " + offer + "\r\n\r\n"
		response = strings.TrimSuffix(response, "\r\n") + "Sec-WebSocket-Extensions: " + extension + "\r\n\r\n"
	}
	return []step{{from: wire.Client, b: []byte(request)}, {from: wire.Server, b: []byte(response)}}
}

// step is a call of the Analyser.
type step struct {
	from wire.Role
	b    []byte
	gap  int64
	end  capture.How
	net  *capture.NetEvent
	at   time.Duration // behind the beginning; 0: a millisecond for each step before it
}

// play passes the steps on, one packet each, cut by cut into pieces.
func play(a *capture.Analyser, steps []step, cut func([]byte) [][]byte) *capture.Report {
	feed(a, steps, cut)
	return a.Report()
}

// feed is play without the end.
func feed(a *capture.Analyser, steps []step, cut func([]byte) [][]byte) {
	for i, s := range steps {
		at, packet := start.Add(cmp.Or(s.at, time.Duration(i)*time.Millisecond)), int64(i+1)
		switch {
		case s.net != nil:
			e := *s.net
			e.From, e.At, e.Packet = s.from, at, packet
			a.Net(e)
		case s.end != "":
			a.End(s.from, at, packet, s.end)
		case s.gap != 0:
			a.Gap(s.from, at, packet, s.gap)
		case cut == nil:
			a.Bytes(s.from, at, packet, s.b)
		default:
			for _, piece := range cut(s.b) {
				a.Bytes(s.from, at, packet, piece)
			}
		}
	}
}

// copyOf makes a record that outlives the call it came in.
func copyOf(r capture.Record) capture.Record {
	if r.Frame != nil {
		f := *r.Frame
		f.Payload.Bytes = slices.Clone(f.Payload.Bytes)
		r.Frame = &f
	}
	if r.Message != nil {
		m := *r.Message
		m.Payload.Bytes = slices.Clone(m.Payload.Bytes)
		r.Message = &m
	}
	if r.Ping != nil {
		p := *r.Ping
		p.Payload.Bytes = slices.Clone(p.Payload.Bytes)
		r.Ping = &p
	}
	return r
}

func records(o capture.Options, steps []step, cut func([]byte) [][]byte) (all []capture.Record, report *capture.Report) {
	a := capture.New(o, func(r capture.Record) { all = append(all, copyOf(r)) })
	report = play(a, steps, cut)
	return all, report
}

func roleOf(name string) wire.Role {
	if name == "server" {
		return wire.Server
	}
	return wire.Client
}

// stepsOf is the conversation of a vector, with a good handshake where it has
// none of its own.
func stepsOf(v vectors.Vector) (steps []step) {
	opened := false
	if len(v.Steps) == 0 || v.Steps[0].Part != "request" {
		steps = opening(v.Agreed)
		opened = true
	}
	for i, s := range v.Steps {
		switch s.Part {
		case "end":
			steps = append(steps, step{from: roleOf(s.From), end: capture.FIN})
		case "frames":
			steps = append(steps, step{from: roleOf(s.From), b: s.Bytes})
			if !opened && i > 0 && v.Steps[i-1].Part == "request" {
				steps = append(steps, step{from: wire.Server, b: []byte(goodResponse)})
			}
			opened = true
		default:
			steps = append(steps, step{from: roleOf(s.From), b: s.Bytes})
			opened = opened || s.Part == "response"
		}
	}
	return steps
}

func optionsOf(v vectors.Vector) capture.Options {
	return capture.Options{Limits: wire.Limits{Message: v.Message, Fragments: v.Fragments}, Origins: v.Origins}
}

func rulesOf(all []capture.Record) (rules []*capture.Finding) {
	for _, r := range all {
		if r.Finding != nil && r.Finding.Rule != 0 {
			rules = append(rules, r.Finding)
		}
	}
	return rules
}

// For every vector of the corpus, its capture names exactly its rule, at the
// right offset and with the right culprit.
func TestCorpus(t *testing.T) {
	t.Parallel()
	for _, v := range corpus(t) {
		t.Run(v.Name, func(t *testing.T) {
			t.Parallel()
			all, _ := records(optionsOf(v), stepsOf(v), nil)
			found := slices.DeleteFunc(rulesOf(all), func(f *capture.Finding) bool { return beyond(v, f) })
			if v.Expect == "clean" {
				for _, f := range found {
					t.Errorf("found %s at %d in a clean vector: %s", f.ID, f.Offset, f.Seen)
				}
				return
			}
			if len(found) == 0 {
				t.Fatalf("nothing was found, want %v", v.Rule)
			}
			if found[0].Rule != v.Rule {
				t.Errorf("found %s first, want %v", found[0].ID, v.Rule)
			}
			if v.At >= 0 && found[0].Offset != v.At {
				t.Errorf("found at %d, want %d", found[0].Offset, v.At)
			}
			for _, f := range found {
				if f.Rule != v.Rule && !slices.Contains(alsoBroken[v.Name], f.Rule) {
					t.Errorf("found %s, too: %s", f.ID, f.Seen)
				}
				if f.Seen == "" || f.Expected == "" || f.Do == "" || f.Section == "" || f.Severity == "" {
					t.Errorf("the finding lacks words: %+v", f)
				}
			}
			checkBytes(t, stepsOf(v), all)
			if want := culprit(v, found[0]); found[0].Fault != want {
				t.Errorf("%s is at fault, want %s", found[0].Fault, want)
			}
			if v.To == "witness" {
				return
			}
			checkGoesOn(t, v)
		})
	}
}

// checkBytes checks that the bytes of each finding stand where it says.
func checkBytes(t *testing.T, steps []step, all []capture.Record) {
	t.Helper()
	streams := map[capture.Party][]byte{}
	for _, s := range steps {
		from := capture.Party(s.from.String())
		streams[from] = append(streams[from], s.b...)
	}
	headers := map[int64]*capture.Frame{}
	for _, r := range all {
		if r.Frame != nil {
			headers[r.Frame.Number] = r.Frame
		}
		f := r.Finding
		if f == nil || len(f.Bytes) == 0 {
			continue
		}
		there := streams[f.From][f.Stream:]
		there = slices.Clone(there[:min(len(there), len(f.Bytes))])
		if frame := headers[f.Frame]; frame != nil && frame.Header.Masked {
			if payload := frame.Stream + int64(frame.Header.Size()); f.Stream >= payload {
				unmask(there, frame.Header.MaskingKey, int(f.Stream-payload))
			}
		}
		if !slices.Equal(there, f.Bytes) {
			t.Errorf("%s tells the bytes % x at %d, where % x stand", f.ID, []byte(f.Bytes), f.Stream, there)
		}
	}
}

func unmask(b []byte, key [4]byte, at int) { frame.Mask(b, key, at&3) }

// beyond reports whether a finding is about what a vector for one endpoint
// leaves open: whether a Ping was sent before its Pongs, which origins the server
// of a request allows.
func beyond(v vectors.Vector, f *capture.Finding) bool {
	switch f.Rule {
	case rfc.PongAnswersPing:
		return v.To != "witness" && v.Rule != f.Rule || v.Expect == "clean"
	case rfc.OriginAllowed:
		return v.To == "client"
	}
	return false
}

// culprit is who is at fault: who sent the bytes, but for what says that it was
// a proxy, and the refusals, which are explained by their status.
func culprit(v vectors.Vector, f *capture.Finding) capture.Party {
	switch {
	case v.Rule == rfc.SwitchingProtocols:
		return f.Fault
	case v.To == "server":
		return capture.Client
	case strings.Contains(f.Mistake, "TLS port"): // the client chose the scheme
		return capture.Client
	case strings.HasSuffix(v.Name, "accept-folded-case"):
		return capture.Between
	case v.To == "client":
		return capture.Server
	}
	return f.From
}

// checkGoesOn appends a good ping to a vector with frames, which must be read
// whatever was broken before it, if only the frames before it are whole.
func checkGoesOn(t *testing.T, v vectors.Vector) {
	t.Helper()
	from := roleOf(v.To).Peer()
	b := v.Frames(from.String())
	if b == nil {
		return
	}
	r := wire.Receiver{Role: roleOf(v.To), Compression: v.Agreed != ""}
	for in := slices.Clone(b); ; {
		var ev wire.Event
		n := r.Next(in, &ev)
		in = in[n:]
		if ev.Kind == wire.NeedMore {
			break
		}
	}
	if r.InFrame() {
		return
	}
	s := wire.Sender{Role: from}
	good, err := s.Control(nil, frame.Ping, []byte("still here"), [4]byte{0x99, 0x88, 0x77, 0x66})
	if err != nil {
		t.Fatal(err)
	}
	all, _ := records(optionsOf(v), append(stepsOf(v), step{from: from, b: good}), nil)
	for _, rec := range slices.Backward(all) {
		if rec.Frame == nil {
			continue
		}
		if text, _ := rec.Frame.Payload.Text(); text != "still here" || rec.Frame.Offset != int64(len(b)) {
			t.Errorf("a good ping behind it reads as %v at %d, %q", rec.Frame.Header, rec.Frame.Offset, text)
		}
		return
	}
	t.Error("no frame was read")
}

func corpus(t testing.TB) []vectors.Vector {
	t.Helper()
	all, err := vectors.All()
	if err != nil {
		t.Fatal(err)
	}
	return all
}
