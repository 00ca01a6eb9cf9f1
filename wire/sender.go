package wire

import (
	"errors"
	"fmt"

	"github.com/wiretrue/websocket/wire/deflate"
	"github.com/wiretrue/websocket/wire/frame"
	"github.com/wiretrue/websocket/wire/rfc"
	"github.com/wiretrue/websocket/wire/utf8"
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
	// Compressor makes the messages that are sent compressed, once
	// permessage-deflate was agreed on (RFC 7692). NoContextTakeover says that
	// each message begins with an empty window. The Compressor is not used between
	// messages, and must not be missed when one is asked to be compressed.
	Compressor        *deflate.Compressor
	NoContextTakeover bool

	Role Role

	closed     bool
	fragments  bool // a fragmented message is open
	compressed bool // and it is compressed
	started    bool // and its first frame was sent
	text       bool // and it is text
	utf8       utf8.Checker
}

// Message appends a whole message in one frame. op is Text or Binary.
func (s *Sender) Message(dst []byte, op frame.Opcode, payload []byte, key [4]byte) ([]byte, error) {
	if err := s.mayBeginWith(op, payload); err != nil {
		return dst, err
	}
	return s.append(dst, true, op, payload, key), nil
}

// MessageHeader is Message without the payload, for a server that sends it
// behind the header from where it is.
func (s *Sender) MessageHeader(dst []byte, op frame.Opcode, payload []byte) ([]byte, error) {
	if err := s.mayBeginWith(op, payload); err != nil {
		return dst, err
	}
	return header(true, op, payload).Append(dst), nil
}

// CompressedMessage is Message through the Compressor. With no context takeover
// a message that compression would not make smaller is sent as it is.
func (s *Sender) CompressedMessage(dst []byte, op frame.Opcode, payload []byte, key [4]byte) ([]byte, error) {
	if err := s.mayBeginWith(op, payload); err != nil {
		return dst, err
	}
	if s.NoContextTakeover {
		s.Compressor.Reset()
	}
	start := len(dst)
	dst, size := s.appendCompressed(dst, true, frame.RSV1, op, payload, key)
	if s.NoContextTakeover && size >= len(payload) {
		return s.append(dst[:start], true, op, payload, key), nil
	}
	return dst, nil
}

// Fragment appends a frame of a message in several. op is Text or Binary in
// all of its calls; the frames behind the first become continuations. With fin
// the message ends. compress, which counts in the first call, sends the message
// through the Compressor; what that keeps back goes out with a later frame, so
// that a call may append nothing.
func (s *Sender) Fragment(dst []byte, op frame.Opcode, payload []byte, fin, compress bool, key [4]byte) ([]byte, error) {
	if s.closed {
		return dst, ErrClosed
	}
	text, checked := s.text, s.utf8
	if !s.fragments {
		if err := s.mayBegin(op); err != nil {
			return dst, err
		}
		text, checked = op == frame.Text, utf8.Checker{}
	}
	if text {
		if i := checked.Check(payload); i < len(payload) || fin && !checked.Whole() {
			return dst, notUTF8(payload, i)
		}
	}
	if !s.fragments {
		s.compressed, s.started = compress, false
		if compress && s.NoContextTakeover {
			s.Compressor.Reset()
		}
	}
	s.fragments, s.text, s.utf8 = !fin, text, checked
	var rsv uint8
	if s.started {
		op = frame.Continuation
	} else if s.compressed {
		rsv = frame.RSV1
	}
	if !s.compressed {
		s.started = true
		return s.append(dst, fin, op, payload, key), nil
	}
	start := len(dst)
	dst, size := s.appendCompressed(dst, fin, rsv, op, payload, key)
	if size == 0 {
		return dst[:start], nil // all was kept back; the last part never is
	}
	s.started = true
	return dst, nil
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
	case !utf8.Valid([]byte(reason)):
		return dst, notUTF8([]byte(reason), new(utf8.Checker).Check([]byte(reason)))
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

// mayBeginWith is mayBegin for a whole message.
func (s *Sender) mayBeginWith(op frame.Opcode, payload []byte) error {
	if err := s.mayBegin(op); err != nil {
		return err
	}
	if op == frame.Text && !utf8.Valid(payload) {
		return notUTF8(payload, new(utf8.Checker).Check(payload))
	}
	return nil
}

// header is that of an unmasked frame.
func header(fin bool, op frame.Opcode, payload []byte) frame.Header {
	return frame.Header{
		Fin:        fin,
		Opcode:     op,
		Length:     uint64(len(payload)),
		LengthSize: frame.MinimalLengthSize(uint64(len(payload))),
	}
}

func (s *Sender) append(dst []byte, fin bool, op frame.Opcode, payload []byte, key [4]byte) []byte {
	h := header(fin, op, payload)
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

// appendCompressed appends a frame with payload compressed, and returns the
// size that it came to. The header is as long as that size makes it, so room is
// left for the longest and closed up afterwards.
func (s *Sender) appendCompressed(dst []byte, fin bool, rsv uint8, op frame.Opcode, payload []byte, key [4]byte) ([]byte, int) {
	start := len(dst)
	dst = append(dst, make([]byte, frame.MaxHeaderSize)...)
	dst = s.Compressor.Append(dst, payload, fin)
	body := dst[start+frame.MaxHeaderSize:]
	h := header(fin, op, body)
	h.RSV = rsv
	if s.Role == Client {
		h.Masked, h.MaskingKey = true, key
		frame.Mask(body, key, 0)
	}
	dst = h.Append(dst[:start])
	dst = append(dst, body...)
	return dst, len(body)
}

func notUTF8(p []byte, bad int) error {
	if bad == len(p) {
		return fmt.Errorf("%w: it ends inside a character", ErrNotUTF8)
	}
	return fmt.Errorf("%w: byte %d is 0x%02x", ErrNotUTF8, bad, p[bad])
}

// Encoded appends a whole message that another Sender of the same role encoded:
// with Message or, with an empty window, with CompressedMessage. A compressed
// one's payload enters the Compressor's history, as it enters the peer's.
func (s *Sender) Encoded(dst, encoded, payload []byte) ([]byte, error) {
	if err := s.mayBegin(frame.Binary); err != nil {
		return dst, err
	}
	if h, _ := frame.Parse(encoded); h.RSV&frame.RSV1 != 0 && s.Compressor != nil && !s.NoContextTakeover {
		s.Compressor.Skip(payload)
	}
	return append(dst, encoded...), nil
}
