package tlsview

import (
	"sync"
	"time"

	"github.com/wiretrue/websocket/cmd/internal/flow"
)

// NOTE on how a Session works. Each direction is a half, a parser that eats
// runs and keeps what is no whole record yet. The halves depend on each other
// twice: the client's protected records can be opened only when the
// ServerHello told the cipher suite, and both need the key log. A half that
// cannot go on is blocked: it keeps the record at which it stopped, and later
// runs queue behind it. pump goes on with whichever half can, in the order of
// packets. A half is never blocked for good: too many bytes in its queue, or
// the end of the connection, make it go on without keys.

const (
	headerLen  = 5
	maxBody    = 16384 + 2048 // what a record may hold, expansion included (RFC 5246, 6.2.3)
	maxMessage = 256 << 10    // handshake message that is parsed; larger ones are only told of
	minHold    = 64 << 10     // waiting for the ServerHello is always allowed this much
)

// A Session follows the TLS of one TCP connection. It is for one goroutine.
type Session struct {
	keys    *KeyLog
	handler Handler
	opts    Options
	info    Info
	half    [2]half

	client       flow.Dir // the direction that sent the ClientHello; flow's client may be a guess
	haveClient   bool     // ClientHello seen
	clientRandom [32]byte
	sessionID    []byte // in the ClientHello
	ticket       []byte // in the ClientHello
	serverID     []byte // session ID in the ServerHello
	haveServer   bool   // ServerHello seen
	serverRandom [32]byte
	suite        *suite
	etm          bool
	ready12      *[2]*protection // waiting for ChangeCipherSpec: client's, server's
	hopeless     bool            // a half waited too long for the other's hello
	impatient    bool            // a half waited too long for keys
	trials       int             // spent on finding records again
}

// A half is one direction.
type half struct {
	mode    mode
	buf     []byte // bytes not consumed yet
	at      int64  // TCP offset of the next byte to be consumed
	packet  int64
	time    time.Time
	blocked wait
	queue   []held
	queued  int // bytes in queue

	state  state
	prot   *protection
	epoch  epoch
	seq    uint64
	failed int  // records in a row that did not open
	opened bool // the record at hand was protected

	msg     []byte // start of a handshake message
	msgAt   int64
	skip    int   // bytes of a message that is too large
	out     int64 // plaintext offset
	goodEnd int64 // TCP offset behind the last good record
	lost    bool  // searching because bytes are missing
	jump    uint64
}

type mode uint8

const (
	undecided mode = iota
	records
	clear  // not TLS
	search // for the next record
)

type state uint8

const (
	inTheClear state = iota // no keys in use yet
	protected
	opaque // keys in use that are not known
)

type epoch uint8

// Epochs of TLS 1.3 in their order.
const (
	epochEarly epoch = iota
	epochHandshake
	epochTraffic
)

type wait uint8

const (
	notBlocked wait = iota
	forHello
	forKeys
)

// A held run waits in a half's queue. A gap is a run without data.
type held struct {
	run flow.Run
	gap int64
}

// NewSession returns a Session that reports to h. keys may be nil. A nil opts
// is the zero Options.
func NewSession(keys *KeyLog, h Handler, opts *Options) *Session {
	s := &Session{keys: keys, handler: h}
	if opts != nil {
		s.opts = *opts
	}
	return s
}

// Info returns what is known so far. Its slices are shared: do not change
// them.
func (s *Session) Info() Info { return s.info }

// Data takes the next bytes of a direction. run is borrowed.
func (s *Session) Data(dir flow.Dir, run flow.Run) { s.take(dir, held{run: run}) }

// Gap tells that n bytes of a direction are not in the capture, those at
// offset; the packet and time are those that told of it.
func (s *Session) Gap(dir flow.Dir, offset, n, packet int64, t time.Time) {
	s.take(dir, held{run: flow.Run{Offset: offset, Packet: packet, Time: t}, gap: n})
}

// Retry looks for keys again that were not in the key log. Call it when the
// key log has grown.
func (s *Session) Retry() { s.pump() }

