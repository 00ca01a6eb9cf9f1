package capture

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/wiretrue/websocket/internal/between"
	"github.com/wiretrue/websocket/internal/duration"
	"github.com/wiretrue/websocket/wire"
	"github.com/wiretrue/websocket/wire/frame"
	"github.com/wiretrue/websocket/wire/rfc"
)

// Ending tells how and why the connection ended.
type Ending struct {
	How    Outcome        `json:"how"`
	Began  Party          `json:"began,omitempty"` // who sent the first Close, or ended TCP first
	Code   rfc.StatusCode `json:"code,omitempty"`  // of the first Close
	Reason string         `json:"reason,omitempty"`
	Client *View          `json:"client_view,omitempty"` // what the client's program was told
	Server *View          `json:"server_view,omitempty"`

	Silence       time.Duration `json:"silence_ns"`                  // between the last frame of either side, or the handshake, and the first act of ending
	SilenceClient time.Duration `json:"silence_client_ns"`           // the same, of the client's bytes alone
	SilenceServer time.Duration `json:"silence_server_ns"`           // and of the server's
	SincePing     time.Duration `json:"since_ping_ns,omitempty"`     // the last Ping; 0: there was none
	Unanswered    [2]int        `json:"unanswered_pings"`            // Pings without a Pong, of the client and of the server
	Large         uint64        `json:"large_before,omitempty"`      // the size of a large frame less than two seconds before, or of what was refused with 1009
	LargeFrom     Party         `json:"large_before_from,omitempty"` // who sent it
	Hints         []Hint        `json:"hints,omitempty"`             // timeouts that the silence would fit, the best first
	Lasted        time.Duration `json:"lasted_ns"`                   // from the first byte to the first act of ending
	TCPAfter      time.Duration `json:"tcp_end_after_ns,omitempty"`  // from the answered Close to the first end of TCP
	Reset         Party         `json:"reset_by,omitempty"`          // who sent a RST
	Proxy         string        `json:"proxy,omitempty"`             // the proxy that ended TCP in place of the one who Began: its kind, or "a proxy"

	facts facts
}

// facts are what only the words tell of an ending. Texts are empty where there is
// nothing to tell.
type facts struct {
	unopened  bool   // TCP was never open
	tlsFailed string // how
	encrypted bool   // what went on is not known
	upgraded  bool
	refusal   string // the status of the response that refused the upgrade
	atOnce    bool   // there was no frame before the end
	during    int64  // the frame that was on its way when the Close came; 0: none
	frame     int64  // the frame that called for the code of the Close; 0: none
	from      Party  // of it
	rule      string // that it broke
	gone      string // that a peer may be
}

// Outcome is how a connection ended.
type Outcome string

// The outcomes.
const (
	Clean      Outcome = "clean"      // by the closing handshake
	HalfClosed Outcome = "unanswered" // a Close was sent and not answered
	Abnormal   Outcome = "abnormal"   // TCP ended without a Close
	Refused    Outcome = "refused"    // the upgrade was not granted, or the client did not take the answer
	Never      Outcome = "never"      // nothing asked for a WebSocket
	Going      Outcome = "going"      // the capture stops before the connection
)

// View is the close code that a program is told: that of the first Close which
// came to it, 1005 when it had no code, 1006 when none came (RFC 6455 7.1.5).
type View struct {
	Code   rfc.StatusCode `json:"code"`
	Reason string         `json:"reason,omitempty"`
}

// Hint is a timeout of something on the way that the silence before the end
// would fit.
type Hint struct {
	Timeout    time.Duration `json:"timeout_ns"`
	Confidence float64       `json:"confidence"`        // 0 to 1
	Whose      string        `json:"whose"`             // what usually has this timeout
	Setting    string        `json:"setting,omitempty"` // what sets it, when that is known
	Silent     string        `json:"silent"`            // which bytes were missing that long: "both", "client" or "server"
}

