package capture

import (
	"sync"
	"time"

	"github.com/wiretrue/websocket/wire"
	"github.com/wiretrue/websocket/wire/frame"
	"github.com/wiretrue/websocket/wire/rfc"
)

// frameReader is what a side has read behind the handshake.
type frameReader struct {
	inFrame    bool // a header is whole, its payload is not
	inMessage  bool
	contrary   bool     // a frame was masked, or not, as only the other side's are
	backInStep bool     // a message has begun since bytes were lost
	*reading            // nil: neither a frame nor a message is being read
	number     int64    // of the last frame
	start      mark     // of the first byte of the frame that begins next, or has begun last
	keys       keyWatch // of masking keys

	inflater  inflater
	requests  []request // without a response, oldest first
	left      uint64    // in stateSkip, bytes to the frame's end
	pings     wire.Pings
	pingSeq   int64
	pingMarks *[2 * maxPings]pingMark // by pingSeq; nil before the first
	rate      rateWatch
}

// reading is the frame and the message that are being read, and behind them
// the last ones, until all bytes that came are read.
type reading struct {
	frame    Frame
	payload  []byte    // backs frame.Payload
	findings []Finding // told behind the frame's record

	message       Message
	joined        []byte // backs message.Payload
	messageStart  time.Time
	messageHeader frame.Header // the first of the message
	messageAt     int64        // where it stands in the stream
}

// maxPings is not less than the number of Pings that wire.Pings remembers.
const maxPings = 16

type pingMark struct {
	at    time.Time
	frame int64
	size  int // of a frame that was on the way in the other direction
}

// begin forgets the frame and the message. With inside, a message of which the
// beginning is known goes on.
func (r *frameReader) begin(inside bool) {
	r.inFrame = false
	if r.reading != nil {
		r.findings = r.findings[:0]
	}
	if !inside {
		r.inMessage = false
	}
}

// scratches are for bytes that are unmasked in place.
var scratches = sync.Pool{New: func() any { return new([16 << 10]byte) }}

// readFrames reads bytes behind the handshake and returns how many: all, unless
// the guess where frames begin turns out to be wrong.
func (a *Analyser) readFrames(s *side, m mark, b []byte) int {
	all := len(b)
	s.offset += int64(all)
	r := a.witness.Receiver(s.role)
	scratch := scratches.Get().(*[16 << 10]byte)
	defer scratches.Put(scratch)
	for len(b) > 0 {
		in := scratch[:copy(scratch[:], b)] // the Receiver unmasks in place
		b = b[len(in):]
		for {
			before := r.Offset()
			var ev wire.Event
			n := a.witness.Next(s.role, in, &ev)
			if r.FrameOffset() >= before {
				s.start = m
			}
			a.takePayload(s, m, in[:n])
			in = in[n:]
			if s.doubts(&ev) {
				unread := len(in) + len(b)
				s.offset -= int64(unread)
				a.suspect(s, m, &ev)
				return all - unread
			}
			a.onEvent(s, m, &ev)
			if ev.Kind == wire.NeedMore {
				break
			}
		}
	}
	a.dropReading(s)
	return all
}

// takePayload takes what the frame's payload has of bytes that are read now,
// as it is on the wire but for its mask.
func (a *Analyser) takePayload(s *side, m mark, b []byte) {
	if !s.inFrame {
		return
	}
	b = b[:min(uint64(len(b)), s.frame.Header.Length-s.frame.Seen)]
	if len(b) > 0 {
		s.frame.Last, s.frame.LastPacket = m.at, m.packet
	}
	s.frame.Seen += uint64(len(b))
	s.payload = a.keep(s.payload, b)
	if s.frame.Message != 0 {
		s.message.WireSize += uint64(len(b))
	}
}

func (a *Analyser) onEvent(s *side, m mark, ev *wire.Event) {
	switch ev.Kind {
	case wire.NeedMore:
		a.settle(s, m)
		return
	case wire.Header:
		a.settle(s, m)
		a.beginFrame(s, m, ev)
		return
	}
	if !s.inFrame {
		return // an end has cut the frame, and it was told
	}
	switch ev.Kind {
	case wire.Data:
		a.note(s, m, ev)
		if s.frame.Message != 0 && s.message.NotInflated == "" {
			a.takeData(s, m, ev)
		}
	case wire.MessageEnd:
		a.note(s, m, ev)
		number := s.frame.Number
		a.endFrame(s, m)
		a.endMessage(s, m, number, false)
	case wire.Ping, wire.Pong, wire.Close:
		a.note(s, m, ev)
		a.endFrame(s, m)
		a.onControl(s, m, ev)
	}
}

