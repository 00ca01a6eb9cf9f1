package wire

import (
	"github.com/wiretrue/websocket/wire/frame"
	"github.com/wiretrue/websocket/wire/rfc"
	"github.com/wiretrue/websocket/wire/utf8"
)

// Kind says what an Event tells.
type Kind uint8

const (
	// NeedMore: all bytes are consumed and there is no more to tell of them.
	NeedMore Kind = iota
	// Header: a frame's header is whole. Header and Offset, that of its first
	// byte, are set in this event and in all events of the same frame.
	Header
	// Data: a piece of the payload of a frame that is no assigned control
	// frame, unmasked. Data is the piece, Offset is where it begins. Payload
	// without a byte makes no Data event.
	Data
	// MessageEnd: the final frame of a message has ended. Offset is that of
	// the byte behind it.
	MessageEnd
	// Ping, Pong, Close: a control frame is whole. Data is its payload,
	// unmasked; of an illegal one of more than 125 bytes the first 125. Offset
	// is that of the frame's first byte.
	Ping
	Pong
	Close
)

func (k Kind) String() string {
	return [...]string{"need more", "header", "data", "message end", "ping", "pong", "close"}[k]
}

// Event is what a Receiver tells about the bytes of one direction.
type Event struct {
	Kind   Kind
	Header frame.Header // of the frame that the event belongs to
	Data   []byte       // valid until the next call of Next
	Broken rfc.Set      // the rules that the event's bytes broke
	Offset int64        // in the direction's bytes, the first byte being 0
}

// At returns the offset of the byte at which the event broke the rule.
func (e *Event) At(rule rfc.Rule) int64 {
	switch rule {
	case rfc.ClientMustMask, rfc.ServerMustNotMask, rfc.ControlLength, rfc.MinimalLength, rfc.MessageSize:
		if e.Kind == Header {
			return e.Offset + 1
		}
	case rfc.LengthTopBit:
		return e.Offset + 2
	case rfc.FreshMaskingKey:
		return e.Offset + int64(e.Header.Size()) - 4
	case rfc.CloseBodyLength, rfc.CloseCodeOnWire, rfc.CloseCodeAssigned:
		return e.Offset + int64(e.Header.Size())
	case rfc.CloseReasonUTF8:
		_, reason, _ := frame.ParseClose(e.Data)
		return e.Offset + int64(e.Header.Size()) + 2 + int64(new(utf8.Checker).Check(reason))
	}
	return e.Offset
}
