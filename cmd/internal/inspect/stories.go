package inspect

import (
	"fmt"
	"io"

	"github.com/wiretrue/websocket/capture"
	"github.com/wiretrue/websocket/cmd/internal/story"
)

// Stories tells each connection as a person reads it.
type Stories struct {
	turns   turns
	printer *story.Printer
	open    map[*Conn]tale
	now     *turn // whose text is being written
	reports bool
}

type tale struct {
	turn    *turn
	telling *story.Telling
}

// NewStories returns a sink that tells stories to w: one after the other or,
// of a capture that goes on, line by line as it happens. Without reports,
// neither the findings are told again nor the numbers.
func NewStories(w io.Writer, o story.Options, reports, live bool) *Stories {
	s := &Stories{open: map[*Conn]tale{}, reports: reports}
	s.turns = turns{out: w, live: live, mark: true, note: "... what it said before is not kept\n"}
	s.printer = story.New(nowWriter{s}, o)
	return s
}

// nowWriter writes to the connection that is being told.
type nowWriter struct{ s *Stories }

func (w nowWriter) Write(b []byte) (int, error) { return w.s.now.Write(b) }

// Begin implements [Sink].
func (s *Stories) Begin(c *Conn) {
	title := fmt.Sprintf("connection %d: %v to %v", c.ID, c.Client(), c.Server())
	t := tale{s.turns.begin(c.ID), s.printer.Conn(0, title)}
	t.telling.Since(c.First.Time())
	s.open[c] = t
}

// Record implements [Sink].
func (s *Stories) Record(c *Conn, r *capture.Record, matches bool) {
	t := s.open[c]
	if c.Shown {
		t.turn.tell()
	}
	if matches {
		s.now = t.turn
		t.telling.Record(*r)
	}
}

// End implements [Sink].
func (s *Stories) End(c *Conn) {
	t := s.open[c]
	delete(s.open, c)
	if c.Shown {
		s.now = t.turn
		if s.reports {
			t.telling.Report(c.Report())
		}
		if t.turn.wrote {
			t.turn.Write([]byte("\n"))
		}
	}
	t.turn.end()
}

// Close ends the telling. The error is that of the output.
func (s *Stories) Close() error { return s.turns.close() }