// takeData takes a piece of a message.
func (a *Analyser) takeData(s *side, m mark, ev *wire.Event) {
	b := ev.Data
	if s.message.Compressed {
		b = a.spend(s, m, b)
	}
	s.message.Size += uint64(len(b))
	s.joined = a.keep(s.joined, b)
}

// settle ends a frame whose end is no event of its own, when all of it has
// come: one that its message goes on behind, or of an unassigned opcode.
func (a *Analyser) settle(s *side, m mark) {
	if s.inFrame && s.frame.Seen == s.frame.Header.Length {
		a.endFrame(s, m)
	}
}

// keep appends what a record may show of b.
func (a *Analyser) keep(dst, b []byte) []byte {
	return append(dst, b[:min(len(b), max(0, a.o.Payload-len(dst)))]...)
}

func (a *Analyser) beginFrame(s *side, m mark, ev *wire.Event) {
	a.frames++
	stream := s.shift + ev.Offset
	s.inFrame, s.number = true, a.frames
	if s.reading == nil {
		s.reading = a.newReading()
	}
	s.payload = s.payload[:0]
	s.frame = Frame{
		Number:      a.frames,
		Header:      Header{ev.Header},
		Offset:      stream - s.base,
		Stream:      stream,
		First:       s.start.at,
		FirstPacket: s.start.packet,
		Last:        m.at,
		LastPacket:  m.packet,
	}
	h := &ev.Header
	data := h.Opcode.Assigned() && !h.Opcode.Control()
	if data {
		if starts := h.Opcode != frame.Continuation; starts || !s.inMessage {
			if s.inMessage {
				a.endMessage(s, m, s.message.LastFrame, true)
			}
			a.beginMessage(s, m, h)
		}
		s.message.Frames++
		s.message.LastFrame = s.frame.Number
		s.frame.Message = s.message.Number
	}
	s.frame.Compressed = data && s.message.Compressed
	if s.frame.Compressed {
		s.inflater.allow(h.Length)
	}
	s.contrary = s.contrary || h.Masked != (s.role == wire.Client)
	a.numbers.frame(s.role, h)
	a.note(s, m, ev)
	if s.role == wire.Client && h.Masked {
		a.watchKey(s, ev)
	}
	if h.Opcode.Control() {
		a.watchRate(s, m)
	}
}

func (a *Analyser) beginMessage(s *side, m mark, h *frame.Header) {
	a.messages++
	s.inMessage = true
	s.joined = s.joined[:0]
	s.messageStart = s.start.at
	s.message = Message{Number: a.messages, FirstFrame: s.frame.Number, Type: "unknown"}
	switch h.Opcode {
	case frame.Text:
		s.message.Type = "text"
	case frame.Binary:
		s.message.Type = "binary"
	}
	if s.message.Compressed = a.witness.Receiver(s.role).Inflating(); s.message.Compressed {
		s.messageHeader, s.messageAt = *h, s.frame.Stream
		a.beginInflating(s)
		if !a.deflate {
			a.bitWithoutMeaning(s, m)
		}
	}
}

// note keeps what an event broke until its frame has been told.
func (a *Analyser) note(s *side, m mark, ev *wire.Event) {
	if ev.Broken.Clean() {
		return
	}
	for rule := range ev.Broken.All() {
		switch rule {
		case rfc.TextIsUTF8:
			if s.message.Cut {
				continue // a part of it is missing
			}
		case rfc.InflatablePayload:
			if !a.notInflated(s, m) {
				continue
			}
		case rfc.PongAnswersPing, rfc.PongMatchesPing:
			if a.peer(s).lossy {
				continue // the Ping may be among the bytes that are not known
			}
		case rfc.ContinuationNeedsStart:
			if s.lossy && s.message.FirstFrame == s.frame.Number && s.firstBack() {
				s.message.Cut = true // so may the start
				continue
			}
		}
		f := broke(rule, s.party(), seenInFrame(rule, ev))
		f.From, f.Frame = s.party(), s.frame.Number
		f.Stream = s.shift + ev.At(rule)
		f.Offset = f.Stream - s.base
		f.At, f.Packet = m.at, m.packet
		f.Bytes = bytesOf(rule, ev)
		a.explainFrame(&f, s, ev)
		s.findings = append(s.findings, f)
	}
}

