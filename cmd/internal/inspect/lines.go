package inspect

import (
	"bytes"
	"encoding/json"
	"io"
	"net/netip"
	"time"

	"github.com/wiretrue/websocket/capture"
)

// Lines writes an object of JSON on a line for each record, as package capture
// describes it, with the number of its connection as "stream". A line of kind
// "connection" begins a connection and one of kind "report" ends it.
type Lines struct {
	choice  Choice
	turns   turns
	reports bool // the connections' reports only
	open    map[*Conn]*lineOf
	buf     bytes.Buffer
	shown   int64
}

type lineOf struct {
	turn *turn
	some bool
}

// NewLines returns a sink that writes JSON lines to w: all records, in the
// order of the wire, or the reports of connections only.
func NewLines(w io.Writer, x Choice, reports bool) *Lines {
	return &Lines{choice: x, reports: reports, open: map[*Conn]*lineOf{}, turns: turns{out: w, live: true}}
}

// connectionLine begins a connection.
type connectionLine struct {
	V      int            `json:"v"`
	Kind   string         `json:"kind"` // "connection"
	Stream int64          `json:"stream"`
	At     time.Time      `json:"at"`
	Packet int64          `json:"packet"`
	Client netip.AddrPort `json:"client"`
	Server netip.AddrPort `json:"server"`
	Middle bool           `json:"middle,omitempty"`       // the capture has no opening of it
	Guess  string         `json:"client_guess,omitempty"` // how it is known who is the client, when that is a guess
}

// recordLine is a record of a connection.
type recordLine struct {
	Stream int64 `json:"stream"`
	*capture.Record
}

// reportLine ends a connection.
type reportLine struct {
	V      int             `json:"v"`
	Kind   string          `json:"kind"` // "report"
	Stream int64           `json:"stream"`
	Client netip.AddrPort  `json:"client"`
	Server netip.AddrPort  `json:"server"`
	Report *capture.Report `json:"report"`
}

// Begin implements [Sink].
func (s *Lines) Begin(c *Conn) {
	if s.choice.never(c) {
		return
	}
	l := &lineOf{turn: s.turns.begin(c.ID)}
	s.open[c] = l
	if s.reports {
		return
	}
	head := connectionLine{V: capture.Version, Kind: "connection", Stream: c.ID, At: c.First.Time(), Packet: c.First.Packet,
		Client: c.Conn.Client, Server: c.Conn.Server, Middle: c.MidStream}
	if c.Evidence.Guessed() {
		head.Guess = c.Evidence.String()
	}
	s.write(l, head)
}

// Record implements [Sink].
func (s *Lines) Record(c *Conn, r *capture.Record) {
	l := s.open[c]
	if l == nil || !s.choice.match(c, r) {
		return
	}
	l.some = true
	s.decide(c, l)
	if !s.reports {
		s.write(l, recordLine{c.ID, r})
	}
}

func (s *Lines) decide(c *Conn, l *lineOf) {
	if l.turn.state == undecided && l.some && s.choice.worth(c) {
		s.shown++
		l.turn.tell()
	}
}

// End implements [Sink].
func (s *Lines) End(c *Conn, report *capture.Report) {
	l := s.open[c]
	if l == nil {
		return
	}
	delete(s.open, c)
	if s.decide(c, l); l.turn.state == told && (s.reports || s.choice.Match == nil) {
		s.write(l, reportLine{capture.Version, "report", c.ID, c.Conn.Client, c.Conn.Server, report})
	}
	l.turn.end()
}

func (s *Lines) write(l *lineOf, v any) {
	s.buf.Reset()
	e := json.NewEncoder(&s.buf)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		s.turns.fail(err)
		return
	}
	l.turn.Write(s.buf.Bytes())
}

// Shown returns how many connections were shown.
func (s *Lines) Shown() int64 { return s.shown }

// Close ends the output. The error is that of the output.
func (s *Lines) Close() error { return s.turns.close() }
