package engine

// wheel says when a loop is to look at which of its connections. It is coarse:
// a deadline is met with a delay of up to a tick.
type wheel struct {
	loop  *loop             // whose mutex guards all below
	first [wheelTicks]int32 // slots of those that are due, by tick; 0: none
	tick  uint32            // the one up to which all is done
	alarm uint32            // the one that the loop sleeps to
	count int
}

const (
	wheelTicks = 1 << 9
	tickTime   = int64(125e6) // nanoseconds
	noAlarm    = ^uint32(0)
)

func tickOf(at int64) uint32 { return uint32(at / tickTime) }

// set makes the connection due at the time, whenever it was before. A time that
// is too far is met too early.
func (w *wheel) set(c *Conn, at int64) {
	w.loop.mu.Lock()
	defer w.loop.mu.Unlock()
	w.unlink(c)
	w.link(c, at)
}

// sooner makes the connection due at the time if it was due later.
func (w *wheel) sooner(c *Conn, at int64) {
	w.loop.mu.Lock()
	defer w.loop.mu.Unlock()
	if c.due != 0 && c.due <= tickOf(at)+1 {
		return
	}
	w.unlink(c)
	w.link(c, at)
}

func (w *wheel) link(c *Conn, at int64) {
	if c.slot == 0 {
		return // it is gone
	}
	c.due = min(max(tickOf(at)+1, w.tick+1), w.tick+wheelTicks-1)
	first := &w.first[c.due%wheelTicks]
	if c.next = *first; c.next != 0 {
		w.loop.conns[c.next].prev = c.slot
	}
	c.prev = 0
	*first = c.slot
	w.count++
	if c.due < w.alarm {
		w.alarm = c.due
		w.loop.rouse()
	}
}

func (w *wheel) unlink(c *Conn) {
	if c.due == 0 {
		return
	}
	if c.prev != 0 {
		w.loop.conns[c.prev].next = c.next
	} else {
		w.first[c.due%wheelTicks] = c.next
	}
	if c.next != 0 {
		w.loop.conns[c.next].prev = c.prev
	}
	c.prev, c.next, c.due = 0, 0, 0
	w.count--
}

// turnTo appends the connections that have become due.
func (w *wheel) turnTo(now int64, due []*Conn) []*Conn {
	w.loop.mu.Lock()
	defer w.loop.mu.Unlock()
	for last := tickOf(now); w.tick < last; {
		if w.count == 0 {
			w.tick = last
			break
		}
		w.tick++
		for first := &w.first[w.tick%wheelTicks]; *first != 0; {
			c := w.loop.conns[*first]
			w.unlink(c)
			due = append(due, c)
		}
	}
	return due
}

// wait returns how long nothing is due, in nanoseconds; -1: nothing will be.
func (w *wheel) wait(now int64) int64 {
	w.loop.mu.Lock()
	defer w.loop.mu.Unlock()
	if w.alarm > w.tick && w.alarm != noAlarm && w.count > 0 && w.first[w.alarm%wheelTicks] != 0 {
		return max(0, int64(w.alarm)*tickTime-now) // as the last time
	}
	w.alarm = noAlarm
	if w.count == 0 {
		return -1
	}
	for i := uint32(1); w.alarm == noAlarm; i++ {
		if w.first[(w.tick+i)%wheelTicks] != 0 {
			w.alarm = w.tick + i
		}
	}
	return max(0, int64(w.alarm)*tickTime-now)
}
