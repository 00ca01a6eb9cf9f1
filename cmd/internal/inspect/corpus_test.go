package inspect_test

import (
	"bytes"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/wiretrue/websocket/capture"
	"github.com/wiretrue/websocket/cmd/internal/flow"
	"github.com/wiretrue/websocket/cmd/internal/inspect"
	"github.com/wiretrue/websocket/cmd/internal/packet"
	"github.com/wiretrue/websocket/cmd/internal/synth"
	"github.com/wiretrue/websocket/vectors"
	"github.com/wiretrue/websocket/wire"
	"github.com/wiretrue/websocket/wire/rfc"
)

const (
	goodRequest = "GET /chat HTTP/1.1\r\nHost: server.example.com\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
		"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
	goodResponse = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
		"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"
)

var (
	clientAddr = netip.MustParseAddrPort("10.0.0.1:40000")
	serverAddr = netip.MustParseAddrPort("10.0.0.2:8080")
)

// step is something that a side does.
type step struct {
	from flow.Dir
	b    []byte
	fin  bool
}

func dirOf(name string) flow.Dir {
	if name == "server" {
		return flow.ToClient
	}
	return flow.ToServer
}

// stepsOf is the conversation of a vector, with a good handshake where it has
// none of its own.
func stepsOf(v vectors.Vector) (steps []step) {
	withExtension := func(head string) []byte {
		if v.Agreed != "" {
			head = strings.TrimSuffix(head, "\r\n") + "Sec-WebSocket-Extensions: " + v.Agreed + "\r\n\r\n"
		}
		return []byte(head)
	}
	opened := len(v.Steps) == 0 || v.Steps[0].Part != "request"
	if opened {
		steps = append(steps, step{from: flow.ToServer, b: withExtension(goodRequest)}, step{from: flow.ToClient, b: withExtension(goodResponse)})
	}
	for i, s := range v.Steps {
		from := dirOf(s.From)
		if s.Part == "end" {
			steps = append(steps, step{from: from, fin: true})
			continue
		}
		steps = append(steps, step{from: from, b: s.Bytes})
		if s.Part == "frames" && !opened && v.Steps[i-1].Part == "request" {
			steps = append(steps, step{from: flow.ToClient, b: []byte(goodResponse)})
		}
		opened = opened || s.Part != "request"
	}
	if strings.HasSuffix(v.Name, "tls-on-plain-port") {
		// Without an end it may be TLS whose answer was still to come.
		steps = append(steps, step{from: flow.ToClient, fin: true})
	}
	return steps
}

// pcapOf is the capture of a conversation.
func pcapOf(t testing.TB, steps []step) []byte {
	t.Helper()
	var file bytes.Buffer
	w := synth.NewWriter(&file)
	c := w.Conn(clientAddr, serverAddr)
	c.Open()
	for _, s := range steps {
		if s.fin {
			c.FIN(s.from)
		} else {
			c.Send(s.from, s.b)
		}
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	return file.Bytes()
}

func inspectedBytes(t testing.TB, file []byte, o inspect.Options) *collector {
	t.Helper()
	src, err := packet.NewReader(bytes.NewReader(file), nil)
	if err != nil {
		t.Fatal(err)
	}
	k := newCollector()
	if err := inspect.New(o, k).Run(src, nil); err != nil {
		t.Fatal(err)
	}
	return k
}

// rulesOf are the rules that findings name, in their order, each with its
// culprit and offset.
type named struct {
	rule   rfc.Rule
	fault  capture.Party
	offset int64
}

func rulesOf(records []capture.Record) (all []named) {
	for _, r := range records {
		if f := r.Finding; f != nil && f.Rule != 0 {
			all = append(all, named{f.Rule, f.Fault, f.Offset})
		}
	}
	return all
}

// For every vector of the corpus, a capture file of it names its rule first,
// and else what its bytes alone name: package capture's own test has it that
// this is exactly its rule.
func TestCorpus(t *testing.T) {
	all, err := vectors.All()
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range all {
		t.Run(v.Name, func(t *testing.T) {
			o := capture.Options{Limits: wire.Limits{Message: v.Message, Fragments: v.Fragments}, Origins: v.Origins}
			steps := stepsOf(v)
			k := inspectedBytes(t, pcapOf(t, steps), inspect.Options{Analyser: o})
			got := rulesOf(k.all())

			var alone []capture.Record
			a := capture.New(o, func(r capture.Record) { alone = append(alone, clone(r)) })
			at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
			for _, s := range steps {
				at = at.Add(time.Millisecond)
				from := wire.Role(s.from)
				if s.fin {
					a.End(from, at, 0, capture.FIN)
				} else {
					a.Bytes(from, at, 0, s.b)
				}
			}
			a.Report()
			if want := rulesOf(alone); !slices.Equal(got, want) {
				t.Errorf("the capture names %v, the bytes alone %v", got, want)
			}
			if v.Expect == "clean" {
				return
			}
			if len(got) == 0 || !slices.ContainsFunc(got, func(n named) bool { return n.rule == v.Rule }) {
				t.Fatalf("%v is not named: %v", v.Rule, got)
			}
		})
	}
}
