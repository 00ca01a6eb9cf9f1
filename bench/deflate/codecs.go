package main

import (
	"bytes"
	stdflate "compress/flate"
	"fmt"
	"io"
	"runtime"
	"time"

	kflate "github.com/klauspost/compress/flate"
	"github.com/wiretrue/websocket/wire/deflate"
)

// result is one pass over a conversation.
type result struct {
	out      int // bytes, without the four that are taken off
	compress time.Duration
	active   int    // bytes of the compressor, after the last message
	idle     string // KiB
	allocs   float64
}

type codec struct {
	name string
	run  func(corpus) result
}

var codecs = []codec{
	ours(deflate.Fastest, 15, true), ours(deflate.Default, 15, true), ours(deflate.Best, 15, true),
	ours(deflate.Fastest, 12, true), ours(deflate.Default, 12, true), ours(deflate.Best, 12, true),
	ours(deflate.Default, 9, true),
	pooled(deflate.Default, 15), pooled(deflate.Default, 12),
	ours(deflate.Fastest, 15, false), ours(deflate.Default, 15, false),
	standard(1, true), standard(6, true), standard(1, false), standard(6, false),
	klauspost(1, true), klauspost(6, true), klauspost(1, false),
	stateless(8 << 10),
}

func mode(takeover bool) string {
	if takeover {
		return "takeover"
	}
	return "reset"
}

// conversation compresses all messages with step, and takes the time and the
// allocations.
func conversation(c corpus, make func() (step func(dst, m []byte) []byte)) result {
	var r result
	size := 0
	for _, m := range c.messages {
		size += len(m)
	}
	step := make()
	dst := step(bytes.Repeat([]byte{0}, 2*size+4096)[:0], c.messages[0])
	step = make()

	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	start := now()
	for _, m := range c.messages {
		dst = step(dst[:0], m)
		r.out += len(dst)
	}
	r.compress = now() - start
	runtime.ReadMemStats(&after)
	r.allocs = float64(after.Mallocs - before.Mallocs)
	return r
}

func ours(level deflate.Level, bits int, takeover bool) codec {
	name := map[deflate.Level]string{deflate.Fastest: "fastest", deflate.Default: "default", deflate.Best: "best"}[level]
	return codec{fmt.Sprintf("wiretrue %s, %d bits, %s", name, bits, mode(takeover)), func(c corpus) result {
		z := deflate.NewCompressor(bits, level)
		r := conversation(c, func() func(dst, m []byte) []byte {
			z.Reset()
			return func(dst, m []byte) []byte {
				if !takeover {
					z.Reset()
				}
				return z.Append(dst, m, true)
			}
		})
		r.active = z.Size()
		z.Compact()
		r.idle = fmt.Sprintf("%.1f", float64(z.Size())/1024)
		return r
	}}
}

// pooled keeps nothing but the history between messages, as connections do that
// share compressors.
func pooled(level deflate.Level, bits int) codec {
	return codec{fmt.Sprintf("wiretrue default, %d bits, takeover, compact at once", bits), func(c corpus) result {
		var history []byte
		r := conversation(c, func() func(dst, m []byte) []byte {
			z := deflate.NewCompressor(bits, level)
			history = history[:0]
			return func(dst, m []byte) []byte {
				z.SetHistory(history)
				dst = z.Append(dst, m, true)
				history = z.AppendHistory(history[:0])
				return dst
			}
		})
		r.active = cap(history)
		r.idle = fmt.Sprintf("%.1f", float64(cap(history))/1024)
		return r
	}}
}

// flateWriter is what compress/flate and its likes have in common.
type flateWriter interface {
	io.Writer
	Flush() error
	Reset(io.Writer)
}

type sink struct{ b []byte }

func (s *sink) Write(p []byte) (int, error) { s.b = append(s.b, p...); return len(p), nil }

func writerCodec(name string, takeover bool, open func(io.Writer) flateWriter) codec {
	return codec{name + ", " + mode(takeover), func(c corpus) result {
		s := new(sink)
		active := heapOf(func() any { return open(s) })
		w := open(s)
		r := conversation(c, func() func(dst, m []byte) []byte {
			w.Reset(s)
			return func(dst, m []byte) []byte {
				s.b = dst
				if !takeover {
					w.Reset(s)
				}
				w.Write(m)
				w.Flush()
				return s.b[:len(s.b)-4]
			}
		})
		r.active = active
		r.idle = "same"
		return r
	}}
}

func standard(level int, takeover bool) codec {
	return writerCodec(fmt.Sprintf("compress/flate %d", level), takeover, func(w io.Writer) flateWriter {
		f, err := stdflate.NewWriter(w, level)
		if err != nil {
			panic(err)
		}
		return f
	})
}

func klauspost(level int, takeover bool) codec {
	return writerCodec(fmt.Sprintf("klauspost %d", level), takeover, func(w io.Writer) flateWriter {
		f, err := kflate.NewWriter(w, level)
		if err != nil {
			panic(err)
		}
		return f
	})
}

// stateless is klauspost's compressor without tables of its own, with the last
// window bytes given as a dictionary each time.
func stateless(window int) codec {
	return codec{fmt.Sprintf("klauspost stateless, %d KiB dict, takeover", window>>10), func(c corpus) result {
		s := new(sink)
		var dict []byte
		r := conversation(c, func() func(dst, m []byte) []byte {
			dict = make([]byte, 0, 2*window)
			return func(dst, m []byte) []byte {
				s.b = dst
				kflate.StatelessDeflate(s, m, false, dict)
				if len(m) >= window {
					dict = append(dict[:0], m[len(m)-window:]...)
				} else {
					keep := dict[max(0, len(dict)+len(m)-window):]
					dict = append(dict[:copy(dict[:cap(dict)], keep)], m...)
				}
				return s.b[:max(0, len(s.b)-4)]
			}
		})
		r.active = 2 * window
		r.idle = fmt.Sprintf("%.1f", float64(window)/1024)
		return r
	}}
}

// heapOf measures what open's result keeps in the heap.
func heapOf(open func() any) int {
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	v := open()
	if w, ok := v.(flateWriter); ok {
		w.Write([]byte("x"))
		w.Flush()
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	runtime.KeepAlive(v)
	return int(after.HeapAlloc) - int(before.HeapAlloc)
}
