package inspect

import (
	"bytes"

	"github.com/wiretrue/websocket/cmd/internal/flow"
)

// NOTE. While bytes of one direction are missing, the tracker holds those behind
// them, until the missing ones come or will not come any more. What the other
// side did meanwhile waits here, so that the Analyser gets all of it in the
// order of the wire: an answer behind what it answers, an end behind what came
// before it.

const (
	maxLate    = 256 << 10 // bytes of a connection that wait
	maxAllLate = 16 << 20  // of all of them
	lateCost   = 160       // of an item, beside its bytes
)

// late is what waits for the other direction, in the order of the wire.
type late struct {
	items []lateItem
	bytes int
}

// A lateItem is a call of Data or of Event.
type lateItem struct {
	dir    flow.Dir
	isData bool
	run    flow.Run
	event  flow.Event
}

func (it *lateItem) packet() int64 {
	if it.isData {
		return it.run.Packet
	}
	return it.event.Packet
}

func (it *lateItem) cost() int { return lateCost + len(it.run.Data) }

// take passes an item on, behind those that go before it, or lets it wait.
func (c *Conn) take(it lateItem) {
	ahead := !it.isData && it.event.Kind != flow.Gap && c.Waiting(it.dir) // of its own direction's bytes
	if ahead || c.Waiting(it.dir.Reverse()) {
		c.postpone(&it)
		return
	}
	if c.late == nil {
		c.pass(&it)
		return
	}
	n := 0
	for i := range c.late.items {
		if before := &c.late.items[i]; before.isData && before.dir == it.dir || i == n && before.packet() <= it.packet() {
			n = i + 1
		}
	}
	c.catchUp(n)
	c.pass(&it)
	if c.late != nil && !c.Waiting(it.dir) {
		c.catchUp(len(c.late.items))
	}
}

func (c *Conn) pass(it *lateItem) {
	if it.isData {
		c.data(it.dir, it.run)
	} else {
		c.event(it.event)
	}
}

// postpone lets an item wait, unless there are too many.
func (c *Conn) postpone(it *lateItem) {
	if c.late == nil {
		c.late = new(late)
	}
	n := it.cost()
	if c.late.bytes+n > maxLate || c.of.late+n > maxAllLate {
		c.catchUp(len(c.late.items))
		c.pass(it)
		return
	}
	it.run.Data = bytes.Clone(it.run.Data)
	c.late.items = append(c.late.items, *it)
	c.late.bytes += n
	c.of.late += n
}

// catchUp passes on the first n items that wait.
func (c *Conn) catchUp(n int) {
	l := c.late
	for i := range l.items[:n] {
		it := &l.items[i]
		l.bytes -= it.cost()
		c.of.late -= it.cost()
		c.pass(it)
		*it = lateItem{}
	}
	if l.items = l.items[n:]; len(l.items) == 0 {
		c.late = nil
	}
}
