package wire

import (
	"github.com/wiretrue/websocket/wire/deflate"
	"github.com/wiretrue/websocket/wire/frame"
	"github.com/wiretrue/websocket/wire/rfc"
	"github.com/wiretrue/websocket/wire/utf8"
)

// Limits bound what a Receiver takes without a broken rule. Zero means no
// limit.
type Limits struct {
	Message   uint64 // bytes of a message
	Fragments int    // frames of a message, empty ones included
}

// Receiver reads one direction of a connection, from the first byte behind the
// opening handshake. Set Role and Limits before the first call of Next; the
// zero Receiver is that of a client without limits.
//
// It buffers no payload but that of a control frame whose bytes come in
// pieces, and consumes all that it is given. However the bytes are cut, the
// events are the same, but that the cuts show in the Data events.
//
// After a broken rule it goes on like this: reserved bits and a missing or
// superfluous mask change nothing (what says it is masked is unmasked); the
// payload of an unassigned opcode is Data of no message; a continuation
// without a start begins a message of no type; a start inside a message
// abandons the unfinished one; text that is not UTF-8 is not checked further;
// a control frame without FIN is whole all the same; of a compressed message
// that cannot be inflated the rest is passed over; frames behind a Close are
// read as before it.
type Receiver struct {
	Role   Role // of the endpoint that receives
	Limits Limits

	// Compression says that permessage-deflate was agreed on: RSV1 marks a
	// compressed message (RFC 7692 6). Decompressor must be there at the latest
	// when the payload of one is read, after the Header event of its first frame,
	// and is not used between messages; where it is nil, the payload is told as it
	// is. NoContextTakeover says that each message begins with an empty window.
	Compression       bool
	Decompressor      *deflate.Decompressor
	NoContextTakeover bool

	// Where the next byte stands.
	offset int64

	// The frame being read.
	header      frame.Header
	frameOffset int64
	left        uint64 // payload bytes to come
	unmasked    int    // of the bytes to come, those that are unmasked already
	inFrame     bool
	split       [frame.MaxHeaderSize]byte // a header whose bytes come in pieces
	splitLen    uint8
	control     []byte // likewise the payload of a control frame

	// The message being read.
	inMessage bool
	text      bool // its bytes are to be checked
	utf8      utf8.Checker
	size      uint64
	fragments int
	inflation inflation

	// Of the frames before.
	closed  bool
	lastKey [4]byte
	keyed   bool
}

// Offset returns the number of bytes consumed so far.
func (r *Receiver) Offset() int64 { return r.offset }

// InFrame reports whether a frame has begun and not ended.
func (r *Receiver) InFrame() bool { return r.inFrame || r.splitLen > 0 }

// FrameOffset returns where the frame begins that is being read or, between
// frames, the next one.
func (r *Receiver) FrameOffset() int64 {
	if !r.InFrame() {
		return r.offset
	}
	return r.frameOffset
}

// InMessage reports whether a message has begun and not ended.
func (r *Receiver) InMessage() bool { return r.inMessage }

// Inflating reports whether the message being read is compressed.
func (r *Receiver) Inflating() bool { return r.inMessage && r.inflation.on }

// Left returns how many payload bytes of a data frame are to come. A caller may
// read that many straight to where it wants them and pass them to Next.
func (r *Receiver) Left() uint64 {
	if !r.inFrame || r.header.Opcode.Control() || r.inflation.on {
		return 0
	}
	return r.left
}

// Next consumes the first n bytes of in and sets ev to what they mean. Call it
// again with the rest, even when the rest is empty, until it tells NeedMore.
// Payload is unmasked in place, so in must not be read for anything else
// afterwards.
func (r *Receiver) Next(in []byte, ev *Event) (n int) {
	for {
		*ev = Event{}
		switch {
		case !r.inFrame:
			k := r.readHeader(in[n:])
			n += k
			if k == 0 || r.splitLen > 0 {
				r.offset += int64(k)
				return n
			}
			r.beginFrame(k, ev)
			return n
		case r.inControl():
			return n + r.readControl(in[n:], ev)
		}
		n += r.readData(in[n:], ev)
		switch {
		case ev.Kind != NeedMore, r.left > 0 && n == len(in):
			return n
		case r.left == 0 && r.endDataFrame(ev):
			return n
		}
	}
}

