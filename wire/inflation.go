package wire

import (
	"errors"

	"github.com/wiretrue/websocket/wire/deflate"
	"github.com/wiretrue/websocket/wire/frame"
	"github.com/wiretrue/websocket/wire/rfc"
)

// inflation is the state of a compressed message that is being read.
type inflation struct {
	on     bool   // the message is compressed
	begun  bool   // its first byte was passed on
	rest   []byte // came out and is not told yet
	before int64  // compressed bytes in the frames before this one
	large  bool   // the message has passed the limit, which was told
	over   bool   // it cannot be inflated; the rest is passed over
	cut    bool   // nor could its end be, which its end tells
}

// mayCompress reports whether RSV1 has a meaning in the frame: it marks the
// first frame of a compressed message (RFC 7692 6.1).
func (r *Receiver) mayCompress() bool {
	return r.Compression && (r.header.Opcode == frame.Text || r.header.Opcode == frame.Binary)
}

// readCompressed passes payload on to the Decompressor and tells what comes out
// of it. What the frame's bytes hold comes out before the frame ends.
func (r *Receiver) readCompressed(p []byte, ev *Event) (n int) {
	i, d := &r.inflation, r.Decompressor
	if i.over || d == nil {
		r.text = false
		r.consume(len(p))
		if !i.over && len(p) > 0 {
			r.tellCompressed(ev)
			ev.Data = p
		}
		return len(p)
	}
	if !i.begun {
		i.begun = true
		if r.NoContextTakeover {
			d.Reset()
		}
	}
	for len(i.rest) == 0 {
		out, k, err := d.Next(p[n:])
		r.consume(k)
		n += k
		i.rest = out
		switch {
		case len(out) > 0:
		case err != nil:
			r.tellCompressed(ev)
			ev.Offset += r.faultAt(err)
			ev.Broken.Add(rfc.InflatablePayload)
			i.over, r.text = true, false
			return n
		case k == 0:
			if r.left == 0 {
				r.endCompressed(ev)
			}
			return n
		}
	}
	r.tellInflated(ev)
	return n
}

// tellCompressed makes ev one of the frame's compressed payload.
func (r *Receiver) tellCompressed(ev *Event) {
	ev.Kind, ev.Header, ev.Offset = Data, r.header, r.frameOffset+int64(r.header.Size())
}

// tellInflated makes ev one of what came out. The first byte beyond the limit
// begins an event of its own, as an impossible byte of text does.
func (r *Receiver) tellInflated(ev *Event) {
	i := &r.inflation
	r.tellCompressed(ev)
	ev.Data = i.rest
	if limit := r.Limits.Message; limit > 0 && !i.large {
		switch room := limit - min(limit, r.size); {
		case room == 0:
			i.large = true
			ev.Broken.Add(rfc.MessageSize)
		case uint64(len(ev.Data)) > room:
			ev.Data = ev.Data[:room]
		}
	}
	if r.text {
		ev.Data = r.checkText(ev.Data, &ev.Broken)
	}
	i.rest = i.rest[len(ev.Data):]
	r.size += uint64(len(ev.Data))
}

// endCompressed fetches what the end of the message lets out, where the frame
// is its last.
func (r *Receiver) endCompressed(ev *Event) {
	i := &r.inflation
	if !r.header.Fin {
		i.before += int64(r.header.Length)
		return
	}
	out, err := r.Decompressor.Finish()
	if len(out) > 0 {
		i.rest = out
		r.tellInflated(ev)
		return
	}
	i.cut, i.over = err != nil, true
}

// faultAt returns where in the frame's payload the Decompressor found a fault.
func (r *Receiver) faultAt(err error) int64 {
	fault := new(deflate.Error)
	if !errors.As(err, &fault) {
		return 0
	}
	return min(max(0, fault.Bit/8-r.inflation.before), int64(min(r.header.Length, 1<<62)))
}
