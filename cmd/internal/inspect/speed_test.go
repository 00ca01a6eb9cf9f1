package inspect_test

import (
	"os"
	"testing"

	"github.com/wiretrue/websocket/capture"
	"github.com/wiretrue/websocket/cmd/internal/inspect"
	"github.com/wiretrue/websocket/cmd/internal/packet"
)

type nothing struct{}

func (nothing) Begin(*inspect.Conn)                         {}
func (nothing) Record(*inspect.Conn, *capture.Record, bool) {}
func (nothing) End(*inspect.Conn, *capture.Report)          {}

// BenchmarkInspect reads a capture file that WIRETRUE_CAPTURE names, as
// gencapture makes them.
func BenchmarkInspect(b *testing.B) {
	file := os.Getenv("WIRETRUE_CAPTURE")
	info, err := os.Stat(file)
	if err != nil {
		b.Skip("WIRETRUE_CAPTURE names no capture")
	}
	b.SetBytes(info.Size())
	b.ReportAllocs()
	for b.Loop() {
		src, err := packet.Open(file, nil)
		if err != nil {
			b.Fatal(err)
		}
		if err := inspect.New(inspect.Options{}, nothing{}).Run(src, nil); err != nil {
			b.Fatal(err)
		}
		src.Close()
	}
}
