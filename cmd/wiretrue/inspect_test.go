package main

import (
	"bytes"
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/wiretrue/websocket/cmd/internal/packet"
)

// setUpCaptures puts captures where the scripts find them: those of package
// inspect, one of a broken connection, and one that is cut short.
func setUpCaptures(e *testscript.Env) error {
	dir := filepath.Join(e.WorkDir, ".captures")
	if err := os.Mkdir(dir, 0o755); err != nil {
		return err
	}
	e.Setenv("CAPTURES", dir)
	const source = "../internal/inspect/testdata"
	if err := os.CopyFS(dir, os.DirFS(filepath.Join(source, "captures"))); err != nil {
		return err
	}
	broken, err := os.ReadFile(filepath.Join(source, "broken.pcap"))
	if err != nil {
		return err
	}
	whole, err := os.ReadFile(filepath.Join(dir, "ours-ipv6.pcap"))
	if err != nil {
		return err
	}
	return errors.Join(
		os.WriteFile(filepath.Join(dir, "broken.pcap"), broken, 0o644),
		os.WriteFile(filepath.Join(dir, "cut.pcap"), whole[:len(whole)/2], 0o644),
		os.WriteFile(filepath.Join(dir, "syn.pcap"), broken[:len(broken)-len(withoutPackets(broken, 1))+24], 0o644),
		os.WriteFile(filepath.Join(dir, "rest"), whole[len(whole)/2:], 0o644),
		os.WriteFile(filepath.Join(dir, "middle.pcap"), withoutPackets(whole, 7), 0o644),
	)
}

// withoutPackets returns a pcap file without its first n packets.
func withoutPackets(pcap []byte, n int) []byte {
	const header, record = 24, 16
	at := header
	for range n {
		at += record + int(binary.LittleEndian.Uint32(pcap[at+8:]))
	}
	return slices.Concat(pcap[:header], pcap[at:])
}

// A progress is drawn when there is something to tell, in place of the one
// before, and taken away before anything else is written.
func TestProgress(t *testing.T) {
	file := filepath.Join("..", "internal", "inspect", "testdata", "broken.pcap")
	src, err := packet.Open(file, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	var p packet.Packet
	for src.Next(&p) == nil {
	}
	var drawn, out bytes.Buffer
	s := &screen{w: &out, progress: &progress{w: &drawn}}
	s.progress.begin(file, src)
	for range progressSteps - 1 {
		s.progress.step()
	}
	if drawn.Len() > 0 {
		t.Errorf("drawn at once: %q", drawn.String())
	}
	s.progress.next = time.Time{} // it takes its time
	s.progress.step()
	if want := "\r" + file + ": 0 MB of 0, 100%\x1b[K"; drawn.String() != want {
		t.Errorf("drawn %q, want %q", drawn.String(), want)
	}
	drawn.Reset()
	for range 2 {
		s.Write([]byte("a line\n"))
	}
	if drawn.String() != "\r\x1b[K" || out.String() != "a line\na line\n" {
		t.Errorf("drawn %q beside %q", drawn.String(), out.String())
	}
}
