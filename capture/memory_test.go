package capture_test

import (
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/wiretrue/websocket/capture"
	"github.com/wiretrue/websocket/wire"
)

// footprint returns the bytes of heap that one of many Analysers holds when
// each has been called as fill does, and so many may be awake.
func footprint(t *testing.T, awake int, fill func(i int, a *capture.Analyser)) uint64 {
	t.Helper()
	n := 4000
	if testing.Short() {
		n = 1000
	}
	all := make([]*capture.Analyser, n)
	live := func() uint64 {
		runtime.GC()
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	pool := capture.NewPool(awake, capture.Options{})
	before := live()
	for i := range all {
		all[i] = pool.New(nil)
	}
	for i := range all {
		fill(i, all[i])
	}
	after := live()
	runtime.KeepAlive(all)
	return (after - before) / uint64(n)
}

// A hundred thousand connections at a time must fit into a few dozen
// megabytes, with what else is kept of each.
func TestFootprint(t *testing.T) {
	open := func(i int, a *capture.Analyser) {
		a.Bytes(wire.Client, start, 1, []byte(goodRequest))
		a.Bytes(wire.Server, start, 2, []byte(goodResponse))
	}
	talks := func(i int, a *capture.Analyser) {
		open(i, a)
		k := &talk{t: t}
		for j := range 5 {
			key := uint32(5*i+j+1) * 2654435761 // none twice, none predictable
			key ^= key >> 15
			k.send(wire.Client, fmt.Sprintf(`81 85 %08x "Hello"^%08x`, key, key))
			k.send(wire.Server, `81 05 "Hello"`)
		}
		for j, s := range k.steps {
			a.Bytes(s.from, start.Add(time.Duration(j)*time.Second), int64(j), s.b)
		}
	}
	ends := func(i int, a *capture.Analyser) {
		open(i, a)
		k := &talk{t: t}
		k.send(wire.Client, fmt.Sprintf(`88 82 %08x 03e8^%08x`, i, i))
		k.send(wire.Server, `88 02 03e8`)
		for _, s := range k.steps {
			a.Bytes(s.from, start.Add(time.Second), 9, s.b)
		}
		a.End(wire.Server, start.Add(time.Minute), 99, capture.FIN)
		a.End(wire.Client, start.Add(time.Minute), 99, capture.FIN)
	}
	for _, tt := range []struct {
		name  string
		awake int
		fill  func(int, *capture.Analyser)
		most  uint64
	}{
		{"new", 10, func(int, *capture.Analyser) {}, 150},
		{"awake", 1 << 20, talks, 10 << 10},
		{"at rest, not open", 10, func(_ int, a *capture.Analyser) { a.Bytes(wire.Client, start, 1, nil) }, 500},
		{"at rest, open", 10, open, 350},
		{"at rest behind some messages", 10, talks, 550},
		{"at rest behind the end", 10, ends, 800},
	} {
		got := footprint(t, tt.awake, tt.fill)
		t.Logf("%s: %d bytes", tt.name, got)
		if got > tt.most {
			t.Errorf("%s: an Analyser holds %d bytes, want %d at most", tt.name, got, tt.most)
		}
	}
}
