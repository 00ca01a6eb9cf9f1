package flow_test

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/wiretrue/websocket/cmd/internal/flow"
	"github.com/wiretrue/websocket/cmd/internal/packet"
)

// captures finds the captures that are kept beside the repository.
func captures(t testing.TB) []string {
	t.Helper()
	files, _ := filepath.Glob("../../../../shared/captures/*.pcap*")
	if len(files) == 0 {
		t.Skip("no captures beside the repository")
	}
	return files
}

// tshark runs tshark. Without it the test is skipped, but fails in CI.
func tshark(t testing.TB, args ...string) string {
	t.Helper()
	if _, err := exec.LookPath("tshark"); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("tshark is not installed")
		}
		t.Skip("tshark is not installed")
	}
	out, err := exec.Command("tshark", args...).Output()
	if err != nil {
		t.Fatalf("tshark %q: %v", args, err)
	}
	return string(out)
}

// A collector keeps the streams of a capture by the address of their sender.
type collector struct {
	conns   []*flow.Conn
	streams map[string]*bytes.Buffer // "connection address"
	events  []flow.Event
}

func streamName(conn int64, addr fmt.Stringer) string { return fmt.Sprint(conn, " ", addr) }

func (c *collector) Open(conn *flow.Conn) { c.conns = append(c.conns, conn) }

func (c *collector) Data(conn *flow.Conn, dir flow.Dir, r flow.Run) {
	name := streamName(conn.ID, conn.Addr(dir))
	if c.streams[name] == nil {
		c.streams[name] = new(bytes.Buffer)
	}
	c.streams[name].Write(r.Data)
}

func (c *collector) Event(conn *flow.Conn, ev flow.Event) { c.events = append(c.events, ev) }
func (c *collector) End(conn *flow.Conn)                  {}

func collect(t testing.TB, file string) *collector {
	t.Helper()
	r, err := packet.Open(file, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	c := &collector{streams: make(map[string]*bytes.Buffer)}
	if err := follow(r, c); err != io.EOF {
		t.Fatal(err)
	}
	return c
}

// follow is the whole way from a source to a handler.
func follow(src packet.Source, h flow.Handler) error {
	tracker := flow.New(h, nil)
	defer tracker.Close()
	var decoder packet.Decoder
	var p packet.Packet
	var s packet.Segment
	for {
		if err := src.Next(&p); err != nil {
			return err
		}
		if decoder.Decode(&p, &s) == packet.IsTCP {
			tracker.Segment(&s)
		}
	}
}

// followed returns tshark's view of connection n: bytes by sender.
func followed(t testing.TB, file string, n int64) map[string]*bytes.Buffer {
	t.Helper()
	out := tshark(t, "-r", file, "-q", "-z", fmt.Sprintf("follow,tcp,raw,%d", n))
	var nodes [2]string
	streams := make(map[string]*bytes.Buffer)
	for line := range strings.Lines(out) {
		line = strings.TrimRight(line, "\n")
		for i := range nodes {
			if addr, ok := strings.CutPrefix(line, fmt.Sprintf("Node %d: ", i)); ok {
				nodes[i] = addr
			}
		}
		node := 0
		if strings.HasPrefix(line, "\t") {
			node, line = 1, line[1:]
		}
		if b, err := hex.DecodeString(line); err == nil && len(b) > 0 {
			name := streamName(n, stringer(nodes[node]))
			if streams[name] == nil {
				streams[name] = new(bytes.Buffer)
			}
			streams[name].Write(b)
		}
	}
	return streams
}

type stringer string

func (s stringer) String() string { return string(s) }

func TestStreamsAgreeWithTshark(t *testing.T) {
	for _, file := range captures(t) {
		t.Run(filepath.Base(file), func(t *testing.T) {
			got := collect(t, file)
			if len(got.conns) == 0 {
				t.Fatal("no connections")
			}
			seen := 0
			for _, c := range got.conns {
				for name, want := range followed(t, file, c.ID) {
					seen++
					if g := got.streams[name]; g == nil || !bytes.Equal(g.Bytes(), want.Bytes()) {
						t.Errorf("%s: got %v\nwant %d bytes", name, g, want.Len())
					}
				}
			}
			if seen != len(got.streams) {
				t.Errorf("tshark has %d streams, here are %d", seen, len(got.streams))
			}
			t.Logf("%d connections, %d streams, %d events", len(got.conns), len(got.streams), len(got.events))
		})
	}
}
