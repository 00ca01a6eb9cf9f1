package wire

import (
	"bytes"

	"github.com/wiretrue/websocket/wire/frame"
	"github.com/wiretrue/websocket/wire/rfc"
)

// maxPings is how many unanswered pings are remembered. Of more, the oldest
// are forgotten: a Pong may answer the newest alone (RFC 6455 5.5.3).
const maxPings = 16

// Pings pairs the Pings of one direction with the Pongs of the other. It costs
// nothing before the first Ping.
type Pings struct {
	waiting []ping // oldest first
}

type ping struct {
	payload [frame.MaxControlPayload]byte
	size    uint8
	at      int64
}

// Sent notes that a Ping was sent. at is the caller's time or number for it.
func (p *Pings) Sent(payload []byte, at int64) {
	if len(p.waiting) == maxPings {
		p.waiting = append(p.waiting[:0], p.waiting[1:]...)
	}
	var sent ping
	sent.size = uint8(copy(sent.payload[:], payload))
	sent.at = at
	p.waiting = append(p.waiting, sent)
}

// Pong notes that a Pong came, and returns the at of the newest Ping that it
// answers. The Pings before that one count as answered. answers is false when
// it answers none; broken then says whether one was waiting.
func (p *Pings) Pong(payload []byte) (at int64, answers bool, broken rfc.Set) {
	for i := len(p.waiting) - 1; i >= 0; i-- {
		if sent := &p.waiting[i]; bytes.Equal(sent.payload[:sent.size], payload) {
			at = sent.at
			p.waiting = append(p.waiting[:0], p.waiting[i+1:]...)
			return at, true, rfc.Set{}
		}
	}
	if len(p.waiting) > 0 {
		return 0, false, rfc.SetOf(rfc.PongMatchesPing)
	}
	return 0, false, rfc.SetOf(rfc.PongAnswersPing)
}

// Waiting returns the number of Pings without an answer.
func (p *Pings) Waiting() int { return len(p.waiting) }
