// Package recorded holds tests that read what package record has written, as
// the commands do and as other programs do. It has tests only.
package recorded

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/wiretrue/websocket/capture"
	"github.com/wiretrue/websocket/cmd/internal/inspect"
	"github.com/wiretrue/websocket/cmd/internal/packet"
)

// lacking skips a test for want of something, or fails it in CI.
func lacking(t *testing.T, reason string) {
	t.Helper()
	if os.Getenv("CI") != "" {
		t.Fatalf("%s, which CI should have", reason)
	}
	t.Skip(reason)
}

func tool(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		lacking(t, "no "+name)
	}
	return path
}

// told is the story of a connection, without times, packets and addresses.
type told struct {
	id     int64
	lines  []string
	bytes  [2][]byte // of the frames' payloads, by the sender: the client's, the server's
	report *capture.Report
}

// teller collects the stories of a capture.
type teller struct {
	conns []*told
	open  map[*inspect.Conn]*told
	net   bool // tell what TCP did, too
}

func (s *teller) Begin(c *inspect.Conn) {
	k := &told{id: c.ID}
	s.open[c] = k
	s.conns = append(s.conns, k)
}

func (s *teller) End(c *inspect.Conn) { s.open[c].report = c.Report() }

func (s *teller) Record(c *inspect.Conn, r *capture.Record, _ bool) {
	k := s.open[c]
	if line := words(r, s.net); line != "" {
		k.lines = append(k.lines, line)
	}
	if r.Frame != nil {
		from := 0
		if r.From == capture.Server {
			from = 1
		}
		k.bytes[from] = append(k.bytes[from], r.Frame.Payload.Bytes...)
	}
}

// words is a record without what two observers see differently.
func words(r *capture.Record, net bool) string {
	switch {
	case r.Net != nil && net:
		return fmt.Sprintf("%s %s", r.From, r.Net.Kind)
	case r.HTTP != nil:
		return fmt.Sprintf("http %s %d", r.HTTP.Target, r.HTTP.Status)
	case r.Handshake != nil:
		h := r.Handshake
		for _, name := range []string{"Content-Length", "Date"} { // which net/http adds behind our back
			delete(h.ResponseHeader, name)
		}
		return fmt.Sprintf("handshake %s %v, %v %d %v, proof %s, subprotocol %q, extensions %q, broken %q",
			h.Target, h.Host, h.RequestHeader, h.Status, h.ResponseHeader, h.Proof, h.Subprotocol, h.Agreed, h.Broken)
	case r.Frame != nil:
		f := r.Frame
		return fmt.Sprintf("%s frame %d of message %d at %d: %v, seen %d, cut %v, %x", r.From, f.Number, f.Message, f.Offset, f.Header, f.Seen, f.Cut, sha256.Sum224(f.Payload.Bytes))
	case r.Message != nil:
		m := r.Message
		return fmt.Sprintf("%s message %d: %s of %d frames, %d bytes, compressed %v, cut %v, %x", r.From, m.Number, m.Type, m.Frames, m.Size, m.Compressed, m.Cut, sha256.Sum224(m.Payload.Bytes))
	case r.Ping != nil:
		return fmt.Sprintf("%s ping %d, pong %d", r.From, r.Ping.Frame, r.Ping.Pong)
	case r.Close != nil:
		return fmt.Sprintf("%s close %d %q, began %v", r.From, r.Close.Code, r.Close.Reason, r.Close.Began)
	case r.Gap != nil:
		return fmt.Sprintf("%s gap of %d", r.From, r.Gap.Missing)
	case r.End != nil:
		return fmt.Sprintf("%s %s", r.From, r.End.How)
	case r.Ending != nil:
		return fmt.Sprintf("ending %s, began by %s with %d", r.Ending.How, r.Ending.Began, r.Ending.Code)
	case r.Finding != nil:
		if r.Finding.Frame == 0 { // in a head, whose fields' order net/http does not keep
			return fmt.Sprintf("finding %s, fault of %s", r.Finding.ID, r.Finding.Fault)
		}
		return fmt.Sprintf("finding %s, fault of %s, at %d: % x", r.Finding.ID, r.Finding.Fault, r.Finding.Offset, r.Finding.Bytes)
	}
	return ""
}

// read tells the stories of a source. A capture that is damaged fails the test.
func read(t testing.TB, src packet.Source) *teller {
	t.Helper()
	s := &teller{open: map[*inspect.Conn]*told{}}
	i := inspect.New(inspect.Options{Choice: inspect.Choice{All: true}, Analyser: capture.Options{Payload: 1 << 20}}, s)
	if err := i.Run(src, nil); err != nil {
		t.Fatal(err)
	}
	slices.SortFunc(s.conns, func(a, b *told) int { return int(a.id - b.id) })
	return s
}

// packetsOf reads a whole capture. A capture that is damaged fails the test.
func packetsOf(t testing.TB, file []byte) (all []packet.Packet) {
	t.Helper()
	r, err := packet.NewReader(bytes.NewReader(file), nil)
	if err != nil {
		t.Fatal(err)
	}
	for {
		var p packet.Packet
		if err := r.Next(&p); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		p.Data = bytes.Clone(p.Data)
		all = append(all, p)
	}
}

// list is a Source of packets that are there.
type list []packet.Packet

func (l *list) Next(p *packet.Packet) error {
	if len(*l) == 0 {
		return io.EOF
	}
	*p, *l = (*l)[0], (*l)[1:]
	return nil
}

func (*list) Close() error { return nil }

// same compares the recorded story of a connection with the captured one. An
// end that has closed its socket does not see how the other ends its direction:
// there the recording stops.
func same(t *testing.T, what string, recorded, captured *told) {
	t.Helper()
	a, b := recorded.lines, captured.lines
	if i := slices.Index(a, "client stopped"); i >= 0 && i < len(b) && b[i] == "client fin" {
		a, b = slices.Delete(slices.Clone(a), i, i+1), slices.Delete(slices.Clone(b), i, i+1)
	}
	if !slices.Equal(a, b) {
		t.Errorf("%s: recorded\n\t%s\nand captured\n\t%s", what, strings.Join(a, "\n\t"), strings.Join(b, "\n\t"))
	}
}
