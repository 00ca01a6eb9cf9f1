package websocket

import (
	"time"

	"github.com/wiretrue/websocket/internal/shell"
)

// queue holds the frames that wait to be sent. Whoever adds some and finds
// nobody flushing takes the lead and flushes, for all that add meanwhile.
type queue struct {
	out      *buffer      // frames that wait; nil: none
	flying   int          // bytes that the flush is writing
	flushing bool         // somebody leads
	deferred bool         // it is late that will
	broken   bool         // nothing can be sent any more
	late     *time.Timer  // ends a deferment; nil: there was none yet
	marks    *shell.Marks // of the messages in out that may be dropped; nil: there was none yet
	room     chan struct{}
}

// size returns how many bytes wait or are being written.
func (q *queue) size() int { return q.flying + q.begin() }

// begin returns where the next frame will begin in out.
func (q *queue) begin() int {
	if q.out == nil {
		return 0
	}
	return len(q.out.b)
}

// buffer returns out, to append to.
func (q *queue) buffer() *buffer {
	if q.out == nil {
		q.out = getWriteBuffer()
	}
	return q.out
}

// lead makes the caller the one who flushes, if nobody is and bytes wait.
func (q *queue) lead() bool {
	if q.flushing || q.broken || q.begin() == 0 {
		return false
	}
	q.flushing = true
	if q.deferred {
		q.late.Stop()
		q.deferred = false
	}
	return true
}

// take hands out to the one who leads. With nothing to hand out the lead ends.
func (q *queue) take() *buffer {
	q.left(q.flying)
	if q.begin() == 0 {
		q.flushing = false
		if q.out != nil { // what was refused leaves an empty buffer
			putWriteBuffer(q.out)
			q.out = nil
		}
		return nil
	}
	out := q.out
	q.out, q.flying = nil, len(out.b)
	if q.marks != nil {
		q.marks.Clear()
	}
	return out
}

// left notes that n of the flying bytes are written.
func (q *queue) left(n int) {
	q.flying -= n
	q.announce()
}

// abandon drops everything and ends the lead, for good.
func (q *queue) abandon() {
	q.out, q.flying, q.marks, q.flushing, q.broken = nil, 0, nil, false, true
	q.announce()
}

// announce wakes those who wait for room.
func (q *queue) announce() {
	if q.room != nil {
		close(q.room)
		q.room = nil
	}
}

// waitRoom returns a channel that is closed when bytes have left.
func (q *queue) waitRoom() <-chan struct{} {
	if q.room == nil {
		q.room = make(chan struct{})
	}
	return q.room
}

// mark notes that the bytes from begin on are a message that may be dropped.
func (q *queue) mark(begin int) {
	if q.marks == nil {
		q.marks = new(shell.Marks)
	}
	q.marks.Add(begin, len(q.out.b))
}

// dropOldest drops the oldest message of out.
func (q *queue) dropOldest() (dropped bool) {
	if q.out != nil && q.marks != nil {
		q.out.b, dropped = q.marks.DropOldest(q.out.b)
	}
	return dropped
}
