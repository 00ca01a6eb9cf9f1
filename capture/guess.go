package capture

import (
	"fmt"
	"math"
	"math/bits"

	"github.com/wiretrue/websocket/wire"
	"github.com/wiretrue/websocket/wire/rfc"
)

// NOTE. A direction of which it is not known what its next byte belongs to is
// guessed from the evidence in its bytes. Until there is enough, both
// directions are held, so that the records keep the order of the wire.
//
// A guess may be wrong. Until enough headers have followed that one, one that
// cannot be is taken for a sign of that, and the search begins anew, unless
// frames go on behind its payload: then it is the fault of the peer.

const (
	sureBits  = 48      // not to doubt a guess any more
	maxSearch = 1 << 20 // bytes in which an unknown protocol is searched for frames
)

// begin decides what a fresh direction's next bytes are, when their beginning
// tells at once. It reports whether it did.
func (a *Analyser) begin(s *side, m mark, b []byte) bool {
	if s.searched > 0 || s.suspect != nil {
		return false
	}
	return a.beginAs(s, m, sniff(s.role, b), b)
}

func (a *Analyser) beginAs(s *side, m mark, what sniffed, b []byte) bool {
	peer := a.peer(s)
	switch {
	case what == sniffHTTP:
		s.state = stateHead
		a.found(s, m, "http", "")
		return true
	case what == sniffTLS && a.witness == nil:
		a.beginTLS(s, m, b)
		return true
	case what == sniffOther && s.role == wire.Server && len(a.exchanges) > 0 && s.lost == nil:
		a.foreignResponse(s, m, b)
		return true
	case what == sniffOther && s.role == wire.Server && peer.state == stateTLS:
		a.tlsOnPlainPort(peer)
		s.state = stateOpaque
		return true
	}
	return false
}

// untilNextTry returns how many more bytes of the side the next try to decide
// needs.
func (s *side) untilNextTry() int {
	next := 1
	for next <= s.guessLen {
		if next++; next > 16 {
			next = max(32, 1<<bits.Len(uint(s.guessLen)))
		}
	}
	return next - s.guessLen
}

// decide tries to decide what the guessed direction is, and reports whether
// the queue can go on. final says that there will be no more bytes before it
// must.
func (a *Analyser) decide(final bool) bool {
	s := a.guessed
	probe := side{guessLen: s.tried}
	if final = final || a.stops; !final && s.tried+probe.untilNextTry() > s.guessLen {
		return false
	}
	c := a.gather(s)
	if len(c.b) == 0 {
		a.guessed = nil
		return true
	}

	// Try at each length at which cut bytes would have been tried, too.
	for {
		n := probe.guessLen + probe.untilNextTry()
		if n > len(c.b) {
			break
		}
		probe.guessLen = n
		if a.try(s, c.prefix(n), false) {
			return true
		}
		s.tried = n
	}
	if !final {
		return false
	}
	if a.try(s, c, true) {
		return true
	}
	a.giveUp(s, len(c.b))
	return true
}

// gather returns the side's bytes in the queue, up to a gap or its end.
func (a *Analyser) gather(s *side) candidate {
	c := candidate{
		masked:  s.role == wire.Client,
		either:  s.contrary,
		deflate: a.deflate || a.witness == nil || !a.openSeen(),
		before:  s.searched,
	}
	for i := range a.queue {
		q := &a.queue[i]
		if q.stops(s.role) {
			break
		}
		if q.from == s.role && q.kind == itemBytes {
			if len(c.starts) == 0 || c.marks[len(c.marks)-1].packet != q.mark.packet {
				c.starts = append(c.starts, len(c.b))
				c.marks = append(c.marks, q.mark)
			}
			c.b = append(c.b, q.b...)
		}
	}
	return c
}

// try decides from the candidate's bytes.
func (a *Analyser) try(s *side, c candidate, final bool) bool {
	m := c.marks[0]
	c.final = final
	if s.suspect != nil && c.goesOn(s.suspect.ev.Header.Length, float64(sureBits-s.doubt)) {
		a.believe(s)
		return true
	}
	if s.searched == 0 && s.suspect == nil {
		what := sniff(s.role, c.b)
		if what == sniffMore && !final {
			return false
		}
		if what == sniffMore && a.witness == nil && s.lost == nil {
			what = sniffHTTP // the beginning of a head, and no more
		}
		if a.beginAs(s, m, what, c.b) {
			a.guessed = nil
			return true
		}
	}
	at, over, score, frames := c.best()
	if final {
		over += enoughBits - someBits
	}
	if at < 0 || over < enoughBits {
		return false
	}
	over -= enoughBits
	a.distrust(s)
	a.skipFront(s, at)
	evidence := fmt.Sprintf("%d headers in a row fit, %.0f bits of evidence", frames, score)
	if frames == 1 {
		evidence = fmt.Sprintf("one header fits, %.0f bits of evidence", score)
	}
	confidence := 1 - math.Exp2(-over-1)
	if final {
		confidence = min(confidence, 0.9)
	}
	a.guessed = nil
	s.doubt = sureBits - int(score)
	a.beginFrames(s, m, int64(at), confidence, evidence)
	return true
}