// EndOf tells that a direction sends no more: bytes that are missing before its
// end are told, although no record follows them.
func (s *Session) EndOf(dir flow.Dir) {
	if h := &s.half[dir]; h.mode == search && h.blocked == notBlocked && len(h.queue) == 0 {
		s.endSearch(dir, h.at+int64(len(h.buf)), -1)
		h.buf = nil
	}
}

// End ends the connection: what waits is handed over as far as it can be.
func (s *Session) End() {
	s.hopeless, s.impatient = true, true
	s.pump()
	for d := range s.half {
		h := &s.half[d]
		if h.mode == undecided && len(h.buf) > 0 {
			s.pass(flow.Dir(d))
			s.plain(flow.Dir(d), h.buf)
		}
		s.EndOf(flow.Dir(d))
		h.buf = nil
	}
}

func (s *Session) take(dir flow.Dir, r held) {
	h := &s.half[dir]
	if h.blocked == notBlocked && len(h.queue) == 0 {
		s.consume(dir, r)
		if h.blocked == notBlocked && s.half[dir.Reverse()].blocked == notBlocked {
			return
		}
	} else {
		r.run.Data = append([]byte(nil), r.run.Data...)
		h.queue = append(h.queue, r)
		h.queued += len(r.run.Data) + 64
	}
	if limit := max(s.opts.Hold, minHold); h.queued > limit && h.blocked != notBlocked {
		if h.blocked == forHello {
			s.hopeless = true
		} else {
			s.impatient = true
		}
	}
	s.pump()
}

// pump goes on with the halves that can go on.
func (s *Session) pump() {
	for {
		next := -1
		for d := range s.half {
			h := &s.half[d]
			if h.blocked != notBlocked && s.stuck(flow.Dir(d)) || h.blocked == notBlocked && len(h.queue) == 0 {
				continue
			}
			if next < 0 || h.nextPacket() < s.half[next].nextPacket() {
				next = d
			}
		}
		if next < 0 {
			return
		}
		h, dir := &s.half[next], flow.Dir(next)
		if h.blocked != notBlocked {
			h.blocked = notBlocked
			s.consume(dir, held{run: flow.Run{Packet: h.packet, Time: h.time, Offset: h.at + int64(len(h.buf))}})
			continue
		}
		r := h.queue[0]
		h.queue[0] = held{}
		h.queue = h.queue[1:]
		h.queued -= len(r.run.Data) + 64
		if len(h.queue) == 0 {
			h.queue = nil
		}
		s.consume(dir, r)
	}
}

func (h *half) nextPacket() int64 {
	if h.blocked != notBlocked {
		return h.packet
	}
	return h.queue[0].run.Packet
}

// stuck reports whether a blocked half still has to wait.
func (s *Session) stuck(dir flow.Dir) bool {
	if s.half[dir].blocked == forHello {
		return s.helloMayCome(dir)
	}
	return !s.impatient && !s.secretsFor(dir)
}

// helloMayCome reports whether a direction that stands behind its own hello
// should wait for the other's.
func (s *Session) helloMayCome(dir flow.Dir) bool {
	if s.hopeless || s.haveClient == s.haveServer || s.haveClient != (dir == s.client) {
		return false // none is missing, or both, or this direction's own
	}
	other := &s.half[dir.Reverse()]
	return other.mode == undecided || other.mode == records && (other.state == inTheClear || !s.haveClient)
}

func (s *Session) consume(dir flow.Dir, r held) {
	h := &s.half[dir]
	h.packet, h.time = r.run.Packet, r.run.Time
	if r.gap > 0 {
		s.gap(dir, r.run.Offset, r.gap)
		return
	}
	data, kept := r.run.Data, len(h.buf) > 0
	if kept {
		h.buf = append(h.buf, data...)
		data = h.buf
	} else {
		h.at = r.run.Offset
	}
	n := s.parse(dir, data)
	switch rest := data[n:]; {
	case len(rest) == 0:
		h.buf = nil
	case kept:
		h.buf = h.buf[:copy(h.buf, rest)]
	default:
		h.buf = append([]byte(nil), rest...)
	}
}

