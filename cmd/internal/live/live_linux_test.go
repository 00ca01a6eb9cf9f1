package live_test

import (
	"errors"
	"io"
	"net"
	"os"
	"testing"
	"time"

	"github.com/wiretrue/websocket/cmd/internal/capfilter"
	"github.com/wiretrue/websocket/cmd/internal/flow"
	"github.com/wiretrue/websocket/cmd/internal/live"
	"github.com/wiretrue/websocket/cmd/internal/packet"
)

// open captures, or skips the test where that is not permitted.
func open(t *testing.T, name string, opts *live.Options) *live.Source {
	t.Helper()
	s, err := live.Open(name, opts)
	if errors.Is(err, live.ErrPermission) && os.Getenv("CI") == "" {
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
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			io.Copy(c, c)
			c.Close()
		}
	}()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	if f, err = capfilter.Parse("host 127.0.0.1 and tcp port " + port); err != nil {
		t.Fatal(err)
	}
	return l.Addr().String(), f
}

const text = "a message that goes there and back"

// A watcher closes the source when it has seen one connection whole.
type watcher struct {
	source io.Closer
	seen   map[*flow.Conn]*seen
	whole  *flow.Conn
	closed chan struct{} // takes one for each connection that was not
}

// seen is what was seen of a connection.
type seen struct {
	text [2]string
	dups int
}

func (w *watcher) Open(c *flow.Conn) { w.seen[c] = new(seen) }
func (w *watcher) Data(c *flow.Conn, dir flow.Dir, run flow.Run) {
	w.seen[c].text[dir] += string(run.Data)
}
func (w *watcher) End(c *flow.Conn) {}
func (w *watcher) Event(c *flow.Conn, ev flow.Event) {
	switch ev.Kind {
	case flow.Closed:
		if *w.seen[c] == (seen{text: [2]string{text, text}}) && c.Evidence == flow.SawSYN {
			w.whole = c
			w.source.Close()
			return
		}
		w.closed <- struct{}{}
	case flow.Duplicate:
		w.seen[c].dups++
	}
}

// converse makes connections, one after the other, until one of them was seen
// whole: on a busy interface packets can be lost until the capture has got rid of
// those that came before its filter.
func (w *watcher) converse(addr string, over <-chan struct{}) {
	defer w.source.Close()
	for range 20 {
		c, err := net.Dial("tcp", addr)
		if err != nil {
			return
		}
		io.WriteString(c, text)
		io.ReadFull(c, make([]byte, len(text)))
		c.Close()
		select {
		case <-over:
			return
		case <-w.closed:
		case <-time.After(3 * time.Second):
		}
	}
}

func TestCapture(t *testing.T) {
	for _, name := range []string{"lo", live.Any} {
		t.Run(name, func(t *testing.T) {
			addr, filter := echo(t)
			s := open(t, name, &live.Options{Filter: filter})
			w := &watcher{source: s, seen: map[*flow.Conn]*seen{}, closed: make(chan struct{}, 100)}
			over := make(chan struct{})
			defer close(over)
			go w.converse(addr, over)
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
			if w.whole == nil {
				for c, seen := range w.seen {
					t.Errorf("%+v: %+v", c, *seen)
				}
				t.Fatalf("none of %d connections was seen whole", len(w.seen))
			}
			if got := w.whole.Server().String(); got != addr {
				t.Errorf("the server is %s, want %s", got, addr)
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
