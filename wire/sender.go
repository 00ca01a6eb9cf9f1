package wire

import (
	"errors"
	"fmt"
	"unicode/utf8"

	"github.com/wiretrue/websocket/wire/frame"
	"github.com/wiretrue/websocket/wire/rfc"
)

// What a Sender refuses. The errors that it returns wrap one of these.
var (
	ErrClosed         = errors.New("a close frame was sent")
	ErrMessageOpen    = errors.New("a fragmented message is not finished")
	ErrNotUTF8        = errors.New("text is not UTF-8")
	ErrControlPayload = errors.New("a control frame carries 125 bytes at most")
	ErrStatusCode     = errors.New("the status code may not be sent")
	ErrOpcode         = errors.New("the opcode is no message's")
)

// Sender writes one direction of a connection, legal frames only. Set Role
// before the first call; the zero Sender is a client's.
//
// Every method appends to dst and returns the extended slice, which is dst
// unchanged when there is an error. A client passes a fresh random key for each
// frame (RFC 6455 5.3); a server's key is ignored.
type Sender struct {
	Role Role

	closed    bool
	fragments bool // a fragmented message is open
	text      bool // and it is text
	utf8      utf8Checker
}

// Message appends a whole message in one frame. op is Text or Binary.
func (s *Sender) Message(dst []byte, op frame.Opcode, payload []byte, key [4]byte) ([]byte, error) {
	if err := s.mayBegin(op); err != nil {
		return dst, err
	}
	if op == frame.Text && !utf8.Valid(payload) {
		return dst, notUTF8(payload, new(utf8Checker).check(payload))
	}
	return s.append(dst, true, op, payload, key), nil
}

// Fragment appends a frame of a message in several. op is Text or Binary in
// all of its calls; the frames behind the first become continuations. With fin
// the message ends.
func (s *Sender) Fragment(dst []byte, op frame.Opcode, payload []byte, fin bool, key [4]byte) ([]byte, error) {
	if s.closed {
		return dst, ErrClosed
	}
	text, checked := s.text, s.utf8
	if !s.fragments {
		if err := s.mayBegin(op); err != nil {
			return dst, err
		}
		text, checked = op == frame.Text, utf8Checker{}
	}
	if text {
		if i := checked.check(payload); i < len(payload) || fin && !checked.whole() {
			return dst, notUTF8(payload, i)
		}
	}
	if s.fragments {
		op = frame.Continuation
	}
	s.fragments, s.text, s.utf8 = !fin, text, checked
	return s.append(dst, fin, op, payload, key), nil
}

// Control appends a Ping or a Pong.
func (s *Sender) Control(dst []byte, op frame.Opcode, payload []byte, key [4]byte) ([]byte, error) {
	switch {
	case s.closed:
		return dst, ErrClosed
	case op != frame.Ping && op != frame.Pong:
		return dst, fmt.Errorf("%w: %v", ErrOpcode, op)
	case len(payload) > frame.MaxControlPayload:
		return dst, fmt.Errorf("%w: %d", ErrControlPayload, len(payload))
	}
	return s.append(dst, true, op, payload, key), nil
}

// Close appends a Close frame, behind which nothing more can be sent. With
// NoStatusReceived as its code it has no body (RFC 6455 5.5.1).
func (s *Sender) Close(dst []byte, code rfc.StatusCode, reason string, key [4]byte) ([]byte, error) {
	var body []byte
	switch {
	case s.closed:
		return dst, ErrClosed
	case code == rfc.NoStatusReceived && reason == "":
	case !code.Sendable():
		return dst, fmt.Errorf("%w: %v", ErrStatusCode, code)
	case len(reason) > frame.MaxControlPayload-2:
		return dst, fmt.Errorf("%w: a status code and %d of reason", ErrControlPayload, len(reason))
	case !utf8.ValidString(reason):
		return dst, notUTF8([]byte(reason), new(utf8Checker).check([]byte(reason)))
	default:
		body = frame.AppendClose(make([]byte, 0, frame.MaxControlPayload), uint16(code), reason)
	}
	s.closed = true
	return s.append(dst, true, frame.Close, body, key), nil
}

// Closed reports whether a Close frame was sent.
func (s *Sender) Closed() bool { return s.closed }

func (s *Sender) mayBegin(op frame.Opcode) error {
	switch {
	case s.closed:
		return ErrClosed
	case s.fragments:
		return ErrMessageOpen
	case op != frame.Text && op != frame.Binary:
		return fmt.Errorf("%w: %v", ErrOpcode, op)
	}
	return nil
}

func (s *Sender) append(dst []byte, fin bool, op frame.Opcode, payload []byte, key [4]byte) []byte {
	h := frame.Header{
		Fin:        fin,
		Opcode:     op,
		Length:     uint64(len(payload)),
		LengthSize: frame.MinimalLengthSize(uint64(len(payload))),
	}
	if s.Role == Client {
		h.Masked, h.MaskingKey = true, key
	}
	dst = h.Append(dst)
	start := len(dst)
	dst = append(dst, payload...)
	if h.Masked {
		frame.Mask(dst[start:], key, 0)
	}
	return dst
}

func notUTF8(p []byte, bad int) error {
	if bad == len(p) {
		return fmt.Errorf("%w: it ends inside a character", ErrNotUTF8)
	}
	return fmt.Errorf("%w: byte %d is 0x%02x", ErrNotUTF8, bad, p[bad])
}

// Encoded appends a whole message that another Sender of the same role encoded
// with Message.
func (s *Sender) Encoded(dst, encoded []byte) ([]byte, error) {
	if err := s.mayBegin(frame.Binary); err != nil {
		return dst, err
	}
	return append(dst, encoded...), nil
}