// firstBack reports whether no message has begun since the side's bytes were
// lost, and notes that one has.
func (s *side) firstBack() bool {
	back := !s.backInStep
	s.backInStep = true
	return back
}

// bytesOf returns the bytes that break the rule, from the place on at which
// they do: to the end of the header, or some of the payload, unmasked.
func bytesOf(rule rfc.Rule, ev *wire.Event) Hex {
	const most = 32
	switch ev.Kind {
	case wire.Header:
		return Hex(ev.Header.Append(nil))[ev.At(rule)-ev.Offset:]
	case wire.Data:
		return append(Hex(nil), ev.Data[:min(len(ev.Data), 1)]...) // the impossible byte
	case wire.MessageEnd:
		return nil
	}
	at := ev.At(rule) - ev.Offset
	if size := int64(ev.Header.Size()); at >= size {
		b := ev.Data[min(int64(len(ev.Data)), at-size):]
		return append(Hex(nil), b[:min(len(b), most)]...)
	}
	return Hex(ev.Header.Append(nil))[at:]
}

func (a *Analyser) endFrame(s *side, m mark) {
	f := &s.frame
	s.inFrame = false
	f.Compressed = f.Compressed && !s.neverCompressed()
	f.Payload = Excerpt{s.payload, f.Header.Length}
	if f.Cut {
		f.Payload.Size = f.Seen
	}
	a.numbers.frameEnd(s.role, f)
	a.emit(KindFrame, m, s.party(), Record{Frame: f})
	for i := range s.findings {
		a.explainWhole(&s.findings[i], s)
		a.find(m, s.findings[i])
	}
	s.findings = s.findings[:0]
	if !f.Header.Opcode.Control() {
		a.noteSize(s, f.Header.Length, oneFrame)
	}
	if f.Header.Opcode != frame.Close && a.end.began == "" {
		a.end.quiet = f.Last
	}
}

func (a *Analyser) endMessage(s *side, m mark, last int64, cut bool) {
	g := &s.message
	s.inMessage = false
	g.LastFrame = last
	g.Took = m.at.Sub(s.messageStart)
	g.Cut = g.Cut || cut
	if g.Compressed {
		a.endInflating(s, m)
		a.noteSize(s, g.Size, inflatedMessage)
	} else {
		g.Size = max(g.Size, g.WireSize)
		if g.Frames > 1 {
			a.noteSize(s, g.Size, fragmentedMessage)
		}
	}
	a.watchID(s, m)
	g.Payload = Excerpt{s.joined, g.Size}
	a.numbers.message(s.role, g)
	a.emit(KindMessage, m, s.party(), Record{Message: g})
}

func (a *Analyser) onControl(s *side, m mark, ev *wire.Event) {
	peer := a.peer(s)
	switch ev.Kind {
	case wire.Ping:
		if a.end.began == "" {
			a.end.lastPing = s.frame.First
			s.pings.Sent(ev.Data, s.pingSeq)
			p := pingMark{at: s.frame.First, frame: s.frame.Number}
			if peer.inFrame && !peer.frame.Header.Opcode.Control() {
				p.size = int(min(peer.frame.Header.Length, 1<<40)) // the Pong waits behind it
			}
			if s.pingMarks == nil {
				s.pingMarks = new([2 * maxPings]pingMark)
			}
			s.pingMarks[s.pingSeq%int64(len(s.pingMarks))] = p
			s.pingSeq++
		}
	case wire.Pong:
		seq, answers, _ := peer.pings.Pong(ev.Data)
		if !answers {
			return
		}
		p := peer.pingMarks[seq%int64(len(peer.pingMarks))]
		rtt := max(0, m.at.Sub(p.at))
		a.emit(KindPing, m, peer.party(), Record{Ping: &Ping{
			Frame:   p.frame,
			Pong:    s.frame.Number,
			Payload: Excerpt{ev.Data, uint64(len(ev.Data))},
			RTT:     rtt,
		}})
		a.slowPong(s, m, p, rtt)
		a.numbers.rtt(peer.role, rtt)
	case wire.Close:
		a.onClose(s, m, ev)
	}
}

