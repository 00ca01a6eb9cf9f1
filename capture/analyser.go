package capture

import (
	"time"

	"github.com/wiretrue/websocket/wire"
	"github.com/wiretrue/websocket/wire/handshake"
)

// Options bound and inform an Analyser. The zero value is good.
type Options struct {
	Limits      wire.Limits // what MessageSize and FragmentCount are judged by; zero: no limit
	HeadLimit   int         // most bytes of a head of HTTP; 0: handshake.DefaultLimit
	Payload     int         // most bytes that a record shows of a payload or a body; 0: 4096; negative: none
	Findings    int         // most findings that the Report holds; 0: 200. All are passed on as they happen
	Inflate     int         // most bytes that a side's compressed messages come to, beside a hundred for each on the wire; 0: 16 MiB. Behind them nothing is inflated
	ControlRate int         // most control frames of a side in a second; 0: 1000; negative: no limit
	TLS         bool        // the streams were inside TLS

	// Origins that the server allows beside its own, in the form that
	// handshake.Request.OriginAllowed takes.
	Origins []string

	// OtherKeys returns the keys of other connections, for which a wrong
	// Sec-WebSocket-Accept may have been meant; nil: none are known.
	OtherKeys func() []string
}

// An Analyser turns the bytes of one connection into records.
type Analyser struct {
	o    *Options
	pool *Pool    // nil: none
	to   Recorder // nil: nobody wants the records
	*told
	noted  *noted // nil: nothing has been found
	report *Report
	over   bool // nothing more is told
	spent  bool // nothing more is known, but the report

	*work                // nil while the Analyser rests, and behind the Report
	slot  int            // of the Pool, counted from 1; 0: none
	used  bool           // since the Pool looked
	saved []byte         // the work, while the Analyser rests
	where *time.Location // of its times
}

// told is what is passed on while it is told.
type told struct {
	record Record
	event  NetEvent
}

// work is what an Analyser needs while it works.
type work struct {
	// While a direction is being guessed, what comes is held here in order.
	guessed *side // which it is; nil: none
	queue   []item
	held    int  // bytes in the queue
	stops   bool // a gap in it, or its end, is in the queue

	warmth    byte          // what warm read, so that it is not left out
	deflate   bool          // frames may be compressed: it was agreed on, or what was is not known
	witness   *wire.Witness // judge; nil before the connection is open
	frames    int64
	messages  int64
	sides     [2]side
	judge     wire.Witness
	numbers   numbers
	end       endState
	ended     *Ending     // once it has been told
	exchanges []*exchange // without a whole response, oldest first
	opened    *Handshake  // the handshake that opened the connection, without heads and bodies
	packed    []byte      // in its place, with a Pool; see packHandshake
	net       netFacts
	keys      []string  // of this connection's earlier handshakes
	traces    [2]string // the fields by which a proxy on a side shows itself in the handshake; "": by none
}

func newWork() *work {
	w := new(work)
	w.begin()
	return w
}

func (w *work) begin() {
	w.sides[wire.Client].role, w.sides[wire.Server].role = wire.Client, wire.Server
}

// witnesses begins to judge the frames, or goes on in the state.
func (w *work) witnesses(limits wire.Limits, state wire.WitnessState) {
	w.witness = &w.judge
	w.witness.Resume(limits, state)
}

// New returns an Analyser that passes each record to emit, which may be nil
// when the Report is all that is wanted.
func New(o Options, emit func(Record)) *Analyser {
	o.complete()
	a := &Analyser{o: &o, told: new(told)}
	if emit != nil {
		a.to = function(emit)
	}
	return a
}

// function is a Recorder.
type function func(Record)

func (f function) Record(r *Record) { f(*r) }

// complete puts the defaults in the place of zeros.
func (o *Options) complete() {
	if o.HeadLimit <= 0 {
		o.HeadLimit = handshake.DefaultLimit
	}
	o.Payload = orDefault(o.Payload, 4096)
	o.Findings = orDefault(o.Findings, 200)
	o.Inflate = orDefault(o.Inflate, 16<<20)
	o.ControlRate = orDefault(o.ControlRate, 1000)
}

func orDefault(n, value int) int {
	switch {
	case n < 0:
		return 0
	case n == 0:
		return value
	}
	return n
}

// mark is when and in which packet something was seen.
type mark struct {
	at     time.Time
	packet int64
}

// Bytes takes the next bytes that a side sent. at is when they were seen and
// packet in which packet, 0 if that is not known. The two sides must be passed
// in the order in which they were seen. b is neither kept nor changed.
func (a *Analyser) Bytes(from wire.Role, at time.Time, packet int64, b []byte) {
	a.take(item{kind: itemBytes, from: from & 1, mark: mark{at, packet}, b: b})
}

// Gap tells that n bytes of a side are missing here; negative: it is not known
// how many.
func (a *Analyser) Gap(from wire.Role, at time.Time, packet int64, n int64) {
	if n != 0 {
		a.take(item{kind: itemGap, from: from & 1, mark: mark{at, packet}, n: n})
	}
}