// endState is what is known on the way to the end.
type endState struct {
	quiet    time.Time    // the last frame before the first act of ending, or the handshake
	largest  [2]largeData // of each side's frames and messages
	large    largeData
	lastPing time.Time
	began    Party
	begun    mark
	refusal  string // the status of the last response that refused an upgrade; "": there was none
	first    *Close // the first Close frame
	closes   [2]*Close
	answered time.Time
	tcp      mark // the first end of TCP
	tcpBy    Party
	reset    Party
	lastOf   [2]time.Time // the sides' last bytes before the first act
	waiting  [2]int       // unanswered Pings at that time
	told     bool
}

type largeData struct {
	at     time.Time
	from   Party
	size   uint64
	number int64
	kind   largeKind
}

// largeKind says what was large.
type largeKind uint8

const (
	oneFrame largeKind = iota
	fragmentedMessage
	inflatedMessage
)

func (k largeKind) String() string {
	return [...]string{"frame", "fragmented message", "compressed message"}[k]
}

// onClose takes a Close frame.
func (a *Analyser) onClose(s *side, m mark, ev *wire.Event) {
	e := &a.end
	c := &Close{Frame: s.frame.Number, Code: rfc.NoStatusReceived}
	if code, reason, ok := frame.ParseClose(ev.Data); ok {
		c.Code, c.Reason = rfc.StatusCode(code), string(reason)
	}
	c.Name = c.Code.Info().Name
	c.After = since(e.quiet, s.frame.First)
	if peer := a.peer(s); peer.inFrame {
		c.During = peer.frame.Number
	}
	switch {
	case e.closes[s.role] != nil:
		c.Repeat = true
	case e.first == nil:
		c.Began = true
		a.beginEnding(s.party(), mark{s.frame.First, s.frame.FirstPacket})
		e.first, e.closes[s.role] = c, c
	default:
		c.Answer = since(e.begun.at, m.at)
		e.closes[s.role] = c
		e.answered = m.at
		if first := s.frame.FirstPacket; first != 0 && first < e.begun.packet { // it waited for bytes that never came
			c.Began, e.first = true, c
			e.began, e.begun = s.party(), mark{s.frame.First, first}
		}
	}
	a.emit(KindClose, m, s.party(), Record{Close: c})
}

// beginEnding notes the first act of ending.
func (a *Analyser) beginEnding(by Party, m mark) {
	e := &a.end
	if e.began != "" {
		return
	}
	e.began, e.begun = by, m
	for i := range a.sides {
		e.waiting[i] = a.sides[i].pings.Waiting()
	}
	e.lastOf = a.numbers.lastFrame
}

// endSide takes the end of a side's bytes. It reports false when bytes that it
// has released must be guessed before it.
func (a *Analyser) endSide(s *side, m mark, how How) bool {
	if how != Stopped && a.end.tcp.at.IsZero() {
		a.end.tcp, a.end.tcpBy = m, s.party()
	}
	if how == RST && a.end.reset == "" {
		a.end.reset = s.party()
	}
	first := s.ended == ""
	if first {
		if a.flushSide(s, m); a.guessed != nil {
			return false
		}
		s.ended = how
		peer := a.peer(s)
		a.numbers.quiet(s.role, m.at, peer.ended != "")
		if how == RST && peer.ended == "" { // it ends both
			a.numbers.quiet(peer.role, m.at, false)
		}
	}
	if client := &a.sides[wire.Client]; s.role == wire.Server && how != Stopped && client.state == stateTLS {
		a.tlsOnPlainPort(client)
	}
	var broken rfc.Set
	if first && how != Stopped && a.witness != nil && s.based {
		broken = a.witness.End(s.role)
		a.beginEnding(s.party(), m)
	}
	a.endHeld()
	if s.ending = (end{m, how}); s.role == wire.Server || len(a.exchanges) == 0 {
		a.tellEnd(s)
	}
	for rule := range broken.All() {
		if a.unsure(rule, s) {
			continue
		}
		f := broke(rule, s.party(), a.seenAtEnd(rule, s, how))
		f.From, f.Stream, f.Frame = s.party(), s.offset, s.number
		f.Offset = f.Stream - s.base
		if rule == rfc.CloseBeforeEnd {
			a.explainCut(&f)
		}
		a.find(m, f)
	}
	both := a.sides[0].ended != "" && a.sides[1].ended != ""
	if both || how == RST {
		a.conclude(m)
	}
	return true
}