// skipFront drops the first n bytes of the side from the queue.
func (a *Analyser) skipFront(s *side, n int) {
	s.offset += int64(n)
	s.searched += int64(n)
	a.numbers.skipped[s.role] += int64(n)
	for i := range a.queue {
		if n == 0 {
			return
		}
		if q := &a.queue[i]; q.from == s.role && q.kind == itemBytes {
			k := min(n, len(q.b))
			q.b = q.b[k:]
			n -= k
			a.held -= k
			s.guessLen -= k
			if k > 0 {
				s.seen = true
				a.numbers.bytes(s.role, q.mark.at, k)
				a.net.again = [2]int{}
			}
		}
	}
}

// giveUp drops n bytes in which no frame was found.
func (a *Analyser) giveUp(s *side, n int) {
	a.distrust(s)
	first := s.searched == 0 && s.lost == nil
	var m mark
	var b []byte
	for _, q := range a.queue {
		if q.from == s.role && q.kind == itemBytes {
			m, b = q.mark, q.b
			break
		}
	}
	known := a.witness != nil
	if first && !known {
		if s.role == wire.Client && !a.net.middle {
			a.foreignRequest(s, m, b)
		}
		a.emit(KindStart, m, s.party(), Record{Start: &Start{As: "unknown", Evidence: "neither HTTP, TLS nor frames"}})
		if s.lost == nil {
			s.lost = &Gap{Stream: s.offset, Resumed: "never"}
			s.lostMark = m
		}
	}
	a.skipFront(s, n)
	s.lost.skip(int64(n))
	a.guessed = nil
	s.tried = 0
	if !known && s.searched > maxSearch {
		s.state = stateOpaque
	}
}

func (g *Gap) skip(n int64) {
	if g != nil {
		g.Skipped += n
	}
}

// beginFrames begins to read frames of a side whose handshake was not seen, or
// behind a gap. at is how many bytes were searched in vain in this try.
func (a *Analyser) beginFrames(s *side, m mark, at int64, confidence float64, evidence string) {
	skipped, whole := at, !s.lossy
	s.searched = 0
	if s.lost != nil {
		s.lost.skip(at)
		skipped = s.lost.Skipped
	}
	if a.witness == nil {
		a.openUnseen(m)
	}
	if !s.based {
		s.base, s.based = s.offset, true
		if s.lost != nil && s.lost.Missing == 0 {
			s.lost = nil
		}
		a.emit(KindStart, m, s.party(), Record{Start: &Start{
			As: "frames", Confidence: confidence, Evidence: evidence, Skipped: skipped, Offset: s.offset,
		}})
		if whole && a.net.opened && s.role == wire.Client && !a.openSeen() {
			f := broke(rfc.RequestSyntax, Client, "frames at the beginning of the connection, without an opening handshake")
			f.From, f.Offset, f.Stream = Client, 0, 0
			a.find(m, f)
		}
	}
	s.state = stateFrames
	s.lossy = true
	s.inflater.forget()
	a.restart(s, false)
	a.found(s, m, "found", evidence)
}

// found ends the search behind a gap.
func (a *Analyser) found(s *side, m mark, how, evidence string) {
	g := s.lost
	if g == nil {
		return
	}
	s.lost = nil
	g.Resumed, g.ResumedAt, g.Evidence = how, s.offset, evidence
	a.emit(KindGap, m, s.party(), Record{Gap: g})
}

// doubts reports whether an event makes a guess doubtful, rather than the peer
// faulty; a header that fits makes it less so.
func (s *side) doubts(ev *wire.Event) bool {
	if s.doubt <= 0 || ev.Kind != wire.Header {
		return false
	}
	broken := without(ev.Broken, rfc.ContinuationNeedsStart, rfc.FragmentCount, rfc.MessageSize)
	if s.contrary {
		broken = without(broken, rfc.ClientMustMask, rfc.ServerMustNotMask)
	}
	switch {
	case broken.Clean():
		s.doubt -= headerBits
		return false
	case ev.Header.Length < maxHeld:
		return true
	}
	// Nothing is held for so long that what follows could tell.
	s.doubt += faultBits
	return s.doubt > sureBits-someBits
}

// suspicion is a header that is doubted, until it is known whether the guess was
// wrong or the peer is faulty.
type suspicion struct {
	mark mark
	ev   wire.Event
}

// suspect leaves it to what follows whether the guess was wrong.
func (a *Analyser) suspect(s *side, m mark, ev *wire.Event) {
	a.settle(s, m)
	s.state = stateFresh
	s.searched, s.tried = 0, 0
	s.suspect = &suspicion{m, *ev}
}

// believe goes on behind the header that was doubted.
func (a *Analyser) believe(s *side) {
	x := s.suspect
	s.suspect, s.doubt = nil, 0
	s.state = stateFrames
	a.guessed = nil
	for ev := &x.ev; ; a.witness.Next(s.role, nil, ev) {
		if a.onEvent(s, x.mark, ev); ev.Kind == wire.NeedMore {
			return
		}
	}
}

// distrust gives up a guess that was wrong.
func (a *Analyser) distrust(s *side) {
	x := s.suspect
	if x == nil {
		return
	}
	s.suspect = nil
	a.cutFrame(s, x.mark, true)
	s.backInStep = false
	a.lose(s, x.mark, &Gap{Stream: s.offset, Resumed: "never"})
}
