package tlsview

import "github.com/wiretrue/websocket/cmd/internal/flow"

// NOTE. After missing bytes a direction is in the middle of a record of
// unknown length, and an unknown number of records is gone, so that the next
// one's sequence number is unknown too. Every place where a record header
// can stand is tried with the sequence numbers that fit the number of missing
// bytes; the authentication tag tells which is right. Without keys a header
// counts when another one follows where it says.

const (
	maxTrials  = 200_000 // of decryption, per session
	maxJump    = 4096    // sequence numbers tried ahead
	smallestOf = 24      // bytes a record has at least, so how many can be missing
)

// gap handles missing bytes.
func (s *Session) gap(dir flow.Dir, offset, n int64) {
	h := &s.half[dir]
	if len(h.buf) == 0 {
		h.at = offset
	}
	if h.mode == undecided || dir != s.client {
		s.hopeless = s.hopeless || !s.haveServer || !s.haveClient // a hello may be among it
	}
	switch {
	case h.mode == undecided && s.half[dir.Reverse()].mode == records:
		// The other side speaks TLS, so this one will.
		h.mode, h.goodEnd = search, h.at
		s.info.TLS[dir] = true
	case h.mode == undecided && len(h.buf) > 0:
		s.pass(dir)
		fallthrough
	case h.mode == undecided, h.mode == clear:
		s.plain(dir, h.buf)
		h.buf = nil
		h.at = offset
		s.event(dir, Event{Kind: Lost, Length: n})
		h.out += n
		h.at = offset + n
		return
	}
	h.jump += uint64(n+int64(len(h.buf)))/smallestOf + 1
	h.mode, h.lost = search, true
	h.buf, h.msg, h.skip = nil, nil, 0
	h.at = offset + n
}

// searchRecord looks for the next record in b. It returns how many bytes are
// done with: bytes passed over, and the record when one was found and is
// handled here.
func (s *Session) searchRecord(dir flow.Dir, b []byte) (n int, found bool) {
	h := &s.half[dir]
	for i := range b {
		rest := b[i:]
		if len(rest) < headerLen {
			return i, false
		}
		if !isHeader(rest) || recordLen(rest) == headerLen {
			continue
		}
		size := recordLen(rest)
		if h.state == protected && s.info.Keys && s.trials < maxTrials {
			if len(rest) < size {
				return i, false
			}
			if s.tryRecord(dir, rest[:size], h.at+int64(i)) {
				return i, true
			}
			continue
		}
		if len(rest) < size+headerLen {
			return i, false
		}
		if isHeader(rest[size:]) {
			s.endSearch(dir, h.at+int64(i), -1)
			h.mode = records
			return i, true
		}
	}
	return len(b), false
}

// tryRecord reports whether rec, at TCP offset at, opens with one of the
// sequence numbers that are possible; it sets the direction up for it.
func (s *Session) tryRecord(dir flow.Dir, rec []byte, at int64) bool {
	h := &s.half[dir]
	if s.info.Version == tls13 && ContentType(rec[0]) != ApplicationData {
		return false
	}
	if h.prot == nil && s.info.Version == tls13 {
		h.prot = s.protection13(dir, h.epoch)
	}
	buf := scratch.Get().(*[headerLen + maxBody]byte)
	defer scratch.Put(buf)
	try := func(p *protection, from uint64) (seq uint64, ok bool) {
		for seq = from; p != nil && seq <= from+min(h.jump, maxJump) && s.trials < maxTrials; seq++ {
			s.trials++
			if _, _, ok := p.open(buf[:0], rec[:headerLen], rec[headerLen:], seq); ok {
				return seq, true
			}
		}
		return 0, false
	}
	if seq, ok := try(h.prot, h.seq); ok {
		missing := at - h.goodEnd
		s.endSearch(dir, at, max(0, missing-int64(seq-h.seq)*int64(headerLen+h.prot.overhead())))
		h.seq = seq
		return true
	}
	for _, c := range s.later(dir) {
		if seq, ok := try(c.prot, 0); ok {
			s.endSearch(dir, at, -1)
			h.epoch, h.prot, h.seq = c.epoch, c.prot, seq
			return true
		}
	}
	return false
}

// endSearch reports what was passed over until TCP offset at. missing is the
// estimated loss of plaintext, or -1.
func (s *Session) endSearch(dir flow.Dir, at, missing int64) {
	h := &s.half[dir]
	kind, length := Lost, missing
	if !h.lost {
		kind, length = OutOfStep, at-h.goodEnd
	}
	ev := Event{Kind: kind, Dir: dir, Packet: h.packet, Time: h.time, Offset: h.goodEnd, Length: length}
	s.handler.TLS(ev)
	if missing > 0 {
		h.out += missing
	}
	h.mode, h.lost, h.jump = records, false, 0
}