// end is how a side ended, until it is told.
type end struct {
	mark
	how How // "": there is nothing to tell
}

// tellEnd tells the end of a side.
func (a *Analyser) tellEnd(s *side) {
	e := s.ending
	s.ending = end{}
	a.emit(KindEnd, e.mark, s.party(), Record{End: &End{How: e.how, Stream: s.offset}})
}

// endHeld tells the end of the client that came before the response to its
// request, which is told when that is known.
func (a *Analyser) endHeld() {
	if client := &a.sides[wire.Client]; client.ending.how != "" && len(a.exchanges) == 0 {
		a.tellEnd(client)
	}
}

// unsure reports whether missing bytes may hold what the rule asks for, or the
// rule does not ask for it.
func (a *Analyser) unsure(rule rfc.Rule, s *side) bool {
	switch rule {
	case rfc.EndBetweenFrames:
		return s.state != stateFrames
	case rfc.CloseBeforeEnd, rfc.CloseAnswered:
		return s.state == stateFresh || s.role == wire.Client && a.declined()
	case rfc.PingAnswered:
		return s.lossy
	}
	return false
}

// declined reports whether the server's answer broke a rule for which a client
// fails the connection (RFC 6455 4.1), and the client has sent no frame since.
func (a *Analyser) declined() bool {
	if a.noted == nil {
		return false
	}
	var broken rfc.Set
	for i := range a.noted.findings {
		if f := &a.noted.findings[i]; f.Rule != 0 && f.Frame == 0 && f.From == Server && f.Rule.Info().Binds == rfc.Server {
			broken.Add(f.Rule)
		}
	}
	return broken.Fatal() != 0 && a.numbers.sides[wire.Client].Frames == 0
}

// flushSide tells what a side's end leaves unfinished.
func (a *Analyser) flushSide(s *side, m mark) {
	if s.suspect != nil && s.suspect.ev.Header.Length == 0 { // a whole frame, to the last byte
		a.believe(s)
	}
	a.distrust(s)
	switch s.state {
	case stateTLS:
		a.tlsOnPlainPort(s)
	case stateBody:
		ex := s.ex
		if s.body.mode != bodyUntilEnd {
			ex.Cut = true
		}
		if s.role == wire.Server {
			a.endBody(s, m)
		}
	case stateHead:
		if s.role == wire.Client && len(s.head) > 0 {
			ex := &exchange{sentAt: m}
			ex.Proof, ex.Cut = "unknown", true
			line := firstLine(s.head)
			ex.Method = excerptOf(line, 200)
			ex.Requested, ex.RequestPacket = s.headFirst.at, s.headFirst.packet
			s.head = nil
			a.exchanges = append(a.exchanges, ex)
		}
	}
	if a.witness != nil {
		a.cutFrame(s, m, true)
	}
	if s.role == wire.Server && len(a.exchanges) > 0 {
		a.noResponse(m)
	}
}

// noResponse ends the exchanges that the server left without a response.
func (a *Analyser) noResponse(m mark) {
	client := &a.sides[wire.Client]
	a.missServer()
	if client.state == stateWaiting && client.heldBytes > 0 && a.peer(client).lossy {
		a.assumeOpen(m)
		return
	}
	for _, ex := range a.exchanges {
		ex.Cut = true
		a.explainSilence(ex)
		a.tellExchange(ex, m, Client)
	}
	a.exchanges = nil
	a.endHeld()
}

