package main

import (
	"testing"

	kflate "github.com/klauspost/compress/flate"
	"github.com/wiretrue/websocket/wire/deflate"
)

// BenchmarkMessage is one message of each conversation, with takeover.
func BenchmarkMessage(b *testing.B) {
	for _, c := range corpora() {
		for _, l := range []struct {
			name  string
			level deflate.Level
		}{{"fastest", deflate.Fastest}, {"default", deflate.Default}, {"best", deflate.Best}} {
			b.Run(c.name+"/"+l.name, func(b *testing.B) {
				z := deflate.NewCompressor(15, l.level)
				var dst []byte
				i, in, out := 0, 0, 0
				b.ReportAllocs()
				for b.Loop() {
					m := c.messages[i%len(c.messages)]
					i++
					dst = z.Append(dst[:0], m, true)
					in += len(m)
					out += len(dst)
				}
				b.ReportMetric(100*float64(out)/float64(in), "%out")
			})
		}
	}
}

func BenchmarkKlauspost(b *testing.B) {
	for _, c := range corpora() {
		b.Run(c.name+"/default", func(b *testing.B) {
			s := new(sink)
			z, _ := kflate.NewWriter(s, 1)
			i := 0
			for b.Loop() {
				m := c.messages[i%len(c.messages)]
				i++
				s.b = s.b[:0]
				z.Write(m)
				z.Flush()
			}
		})
	}
}
