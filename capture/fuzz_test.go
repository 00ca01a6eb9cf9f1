package capture_test

import (
	"bytes"
	"testing"

	"github.com/wiretrue/websocket/capture"
	"github.com/wiretrue/websocket/wire"
)

// conversation makes steps of what each side sends. Each turn is a byte: whose
// it is, what happens, and to how many bytes.
func conversation(fromClient, fromServer, turns []byte) (steps []step) {
	rest := [2][]byte{wire.Client: fromClient, wire.Server: fromServer}
	for _, turn := range turns {
		s := step{from: wire.Role(turn >> 7)}
		n := min(1+int(turn&0x1f)*int(turn&0x1f), len(rest[s.from]))
		switch turn >> 5 & 3 {
		case 0, 1:
			s.b = rest[s.from][:n]
		case 2:
			s.gap = int64(n)
			if turn&1 != 0 {
				s.gap = -1
			}
		case 3:
			s.end = []capture.How{capture.FIN, capture.RST, capture.TimedOut, capture.Stopped}[turn&3]
			n = 0
		}
		if len(s.b) > 0 || s.gap != 0 || s.end != "" {
			steps = append(steps, s)
		}
		rest[s.from] = rest[s.from][n:]
	}
	for from, b := range rest {
		steps = append(steps, step{from: wire.Role(from), b: b})
	}
	return steps
}

// Any bytes of both sides, in any turns, with gaps and ends: nothing panics,
// and the cuts change nothing.
func FuzzAnalyser(f *testing.F) {
	turns := []byte{0x1f, 0x9f, 0x1f, 0x9f, 5, 0x85, 0x43, 0xc3, 3, 0x83, 0x60, 0xe1}
	add := func(steps []step) {
		var sides [2][]byte
		for _, s := range steps {
			sides[s.from] = append(sides[s.from], s.b...)
		}
		f.Add(sides[wire.Client], sides[wire.Server], turns)
		f.Add(sides[wire.Client], sides[wire.Server], []byte(nil))
	}
	for _, v := range corpus(f) {
		steps := stepsOf(v)
		add(steps)
		if len(steps) > 2 {
			add(steps[2:])
		}
	}
	steps, _ := twelve(f)
	add(steps)
	add(append(opening("permessage-deflate"), ticks(f, 20).steps...))
	add(ticks(f, 20).steps)
	f.Fuzz(func(t *testing.T, fromClient, fromServer, turns []byte) {
		most := 8 << 10 // cut byte by byte, it takes the square of the time
		if testing.Short() {
			most = 1 << 10
		}
		steps := conversation(fromClient[:min(len(fromClient), most)], fromServer[:min(len(fromServer), most)], turns[:min(len(turns), 64)])
		o := capture.Options{Limits: wire.Limits{Message: 1 << 20, Fragments: 100}, Inflate: 1 << 16}
		want := linesOf(t, o, steps, nil)
		sameLines(t, "byte by byte", linesOf(t, o, steps, byteByByte), want)
		sameLines(t, "in halves", linesOf(t, o, steps, func(b []byte) [][]byte { return [][]byte{b[:len(b)/2], b[len(b)/2:]} }), want)
		sameLines(t, "at rest between them", linesAtRest(t, o, steps), want)
		for _, line := range want {
			if len(line) > 1<<20 || bytes.ContainsRune([]byte(line), '\n') {
				t.Fatalf("a record of %d bytes", len(line))
			}
		}
	})
}