// missServer notes that the capture lacks the server's side, if not even its
// SYN is in it.
func (a *Analyser) missServer() {
	server := &a.sides[wire.Server]
	if n := &a.net; (n.opened || n.middle) && !n.established && !server.seen {
		server.lossy = true
	}
}

// explainSilence says who ended TCP before there was a response to an upgrade,
// if the request was one that deserved it and the capture has all there was.
func (a *Analyser) explainSilence(ex *exchange) {
	server := &a.sides[wire.Server]
	if !ex.upgrade || ex.responded || ex.broken.Fatal() != 0 || server.lossy || len(server.head) > 0 || a.end.tcp.at.IsZero() {
		return
	}
	f := broke(rfc.SwitchingProtocols, Server, "the end of TCP in place of a response, "+duration.Words(since(ex.sentAt.at, a.end.tcp.at))+" after the request")
	f.Mistake = "no HTTP server listens on this port, it wants TLS, or it hung up on the request"
	f.Do = "Check the port, and whether it wants wss:// in place of ws://; then the server's log."
	if a.end.tcpBy == Client {
		f.Fault, f.Seen = Unknown, "no response for "+duration.Words(since(ex.sentAt.at, a.end.tcp.at))+", when the client ended TCP"
		f.Mistake = "the client's patience ended, or its program did"
		f.Do = "Look at what the server did with the request in that time; allow for it in the client's timeout."
	}
	f.At, f.Packet, f.From = a.end.tcp.at, a.end.tcp.packet, a.end.tcpBy
	ex.broken.Add(f.Rule)
	ex.findings = append(ex.findings, f)
}

// finish tells what Report finds unfinished.
func (a *Analyser) finish() {
	m := a.numbers.lastMark()
	for _, role := range []wire.Role{wire.Client, wire.Server} {
		s := &a.sides[role]
		if s.state == stateWaiting && s.heldBytes > 0 {
			a.assumeOpen(m)
		}
		if s.ended == "" {
			a.flushSide(s, m)
		}
		a.drain(true)
		if s.lost != nil {
			a.emit(KindGap, s.lostMark, s.party(), Record{Gap: s.lost})
			s.lost = nil
		}
	}
	a.noResponse(m)
	a.conclude(m)
}

// conclude tells the connection's ending, once.
func (a *Analyser) conclude(m mark) {
	if a.end.told {
		return
	}
	a.end.told = true
	a.noResponse(m)
	e := a.ending()
	a.ended = &e
	if e.How != Going && e.How != Never {
		a.findReasons(m, &e)
	}
	a.watchTiny(m)
	a.finishInflating(m)
	a.watchNet(m)
	a.emit(KindEnding, m, e.Began, Record{Ending: &e})
}

// ending sums up.
func (a *Analyser) ending() (e Ending) {
	end := &a.end
	e.Began = end.began
	e.Reset = end.reset
	e.Lasted = since(a.numbers.first, end.begun.at)
	e.facts = facts{
		unopened:  a.net.opened && !a.net.established,
		tlsFailed: a.net.failedTLS(),
		encrypted: a.net.encrypted,
		upgraded:  a.witness != nil,
		refusal:   end.refusal,
		gone:      a.net.gone(),
	}
	over := a.sides[0].ended != "" && a.sides[0].ended != Stopped || a.sides[1].ended != "" && a.sides[1].ended != Stopped
	switch {
	case a.witness == nil && a.numbers.handshakes > 0 && end.refusal == "" && !over:
		e.How = Going
		return e
	case a.witness == nil && a.numbers.handshakes > 0:
		e.How = Refused
		return e
	case a.witness == nil:
		e.How = Never
		return e
	case e.Began == Client && a.declined():
		e.How = Refused
		return e
	case end.closes[0] != nil && end.closes[1] != nil:
		e.How = Clean
	case !over:
		e.How = Going
		return e
	case end.first != nil:
		e.How = HalfClosed
	default:
		e.How = Abnormal
	}
	if end.first != nil {
		e.Code, e.Reason = end.first.Code, end.first.Reason
	}
	e.Client, e.Server = a.viewOf(wire.Client), a.viewOf(wire.Server)
	a.weigh(&e)
	if e.How != Abnormal {
		e.Proxy = "" // a Close passes through it
	}
	if !end.lastPing.IsZero() {
		e.SincePing = since(end.lastPing, end.begun.at)
	}
	e.Unanswered = end.waiting
	if l := a.largeBefore(); l.size > 0 {
		e.Large, e.LargeFrom = l.size, l.from
	}
	if e.How == Clean && !end.tcp.at.IsZero() {
		e.TCPAfter = since(end.answered, end.tcp.at)
	}
	e.facts.atOnce = a.openSeen() && end.quiet.Equal(a.numbers.opened)
	if end.first != nil {
		e.facts.during = end.first.During
	}
	if f := a.calledFor(&e); f != nil {
		e.facts.frame, e.facts.from, e.facts.rule = f.Frame, f.From, f.Name
	}
	return e
}

