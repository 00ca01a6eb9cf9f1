package shell

import (
	"maps"
	"slices"
	"sync"
)

// Group is what a server knows of its connections, to end them together and to
// wait until they are gone. The zero Group is ready.
type Group[C comparable] struct {
	mu      sync.Mutex
	conns   map[C]struct{}
	active  int
	stopped bool
	idle    chan struct{} // closed when stopped and none is active
}

// Enter notes that a connection begins, which Stop's channel waits for. It
// returns false, and does not, when the group is stopped.
func (g *Group[C]) Enter() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.stopped {
		return false
	}
	g.active++
	return true
}

// Add makes one that has entered known to All.
func (g *Group[C]) Add(c C) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.conns == nil {
		g.conns = make(map[C]struct{})
	}
	g.conns[c] = struct{}{}
}

// Leave undoes Enter, and Add for one that was added.
func (g *Group[C]) Leave(c C) {
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.conns, c)
	g.active--
	if g.stopped && g.active == 0 {
		close(g.idle)
	}
}

// All returns those that were added and have not left. Once the group is
// stopped, one that is added sees that it is.
func (g *Group[C]) All() []C {
	g.mu.Lock()
	defer g.mu.Unlock()
	return slices.Collect(maps.Keys(g.conns))
}

// Stop lets none enter any more. The channel is closed when all have left.
func (g *Group[C]) Stop() (idle <-chan struct{}) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.stopped {
		g.stopped, g.idle = true, make(chan struct{})
		if g.active == 0 {
			close(g.idle)
		}
	}
	return g.idle
}

// Stopped reports whether Stop was called.
func (g *Group[C]) Stopped() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.stopped
}

// Active returns how many have entered and not left.
func (g *Group[C]) Active() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.active
}