// inControl reports whether the frame is a control frame that the RFC knows.
func (r *Receiver) inControl() bool {
	return r.header.Opcode.Control() && r.header.Opcode.Assigned()
}

// readHeader consumes n bytes. A header is whole in r.header when n is not 0
// and splitLen is.
func (r *Receiver) readHeader(in []byte) (n int) {
	if r.splitLen == 0 {
		if r.header, n = frame.Parse(in); n > 0 {
			r.frameOffset = r.offset
			return n
		}
		r.frameOffset = r.offset
	}
	for n < len(in) {
		r.split[r.splitLen] = in[n]
		r.splitLen++
		n++
		if h, size := frame.Parse(r.split[:r.splitLen]); size > 0 {
			r.header, r.splitLen = h, 0
			return n
		}
	}
	return n
}

// beginFrame judges the header and prepares for its payload.
func (r *Receiver) beginFrame(headerBytes int, ev *Event) {
	h, broken := &r.header, &ev.Broken
	ev.Kind, ev.Header, ev.Offset = Header, *h, r.frameOffset
	r.offset += int64(headerBytes)
	r.left, r.unmasked = h.Length, 0
	r.inFrame = true

	if h.RSV != 0 && !(h.RSV == frame.RSV1 && r.mayCompress()) {
		broken.Add(rfc.ReservedBitsZero)
	}
	switch {
	case !h.Masked && r.Role == Server:
		broken.Add(rfc.ClientMustMask)
	case h.Masked && r.Role == Client:
		broken.Add(rfc.ServerMustNotMask)
	}
	if h.Masked && r.Role == Server {
		if r.keyed && h.MaskingKey == r.lastKey {
			broken.Add(rfc.FreshMaskingKey)
		}
		r.lastKey, r.keyed = h.MaskingKey, true
	}
	if h.LengthSize != 0 {
		if h.LengthSize != frame.MinimalLengthSize(h.Length) {
			broken.Add(rfc.MinimalLength)
		}
		if h.Length>>63 != 0 {
			broken.Add(rfc.LengthTopBit)
		}
	}
	switch {
	case !h.Opcode.Assigned():
		broken.Add(rfc.AssignedOpcode)
		if h.Opcode.Control() && !h.Fin {
			broken.Add(rfc.ControlNotFragmented)
		}
	case h.Opcode.Control():
		if !h.Fin {
			broken.Add(rfc.ControlNotFragmented)
		}
		if h.Length > frame.MaxControlPayload {
			broken.Add(rfc.ControlLength)
		}
	default:
		r.beginDataFrame(broken)
	}
}

func (r *Receiver) beginDataFrame(broken *rfc.Set) {
	h := &r.header
	if r.closed {
		broken.Add(rfc.NoDataAfterClose)
	}
	starts := h.Opcode != frame.Continuation
	switch {
	case starts && r.inMessage:
		broken.Add(rfc.MessagesNotInterleaved)
	case !starts && !r.inMessage:
		broken.Add(rfc.ContinuationNeedsStart)
	}
	if starts || !r.inMessage {
		r.inMessage = true
		r.text = h.Opcode == frame.Text
		r.utf8 = utf8.Checker{}
		r.size, r.fragments = 0, 0
		r.inflation = inflation{on: h.RSV&frame.RSV1 != 0 && r.mayCompress()}
	}
	r.fragments++
	if r.Limits.Fragments > 0 && r.fragments > r.Limits.Fragments {
		broken.Add(rfc.FragmentCount)
	}
	if r.inflation.on {
		return // the limit is on what comes out
	}
	if limit := r.Limits.Message; limit > 0 && h.Length > limit-min(limit, r.size) {
		broken.Add(rfc.MessageSize)
	}
	r.size += min(h.Length, 1<<62) // cannot overflow before 2^62 bytes have come
}

