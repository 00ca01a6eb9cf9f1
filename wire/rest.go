package wire

// Rest is what a Receiver remembers between two messages, beside its Offset. A
// shell with very many connections keeps it for those that are idle, in place of
// their Receivers.
type Rest struct {
	lastKey [4]byte
	keyed   bool
	closed  bool
}

// Rest returns what a Receiver must remember. ok is false inside a frame or a
// message, when that is more than a Rest holds.
func (r *Receiver) Rest() (rest Rest, ok bool) {
	if r.InFrame() || r.inMessage {
		return Rest{}, false
	}
	return Rest{lastKey: r.lastKey, keyed: r.keyed, closed: r.closed}, true
}

// Resume makes a Receiver that stands between two messages go on from another
// one's Rest, which stood at the offset. Role, Limits and what concerns
// compression are not part of it.
func (r *Receiver) Resume(rest Rest, offset int64) {
	r.offset, r.lastKey, r.keyed, r.closed = offset, rest.lastKey, rest.keyed, rest.closed
}
