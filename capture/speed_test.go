package capture_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/wiretrue/websocket/capture"
	"github.com/wiretrue/websocket/wire"
	"github.com/wiretrue/websocket/wire/frame"
)

// BenchmarkMessages reads messages of the server, one in a packet: of many
// connections in turn, not in the order in which they stand in memory, all
// awake, or all but one at rest.
func BenchmarkMessages(b *testing.B) {
	packets := map[string][]byte{"20B": nil, "1KiB": nil}
	for name, size := range map[string]int{"20B": 20, "1KiB": 1 << 10} {
		h := frame.Header{Fin: true, Opcode: frame.Text, Length: uint64(size), LengthSize: frame.MinimalLengthSize(uint64(size))}
		packets[name] = h.Append(nil)
		for i := range size {
			packets[name] = append(packets[name], 'a'+byte(i%26))
		}
	}
	for _, bm := range []struct {
		packet string
		conns  int
		awake  int
	}{{"20B", 1, 1}, {"1KiB", 1, 1}, {"20B", 100, 100}, {"20B", 100, 1}, {"20B", 10_000, 10_000}} {
		name := fmt.Sprintf("%s/%dconns", bm.packet, bm.conns)
		if bm.awake < bm.conns {
			name += "AtRest"
		}
		b.Run(name, func(b *testing.B) {
			packet := packets[bm.packet]
			b.SetBytes(int64(len(packet)))
			b.ReportAllocs()
			pool := capture.NewPool(bm.awake, capture.Options{})
			all := make([]*capture.Analyser, bm.conns)
			for i := range all {
				all[i] = pool.New(recorder(func(*capture.Record) {}))
				all[i].Bytes(wire.Client, start, 1, []byte(goodRequest))
				all[i].Bytes(wire.Server, start, 2, []byte(goodResponse))
			}
			for i := 0; b.Loop(); i++ {
				all[i*7919%len(all)].Bytes(wire.Server, start.Add(time.Duration(i)), int64(i), packet)
			}
		})
	}
}

// BenchmarkInflate reads compressed messages.
func BenchmarkInflate(b *testing.B) {
	steps := ticks(b, 2000).steps
	size := 0
	for _, s := range steps {
		size += len(s.b)
	}
	b.SetBytes(int64(size))
	b.ReportAllocs()
	for b.Loop() {
		play(capture.New(capture.Options{}, func(capture.Record) {}), append(opening("permessage-deflate"), steps...), nil)
	}
}
