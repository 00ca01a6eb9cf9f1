package websocket

import "sync/atomic"

// gate is a lock that may be waited for together with something else. It is a
// channel only where somebody has waited, since there are very many of them.
type gate struct {
	n     atomic.Int32                  // of those who hold it or wait
	token atomic.Pointer[chan struct{}] // hands it from one to the next
}

// tryLock takes the gate if nobody has it.
func (g *gate) tryLock() (taken bool) { return g.n.CompareAndSwap(0, 1) }

// lock takes the gate, unless one of the two is closed first.
func (g *gate) lock(done, over <-chan struct{}) (taken bool) {
	if g.n.Add(1) == 1 {
		return true
	}
	select {
	case <-g.tokens():
		return true
	case <-done:
	case <-over:
	}
	for n := g.n.Load(); n > 1; n = g.n.Load() {
		if g.n.CompareAndSwap(n, n-1) {
			return false
		}
	}
	// It was handed to the only one who waits.
	<-g.tokens()
	g.unlock()
	return false
}

func (g *gate) unlock() {
	if g.n.Add(-1) > 0 {
		g.tokens() <- struct{}{} // there is room: the one before was taken
	}
}

func (g *gate) tokens() chan struct{} {
	if g.token.Load() == nil {
		token := make(chan struct{}, 1)
		g.token.CompareAndSwap(nil, &token)
	}
	return *g.token.Load()
}
