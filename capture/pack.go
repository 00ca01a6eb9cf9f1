package capture

import (
	"bytes"
	"encoding/binary"
	"math"
	"strings"
	"time"

	"github.com/wiretrue/websocket/wire"
	"github.com/wiretrue/websocket/wire/deflate"
	"github.com/wiretrue/websocket/wire/handshake"
)

// NOTE. The work of an Analyser at rest is written to bytes and read from them
// by the same list of fields, so that the two cannot differ. What is not in the
// list is empty at rest, or set anew before it is read.

// coder writes fields, or reads them.
type coder struct {
	b       []byte
	at      int // how far it was read
	writing bool
	words   *words
	base    int64 // seconds; times are written as differences to it
	where   *time.Location
	last    time.Time
}

func (c *coder) int64(v *int64) {
	if c.writing {
		c.b = binary.AppendVarint(c.b, *v)
		return
	}
	n := 0
	*v, n = binary.Varint(c.b[c.at:])
	c.at += n
}

// read returns the next n bytes.
func (c *coder) read(n int) []byte {
	c.at += n
	return c.b[c.at-n : c.at]
}

func integer[T ~int | ~int64 | ~uint8 | ~uint16 | ~uint32 | ~uint64](c *coder, fields ...*T) {
	for _, v := range fields {
		n := int64(*v)
		c.int64(&n)
		*v = T(n)
	}
}

func (c *coder) bools(fields ...*bool) {
	var bits uint64
	for i, v := range fields {
		if *v {
			bits |= 1 << i
		}
	}
	integer(c, &bits)
	for i, v := range fields {
		*v = bits>>i&1 != 0
	}
}

func text[T ~string](c *coder, fields ...*T) {
	for _, v := range fields {
		n := len(*v)
		integer(c, &n)
		if c.writing {
			c.b = append(c.b, *v...)
			continue
		}
		*v = T(c.read(n))
	}
}

// words are strings that many Analysers of a Pool have.
type words struct {
	list  []string
	index map[string]int
}

const (
	maxWords = 1024
	maxWord  = 64 // bytes
)

// number returns the word's number, or -1.
func (w *words) number(s string) int {
	n, known := w.index[s]
	switch {
	case known:
		return n
	case len(w.list) == maxWords || len(s) > maxWord:
		return -1
	case w.index == nil:
		w.index = map[string]int{}
	}
	s = strings.Clone(s)
	n = len(w.list)
	w.list, w.index[s] = append(w.list, s), n
	return n
}

// word is text for strings that many have: those which can be are written as
// numbers.
func word[T ~string](c *coder, fields ...*T) {
	for _, v := range fields {
		n := 0
		if c.writing && *v != "" {
			n = c.words.number(string(*v)) + 1
			if n == 0 {
				n = -1
			}
		}
		switch integer(c, &n); {
		case n < 0:
			text(c, v)
		case n > 0 && !c.writing:
			*v = T(c.words.list[n-1])
		}
	}
}

func (c *coder) bytes(v *[]byte) {
	n := len(*v)
	integer(c, &n)
	switch {
	case c.writing:
		c.b = append(c.b, *v...)
	case n > 0:
		*v = bytes.Clone(c.read(n))
	}
}

// The ways in which a time is written.
const (
	noTime   = iota
	sameTime // as the one before
	newTime
)

func (c *coder) times(fields ...*time.Time) {
	for _, v := range fields {
		how := newTime
		switch {
		case v.IsZero():
			how = noTime
		case v.Equal(c.last):
			how = sameTime
		}
		integer(c, &how)
		seconds, nanos := v.Unix()-c.base, v.Nanosecond()
		if how == newTime {
			integer(c, &seconds)
			integer(c, &nanos)
		}
		switch {
		case how == noTime:
			continue
		case c.writing:
			c.last = *v
		case how == newTime:
			c.last = time.Unix(c.base+seconds, int64(nanos)).In(c.where)
		}
		if !c.writing {
			*v = c.last
		}
	}
}

