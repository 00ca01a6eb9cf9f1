package inspect_test

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/wiretrue/websocket/capture"
	"github.com/wiretrue/websocket/cmd/internal/inspect"
	"github.com/wiretrue/websocket/cmd/internal/packet"
	"github.com/wiretrue/websocket/cmd/internal/story"
	"github.com/wiretrue/websocket/cmd/internal/tlsview"
	"github.com/wiretrue/websocket/internal/pcapng"
)

// everySink is what all that can be shown is shown by.
func everySink(w io.Writer) (inspect.Sinks, []io.Closer) {
	stories := inspect.NewStories(w, story.Options{Hex: true, Bits: true}, true, false)
	lines := inspect.NewLines(w, true, true, nil)
	table := inspect.NewTable(w)
	archive := inspect.NewArchive(w, "test")
	return inspect.Sinks{stories, lines, table, archive, inspect.NewSaver(), new(inspect.Verdict)}, []io.Closer{stories, lines, table, archive}
}

// inspectAnything inspects what may be no capture at all.
func inspectAnything(t testing.TB, file []byte) {
	t.Helper()
	keys := new(tlsview.KeyLog)
	src, err := packet.NewReader(bytes.NewReader(file), &packet.Options{Secrets: func(s packet.Secrets) { keys.Add(bytes.NewReader(s.KeyLog)) }})
	if err != nil {
		return
	}
	sinks, closers := everySink(io.Discard)
	err = inspect.New(inspect.Options{Keys: keys, Choice: inspect.Choice{All: true}}, sinks).Run(src, nil)
	if damage := new(packet.DamageError); err != nil && !errors.As(err, &damage) {
		t.Fatalf("the error is no damage of the capture: %v", err)
	}
	for _, c := range closers {
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// asPcapng is a capture as pcapng, with a key log.
func asPcapng(t testing.TB, file, keylog string) []byte {
	t.Helper()
	var out bytes.Buffer
	w, err := pcapng.NewWriter(&out, pcapng.Section{})
	if err != nil {
		t.Fatal(err)
	}
	packets := packetsOf(t, file)
	if _, err := w.Interface(pcapng.Interface{Link: uint16(packets[0].Link)}); err != nil {
		t.Fatal(err)
	}
	if keylog != "" {
		log, err := os.ReadFile(keylog)
		if err != nil {
			t.Fatal(err)
		}
		if err := w.Secrets(log); err != nil {
			t.Fatal(err)
		}
	}
	for _, p := range packets {
		if err := w.Packet(&pcapng.Packet{Time: p.Time, Data: p.Data}); err != nil {
			t.Fatal(err)
		}
	}
	return out.Bytes()
}

// Whatever a file holds, it is inspected to its end without a panic.
func FuzzInspect(f *testing.F) {
	files, _ := filepath.Glob("testdata/captures/*.pcap")
	for _, file := range files {
		if filepath.Base(file) == "python-plain.pcap" { // large
			continue
		}
		b, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
		keylog := file[:len(file)-len(".pcap")] + ".keys"
		if _, err := os.Stat(keylog); err != nil {
			keylog = ""
		}
		f.Add(asPcapng(f, file, keylog))
	}
	f.Fuzz(func(t *testing.T, file []byte) { inspectAnything(t, file) })
}

// Random bytes as captures, as packets, and as the bytes of a connection.
func TestRandomBytes(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	random := func(n int) []byte {
		b := make([]byte, n)
		for i := range b {
			b[i] = byte(r.Uint32())
		}
		return b
	}
	for range 40 {
		inspectAnything(t, random(r.IntN(4096)))
		inspectAnything(t, append([]byte{0xd4, 0xc3, 0xb2, 0xa1}, random(r.IntN(4096))...))
		inspectAnything(t, append([]byte{0x0a, 0x0d, 0x0d, 0x0a, 28, 0, 0, 0, 0x4d, 0x3c, 0x2b, 0x1a}, random(r.IntN(4096))...))
		var steps []step
		for range r.IntN(20) {
			steps = append(steps, step{from: dirOf([]string{"client", "server"}[r.IntN(2)]), b: random(1 + r.IntN(300))})
		}
		inspectAnything(t, pcapOf(t, steps))
	}
}

// A pcapng file whose blocks claim any length is damaged, and costs no memory.
func TestAbsurdBlockLengths(t *testing.T) {
	good := asPcapng(t, "testdata/captures/ours-ipv6.pcap", "")
	for _, length := range []uint32{0, 1, 8, 11, 13, 1<<16 + 1, 1 << 28, 1<<31 - 1, 1 << 31, 1<<32 - 4, 1<<32 - 1} {
		for at := 0; at+8 <= len(good) && at < 2000; at += 4 {
			b := bytes.Clone(good)
			b[at+4], b[at+5], b[at+6], b[at+7] = byte(length), byte(length>>8), byte(length>>16), byte(length>>24)
			src, err := packet.NewReader(bytes.NewReader(b), nil)
			if err != nil {
				continue
			}
			err = inspect.New(inspect.Options{}, silent{}).Run(src, nil)
			if damage := new(packet.DamageError); err != nil && !errors.As(err, &damage) {
				t.Fatalf("%#x at %d: %v", length, at, err)
			}
		}
	}
}

type silent struct{}

func (silent) Begin(*inspect.Conn)                         {}
func (silent) Record(*inspect.Conn, *capture.Record, bool) {}
func (silent) End(*inspect.Conn)                           {}
