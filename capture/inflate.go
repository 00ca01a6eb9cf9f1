package capture

import (
	"errors"
	"fmt"
	"sync"

	"github.com/wiretrue/websocket/wire"
	"github.com/wiretrue/websocket/wire/deflate"
	"github.com/wiretrue/websocket/wire/rfc"
)

// NOTE. A compressed message may refer to the messages before it, as far back
// as the window reaches. An onlooker who came late, or missed bytes, does not
// know all of the window. What a message says all the same is certain when it
// refers to known bytes alone: a reference farther back is an error, never a
// wrong byte. So each message is tried with what is known. One that needs more
// is given up, and the next one begins with nothing known; once a whole window
// has come out without an error, all of it is known.

// Why the rest of a compressed message was not inflated.
const (
	windowUnknown = "it refers to bytes before those that are known"
	missingBytes  = "bytes of it are missing"
	abandoned     = "it was not finished"
	overLimit     = "more came out than is worked on"
)

// inflatedPerByte is how many bytes that come out of one on the wire do not
// count against Options.Inflate.
const inflatedPerByte = 100

// inflater is what a side has of permessage-deflate.
type inflater struct {
	bits    int    // of the window
	fresh   bool   // the side forgets its window after each message
	guess   bool   // nothing but RSV1 says that its messages are compressed
	history []byte // what is known of the window, between messages
	lossy   bool   // there may be more in it
	failed  int    // messages that needed more, since the last one that did not
	allowed uint64 // bytes that may come out yet
	spent   bool   // they have, and no more is inflated
}

// agree sets both directions up for what was agreed on. With guess, nothing
// is known to be, and RSV1 is taken for what it may mean.
func (a *Analyser) agree(agreed deflate.Params, guess bool) {
	a.witness.Agree(agreed)
	for i := range a.sides {
		a.sides[i].inflater = inflater{guess: guess, allowed: uint64(a.o.Inflate)}
	}
	client, server := &a.sides[wire.Client].inflater, &a.sides[wire.Server].inflater
	client.bits, client.fresh = windowFor(agreed.ClientWindow()), agreed.ClientNoContextTakeover
	server.bits, server.fresh = windowFor(agreed.ServerWindow()), agreed.ServerNoContextTakeover
}

// windowFor returns the bits of a window that holds what refers to one of so
// many, which may be a number that nobody may agree on.
func windowFor(bits int) int {
	if bits < 8 || bits > 15 {
		return 15
	}
	return bits
}

// allow notes that n compressed bytes are coming.
func (z *inflater) allow(n uint64) { z.allowed += inflatedPerByte * min(n, 1<<40) }

// forget says that bytes are missing from what is known.
func (z *inflater) forget() {
	z.history, z.lossy = nil, !z.fresh
}

// decompressors are shared, by window bits: between messages a side keeps no
// more than its window.
var decompressors [16]sync.Pool

// beginInflating prepares for the compressed message of which the first header
// has come.
func (a *Analyser) beginInflating(s *side) {
	z := &s.inflater
	if z.spent {
		s.message.NotInflated = overLimit
		return
	}
	d, ok := decompressors[z.bits].Get().(*deflate.Decompressor)
	if !ok {
		d = deflate.NewDecompressor(z.bits)
	}
	d.SetHistory(z.history)
	a.witness.Receiver(s.role).Decompressor = d
}

// stopInflating gives up the message that is being inflated.
func (a *Analyser) stopInflating(s *side, why string) {
	a.witness.Receiver(s.role).Decompressor = nil
	if s.message.NotInflated == "" {
		s.message.NotInflated = why
	}
	s.inflater.forget()
}

// spend counts what came out of a message, and returns as much of it as may
// be used.
func (a *Analyser) spend(s *side, m mark, b []byte) []byte {
	z := &s.inflater
	if uint64(len(b)) <= z.allowed {
		z.allowed -= uint64(len(b))
		return b
	}
	b = b[:z.allowed]
	z.allowed, z.spent = 0, true
	a.stopInflating(s, overLimit)
	f := found("capture-inflation-limit", s.party(), "the message came to %d bytes and more; from here on nothing of %s is inflated", s.message.Size+uint64(len(b)), the(s.party()))
	a.inFrame(&f, s, m)
	s.findings = append(s.findings, f)
	return b
}

// inFrame places a finding at the side's frame.
func (a *Analyser) inFrame(f *Finding, s *side, m mark) {
	f.From, f.Frame = s.party(), s.frame.Number
	f.Offset, f.Stream = s.frame.Offset, s.frame.Stream
	f.At, f.Packet = m.at, m.packet
	f.Bytes = s.frame.Header.Append(nil)
}

// notInflated takes note that the message cannot be inflated, and reports
// whether that is its sender's fault.
func (a *Analyser) notInflated(s *side, m mark) bool {
	z := &s.inflater
	fault := a.inflationFault(s)
	switch {
	case fault == deflate.DistanceBeyondHistory && z.lossy:
		s.message.NotInflated = windowUnknown
		z.failed++
		return false
	case z.guess:
		s.message.NotInflated = fault.String()
		if a.deflate {
			a.bitWithoutMeaning(s, m)
		}
		return false
	}
	s.message.NotInflated = fault.String()
	return a.deflate
}

// bitWithoutMeaning says that RSV1 is set in the first frame of the message
// although no compression was agreed on.
func (a *Analyser) bitWithoutMeaning(s *side, m mark) {
	f := broke(rfc.ReservedBitsZero, s.party(), s.messageHeader.String())
	f.From, f.Frame = s.party(), s.message.FirstFrame
	f.Offset, f.Stream = s.messageAt-s.base, s.messageAt
	f.At, f.Packet = m.at, m.packet
	f.Bytes = s.messageHeader.Append(nil)
	s.findings = append(s.findings, f)
}