// calledFor returns the finding for which an endpoint closes with the code of
// the first Close, or nil.
func (a *Analyser) calledFor(e *Ending) *Finding {
	if a.noted == nil || a.end.first == nil {
		return nil
	}
	for i := range a.noted.findings {
		f := &a.noted.findings[i]
		if f.Rule != 0 && f.Frame > 0 && f.Frame < a.end.first.Frame && f.From != e.Began && f.Rule.Info().Code == e.Code {
			return f
		}
	}
	return nil
}

// largeBefore returns what may have been too large for the side that began the
// end: if it says so, the largest that the other has sent or begun to send.
func (a *Analyser) largeBefore() largeData {
	end := &a.end
	if end.first == nil || end.first.Code != rfc.MessageTooBig {
		if end.begun.at.Sub(end.large.at) < 2*time.Second {
			return end.large
		}
		return largeData{}
	}
	s := &a.sides[wire.Client]
	if end.began == Client {
		s = &a.sides[wire.Server]
	}
	l := end.largest[s.role]
	if s.inFrame && !s.frame.Header.Opcode.Control() && s.frame.Header.Length >= l.size {
		l = largeData{at: s.frame.Last, from: s.party(), size: s.frame.Header.Length, number: s.number}
	}
	if s.inMessage && s.message.Frames > 1 && s.message.WireSize >= l.size {
		l = largeData{at: s.frame.Last, from: s.party(), size: s.message.WireSize, number: s.number, kind: fragmentedMessage}
	}
	return l
}

// viewOf returns what a side's program was told; nil: what came to it is not
// all known.
func (a *Analyser) viewOf(role wire.Role) *View {
	switch c := a.end.closes[role.Peer()]; {
	case c != nil:
		return &View{Code: c.Code, Reason: c.Reason}
	case a.sides[role.Peer()].state != stateFrames && a.end.first != nil:
		return nil
	}
	return &View{Code: rfc.AbnormalClosure}
}

// weigh sets the silences before the end, and matches them against the timeouts
// of what may stand between.
func (a *Analyser) weigh(e *Ending) {
	end := &a.end
	e.Silence = since(end.quiet, end.begun.at)
	e.SilenceClient = since(later(end.lastOf[wire.Client], a.numbers.opened), end.begun.at)
	e.SilenceServer = since(later(end.lastOf[wire.Server], a.numbers.opened), end.begun.at)
	trace := a.traceOf(end.began)
	kind := between.Of(trace)
	if e.Proxy = kind.Name; e.Proxy == "" && trace != "" {
		e.Proxy = "a proxy"
	}
	e.Hints = nil
	for _, silent := range []struct {
		of    string
		time  time.Duration
		doubt float64
	}{{"both", e.Silence, 1}, {"client", e.SilenceClient, 0.7}, {"server", e.SilenceServer, 0.8}} {
		for _, fit := range between.Fits(silent.time, kind) {
			c := fit.Confidence * silent.doubt
			if e.How == Clean {
				c *= 0.8 // who closes in order usually knows what it does
			}
			h := Hint{Timeout: fit.After, Confidence: math.Round(100*c) / 100, Whose: fit.Whose, Setting: fit.Setting, Silent: silent.of}
			i := slices.IndexFunc(e.Hints, func(other Hint) bool { return other.Timeout == h.Timeout })
			switch {
			case c < 0.2:
			case i < 0:
				e.Hints = append(e.Hints, h)
			case e.Hints[i].Confidence < h.Confidence:
				e.Hints[i] = h
			}
		}
	}
	slices.SortStableFunc(e.Hints, func(a, b Hint) int { return cmp.Compare(b.Confidence, a.Confidence) })
}

