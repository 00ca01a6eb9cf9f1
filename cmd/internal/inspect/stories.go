package inspect

import (
	"fmt"
	"io"

	"github.com/wiretrue/websocket/capture"
	"github.com/wiretrue/websocket/cmd/internal/story"
)

// A Choice says which records are shown. The zero value takes all records of
// WebSocket connections.
type Choice struct {
	All     bool    // of every TCP connection
	Streams []int64 // of these connections, whatever they are; empty: of all

	// Match picks single records; nil: all. A connection is shown when it
	// has one of them.
	Match func(c *Conn, r *capture.Record) bool
}

// worth reports whether a connection is to be shown, as far as it is known.
func (x *Choice) worth(c *Conn) bool {
	if len(x.Streams) > 0 {
		for _, n := range x.Streams {
			if n == c.ID {
				return true
			}
		}
		return false
	}
	return x.All || c.WebSocket
}

// never reports whether the connection will not be shown, whatever comes.
func (x *Choice) never(c *Conn) bool { return len(x.Streams) > 0 && !x.worth(c) }

func (x *Choice) match(c *Conn, r *capture.Record) bool { return x.Match == nil || x.Match(c, r) }

// Stories tells each connection as a person reads it.
type Stories struct {
	choice  Choice
	turns   turns
	printer *story.Printer
	open    map[*Conn]*tale
	now     *turn // whose text is being written
	shown   int64
}

type tale struct {
	turn    *turn
	telling *story.Telling
	some    bool // a record matched
}

// NewStories returns a sink that tells stories to w, one after the other or,
// for a capture that goes on, line by line as it happens.
func NewStories(w io.Writer, o story.Options, x Choice, live bool) *Stories {
	s := &Stories{choice: x, open: map[*Conn]*tale{}}
	s.turns = turns{out: w, live: live, mark: len(x.Streams) != 1, note: "... what it said before is not kept\n"}
	s.printer = story.New(nowWriter{s}, o)
	return s
}

// nowWriter writes to the connection that is being told.
type nowWriter struct{ s *Stories }

func (w nowWriter) Write(b []byte) (int, error) { return w.s.now.Write(b) }

// Begin implements [Sink].
func (s *Stories) Begin(c *Conn) {
	if s.choice.never(c) {
		return
	}
	title := fmt.Sprintf("connection %d: %v to %v", c.ID, c.Client, c.Server)
	s.open[c] = &tale{turn: s.turns.begin(c.ID), telling: s.printer.Conn(0, title)}
}

// Record implements [Sink].
func (s *Stories) Record(c *Conn, r *capture.Record) {
	t := s.open[c]
	if t == nil || !s.choice.match(c, r) {
		return
	}
	t.some = true
	s.decide(c, t)
	s.now = t.turn
	t.telling.Record(*r)
}

func (s *Stories) decide(c *Conn, t *tale) {
	if t.turn.state == undecided && t.some && s.choice.worth(c) {
		s.shown++
		t.turn.tell()
	}
}

// End implements [Sink].
func (s *Stories) End(c *Conn, report *capture.Report) {
	t := s.open[c]
	if t == nil {
		return
	}
	delete(s.open, c)
	if s.decide(c, t); t.turn.state == told {
		s.now = t.turn
		if s.choice.Match == nil {
			t.telling.Report(report)
		}
		t.turn.Write([]byte("\n"))
	}
	t.turn.end()
}

// Shown returns how many connections were told.
func (s *Stories) Shown() int64 { return s.shown }

// Close ends the telling. The error is that of the output.
func (s *Stories) Close() error { return s.turns.close() }
