package capture

import "github.com/wiretrue/websocket/wire"

// NOTE. Calls are processed as they come, until a direction must be guessed.
// From then on what comes is held in a queue, that of the other direction too,
// so that the records keep the order of the wire. Bytes of the client that wait
// for the answer to its request are released when it is known; they go before
// all that came later.

// item is a call of a method, or what is left of it.
type item struct {
	kind itemKind
	from wire.Role
	mark mark
	b    []byte
	n    int64
	how  How
	net  *NetEvent
}

type itemKind uint8

const (
	itemDone itemKind = iota // nothing is left
	itemBytes
	itemGap
	itemEnd
	itemNet
)

// stops reports whether the side's bytes do not go on behind the item.
func (it *item) stops(from wire.Role) bool {
	return it.from == from && (it.kind == itemGap || it.kind == itemEnd)
}

const (
	maxHeld  = 32 << 10 // bytes in the queue
	maxItems = 4096
)

// take processes an item, or holds it behind what is held already.
func (a *Analyser) take(it item) {
	if a.over {
		return
	}
	a.wake()
	for it.kind != itemDone {
		if a.guessed == nil {
			it = a.process(it)
		} else {
			it = a.hold(it)
		}
		a.drain(false)
	}
}

// hold puts as much of the item in the queue as goes there before the next try
// to decide, and returns the rest. These portions do not depend on how the bytes
// were cut, so that the guess does not, either.
func (a *Analyser) hold(it item) (rest item) {
	if it.kind == itemNet {
		e := *it.net
		it.net = &e
	}
	if it.kind != itemBytes {
		a.queue = append(a.queue, it)
		a.stops = a.stops || it.stops(a.guessed.role)
		return item{}
	}
	n := min(len(it.b), maxHeld-a.held)
	if it.from == a.guessed.role {
		n = min(n, a.guessed.untilNextTry())
		a.guessed.guessLen += n
	}
	a.held += n
	a.queue = appendBytes(a.queue, it, it.b[:n])
	return it.without(n)
}

// without returns what is left of an item with bytes behind the first n.
func (it item) without(n int) item {
	if it.b = it.b[n:]; len(it.b) == 0 {
		return item{}
	}
	return it
}

// appendBytes appends a copy of bytes of the item, to the last one if they
// belong to it.
func appendBytes(items []item, it item, b []byte) []item {
	if last := len(items) - 1; last >= 0 {
		if q := &items[last]; q.kind == itemBytes && q.from == it.from && q.mark == it.mark {
			q.b = append(q.b, b...)
			return items
		}
	}
	it.b = append([]byte(nil), b...)
	return append(items, it)
}

// drain processes the queue from its front while that can be done. With force
// no guess waits any longer.
func (a *Analyser) drain(force bool) {
	for len(a.queue) > 0 {
		if a.guessed != nil {
			if !a.decide(force || a.held >= maxHeld || len(a.queue) >= maxItems) {
				return
			}
			continue
		}
		it, behind := a.queue[0], a.queue[1:]
		a.queue = nil
		a.held -= len(it.b)
		rest := a.process(it)
		if rest.kind != itemDone {
			a.queue = append(a.queue, rest)
		}
		if a.queue == nil {
			a.queue = behind
			continue
		}
		a.queue = append(a.queue, behind...)
		a.count()
	}
	a.queue, a.held = nil, 0
}

// count counts what is in the queue anew.
func (a *Analyser) count() {
	a.held, a.stops = 0, false
	if a.guessed != nil {
		a.guessed.guessLen = 0
	}
	for i := range a.queue {
		q := &a.queue[i]
		a.held += len(q.b)
		if a.guessed != nil && q.from == a.guessed.role {
			a.guessed.guessLen += len(q.b)
			a.stops = a.stops || q.stops(q.from)
		}
	}
}

// process reads an item. When it comes upon a direction that must be guessed,
// guessed is set, and what is left of the item returned.
func (a *Analyser) process(it item) (rest item) {
	s := &a.sides[it.from]
	switch it.kind {
	case itemBytes:
		n := len(it.b) - len(a.read(s, it.mark, it.b))
		if n > 0 {
			a.numbers.bytes(it.from, it.mark.at, n)
			a.net.again = [2]int{}
		}
		return it.without(n)
	case itemGap:
		a.numbers.gap(it.from, it.n)
		a.gap(s, it.mark, it.n)
	case itemEnd:
		if !a.endSide(s, it.mark, it.how) {
			return it
		}
	case itemNet:
		a.learn(it.net)
	}
	return item{}
}

// release reads what was held of a side in its new state. What must be guessed
// first goes before all that is in the queue.
func (a *Analyser) release(s *side) {
	held := s.held
	s.held, s.heldBytes = nil, 0
	for i := range held {
		s.offset -= int64(len(held[i].b)) + max(0, held[i].n)
	}
	for i, it := range held {
		switch it.kind {
		case itemBytes: // counted before, as gaps are
			it = it.without(len(it.b) - len(a.read(s, it.mark, it.b)))
		case itemGap:
			a.gap(s, it.mark, it.n)
			it = item{}
		}
		if a.guessed == nil {
			continue
		}
		var front []item
		if it.kind != itemDone {
			front = append(front, it)
		}
		a.queue = append(append(front, held[i+1:]...), a.queue...)
		a.count()
		return
	}
}