func (c *coder) mark(m *mark) {
	c.times(&m.at)
	integer(c, &m.packet)
}

// list writes or reads the elements of a slice.
func list[T any](c *coder, v *[]T, element func(*T)) {
	n := len(*v)
	if integer(c, &n); n == 0 {
		return
	}
	if !c.writing {
		*v = make([]T, n, n+n/4+2) // one more may come
	}
	for i := range *v {
		element(&(*v)[i])
	}
}

// pointer writes or reads what a pointer leads to, when it leads anywhere.
func pointer[T any](c *coder, v **T, fields func(*T)) {
	there := *v != nil
	if c.bools(&there); !there {
		return
	}
	if !c.writing {
		*v = new(T)
	}
	fields(*v)
}

// pack saves the work, unless something is under way in it.
func (a *Analyser) pack() bool {
	w := a.work
	var state wire.WitnessState
	if w.witness != nil {
		var ok bool
		if state, ok = w.witness.State(); !ok {
			return false
		}
	}
	if w.guessed != nil || len(w.queue) > 0 || len(w.exchanges) > 0 || !w.sides[0].atRest() || !w.sides[1].atRest() {
		return false
	}
	first := w.numbers.first
	c := coder{writing: true, words: &a.pool.words, base: first.Unix(), where: first.Location(), b: a.pool.bytes[:0]}
	c.b = binary.AppendVarint(c.b, c.base)
	a.code(&c, &state)
	written := len(c.b)
	c.b = squeeze(c.b, c.b)
	a.saved = bytes.Clone(c.b[written:])
	a.pool.bytes = c.b
	a.where = c.where
	return true
}

// unpack makes the work, which is new, what it was.
func (a *Analyser) unpack() {
	p := a.pool
	p.bytes = stretch(p.bytes[:0], a.saved)
	c := coder{b: p.bytes, words: &p.words, where: a.where}
	c.int64(&c.base)
	var state wire.WitnessState
	a.code(&c, &state)
	a.saved = nil
}

// squeeze appends b to dst, with the number of zeros for each row of them:
// most fields are 0.
func squeeze(dst, b []byte) []byte {
	for i := 0; i < len(b); i++ {
		dst = append(dst, b[i])
		if b[i] != 0 {
			continue
		}
		n := 1
		for i+1 < len(b) && b[i+1] == 0 && n < 255 {
			i++
			n++
		}
		dst = append(dst, byte(n))
	}
	return dst
}

// stretch undoes squeeze.
func stretch(dst, b []byte) []byte {
	for i := 0; i < len(b); i++ {
		if b[i] != 0 {
			dst = append(dst, b[i])
			continue
		}
		i++
		dst = append(dst, make([]byte, b[i])...)
	}
	return dst
}

// atRest reports whether nothing is under way in the side.
func (s *side) atRest() bool {
	if s.inFrame || s.inMessage || s.reading != nil && s.frame.Cut || s.ending.how != "" { // in any state: a response may have come upon guessed frames
		return false
	}
	switch s.state {
	case stateFrames:
		return true
	case stateHead, stateFresh:
		return len(s.head) == 0 && s.ex == nil && s.lost == nil && s.suspect == nil && len(s.held) == 0
	case stateOpaque:
		return s.lost == nil
	}
	return false
}