// gap takes a gap in a side's bytes.
func (a *Analyser) gap(s *side, m mark, n int64) {
	a.distrust(s)
	at := s.offset
	s.lossy = true
	s.backInStep = false
	if n > 0 {
		s.offset += n
	}
	switch s.state {
	case stateWaiting:
		s.held = append(s.held, item{kind: itemGap, from: s.role, mark: m, n: n})
		if len(s.held) > maxItems {
			a.assumeOpen(m)
		}
		return
	case stateBody:
		y := &s.body
		s.ex.Cut = true
		switch {
		case y.mode == bodyUntilEnd, n > 0 && n <= y.left && (y.mode == bodyLength || y.mode == bodyChunk):
			y.left -= max(0, n)
			a.emit(KindGap, m, s.party(), Record{Gap: &Gap{Missing: n, Stream: at, Resumed: "http", ResumedAt: s.offset}})
			a.advanceBody(s, m, false)
			return
		}
		a.loseHTTP(s, m)
	case stateHead:
		a.loseHTTP(s, m)
	case stateFrames:
		if a.gapInFrame(s, m, at, n) {
			return
		}
		a.cutFrame(s, m, true)
	case stateSkip:
		if n > 0 && uint64(n) <= s.left {
			s.left -= uint64(n)
			a.emit(KindGap, m, s.party(), Record{Gap: &Gap{Missing: n, Stream: at, Resumed: "frame", ResumedAt: s.offset}})
			if s.left == 0 {
				a.endSkip(s, m)
			}
			return
		}
		a.cutFrame(s, m, true)
	case stateOpaque, stateTLS:
		return
	}
	a.lose(s, m, &Gap{Missing: n, Stream: at, Resumed: "never"})
}

// lose says that it is not known what the side's next byte is.
func (a *Analyser) lose(s *side, m mark, g *Gap) {
	s.state = stateFresh
	s.searched, s.tried = 0, 0
	s.inflater.forget()
	if s.lost != nil { // nothing was found since the gap before
		a.emit(KindGap, m, s.party(), Record{Gap: s.lost})
	}
	s.lost, s.lostMark = g, m
}

// loseHTTP gives up the head or the body that the side is in.
func (a *Analyser) loseHTTP(s *side, m mark) {
	s.head = s.head[:0]
	ex := s.ex
	s.ex, s.body = nil, body{}
	if ex == nil {
		return
	}
	ex.Cut = true
	if s.role == wire.Server {
		a.endExchange(ex, m)
	} else {
		ex.requested = true
	}
}

// gapInFrame handles a gap that ends no later than the frame in which it is,
// so that where the next one begins is known. It reports whether it is one.
func (a *Analyser) gapInFrame(s *side, m mark, at, n int64) bool {
	if !s.inFrame || n < 0 {
		return false
	}
	left := s.frame.Header.Length - s.frame.Seen
	if uint64(n) > left {
		return false
	}
	s.frame.Cut = true
	if s.frame.Message != 0 {
		s.message.Cut = true
		s.message.WireSize += left
		if s.message.Compressed {
			a.stopInflating(s, missingBytes)
		}
	}
	s.state = stateSkip
	s.left = left - uint64(n)
	a.emit(KindGap, m, s.party(), Record{Gap: &Gap{Missing: n, Stream: at, Resumed: "frame", ResumedAt: s.offset}})
	if s.left == 0 {
		a.endSkip(s, m)
	}
	return true
}

// skip passes over bytes of a frame behind a gap in it, and returns how many.
func (a *Analyser) skip(s *side, m mark, b []byte) int {
	n := int(min(uint64(len(b)), s.left))
	s.left -= uint64(n)
	s.offset += int64(n)
	s.frame.Seen += uint64(n)
	s.frame.Last, s.frame.LastPacket = m.at, m.packet
	if s.left == 0 {
		a.endSkip(s, m)
	}
	return n
}

// endSkip ends the frame with the gap and goes on behind it.
func (a *Analyser) endSkip(s *side, m mark) {
	fin, data, number := s.frame.Header.Fin, s.frame.Message != 0, s.frame.Number
	inside := s.inMessage && !(fin && data)
	a.endFrame(s, m)
	if data && fin {
		a.endMessage(s, m, number, true)
	}
	s.state = stateFrames
	a.restart(s, inside)
}

// cutFrame tells of the frame and the message that a side's bytes leave
// unfinished.
func (a *Analyser) cutFrame(s *side, m mark, message bool) {
	if s.inFrame {
		s.frame.Cut = true
		a.endFrame(s, m)
	}
	if message && s.inMessage {
		a.endMessage(s, m, s.message.LastFrame, true)
	}
}
