package capture_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/wiretrue/websocket/capture"
	"github.com/wiretrue/websocket/wire"
	"github.com/wiretrue/websocket/wire/frame"
	"github.com/wiretrue/websocket/wire/handshake"
	"github.com/wiretrue/websocket/wire/rfc"
)

// talk builds a conversation and knows the offsets behind the handshake.
type talk struct {
	t      testing.TB
	steps  []step
	offset [2]int64
}

// send appends a line of the debug notation and returns where its first byte
// stands.
func (k *talk) send(from wire.Role, line string) int64 {
	k.t.Helper()
	b, err := frame.AppendNotation(nil, line)
	if err != nil {
		k.t.Fatal(err)
	}
	at := k.offset[from]
	k.offset[from] += int64(len(b))
	k.steps = append(k.steps, step{from: from, b: b})
	return at
}

func (k *talk) open(response string) {
	k.steps = append(k.steps, step{from: wire.Client, b: []byte(goodRequest)}, step{from: wire.Server, b: []byte(response)})
}

const hexDigestAccept = "YjM3YTRmMmNjMDYyNGYxNjkwZjY0NjA2Y2YzODU5NDViMmJlYzRlYQ=="

type want struct {
	rule   rfc.Rule
	fault  capture.Party
	from   wire.Role
	offset int64
}

// twelve is a conversation with twelve violations and good frames between
// them.
func twelve(t testing.TB) (steps []step, wants []want) {
	k := &talk{t: t}
	wrong := strings.Replace(goodResponse, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=", hexDigestAccept, 1)
	k.open(wrong)
	add := func(rule rfc.Rule, from wire.Role, at int64) {
		wants = append(wants, want{rule, capture.Party(from.String()), from, at})
	}
	add(rfc.AcceptMatchesKey, wire.Server, int64(strings.Index(wrong, "Sec-WebSocket-Accept")))
	k.send(wire.Client, `81 85 37fa213d "Hello"^37fa213d`)
	add(rfc.ClientMustMask, wire.Client, 1+k.send(wire.Client, `81 05 "naked"`))
	add(rfc.ServerMustNotMask, wire.Server, 1+k.send(wire.Server, `81 85 01020304 "cover"^01020304`))
	add(rfc.ReservedBitsZero, wire.Server, k.send(wire.Server, `a1 03 "two"`))
	add(rfc.ControlLength, wire.Server, 1+k.send(wire.Server, `89 7e00c8 "p"*200`))
	k.send(wire.Client, `8a fd 11111111 "p"*125^11111111`)
	add(rfc.ControlNotFragmented, wire.Client, k.send(wire.Client, `09 81 22222222 "f"^22222222`))
	k.send(wire.Server, `8a 01 "f"`)
	add(rfc.TextIsUTF8, wire.Server, 2+3+k.send(wire.Server, `81 07 "abc" ff "def"`))
	add(rfc.MinimalLength, wire.Client, 1+k.send(wire.Client, `82 fe 0003 33333333 010203^33333333`))
	k.send(wire.Server, `89 04 "tick"`)
	add(rfc.PongMatchesPing, wire.Client, k.send(wire.Client, `8a 84 44444444 "tock"^44444444`))
	k.send(wire.Client, `8a 84 55555555 "tick"^55555555`)
	add(rfc.ContinuationNeedsStart, wire.Server, k.send(wire.Server, `80 06 "orphan"`))
	add(rfc.CloseCodeOnWire, wire.Server, 2+k.send(wire.Server, `88 02 03ed`))
	add(rfc.NoDataAfterClose, wire.Server, k.send(wire.Server, `81 04 "late"`))
	k.send(wire.Client, `88 82 66666666 03ed^66666666`)
	k.steps = append(k.steps, step{from: wire.Server, end: capture.FIN}, step{from: wire.Client, end: capture.FIN})
	return k.steps, wants
}

// Twelve violations in one conversation: all are named, with the right rule,
// the right culprit and the right offset. The client's answer repeats the code
// of the server, which is one more.
func TestTwelveViolations(t *testing.T) {
	t.Parallel()
	if sum := handshake.Diagnose("dGhlIHNhbXBsZSBub25jZQ==", hexDigestAccept); sum != handshake.HexDigest {
		t.Fatalf("the accept value of this test is: %s", sum)
	}
	steps, wants := twelve(t)
	all, report := records(capture.Options{}, steps, nil)
	found := map[string]*capture.Finding{}
	var list []string
	for _, f := range rulesOf(all) {
		found[place(f.Rule, f.From, f.Offset)] = f
		list = append(list, place(f.Rule, f.From, f.Offset))
	}
	for _, w := range wants {
		f := found[place(w.rule, capture.Party(w.from.String()), w.offset)]
		if f == nil {
			t.Errorf("%v of the %v at %d is not among %s", w.rule, w.from, w.offset, strings.Join(list, ", "))
			continue
		}
		if f.Fault != w.fault {
			t.Errorf("%v: %s is at fault, want %s", w.rule, f.Fault, w.fault)
		}
		if len(f.Bytes) == 0 || f.Packet == 0 || w.rule != rfc.AcceptMatchesKey && f.Frame == 0 {
			t.Errorf("%v has no bytes, no packet or no frame: %+v", w.rule, f)
		}
	}
	checkBytes(t, steps, all)
	if len(wants) != 12 || len(list) != len(wants)+1 {
		t.Errorf("%d findings, want the twelve and the answer's code: %s", len(list), strings.Join(list, ", "))
	}
	if f := found[place(rfc.AcceptMatchesKey, capture.Server, wants[0].offset)]; f != nil && f.Mistake != string(handshake.HexDigest) {
		t.Errorf("the accept mistake is %q", f.Mistake)
	}
	if report.Errors != 13 || report.Ending == nil || report.Ending.How != capture.Clean || report.Ending.Began != capture.Server {
		t.Errorf("%d errors, ending %+v", report.Errors, report.Ending)
	}
}

func place(r rfc.Rule, from capture.Party, at int64) string {
	return fmt.Sprintf("%v of %s at %d", r.Info().Name, from, at)
}