// code writes or reads the work.
func (a *Analyser) code(c *coder, state *wire.WitnessState) {
	w := a.work
	c.bytes(&w.packed)
	pointer(c, &w.ended, func(e *Ending) { e.code(c) })
	c.bools(&w.deflate, &w.net.opened, &w.net.established, &w.net.middle, &w.net.tls, &w.net.encrypted, &w.end.told)
	integer(c, &w.frames, &w.messages)
	word(c, &w.net.alpn, &w.traces[0], &w.traces[1], &w.net.alert)
	word(c, &w.net.alertBy)
	list(c, &w.keys, func(s *string) { text(c, s) })
	w.end.code(c)
	w.numbers.code(c)
	for i := range w.sides {
		w.sides[i].code(c)
		integer(c, &w.net.resent[i], &w.net.again[i], &w.net.zero[i], &w.net.reopened[i])
		integer(c, &w.net.bytes[i], &w.net.where[i])
		integer(c, &w.net.stalled[i])
	}
	open := w.witness != nil
	if c.bools(&open); !open {
		return
	}
	for i := range state {
		s := &state[i]
		key := binary.BigEndian.Uint32(s.LastKey[:])
		integer(c, &s.Offset)
		integer(c, &key)
		integer(c, &s.Code)
		c.bools(&s.Keyed, &s.Closed, &s.Sent, &s.Over, &s.Unanswered)
		binary.BigEndian.PutUint32(s.LastKey[:], key)
	}
	if !c.writing {
		w.witnesses(a.o.Limits, *state)
		w.witness.Agree(deflate.Params{
			ClientNoContextTakeover: w.sides[wire.Client].inflater.fresh,
			ServerNoContextTakeover: w.sides[wire.Server].inflater.fresh,
		})
	}
}

// packHandshake writes a handshake without heads and bodies.
func (a *Analyser) packHandshake(h *Handshake) []byte {
	c := coder{writing: true, words: &a.pool.words, b: a.pool.bytes[:0]}
	if !h.Requested.IsZero() {
		c.base = h.Requested.Unix()
	} else if !h.Responded.IsZero() {
		c.base = h.Responded.Unix()
	}
	c.int64(&c.base)
	h.code(&c)
	a.pool.bytes = c.b
	return bytes.Clone(c.b)
}

// handshake returns that with which the connection opened, or nil.
func (a *Analyser) handshake() *Handshake {
	if a.packed == nil {
		return a.opened
	}
	c := coder{b: a.packed, words: &a.pool.words, where: a.numbers.first.Location()}
	c.int64(&c.base)
	h := new(Handshake)
	h.code(&c)
	return h
}

func (h *Handshake) code(c *coder) {
	word(c, &h.Method, &h.RequestProto, &h.Reason, &h.ResponseProto, &h.Origin, &h.Version, &h.Proof, &h.Mistake, &h.Subprotocol)
	text(c, &h.Target, &h.Key)
	for _, v := range []*[]string{&h.Host, &h.Subprotocols, &h.Offered, &h.Agreed, &h.Broken} {
		list(c, v, func(s *string) { word(c, s) })
	}
	if h.Key != "" && !c.writing {
		h.AcceptExpected = handshake.Accept(h.Key)
	}
	right := h.Accept == h.AcceptExpected
	if c.bools(&right); right {
		h.Accept = h.AcceptExpected
	} else {
		text(c, &h.Accept)
	}
	integer(c, &h.Status)
	c.times(&h.Requested, &h.Responded)
	integer(c, &h.RequestPacket, &h.ResponsePacket)
	c.bools(&h.Cut, &h.Opened, &h.Deflate)
}

func (e *Ending) code(c *coder) {
	word(c, &e.How)
	word(c, &e.Began, &e.LargeFrom, &e.Reset)
	word(c, &e.Reason, &e.Proxy)
	f := &e.facts
	c.bools(&f.unopened, &f.encrypted, &f.upgraded, &f.atOnce)
	word(c, &f.tlsFailed, &f.refusal, &f.rule, &f.gone)
	word(c, &f.from)
	integer(c, &f.during, &f.frame)
	integer(c, &e.Code)
	for _, v := range []**View{&e.Client, &e.Server} {
		pointer(c, v, func(v *View) {
			integer(c, &v.Code)
			word(c, &v.Reason)
		})
	}
	integer(c, &e.Silence, &e.SilenceClient, &e.SilenceServer, &e.SincePing, &e.Lasted, &e.TCPAfter)
	integer(c, &e.Unanswered[0], &e.Unanswered[1])
	integer(c, &e.Large)
	list(c, &e.Hints, func(h *Hint) {
		integer(c, &h.Timeout)
		percent := int(math.Round(100 * h.Confidence)) // it is rounded to that
		integer(c, &percent)
		h.Confidence = float64(percent) / 100
		word(c, &h.Whose, &h.Setting, &h.Silent)
	})
}

