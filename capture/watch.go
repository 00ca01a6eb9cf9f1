package capture

import (
	"encoding/binary"
	"slices"
	"time"

	"github.com/wiretrue/websocket/internal/duration"
	"github.com/wiretrue/websocket/wire"
	"github.com/wiretrue/websocket/wire/rfc"
)

// keyWatch remembers the last masking keys of a client.
type keyWatch struct {
	recent   []uint32 // a ring of maxKeys
	next     int
	repeats  int
	steps    int // consecutive keys that differ by the same amount
	step     uint32
	last     uint32
	reported bool
}

const maxKeys = 64

// watchKey looks for masking keys that can be predicted, beyond those that
// merely repeat the one before, which is a rule's.
func (a *Analyser) watchKey(s *side, ev *wire.Event) {
	w := &s.keys
	if w.reported {
		return
	}
	key := binary.BigEndian.Uint32(ev.Header.MaskingKey[:])
	if len(w.recent) > 0 {
		if step := key - w.last; step == w.step && step != 0 {
			w.steps++
		} else {
			w.step, w.steps = step, 0
		}
		if key != w.last && slices.Contains(w.recent, key) {
			w.repeats++
		}
	}
	if w.last = key; len(w.recent) < maxKeys {
		w.recent = append(w.recent, key)
	} else {
		w.recent[w.next%maxKeys] = key
		w.next++
	}
	if w.repeats < 3 && w.steps < 3 {
		return
	}
	w.reported, w.recent = true, nil
	seen := "masking keys of the last frames come again and again, the newest is %08x"
	if w.steps >= 3 {
		seen = "each masking key is the one before plus a fixed number, the newest is %08x"
	}
	f := found("capture-predictable-masking-keys", Client, seen, key)
	f.From, f.Frame, f.Bytes = Client, s.frame.Number, append(Hex(nil), ev.Header.MaskingKey[:]...)
	f.Offset = s.frame.Offset + int64(ev.Header.Size()) - 4
	f.Stream = f.Offset + s.base
	s.findings = append(s.findings, f)
}

// rateWatch counts the control frames of the current second.
type rateWatch struct {
	since time.Time
	count int
}

func (a *Analyser) watchRate(s *side, m mark) {
	w := &s.rate
	if w.count == 0 || m.at.Sub(w.since) >= time.Second || m.at.Before(w.since) {
		w.since, w.count = m.at, 0
	}
	w.count++
	if a.o.ControlRate > 0 && w.count == a.o.ControlRate+1 {
		f := broke(rfc.ControlRate, s.party(), "more than "+count(a.o.ControlRate, "control frame")+" in a second")
		f.From, f.Frame, f.Offset, f.Stream = s.party(), s.frame.Number, s.frame.Offset, s.frame.Stream
		f.Bytes = s.frame.Header.Append(nil)
		s.findings = append(s.findings, f)
	}
}

const (
	largeFrame = 64 << 10
	slowRTT    = 100 * time.Millisecond
	tinyFrame  = 16
	manyFrames = 1000
)

// slowPong looks for a Pong that had to wait behind a large frame: of its own
// direction, that was on the way when the Ping came or has ended since.
func (a *Analyser) slowPong(s *side, m mark, p pingMark, rtt time.Duration) {
	size := uint64(p.size)
	if large := &a.end.large; large.from == s.party() && !large.at.Before(p.at) && large.kind == oneFrame {
		size = max(size, large.size)
	}
	median := time.Duration(a.numbers.sides[s.role.Peer()].rtts.median())
	if size < largeFrame || rtt < slowRTT || median > 0 && rtt < 3*median {
		return
	}
	f := found("capture-ping-behind-message", s.party(), "the Pong took %s while a frame of %d bytes was sent before it", duration.Words(rtt), size)
	f.From, f.Frame, f.Offset, f.Stream = s.party(), s.frame.Number, s.frame.Offset, s.frame.Stream
	a.find(m, f)
}

// noteSize remembers the last large frame, or the last that came to a large
// message when it was inflated, and the largest of the side, which is the one
// that a peer refuses whose limit the others have not reached.
func (a *Analyser) noteSize(s *side, size uint64, kind largeKind) {
	d := largeData{at: s.frame.Last, from: s.party(), size: size, number: s.frame.Number, kind: kind}
	if size >= largeFrame {
		a.end.large = d
	}
	if size > 0 && size >= a.end.largest[s.role].size {
		a.end.largest[s.role] = d
	}
}

// watchTiny looks at the end for a side that sent its data in crumbs.
func (a *Analyser) watchTiny(m mark) {
	for _, role := range []wire.Role{wire.Client, wire.Server} {
		n := &a.numbers.sides[role]
		if n.DataFrames < manyFrames || n.DataPayload > tinyFrame*n.DataFrames {
			continue
		}
		f := found("capture-tiny-frames", partyOf(role), "%d data frames with %.1f bytes of payload on average", n.DataFrames, float64(n.DataPayload)/float64(n.DataFrames))
		f.From = partyOf(role)
		a.find(m, f)
	}
}
