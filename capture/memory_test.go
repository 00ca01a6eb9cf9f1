package capture_test

import (
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/wiretrue/websocket/capture"
	"github.com/wiretrue/websocket/wire"
)

// footprint returns the bytes of heap that an Analyser holds after fill.
func footprint(t *testing.T, fill func(i int, a *capture.Analyser)) uint64 {
	t.Helper()
	const n = 2000
	all := make([]*capture.Analyser, n)
	live := func() uint64 {
		runtime.GC()
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before := live()
	for i := range all {
		all[i] = capture.New(capture.Options{}, nil)
		fill(i, all[i])
	}
	after := live()
	runtime.KeepAlive(all)
	return (after - before) / n
}

func TestFootprint(t *testing.T) {
	open := func(i int, a *capture.Analyser) {
		a.Bytes(wire.Client, start, 1, []byte(goodRequest))
		a.Bytes(wire.Server, start, 2, []byte(goodResponse))
	}
	talkTo := func(i int, a *capture.Analyser) {
		open(i, a)
		k := &talk{t: t}
		for range 5 {
			k.send(wire.Client, fmt.Sprintf(`81 85 %08x "Hello"^%08x`, 77+i, 77+i))
			k.send(wire.Server, `81 05 "Hello"`)
		}
		for j, s := range k.steps {
			a.Bytes(s.from, start.Add(time.Duration(j)*time.Second), int64(j), s.b)
		}
	}
	t.Logf("new: %d bytes", footprint(t, func(int, *capture.Analyser) {}))
	t.Logf("opened: %d bytes", footprint(t, open))
	t.Logf("talked: %d bytes", footprint(t, talkTo))
	t.Logf("ended: %d bytes", footprint(t, func(i int, a *capture.Analyser) {
		talkTo(i, a)
		a.End(wire.Server, start.Add(time.Minute), 99, capture.FIN)
		a.End(wire.Client, start.Add(time.Minute), 99, capture.FIN)
	}))
}