// traceOf returns the trace of a proxy on a party's side, or "".
func (a *Analyser) traceOf(p Party) string {
	for role := range a.traces {
		if partyOf(wire.Role(role)) == p {
			return a.traces[role]
		}
	}
	return ""
}

// explainCut adds what is known of who ended TCP without a Close.
func (a *Analyser) explainCut(f *Finding) {
	e := Ending{How: Abnormal}
	a.weigh(&e)
	trace := a.traceOf(a.end.began)
	if e.Proxy != "" {
		f.Mistake = quoteShort(trace) + " shows that it was a proxy that ended TCP, of its own accord or because what is behind it was gone"
	}
	if len(e.Hints) > 0 && e.Hints[0].Confidence >= 0.5 {
		f.Fault = Between
		f.Do = "See the hint about the idle timeout: what stands in between cannot send a Close, and needs something to pass on now and then."
		f.Mistake = "behind a silence of " + duration.Words(e.Hints[0].Timeout) + " this is an idle timeout rather than the end of a program"
		if e.Proxy != "" {
			f.Mistake += ", and " + quoteShort(trace) + " shows that there is a proxy that may have it"
		}
	}
}

// findReasons makes findings of what explains the end.
func (a *Analyser) findReasons(m mark, e *Ending) {
	if len(e.Hints) > 0 {
		h := &e.Hints[0]
		whose := map[string]string{"both": "either side", "client": "the client", "server": "the server"}[h.Silent]
		length := map[string]time.Duration{"both": e.Silence, "client": e.SilenceClient, "server": e.SilenceServer}[h.Silent]
		f := found("capture-idle-timeout", Between, "the end came %s after the last bytes of %s; a timeout of %s would do this: %s", duration.Words(length), whose, duration.Words(h.Timeout), h.Whose)
		f.Confidence = h.Confidence
		f.At, f.Packet = a.end.begun.at, a.end.begun.packet
		if h.Setting != "" {
			f.Do = "Send a Ping in half that time from one side, or raise " + h.Setting + "."
		}
		if e.How == Clean {
			f.Fault = e.Began
		}
		a.find(m, f)
	}
	for _, role := range []wire.Role{wire.Client, wire.Server} {
		// One that had just left when the end began says nothing.
		n := e.Unanswered[role]
		if n > 0 && (n > 1 || e.SincePing >= time.Second) && (a.end.first != nil || e.Began == partyOf(role)) {
			f := found("capture-unanswered-pings", partyOf(role.Peer()), "%s of the %s had no Pong when %s began to end the connection, %s after the last Ping", count(n, "Ping"), role, the(e.Began), duration.Words(e.SincePing))
			f.From = partyOf(role)
			a.find(m, f)
		}
	}
	if e.Large > 0 && e.LargeFrom != e.Began && (e.Code == rfc.MessageTooBig || e.How != Clean) {
		l := a.largeBefore()
		which, when := "was the last large one", duration.Words(since(l.at, a.end.begun.at))+" before the end"
		if e.Code == rfc.MessageTooBig {
			which = "is the largest that it sent"
		}
		if l.at.After(a.end.begun.at) {
			when = "and was still on its way when the end began"
		}
		f := found("capture-close-after-large-message", Unknown, "a %v of %s from %s %s, %s", l.kind, count(int(min(l.size, 1<<62)), "byte"), the(e.LargeFrom), which, when)
		f.From, f.Frame = e.LargeFrom, l.number
		if e.Code == rfc.MessageTooBig {
			f.Confidence = 0.95
		} else {
			f.Confidence = 0.4
		}
		a.find(m, f)
	}
}