func (s *side) code(c *coder) {
	integer(c, &s.state)
	word(c, &s.ended)
	c.bools(&s.seen, &s.based, &s.lossy, &s.backInStep, &s.contrary)
	integer(c, &s.offset, &s.base, &s.shift, &s.searched, &s.headAt, &s.pingSeq, &s.number)
	c.mark(&s.headFirst)

	k := &s.keys
	list(c, &k.recent, func(v *uint32) { integer(c, v) })
	integer(c, &k.next, &k.repeats, &k.steps, &s.doubt)
	integer(c, &k.step, &k.last)
	c.bools(&k.reported)
	c.times(&s.rate.since)
	integer(c, &s.rate.count)
	list(c, &s.requests, func(r *request) {
		text(c, &r.id)
		integer(c, &r.number)
		c.times(&r.at)
	})

	z := &s.inflater
	c.bools(&z.fresh, &z.guess, &z.lossy, &z.spent)
	integer(c, &z.bits, &z.failed)
	integer(c, &z.allowed)
	c.bytes(&z.history)
}

func (e *endState) code(c *coder) {
	c.times(&e.quiet, &e.lastPing, &e.answered, &e.lastOf[0], &e.lastOf[1])
	word(c, &e.began, &e.reset, &e.tcpBy)
	word(c, &e.refusal)
	e.large.code(c)
	for i := range e.largest {
		e.largest[i].code(c)
	}
	c.mark(&e.begun)
	c.mark(&e.tcp)
	integer(c, &e.waiting[0], &e.waiting[1])
	for i := range e.closes {
		pointer(c, &e.closes[i], func(k *Close) {
			integer(c, &k.Frame, &k.During)
			integer(c, &k.Code)
			word(c, &k.Reason)
			k.Name = k.Code.Info().Name
			c.bools(&k.Began, &k.Repeat)
			integer(c, &k.After, &k.Answer)
		})
		first := e.closes[i] != nil && e.closes[i] == e.first
		if c.bools(&first); first {
			e.first = e.closes[i]
		}
	}
}

func (d *largeData) code(c *coder) {
	integer(c, &d.size)
	if d.size == 0 {
		return
	}
	c.times(&d.at)
	word(c, &d.from)
	integer(c, &d.number)
	integer(c, &d.kind)
}

func (n *numbers) code(c *coder) {
	c.times(&n.first, &n.lastByte, &n.lastOf[0], &n.lastOf[1], &n.lastFrame[0], &n.lastFrame[1], &n.opened, &n.idleFrom)
	integer(c, &n.idle)
	integer(c, &n.handshakes, &n.exchanges)
	integer(c, &n.heads[0], &n.heads[1], &n.skipped[0], &n.skipped[1])
	for i := range n.sides {
		s := &n.sides[i]
		integer(c, &s.Bytes, &s.HeaderBytes, &s.DataPayload, &s.Frames, &s.DataFrames, &s.Text, &s.Binary, &s.Fragmented,
			&s.Compressed, &s.Deflated, &s.Inflated, &s.Pings, &s.Pongs, &s.Closes, &s.payload)
		integer(c, &s.LongestIdle)
		integer(c, &s.Missing)
		integer(c, &s.Gaps)
		s.RTT.code(c, &s.rtts)
		s.Sizes.code(c, &s.sizes)
		s.Response.code(c, &s.responses)
	}
}

func (s *Spread) code(c *coder, kept *sample) {
	if integer(c, &s.Count); s.Count == 0 {
		return
	}
	integer(c, &kept.every)
	integer(c, &s.Min, &s.Max, &s.Sum)
	list(c, &kept.values, func(n *int64) { integer(c, n) })
}