// parse consumes as much of data as it can and returns how much.
func (s *Session) parse(dir flow.Dir, data []byte) int {
	h := &s.half[dir]
	b := data
	for {
		n := 0
		switch h.mode {
		case undecided:
			if len(b) == 0 || !s.decide(dir, b) {
				return len(data) - len(b)
			}
			continue
		case clear:
			s.plain(dir, b)
			h.at += int64(len(b))
			return len(data)
		case search:
			var found bool
			if n, found = s.searchRecord(dir, b); n == 0 && !found {
				return len(data) - len(b)
			}
		case records:
			if len(b) < headerLen {
				return len(data) - len(b)
			}
			if !isHeader(b) {
				h.mode, h.lost, h.jump = search, false, 0
				h.msg, h.skip = nil, 0
				s.event(dir, Event{Kind: OutOfStep})
				continue
			}
			if n = recordLen(b); len(b) < n || !s.record(dir, b[:n]) {
				return len(data) - len(b)
			}
			h.goodEnd = h.at + int64(n)
		}
		h.at += int64(n)
		b = b[n:]
	}
}

func recordLen(b []byte) int { return headerLen + int(b[3])<<8 + int(b[4]) }

// isHeader reports whether b can be the start of a record.
func isHeader(b []byte) bool {
	return b[0] >= byte(ChangeCipherSpec) && b[0] <= byte(Heartbeat) && b[1] == 3 && b[2] <= 4 && recordLen(b) <= headerLen+maxBody
}

// MayBegin reports whether a direction that begins with b may speak TLS, or
// go on in the middle of it. One that may not needs no Session.
func MayBegin(b []byte) bool {
	start := [headerLen + 1]byte{1: 3, 5: 1}
	n := copy(start[:], b)
	return n == 0 || isHeader(start[:]) && (n <= headerLen || recordLen(b) > headerLen)
}

// Clear tells that a direction does not speak TLS. Its bytes need not be given
// to the Session.
func (s *Session) Clear(dir flow.Dir) { s.half[dir].mode = clear }

// decide finds out whether the direction speaks TLS. It returns false when
// more bytes are needed.
func (s *Session) decide(dir flow.Dir, b []byte) bool {
	h := &s.half[dir]
	var start [headerLen + 1]byte
	n := copy(start[:], b)
	if !MayBegin(b) {
		s.pass(dir)
		return true
	}
	hello := start[0] == byte(HandshakeContent)
	if hello && n == len(start) && messageNames[MessageType(start[5])] == "" && !s.haveServer {
		s.pass(dir)
		return true
	}
	if n < len(start) {
		return false
	}
	h.mode = records
	s.info.TLS[dir] = true
	alert := start[0] == byte(AlertContent)
	if !s.haveClient && !alert && !(hello && (start[5] == byte(msgClientHello) || start[5] == byte(msgServerHello))) {
		s.event(dir, Event{Kind: MidStream})
	}
	return true
}

func (s *Session) pass(dir flow.Dir) {
	s.half[dir].mode = clear
	s.event(dir, Event{Kind: NotTLS})
}

func (s *Session) plain(dir flow.Dir, b []byte) {
	h := &s.half[dir]
	if len(b) == 0 {
		return
	}
	s.handler.Plain(dir, flow.Run{Data: b, Offset: h.out, Packet: h.packet, Time: h.time})
	h.out += int64(len(b))
}

func (s *Session) event(dir flow.Dir, ev Event) {
	h := &s.half[dir]
	ev.Dir, ev.Packet, ev.Time, ev.Offset = dir, h.packet, h.time, h.at
	s.handler.TLS(ev)
}

// record handles a whole record. It returns false when it has to wait.
func (s *Session) record(dir flow.Dir, rec []byte) bool {
	h := &s.half[dir]
	typ := ContentType(rec[0])
	if h.state == protected && s.info.Version == tls13 && typ != ApplicationData {
		// Alerts before keys agree, and the ChangeCipherSpec that means
		// nothing in TLS 1.3 (RFC 8446, D.4).
		s.clearRecord(dir, rec)
		return true
	}
	if h.state == inTheClear && (typ == ApplicationData || typ == ChangeCipherSpec) {
		switch {
		case s.helloMayCome(dir):
			h.blocked = forHello
			return false
		case !s.haveServer && s.haveClient && dir != s.client && typ == ChangeCipherSpec:
			// Behind a HelloRetryRequest (RFC 8446, D.4).
		case !s.haveServer || !s.haveClient:
			s.noKeys(dir, NoHandshake)
			h.state = opaque
		case typ == ChangeCipherSpec:
			return s.changeCipher(dir, rec)
		default:
			s.missedChangeCipher(dir, rec)
		}
	}
	switch {
	case h.state == inTheClear:
		s.clearRecord(dir, rec)
	case h.state == opaque:
		s.opaqueRecord(dir, rec)
	case s.helloMayCome(dir):
		h.blocked = forHello
		return false
	default:
		return s.protectedRecord(dir, rec)
	}
	return true
}

