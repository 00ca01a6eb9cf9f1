package websocket

import (
	"sync"
	"testing"
)

// One at a time holds the gate, and whoever gives up waiting leaves it to the
// others.
func TestGate(t *testing.T) {
	var g gate
	var wg sync.WaitGroup
	over := make(chan struct{})
	close(over)
	inside, taken, given := 0, 0, 0 // which the gate guards
	const goroutines, rounds = 8, 500
	for i := range goroutines {
		wg.Go(func() {
			for range rounds {
				if i%2 == 0 {
					g.lock(nil, nil)
				} else if !g.lock(over, nil) {
					g.lock(nil, nil)
					given++
				}
				if inside++; inside != 1 {
					t.Errorf("%d inside", inside)
				}
				taken++
				inside--
				g.unlock()
			}
		})
	}
	wg.Wait()
	if taken != goroutines*rounds || g.n.Load() != 0 {
		t.Errorf("taken %d times, and %d are left", taken, g.n.Load())
	}
	t.Logf("given up %d times", given)

	if !g.tryLock() || g.tryLock() || g.lock(over, nil) || g.lock(nil, over) {
		t.Fatal("a gate that is held was taken, or a free one was not")
	}
	g.unlock()
	if !g.tryLock() {
		t.Error("the gate is not free")
	}
}