// neverCompressed reports whether the message, under an RSV1 of which the
// meaning is not known, looks as if it were what its frame says.
func (s *side) neverCompressed() bool {
	switch s.message.NotInflated {
	case "", windowUnknown, missingBytes, abandoned, overLimit:
		return false
	}
	return s.inflater.guess && (s.message.Size == 0 || printable(s.payload))
}

// explainBit adds what the payload tells of a reserved bit without a meaning,
// once the frame is whole.
func (a *Analyser) explainBit(f *Finding, s *side) {
	if f.Rule != rfc.ReservedBitsZero || !s.message.Compressed || f.Frame != s.message.FirstFrame {
		return
	}
	switch {
	case s.neverCompressed():
		f.Mistake = "the payload is not compressed"
		return
	case s.message.Size == 0 && !s.frame.Header.Fin: // it may be either
		return
	}
	f.Mistake = "the payload is compressed, although permessage-deflate was not agreed on"
	switch h := a.handshake(); {
	case h == nil:
	case len(h.Agreed) > 0 && len(h.Offered) == 0:
		f.Mistake += ": the server answers with it, and the client did not offer it"
	case len(h.Offered) == 0:
		f.Mistake += ": the client did not offer it"
	case len(h.Agreed) == 0:
		f.Mistake += ": the client offered it, and the server did not answer the offer"
	}
	f.Do = "Send compressed frames only when the response names permessage-deflate. When it did and this capture does not show it, a proxy removed the header."
}

// inflationFault returns what is wrong with the message that is being inflated.
func (a *Analyser) inflationFault(s *side) deflate.Fault {
	fault := new(deflate.Error)
	if d := a.witness.Receiver(s.role).Decompressor; d != nil {
		_, _, err := d.Next(nil)
		errors.As(err, &fault)
	}
	return fault.Fault
}

// endInflating ends a compressed message.
func (a *Analyser) endInflating(s *side, m mark) {
	z, g := &s.inflater, &s.message
	r := a.witness.Receiver(s.role)
	d := r.Decompressor
	r.Decompressor = nil
	if d == nil {
		return
	}
	if g.Cut && g.NotInflated == "" {
		g.NotInflated = abandoned
	}
	switch {
	case g.NotInflated != "":
		z.forget()
		if s.neverCompressed() && g.Frames == 1 {
			g.Compressed, g.NotInflated = false, ""
			g.Size = g.WireSize
			s.joined = append(s.joined[:0], s.payload...)
		}
	default:
		a.inflatedWhole(s, m, d)
	}
	decompressors[z.bits].Put(d)
}

// inflatedWhole takes what a message adds to what is known.
func (a *Analyser) inflatedWhole(s *side, m mark, d *deflate.Decompressor) {
	z := &s.inflater
	if z.guess {
		z.guess = false
		if a.deflate {
			f := found("capture-compression-guessed", Unknown, "RSV1 is set and the payload, inflated, comes to %d bytes", s.message.Size)
			a.inFrame(&f, s, m)
			a.find(m, f)
		}
	}
	if z.failed > 0 {
		f := found("capture-window-unknown", Unknown, "%s of %s refer to bytes before those that are known; this one and, as a rule, those behind it do not", count(z.failed, "compressed message"), the(s.party()))
		a.inFrame(&f, s, m)
		a.find(m, f)
		z.failed = 0
	}
	if z.fresh {
		return
	}
	z.history = d.AppendHistory(z.history[:0])
	z.lossy = z.lossy && len(z.history) < 1<<z.bits
}

// finishInflating says at the end that messages could not be read.
func (a *Analyser) finishInflating(m mark) {
	for i := range a.sides {
		s := &a.sides[i]
		if n := s.inflater.failed; n > 0 {
			f := found("capture-window-unknown", Unknown, "the last %s of %s refer to bytes before those that are known", count(n, "compressed message"), the(s.party()))
			f.From = s.party()
			a.find(m, f)
		}
	}
}

// explainInflation adds how a message may have come not to be inflatable.
func (a *Analyser) explainInflation(f *Finding, s *side) {
	z := &s.inflater
	if i := f.Offset - s.frame.Offset - int64(s.frame.Header.Size()); len(f.Bytes) == 0 && 0 <= i && i < int64(len(s.payload)) {
		f.Bytes = Hex{s.payload[i]}
	}
	fault := a.inflationFault(s)
	f.Seen = fmt.Sprintf("%s, in a message of which %d bytes had come out", fault, s.message.Size)
	switch {
	case fault == deflate.DistanceBeyondHistory && z.fresh:
		f.Mistake = fmt.Sprintf("the sender kept its window from the message before, although %s_no_context_takeover was agreed on", s.role)
	case fault == deflate.DistanceBeyondHistory:
		f.Mistake = "the sender refers to bytes that it did not send compressed on this connection"
	case fault == deflate.DistanceBeyondWindow:
		f.Mistake = fmt.Sprintf("the sender's window is larger than the %d bits of %s_max_window_bits that were agreed on", z.bits, s.role)
	case fault == deflate.Truncated:
		f.Mistake = "the sender did not flush its compressor, or removed more than the four bytes 00 00 ff ff"
	case s.message.Size == 0 && s.message.Type == "text" && printable(s.payload):
		f.Mistake = "the payload is plain text: the sender set RSV1 and did not compress"
	}
}

// printable reports whether b looks like text.
func printable(b []byte) bool {
	for _, c := range b {
		if c < ' ' && c != '\n' && c != '\r' && c != '\t' || c > '~' {
			return false
		}
	}
	return len(b) > 0
}