func (s *Session) clearRecord(dir flow.Dir, rec []byte) {
	body := rec[headerLen:]
	s.recordEvent(dir, rec, Event{Decrypted: true, Plain: len(body)})
	s.half[dir].opened = false
	s.content(dir, ContentType(rec[0]), body)
}

func (s *Session) opaqueRecord(dir flow.Dir, rec []byte) {
	size := -1
	if s.suite != nil {
		p := protection{suite: s.suite, tls13: s.info.Version == tls13}
		size = max(0, len(rec)-headerLen-p.overhead())
	}
	s.recordEvent(dir, rec, Event{Encrypted: rec[0] != byte(ChangeCipherSpec), Plain: size})
}

func (s *Session) recordEvent(dir flow.Dir, rec []byte, ev Event) {
	ev.Kind, ev.Content = Record, ContentType(rec[0])
	ev.Version = uint16(rec[1])<<8 | uint16(rec[2])
	ev.Length = int64(len(rec) - headerLen)
	s.event(dir, ev)
}

// scratch holds plaintext while a record is handled.
var scratch = sync.Pool{New: func() any { return new([headerLen + maxBody]byte) }}

func (s *Session) protectedRecord(dir flow.Dir, rec []byte) bool {
	h := &s.half[dir]
	if !s.info.Keys && !s.secretsFor(dir) && !s.laterSecrets(dir) {
		if s.mayWait() {
			h.blocked = forKeys
			return false
		}
		s.noKeys(dir, s.whyNoKeys())
		h.state = opaque
		s.opaqueRecord(dir, rec)
		return true
	}
	if s.info.Version == tls13 && s.mayWait() && !s.secretsFor(dir) {
		h.blocked = forKeys
		return false
	}
	s.foundKeys(dir)
	buf := scratch.Get().(*[headerLen + maxBody]byte)
	defer scratch.Put(buf)
	typ, plain, ok := s.open(dir, buf[:0], rec)
	if !ok {
		s.notOpened(dir, rec)
		return true
	}
	h.failed, h.opened = 0, true
	s.recordEvent(dir, rec, Event{Encrypted: true, Decrypted: true, Plain: len(plain)})
	if h.epoch == epochEarly && s.info.Version == tls13 && ContentType(typ) == ApplicationData {
		s.info.EarlyData = true
		s.event(dir, Event{Kind: EarlyData, Length: int64(len(plain)), Data: plain})
		return true
	}
	s.content(dir, ContentType(typ), plain)
	return true
}

func (s *Session) notOpened(dir flow.Dir, rec []byte) {
	h := &s.half[dir]
	s.opaqueRecord(dir, rec)
	if h.epoch == epochEarly && s.info.Version == tls13 {
		s.event(dir, Event{Kind: EarlyData, Length: int64(len(rec) - headerLen)})
		return
	}
	h.seq++
	if h.failed++; h.failed == 1 {
		s.event(dir, Event{Kind: Undecryptable, Length: int64(len(rec) - headerLen)})
	}
}

// content handles the content of a record that could be read.
func (s *Session) content(dir flow.Dir, typ ContentType, b []byte) {
	switch typ {
	case ApplicationData:
		s.plain(dir, b)
	case AlertContent:
		if len(b) >= 2 {
			s.event(dir, Event{Kind: Alert, Alert: AlertInfo{b[0], b[1]}})
		}
	case HandshakeContent:
		s.messages(dir, b)
	case ChangeCipherSpec:
		if s.info.Version != tls13 && s.half[dir].state == protected {
			s.switch12(dir) // a renegotiation
		}
	}
}
