package engine

import "sync"

// wheel says when a loop is to look at which of its connections. It is coarse:
// a deadline is met with a delay of up to a tick.
type wheel struct {
	mu    sync.Mutex
	slots [wheelSlots]*Conn // lists of those whose due is the slot's
	tick  uint32            // the one up to which all is done
	alarm uint32            // the one that the loop sleeps to
	rouse func()            // wakes it
	count int
}

const (
	wheelSlots = 1 << 9
	tickTime   = int64(125e6) // nanoseconds
	noAlarm    = ^uint32(0)
)

func tickOf(at int64) uint32 { return uint32(at / tickTime) }

// set makes the connection due at the time, whenoAlarm it was before. A time that
// is too far is met too early.
func (w *wheel) set(c *Conn, at int64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.unlink(c)
	w.link(c, at)
}

// sooner makes the connection due at the time if it was due later.
func (w *wheel) sooner(c *Conn, at int64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if c.due != 0 && c.due <= tickOf(at)+1 {
		return
	}
	w.unlink(c)
	w.link(c, at)
}

func (w *wheel) remove(c *Conn) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.unlink(c)
}

func (w *wheel) link(c *Conn, at int64) {
	c.due = min(max(tickOf(at)+1, w.tick+1), w.tick+wheelSlots-1)
	head := &w.slots[c.due%wheelSlots]
	if c.next = *head; c.next != nil {
		c.next.prev = c
	}
	c.prev = nil
	*head = c
	w.count++
	if c.due < w.alarm {
		w.alarm = c.due
		w.rouse()
	}
}

func (w *wheel) unlink(c *Conn) {
	if c.due == 0 {
		return
	}
	if c.prev != nil {
		c.prev.next = c.next
	} else {
		w.slots[c.due%wheelSlots] = c.next
	}
	if c.next != nil {
		c.next.prev = c.prev
	}
	c.prev, c.next, c.due = nil, nil, 0
	w.count--
}

// turnTo appends the connections that have become due.
func (w *wheel) turnTo(now int64, due []*Conn) []*Conn {
	w.mu.Lock()
	defer w.mu.Unlock()
	for last := tickOf(now); w.tick < last; {
		if w.count == 0 {
			w.tick = last
			break
		}
		w.tick++
		for c := w.slots[w.tick%wheelSlots]; c != nil; c = w.slots[w.tick%wheelSlots] {
			w.unlink(c)
			due = append(due, c)
		}
	}
	return due
}

// wait returns how long nothing is due, in nanoseconds; -1: nothing will be.
func (w *wheel) wait(now int64) int64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.alarm > w.tick && w.alarm != noAlarm && w.count > 0 && w.slots[w.alarm%wheelSlots] != nil {
		return max(0, int64(w.alarm)*tickTime-now) // as the last time
	}
	w.alarm = noAlarm
	if w.count == 0 {
		return -1
	}
	for i := uint32(1); w.alarm == noAlarm; i++ {
		if w.slots[(w.tick+i)%wheelSlots] != nil {
			w.alarm = w.tick + i
		}
	}
	return max(0, int64(w.alarm)*tickTime-now)
}
