package wire

import (
	"github.com/wiretrue/websocket/wire/deflate"
	"github.com/wiretrue/websocket/wire/frame"
	"github.com/wiretrue/websocket/wire/rfc"
)

// Witness judges both directions of a connection from outside, from the first
// byte behind the opening handshake: each direction as its Receiver does, and
// what one side owes the other.
type Witness struct {
	ends [2]end // by the role that sends
}

// end is one endpoint as its own bytes show it.
type end struct {
	sent     Receiver // reads what the endpoint sends
	pings    Pings    // of its Pings, those without an answer
	closed   bool     // it sent a Close frame
	code     rfc.StatusCode
	over     bool // it sends no more bytes
	unanswer bool // a Close came to it before it had sent one
}

// NewWitness returns a Witness that applies the limits to both directions.
func NewWitness(limits Limits) *Witness {
	w := new(Witness)
	w.begin(limits)
	return w
}

func (w *Witness) begin(limits Limits) {
	*w = Witness{}
	for _, sender := range []Role{Client, Server} {
		w.ends[sender].sent.Role = sender.Peer()
		w.ends[sender].sent.Limits = limits
	}
}

// Agree says what was agreed on for permessage-deflate, which makes RSV1 legal
// (RFC 7692 6). Call it before the first byte behind the handshake. The
// Decompressors are the caller's to give to the Receivers, with the windows of
// agreed.
func (w *Witness) Agree(agreed deflate.Params) {
	client, server := w.Receiver(Client), w.Receiver(Server)
	client.Compression, client.NoContextTakeover = true, agreed.ClientNoContextTakeover
	server.Compression, server.NoContextTakeover = true, agreed.ServerNoContextTakeover
}

// Receiver returns the Receiver that reads what the role sends.
func (w *Witness) Receiver(sender Role) *Receiver { return &w.ends[sender].sent }

// Next reads the bytes that sender sent, in the manner of Receiver.Next. The
// two directions must be passed in the order in which they were seen.
func (w *Witness) Next(sender Role, in []byte, ev *Event) (n int) {
	from, to := &w.ends[sender], &w.ends[sender.Peer()]
	n = from.sent.Next(in, ev)
	switch ev.Kind {
	case Ping:
		if !from.closed && !to.closed {
			from.pings.Sent(ev.Data, ev.Offset)
		}
	case Pong:
		_, _, broken := to.pings.Pong(ev.Data)
		ev.Broken = ev.Broken.Union(broken)
	case Close:
		code := rfc.NoStatusReceived
		if c, _, ok := frame.ParseClose(ev.Data); ok {
			code = rfc.StatusCode(c)
		}
		if to.closed && code != to.code {
			ev.Broken.Add(rfc.CloseCodeEchoed)
		}
		if !from.closed {
			from.closed, from.code = true, code
			from.unanswer = false
			to.unanswer = !to.closed
		}
	}
	return n
}

// End notes that the sender's bytes are over, by FIN or RST, and returns what
// that breaks. Call it once for each side, in the order in which they were
// seen.
func (w *Witness) End(sender Role) (broken rfc.Set) {
	from, to := &w.ends[sender], &w.ends[sender.Peer()]
	from.over = true
	switch {
	case !from.closed && !to.closed && !to.over:
		broken.Add(rfc.CloseBeforeEnd)
	case from.unanswer:
		broken.Add(rfc.CloseAnswered)
	case from.closed && to.closed && sender == Client && !to.over:
		broken.Add(rfc.ServerEndsTCP)
	}
	if from.sent.InFrame() || from.sent.InMessage() && !from.closed {
		broken.Add(rfc.EndBetweenFrames)
	}
	if to.pings.Waiting() > 0 && !to.closed {
		broken.Add(rfc.PingAnswered)
	}
	return broken
}

// WitnessState is what a Witness knows between frames and messages, by the
// role that sends.
type WitnessState [2]struct {
	Offset     int64
	LastKey    [4]byte // with Keyed, the masking key of its last frame
	Keyed      bool
	Closed     bool           // it sent a Close frame, in the bytes that its Receiver has read
	Sent       bool           // it sent a Close frame
	Code       rfc.StatusCode // of that
	Over       bool           // it sends no more bytes
	Unanswered bool           // a Close came to it before it had sent one
}

// State returns what the Witness knows. ok is false when a frame or a message
// is under way or a Ping waits for its Pong, of which a WitnessState has
// nothing.
func (w *Witness) State() (state WitnessState, ok bool) {
	for i := range w.ends {
		e, r := &w.ends[i], &w.ends[i].sent
		if r.InFrame() || r.InMessage() || len(e.pings.sent) > 0 || e.pings.forgotten > 0 {
			return state, false
		}
		state[i].Offset, state[i].LastKey, state[i].Keyed, state[i].Closed = r.offset, r.lastKey, r.keyed, r.closed
		state[i].Sent, state[i].Code, state[i].Over, state[i].Unanswered = e.closed, e.code, e.over, e.unanswer
	}
	return state, true
}

// Resume makes the Witness a new one, with the limits, that goes on where
// another was in the state.
func (w *Witness) Resume(limits Limits, state WitnessState) {
	w.begin(limits)
	for i := range w.ends {
		e, r, s := &w.ends[i], &w.ends[i].sent, &state[i]
		r.offset, r.lastKey, r.keyed, r.closed = s.Offset, s.LastKey, s.Keyed, s.Closed
		e.closed, e.code, e.over, e.unanswer = s.Sent, s.Code, s.Over, s.Unanswered
	}
}
