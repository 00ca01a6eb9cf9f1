package wire

import (
	"bytes"
	"slices"

	"github.com/wiretrue/websocket/wire/frame"
	"github.com/wiretrue/websocket/wire/rfc"
)

// maxPings is how many unanswered pings are remembered. Of more, the oldest
// are forgotten: a Pong may answer the newest alone (RFC 6455 5.5.3).
const maxPings = 16

// Pings pairs the Pings of one direction with the Pongs of the other. It costs
// nothing before the first Ping.
type Pings struct {
	sent      []ping // oldest first
	passed    int    // how many of them a Pong to a newer one answered
	forgotten int    // older ones, which had no answer when they were dropped
}

type ping struct {
	payload [frame.MaxControlPayload]byte
	size    uint8
	at      int64
}

// Sent notes that a Ping was sent. at is the caller's time or number for it.
func (p *Pings) Sent(payload []byte, at int64) {
	if len(p.sent) == maxPings {
		p.sent = slices.Delete(p.sent, 0, 1)
		if p.passed > 0 {
			p.passed--
		} else {
			p.forgotten++
		}
	}
	var sent ping
	sent.size = uint8(copy(sent.payload[:], payload))
	sent.at = at
	p.sent = append(p.sent, sent)
}

// Pong notes that a Pong came, and returns the at of the newest Ping that it
// answers. The Pings before that one count as answered, and may still get a
// Pong each. answers is false when it answers none that is remembered; broken
// then says whether one was waiting.
func (p *Pings) Pong(payload []byte) (at int64, answers bool, broken rfc.Set) {
	for i := len(p.sent) - 1; i >= 0; i-- {
		sent := &p.sent[i]
		if !bytes.Equal(sent.payload[:sent.size], payload) {
			continue
		}
		at = sent.at
		if i < p.passed {
			p.passed--
		} else {
			p.passed, p.forgotten = i, 0
		}
		p.sent = slices.Delete(p.sent, i, i+1)
		return at, true, rfc.Set{}
	}
	switch {
	case p.forgotten > 0: // taken for the answer of the oldest
		p.forgotten--
		return 0, false, rfc.Set{}
	case p.Waiting() > 0:
		return 0, false, rfc.SetOf(rfc.PongMatchesPing)
	}
	return 0, false, rfc.SetOf(rfc.PongAnswersPing)
}

// Reset forgets all Pings, and keeps their memory for others.
func (p *Pings) Reset() { *p = Pings{sent: p.sent[:0]} }

// Waiting returns the number of Pings without an answer.
func (p *Pings) Waiting() int { return len(p.sent) - p.passed }
