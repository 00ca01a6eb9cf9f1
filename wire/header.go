package wire

import (
	"github.com/wiretrue/websocket/wire/frame"
	"github.com/wiretrue/websocket/wire/utf8"
)

// MessageHeader appends the header alone of a whole message that a server sends
// in one frame: the payload, which is not masked, may then be sent from where it
// is. op is Text or Binary.
func (s *Sender) MessageHeader(dst []byte, op frame.Opcode, payload []byte) ([]byte, error) {
	if err := s.mayBegin(op); err != nil {
		return dst, err
	}
	if op == frame.Text && !utf8.Valid(payload) {
		return dst, notUTF8(payload, new(utf8.Checker).Check(payload))
	}
	h := frame.Header{Fin: true, Opcode: op, Length: uint64(len(payload)), LengthSize: frame.MinimalLengthSize(uint64(len(payload)))}
	return h.Append(dst), nil
}