// End tells that a side sends no more. Bytes that come all the same are read
// as before.
func (a *Analyser) End(from wire.Role, at time.Time, packet int64, how How) {
	a.take(item{kind: itemEnd, from: from & 1, mark: mark{at, packet}, how: how})
}

// Net tells a fact from below.
func (a *Analyser) Net(e NetEvent) {
	e.From &= 1
	a.event = e
	a.take(item{kind: itemNet, from: e.From, mark: mark{e.At, e.Packet}, net: &a.event})
}

// emit passes a record on.
func (a *Analyser) emit(kind Kind, m mark, from Party, r Record) {
	if a.to == nil {
		return
	}
	r.V, r.Kind, r.At, r.Packet, r.From = Version, kind, m.at, m.packet, from
	a.record = r
	a.to.Record(&a.record)
}

// find passes a finding on. Where it lacks a time or a packet, it gets those
// of the mark.
func (a *Analyser) find(m mark, f Finding) {
	if f.At.IsZero() {
		f.At, f.Packet = m.at, m.packet
	}
	if a.noted == nil {
		a.noted = &noted{counts: map[string]int{}, severities: map[Severity]int{}}
	}
	a.noted.finding(&f, a.o.Findings)
	a.emit(KindFinding, mark{f.At, f.Packet}, f.From, Record{Finding: &f})
}

// state says what a direction's next byte belongs to.
type state uint8

const (
	stateFresh   state = iota // anything: it begins, or goes on behind a gap
	stateHead                 // a head of HTTP
	stateBody                 // the body behind it
	stateWaiting              // the client's bytes behind a request to upgrade, until the answer is known
	stateFrames
	stateSkip   // the rest of a frame behind a gap in it
	stateTLS    // a ClientHello, until the answer is known
	stateOpaque // not understood, and not looked at
)

// side is one direction, by who sends it.
type side struct {
	role   wire.Role
	state  state
	seen   bool  // bytes have come
	based  bool  // the first byte behind the handshake is known
	lossy  bool  // bytes of it are unknown
	offset int64 // of the next byte, in the stream
	base   int64 // of the first behind the handshake
	shift  int64 // offset of the Receiver's byte 0
	ended  How   // "": it has not
	ending end   // to be told
	doubt  int   // bits of evidence that a guess lacks; not positive: none
	frameReader

	// HTTP.
	head      []byte
	headFirst mark
	headAt    int64 // offset of the head's first byte
	body      body
	ex        *exchange // whose body is being read
	held      []item    // in stateWaiting
	heldBytes int

	// A direction that is guessed, or was lost.
	guessLen int // its bytes in the queue
	tried    int // how many of them the last try had
	searched int64
	lost     *Gap
	lostMark mark
	suspect  *suspicion
}

func (a *Analyser) peer(s *side) *side { return &a.sides[s.role.Peer()] }

func (s *side) party() Party { return partyOf(s.role) }

// read reads bytes of one side. It returns the rest when the side must be
// guessed first, with guessed set.
func (a *Analyser) read(s *side, m mark, b []byte) (rest []byte) {
	for len(b) > 0 {
		s.seen = true
		n := len(b)
		switch s.state {
		case stateFresh:
			if !a.begin(s, m, b) {
				a.guessed, a.stops = s, false
				s.guessLen, s.tried = 0, 0
				return b
			}
			continue
		case stateHead:
			n = a.readHead(s, m, b)
		case stateBody:
			n = a.readBody(s, m, b)
		case stateWaiting:
			n = a.wait(s, m, b)
		case stateFrames:
			n = a.readFrames(s, m, b)
		case stateSkip:
			n = a.skip(s, m, b)
		default:
			s.offset += int64(n)
		}
		if b = b[n:]; a.guessed != nil { // these have released bytes that must be guessed first
			return b
		}
	}
	return nil
}

// Finish ends the analysis: what is held or unfinished is told. Later bytes are
// ignored. What comes next is Report, or Discard.
func (a *Analyser) Finish() {
	if a.over {
		return
	}
	a.wake()
	a.drain(true)
	a.finish()
	a.over = true
}

// Report ends the analysis, unless Finish did, and returns the sum. Later calls
// return the same.
func (a *Analyser) Report() *Report {
	a.Finish()
	if a.report == nil && !a.spent {
		a.wake()
		a.report = a.sum()
		a.Discard()
	}
	return a.report
}

// Discard frees what the Analyser holds, when there is to be no Report: one that
// was not made before is nil.
func (a *Analyser) Discard() {
	if a.spent {
		return
	}
	a.leave()
	a.saved, a.over, a.spent = nil, true, true
	if a.pool != nil {
		a.pool.all--
	}
}

// Found returns how many findings of a severity have been told.
func (a *Analyser) Found(s Severity) int {
	if a.noted == nil {
		return 0
	}
	return a.noted.severities[s]
}