// readData tells of the payload that in holds, up to the first impossible byte
// of text: that byte begins an event of its own, so that its offset is the
// event's.
func (r *Receiver) readData(in []byte, ev *Event) (n int) {
	p := in[:min(uint64(len(in)), r.left)]
	if r.header.Masked && len(p) > r.unmasked {
		frame.Mask(p[r.unmasked:], r.header.MaskingKey, int((r.header.Length-r.left)&3)+r.unmasked)
		r.unmasked = len(p)
	}
	if r.inflation.on {
		return r.readCompressed(p, ev)
	}
	if len(p) == 0 {
		return 0
	}
	ev.Kind, ev.Header, ev.Data, ev.Offset = Data, r.header, p, r.offset
	if r.text && r.header.Opcode.Assigned() {
		ev.Data = r.checkText(p, &ev.Broken)
	}
	r.consume(len(ev.Data))
	return len(ev.Data)
}

// consume notes that n bytes of payload are dealt with.
func (r *Receiver) consume(n int) {
	r.left -= uint64(n)
	r.offset += int64(n)
	r.unmasked = max(0, r.unmasked-n)
}

// checkText returns the part of p that goes into one event: what stands before
// the first impossible byte, or all of p when that is its first.
func (r *Receiver) checkText(p []byte, broken *rfc.Set) []byte {
	before := r.utf8
	switch good := r.utf8.Check(p); good {
	case len(p):
		return p
	case 0:
		broken.Add(rfc.TextIsUTF8)
		r.text = false
		return p
	default:
		r.utf8 = before
		r.utf8.Check(p[:good])
		return p[:good]
	}
}

// endDataFrame leaves the frame, and tells of it when its message ends too.
func (r *Receiver) endDataFrame(ev *Event) (ended bool) {
	r.inFrame = false
	if !r.header.Fin || !r.header.Opcode.Assigned() {
		return false
	}
	ev.Kind, ev.Header, ev.Offset = MessageEnd, r.header, r.offset
	switch {
	case r.inflation.cut:
		ev.Broken.Add(rfc.InflatablePayload)
	case r.text && !r.utf8.Whole():
		ev.Broken.Add(rfc.TextIsUTF8)
	}
	r.inMessage = false
	return true
}

// readControl consumes the payload of a control frame and tells of it when it
// is whole.
func (r *Receiver) readControl(in []byte, ev *Event) (n int) {
	n = int(min(uint64(len(in)), r.left))
	p := in[:n]
	if r.header.Masked {
		frame.Mask(p, r.header.MaskingKey, int((r.header.Length-r.left)&3))
	}
	r.left -= uint64(n)
	r.offset += int64(n)
	if r.left > 0 || r.control != nil {
		room := frame.MaxControlPayload - len(r.control)
		r.control = append(r.control, p[:min(room, n)]...)
		if r.left > 0 {
			return n
		}
		p, r.control = r.control, nil
	}
	r.inFrame = false
	ev.Header, ev.Data, ev.Offset = r.header, p[:min(len(p), frame.MaxControlPayload)], r.frameOffset
	switch r.header.Opcode {
	case frame.Ping:
		ev.Kind = Ping
	case frame.Pong:
		ev.Kind = Pong
	case frame.Close:
		ev.Kind = Close
		ev.Broken = judgeClose(ev.Data, r.header.Length > frame.MaxControlPayload)
		r.closed = true
	}
	return n
}

// judgeClose judges the body of a Close. cut says that it went on, illegally.
func judgeClose(body []byte, cut bool) (broken rfc.Set) {
	code, reason, ok := frame.ParseClose(body)
	if !ok {
		if len(body) == 1 {
			broken.Add(rfc.CloseBodyLength)
		}
		return broken
	}
	switch status := rfc.StatusCode(code); {
	case status == rfc.NoStatusReceived, status == rfc.AbnormalClosure, status == rfc.TLSHandshake:
		broken.Add(rfc.CloseCodeOnWire)
	case !status.Sendable():
		broken.Add(rfc.CloseCodeAssigned)
	}
	var c utf8.Checker
	if c.Check(reason) < len(reason) || !cut && !c.Whole() {
		broken.Add(rfc.CloseReasonUTF8)
	}
	return broken
}
