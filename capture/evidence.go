package capture

import (
	"bytes"
	"math"
	"slices"
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
// there were as many chances to be wrong; frames begin with packets more often
// than not, so that the first byte of a packet needs less.
//
// Payloads are not random: what repeats itself, as zeros behind a mask do, may
// look like a header again and again. So what was seen before is no evidence.
//
// Here bytes are weighed, and nothing else is known; see guess.go for what is
// done about it.

const (
	enoughBits = 20 // to believe a candidate at the very beginning
	someBits   = 9  // to believe it when no more bytes will come
	insideBits = 4  // more where no packet begins
	endBits    = 7  // that a frame ends where a packet does
	headerBits = 5  // that a header fits
	faultBits  = 10 // against it that one does not: few peers break rules
	maxRow     = 64 // headers that are looked at from one candidate on
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
	switch {
	case isForeign(from, b):
		return sniffOther
	case len(b) < 8:
		return sniffMore
	}
	return sniffHTTP
}

// isForeign reports whether no head of HTTP begins with b.
func isForeign(from wire.Role, b []byte) bool {
	b = b[:min(len(b), 8)]
	if from == wire.Client {
		r, _ := handshake.ParseRequest(b, 0)
		return !r.Broken.Clean()
	}
	r, _ := handshake.ParseResponse(b, 0)
	return !r.Broken.Clean()
}

// candidate is bytes in which the first frame is searched.
type candidate struct {
	b       []byte
	starts  []int  // where packets begin in b
	marks   []mark // theirs
	masked  bool   // the frames are, as a client's
	either  bool   // or they are not
	deflate bool   // RSV1 may be set
	before  int64  // bytes that were searched before b
	final   bool   // nothing comes behind b before it must be decided

	seen    []uint64 // a bit for each byte of b at which a header of a row begins
	weighed int      // headers, in all rows
}

func (c candidate) prefix(n int) candidate {
	c.b = c.b[:n]
	return c
}

// best returns where the frames most probably begin; -1: nowhere. over is the
// evidence beyond what the place costs. Unless it is final, nothing is believed
// in the payload of a frame that may have begun with a packet and has not ended.
func (c *candidate) best() (at int, over, score float64, frames int) {
	at = -1
	c.seen = make([]uint64, len(c.b)/64+1)
	packets := float64(c.before) / typicalPacket
	next := 0 // of starts
	for i := range c.b {
		start := next < len(c.starts) && c.starts[next] == i
		if start {
			next++
		}
		if !start && c.wasSeen(i) {
			continue // the row that it stands in has more evidence, at less cost
		}
		if !c.mayBegin(c.b[i:]) {
			continue
		}
		bits, n, end := c.evidence(i, 0)
		if n == 0 {
			continue
		}
		cost := math.Log2(float64(c.before)+float64(i)+1) + insideBits
		if start {
			cost = math.Log2(packets + float64(next))
		}
		if at < 0 || bits-cost > over {
			at, over, score, frames = i, bits-cost, bits, n
		}
		if start && !c.final && end > len(c.b) && n == 1 {
			break // what is behind is in its payload
		}
	}
	return at, over, score, frames
}

// typicalPacket is how many bytes a packet has, about.
const typicalPacket = 1400

// mayBegin looks at the first two bytes only.
func (c *candidate) mayBegin(b []byte) bool {
	if len(b) < 2 || !frame.Opcode(b[0]&15).Assigned() || b[0]&0x30 != 0 {
		return false
	}
	return c.either || b[1]&0x80 != 0 == c.masked
}

// evidence returns how improbable it is that other bytes look like a row of
// frames at i, in bits, how many headers it saw, and where the last of these
// frames ends. It returns no headers when more speaks against it than for it,
// what was known before included.
func (c *candidate) evidence(i int, before float64) (score float64, frames, end int) {
	var seen [8][]byte
	for i < len(c.b) && score < 64 && frames < maxRow {
		c.weighed++
		c.seen[i/64] |= 1 << (i % 64)
		h, n := frame.Parse(c.b[i:])
		if n == 0 && (len(c.b)-i < 2 || c.mayBegin(c.b[i:])) {
			break
		}
		p := c.b[i+n:]
		whole := n > 0 && h.Length <= uint64(len(p))
		if whole {
			p = p[:h.Length]
		}
		weight, ok := c.frame(c.b[i:], &h, p, whole)
		empty := h.Length == 0 && !h.Fin // as zeros would be
		switch {
		case !ok:
			if score -= faultBits; score+before <= 0 {
				return 0, 0, 0
			}
		case !empty && !c.repeats(seen[:min(frames, len(seen))], c.b[i:i+n+len(p)], n):
			score += weight
			if whole && c.packetEnds(i+n+len(p)) {
				score += endBits
			}
		}
		seen[frames%len(seen)] = c.b[i : i+n+len(p)]
		frames++
		end = i + n + int(h.Length)
		if !whole {
			break
		}
		i = end
	}
	return score, frames, end
}

// frame weighs a frame that b begins with, p being what there is of its payload.
func (c *candidate) frame(b []byte, h *frame.Header, p []byte, whole bool) (score float64, ok bool) {
	if !c.mayBegin(b) {
		return 0, false
	}
	if score, ok = c.header(h); !ok {
		return 0, false
	}
	more, ok := c.payload(h, p, whole)
	return score + more, ok
}

// goesOn reports whether frames go on behind the payload of one that broke a
// rule, which c begins with. before is the evidence for those before it.
func (c *candidate) goesOn(length uint64, before float64) bool {
	if length >= uint64(len(c.b)) {
		return c.final && length == uint64(len(c.b))
	}
	c.seen = make([]uint64, len(c.b)/64+1)
	score, _, _ := c.evidence(int(length), before-faultBits)
	return score >= faultBits
}

// wasSeen reports whether a header at i was part of a row that was weighed.
func (c *candidate) wasSeen(i int) bool { return c.seen[i/64]>>(i%64)&1 != 0 }

// packetEnds reports whether a packet is known to end at i.
func (c *candidate) packetEnds(i int) bool {
	if i == len(c.b) {
		return c.final
	}
	_, found := slices.BinarySearch(c.starts, i)
	return found
}

// repeats reports whether a frame, with a header of n bytes, says nothing that
// those before it have not said. Masking keys are never the same.
func (c *candidate) repeats(seen [][]byte, b []byte, n int) bool {
	const most = 32 // bytes that are compared
	for _, other := range seen {
		if b[1]&0x80 != 0 && n <= len(other) && bytes.Equal(other[n-4:n], b[n-4:n]) ||
			bytes.Equal(other[:min(len(other), most)], b[:min(len(b), most)]) {
			return true
		}
	}
	return false
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
	score = headerBits
	if c.either {
		score--
	}
	if h.RSV != 0 {
		score -= 2
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
		_, valid := Excerpt{Bytes: p, Size: uint64(len(p)) + 1}.Text() // it may end inside a character
		if !valid {
			return 0, false
		}
		return evidenceOfText(p, h.Masked), true
	}
	return 0, true
}

// evidenceOfText weighs valid UTF-8. Text behind another's mask is text, too, but of
// control characters for the most part; and what repeats itself every four
// bytes may be anything.
func evidenceOfText(p []byte, masked bool) (score float64) {
	for i, b := range p {
		switch {
		case b < ' ' && b != '\t' && b != '\r' && b != '\n':
			score -= 4
		case i < 4 || b != p[i-4]:
			score++
		}
	}
	score = max(score, -headerBits)
	if !masked { // behind a wrong key it would be random; here it may be what it is inside of
		score /= 4
	}
	return score
}
