package live_test

import (
	"errors"
	"io"
	"net"
	"testing"

	"github.com/wiretrue/websocket/cmd/internal/capfilter"
	"github.com/wiretrue/websocket/cmd/internal/flow"
	"github.com/wiretrue/websocket/cmd/internal/live"
	"github.com/wiretrue/websocket/cmd/internal/packet"
)

// open captures, or skips the test where that is not permitted.
func open(t *testing.T, name string, opts *live.Options) *live.Source {
	t.Helper()
	s, err := live.Open(name, opts)
	if errors.Is(err, live.ErrPermission) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// An echo server on loopback, and a filter for its port.
func echo(t *testing.T) (addr string, f *capfilter.Filter) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		c, err := l.Accept()
		if err != nil {
			return
		}
		io.Copy(c, c)
		c.Close()
	}()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	if f, err = capfilter.Parse("host 127.0.0.1 and tcp port " + port); err != nil {
		t.Fatal(err)
	}
	return l.Addr().String(), f
}

// A watcher collects one connection and closes the source at its end.
type watcher struct {
	source io.Closer
	text   [2]string
	dups   int
	opened *flow.Conn
}

func (w *watcher) Open(c *flow.Conn)                             { w.opened = c }
func (w *watcher) Data(c *flow.Conn, dir flow.Dir, run flow.Run) { w.text[dir] += string(run.Data) }
func (w *watcher) End(c *flow.Conn)                              {}
func (w *watcher) Event(c *flow.Conn, ev flow.Event) {
	switch ev.Kind {
	case flow.Closed:
		w.source.Close()
	case flow.Duplicate:
		w.dups++
	}
}

func TestCapture(t *testing.T) {
	for _, name := range []string{"lo", live.Any} {
		t.Run(name, func(t *testing.T) {
			addr, filter := echo(t)
			s := open(t, name, &live.Options{Filter: filter})
			const text = "a message that goes there and back"
			go func() {
				c, err := net.Dial("tcp", addr)
				if err != nil {
					s.Close()
					return
				}
				io.WriteString(c, text)
				io.ReadFull(c, make([]byte, len(text)))
				c.Close()
			}()
			w := &watcher{source: s}
			tracker := flow.New(w, nil)
			var decoder packet.Decoder
			var p packet.Packet
			var seg packet.Segment
			for {
				if err := s.Next(&p); err == io.EOF {
					break
				} else if err != nil {
					t.Fatal(err)
				}
				// Some may have come before the filter was set.
				if decoder.Decode(&p, &seg) == packet.IsTCP && filter.Match(&seg) {
					tracker.Segment(&seg)
				}
			}
			tracker.Close()
			if w.opened == nil || w.opened.Server().String() != addr || w.opened.Evidence != flow.SawSYN {
				t.Fatalf("%+v", w.opened)
			}
			if w.text != [2]string{text, text} || w.dups != 0 {
				t.Errorf("%q, %d duplicates", w.text, w.dups)
			}
		})
	}
}

func TestCloseEndsNext(t *testing.T) {
	_, filter := echo(t)
	s := open(t, "lo", &live.Options{Filter: filter})
	ended := make(chan error)
	go func() { ended <- s.Next(new(packet.Packet)) }()
	s.Close()
	if err := <-ended; err != io.EOF {
		t.Error(err)
	}
}

func TestNoSuchInterface(t *testing.T) {
	if _, err := live.Open("no-such-if0", nil); err == nil {
		t.Error("no error")
	}
}
