package capture

import "unsafe"

// NOTE. Of ten thousand connections that take turns, each is out of the
// processor's caches when its next bytes come, and to wait for one piece of
// memory after the other takes longer than all that is done with them
// (BenchmarkMessages). So all of the work is read first: the pieces, on which
// nothing depends yet, come together.

const (
	cacheLine = 64
	warmFrom  = 128 // Analysers that are awake: the work of fewer stays in the caches
)

// warm brings the work into the processor's caches.
func (w *work) warm() {
	b := (*[unsafe.Sizeof(work{})]byte)(unsafe.Pointer(w))
	var sum byte
	for i := 0; i < len(b); i += cacheLine {
		sum += b[i]
	}
	w.warmth = sum
}