// String tells the ending in a sentence or two.
func (e *Ending) String() string {
	switch e.How {
	case Refused:
		switch {
		case e.facts.upgraded:
			return "The client did not take the server's answer, and ended TCP."
		case e.facts.refusal == "":
			return "The upgrade was not granted: there is no response."
		}
		return "The upgrade was not granted: the server answered " + e.facts.refusal + "."
	case Never:
		switch {
		case e.facts.tlsFailed != "":
			return e.facts.tlsFailed
		case e.facts.encrypted:
			return "What went on inside TLS is not known."
		case e.facts.unopened && e.Reset == Server:
			return "The server refused the TCP connection: nothing listens on this port, or a firewall says so."
		case e.facts.unopened:
			return "The TCP connection was never open."
		}
		return "Nothing on this connection opened a WebSocket."
	case Going:
		switch {
		case !e.facts.upgraded:
			return "The bytes stop before there is a response to the upgrade." + e.facts.gone
		case e.facts.gone != "":
			return "The bytes stop here." + e.facts.gone
		}
		return "The bytes stop here; the connection may go on."
	}
	after := duration.Words(e.Silence) + " after the last frame"
	switch {
	case e.facts.during != 0:
		after = fmt.Sprintf("while frame #%d was on its way", e.facts.during)
	case e.facts.atOnce:
		after = duration.Words(e.Silence) + " after the handshake"
	}
	reason := ""
	if e.Reason != "" {
		reason = " (" + quoteShort(e.Reason) + ")"
	}
	var w string
	switch e.How {
	case Clean:
		w = fmt.Sprintf("Closed by %s with %v%s, %s; the other side answered.", the(e.Began), e.Code, reason, after)
	case HalfClosed:
		answer := "its Close was not answered"
		if e.Client == nil || e.Server == nil {
			answer = "the capture does not have all that might answer its Close"
		}
		w = fmt.Sprintf("%s closed with %v%s, %s; %s.", capital(the(e.Began)), e.Code, reason, after, answer)
	default:
		what := "ended TCP"
		if e.Reset == e.Began {
			what = "reset TCP"
		}
		who := the(e.Began)
		switch e.Proxy {
		case "":
		case "a proxy":
			who = "the proxy on the " + string(e.Began) + "'s side"
		default:
			who = "the proxy on the " + string(e.Began) + "'s side, " + e.Proxy + ","
		}
		w = fmt.Sprintf("%s %s without a Close, %s.", capital(who), what, after) + e.facts.gone
	}
	if f := &e.facts; f.frame > 0 {
		w += fmt.Sprintf(" Frame #%d of %s called for that: %s.", f.frame, the(f.from), f.rule)
	}
	switch {
	case e.Client == nil && e.Server == nil:
	case e.Client == nil:
		w += fmt.Sprintf(" The server's program is told %v.", e.Server.Code)
	case e.Server == nil:
		w += fmt.Sprintf(" The client's program is told %v.", e.Client.Code)
	case e.Client.Code != e.Server.Code:
		w += fmt.Sprintf(" The client's program is told %v, the server's %v.", e.Client.Code, e.Server.Code)
	default:
		w += fmt.Sprintf(" Both programs are told %v.", e.Client.Code)
	}
	return w
}

func the(p Party) string {
	switch p {
	case Client, Server:
		return "the " + string(p)
	case Between:
		return "something in between"
	}
	return "somebody"
}

func since(from, to time.Time) time.Duration {
	if from.IsZero() || to.IsZero() {
		return 0
	}
	return max(0, to.Sub(from))
}

func later(t, u time.Time) time.Time {
	if t.After(u) {
		return t
	}
	return u
}
