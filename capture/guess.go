package capture

import (
	"fmt"
	"math"
	"math/bits"
	"unicode/utf8"

	"github.com/wiretrue/websocket/wire"
	"github.com/wiretrue/websocket/wire/frame"
	"github.com/wiretrue/websocket/wire/handshake"
	"github.com/wiretrue/websocket/wire/rfc"
)

// NOTE. Where a direction's bytes begin, and behind a gap, nothing says what
// the next byte is. HTTP and TLS are told by their first bytes. Frames are
// found by evidence, counted in bits: how improbable it is that other bytes
// look like this header, and like the header behind its payload, and so on.
// The further in the candidate stands, the more evidence it needs, because
// there were as many chances to be wrong. Until there is enough, both
// directions are held, so that the records keep the order of the wire.

const (
	enoughBits = 20      // to believe a candidate at the very beginning
	someBits   = 9       // to believe it when no more bytes will come
	maxSearch  = 1 << 20 // bytes in which an unknown protocol is searched for frames
)

// sniffed is what first bytes are.
type sniffed uint8

const (
	sniffMore  sniffed = iota // too few of them
	sniffHTTP                 // a head may follow
	sniffTLS                  // a record of a handshake, or an alert
	sniffOther                // something else
)

func sniff(from wire.Role, b []byte) sniffed {
	if b[0] == 0x16 || b[0] == 0x15 && from == wire.Server {
		switch {
		case len(b) < 3:
			return sniffMore
		case b[1] == 3 && b[2] <= 4:
			return sniffTLS
		}
		return sniffOther
	}
	prefix := b[:min(len(b), 8)]
	var broken rfc.Set
	if from == wire.Client {
		r, _ := handshake.ParseRequest(prefix, 0)
		broken = r.Broken
	} else {
		r, _ := handshake.ParseResponse(prefix, 0)
		broken = r.Broken
	}
	switch {
	case !broken.Clean():
		return sniffOther
	case len(prefix) < 8:
		return sniffMore
	}
	return sniffHTTP
}

// begin decides what a fresh direction's next bytes are, when their beginning
// tells at once. It reports whether it did.
func (a *Analyser) begin(s *side, m mark, b []byte) bool {
	if s.searched > 0 {
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
	var c candidate
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
	if len(c.b) == 0 {
		a.guessed = nil
		return true
	}
	c.role = s.role
	c.deflate = a.deflate || a.witness == nil || a.opened == nil
	c.before = s.searched

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

// try decides from the candidate's bytes.
func (a *Analyser) try(s *side, c candidate, final bool) bool {
	m := c.marks[0]
	if s.searched == 0 {
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
	at, score, frames := c.best()
	need := enoughBits + math.Log2(float64(c.before)+float64(at)+1)
	if final {
		need = someBits + math.Log2(float64(c.before)+float64(at)+1)
	}
	if at < 0 || score < need {
		return false
	}
	a.skipFront(s, at)
	evidence := fmt.Sprintf("%d headers in a row fit, %.0f bits of evidence", frames, score)
	if frames == 1 {
		evidence = fmt.Sprintf("one header fits, %.0f bits of evidence", score)
	}
	confidence := 1 - math.Exp2(-(score-need)-1)
	if final {
		confidence = min(confidence, 0.9)
	}
	a.guessed = nil
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
			}
		}
	}
}

// giveUp drops n bytes in which no frame was found.
func (a *Analyser) giveUp(s *side, n int) {
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
	skipped := at
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
		if a.net.opened && s.role == wire.Client && a.opened == nil {
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

// candidate is bytes in which the first frame is searched.
type candidate struct {
	b       []byte
	starts  []int  // where packets begin in b
	marks   []mark // theirs
	role    wire.Role
	deflate bool  // RSV1 may be set
	before  int64 // bytes that were searched before b
}

func (c candidate) prefix(n int) candidate {
	c.b = c.b[:n]
	return c
}

// best returns where the frames most probably begin; -1: nowhere.
func (c *candidate) best() (at int, score float64, frames int) {
	at = -1
	next := 0 // of starts
	for i := range c.b {
		for next < len(c.starts) && c.starts[next] < i {
			next++
		}
		if !c.mayBegin(c.b[i:]) {
			continue
		}
		bits, n := c.evidence(i)
		if n > 0 && next < len(c.starts) && c.starts[next] == i {
			bits += 4
		}
		// A candidate further in must be better by what its place costs.
		if n > 0 && (at < 0 || bits-math.Log2(float64(i)+1) > score-math.Log2(float64(at)+1)) {
			at, score, frames = i, bits, n
		}
	}
	return at, score, frames
}

// mayBegin looks at the first two bytes only.
func (c *candidate) mayBegin(b []byte) bool {
	if len(b) < 2 || !frame.Opcode(b[0]&15).Assigned() || b[0]&0x30 != 0 {
		return false
	}
	return b[1]&0x80 != 0 == (c.role == wire.Client)
}

// evidence returns how improbable it is that other bytes look like a row of
// frames at i, in bits, and how many headers it saw. It returns no headers
// when one of them cannot be.
func (c *candidate) evidence(i int) (score float64, frames int) {
	for i < len(c.b) && score < 64 {
		if len(c.b)-i >= 2 && !c.mayBegin(c.b[i:]) {
			return 0, 0
		}
		h, n := frame.Parse(c.b[i:])
		if n == 0 {
			break
		}
		weight, ok := c.header(&h)
		if !ok {
			return 0, 0
		}
		p := c.b[i+n:]
		whole := h.Length <= uint64(len(p))
		if whole {
			p = p[:h.Length]
		}
		more, ok := c.payload(&h, p, whole)
		if !ok {
			return 0, 0
		}
		score += weight + more
		frames++
		if !whole {
			break
		}
		i += n + int(h.Length)
	}
	return score, frames
}

func (c *candidate) header(h *frame.Header) (score float64, ok bool) {
	control := h.Opcode.Control()
	switch {
	case h.LengthSize != frame.MinimalLengthSize(h.Length), h.Length>>40 != 0:
		return 0, false
	case control && (!h.Fin || h.Length > frame.MaxControlPayload || h.RSV != 0):
		return 0, false
	case h.RSV != 0 && (!c.deflate || h.Opcode == frame.Continuation):
		return 0, false
	}
	score = 5
	if h.RSV != 0 {
		score = 3
	}
	if control {
		score++
	}
	if h.LengthSize == 8 {
		score += 24
	}
	return score, true
}

func (c *candidate) payload(h *frame.Header, p []byte, whole bool) (score float64, ok bool) {
	p = append([]byte(nil), p[:min(len(p), frame.MaxControlPayload)]...)
	frame.Mask(p, h.MaskingKey, 0)
	switch {
	case h.Opcode == frame.Close && whole:
		code, reason, has := frame.ParseClose(p)
		switch {
		case has && (!rfc.StatusCode(code).Sendable() || !utf8.Valid(reason)), h.Length == 1:
			return 0, false
		case has:
			return 10, true
		}
	case h.Opcode == frame.Text && h.RSV == 0:
		text, valid := Excerpt{Bytes: p, Size: uint64(len(p)) + 1}.Text() // it may end inside a character
		if !valid {
			return 0, false
		}
		if c.role == wire.Client { // behind a wrong key it would be random
			return float64(len(text)), true
		}
		return float64(len(text)) / 4, true
	}
	return 0, true
}
