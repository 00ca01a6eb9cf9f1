package inspect

import (
	"bytes"
	"encoding/json"
	"io"
	"net/netip"
	"time"

	"github.com/wiretrue/websocket/capture"
	"github.com/wiretrue/websocket/cmd/internal/story"
)

// Lines writes an object of JSON on a line for each record, as package capture
// describes it, with the number of its connection as "stream". A line of kind
// "connection" begins a connection and one of kind "report" ends it.
type Lines struct {
	turns   turns
	records bool
	reports bool
	hide    func(*capture.Record) bool
	buf     bytes.Buffer
}

// NewLines returns a sink that writes JSON lines to w, in the order of the
// wire: of records, of reports, or both. hide names what story.Options can
// hide.
func NewLines(w io.Writer, records, reports bool, hide []string) *Lines {
	return &Lines{records: records, reports: reports, hide: (&story.Options{Hide: hide}).Hidden, turns: turns{out: w, live: true}}
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
	c.turn = s.turns.begin(c.ID)
	if !s.records {
		return
	}
	head := connectionLine{V: capture.Version, Kind: "connection", Stream: c.ID, At: c.First.Time(), Packet: c.First.Packet,
		Client: c.Client(), Server: c.Server(), Middle: c.MidStream}
	if c.Evidence.Guessed() {
		head.Guess = c.Evidence.String()
	}
	s.write(c.turn, head)
}

// Record implements [Sink].
func (s *Lines) Record(c *Conn, r *capture.Record, matches bool) {
	if c.Shown {
		c.turn.tell()
	}
	if s.records && matches && !s.hide(r) {
		s.write(c.turn, recordLine{c.ID, r})
	}
}

// End implements [Sink].
func (s *Lines) End(c *Conn) {
	if c.Shown && s.reports {
		s.write(c.turn, reportLine{capture.Version, "report", c.ID, c.Client(), c.Server(), c.Report()})
	}
	c.turn.end()
}

func (s *Lines) write(t *turn, v any) {
	s.buf.Reset()
	e := json.NewEncoder(&s.buf)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		s.turns.fail(err)
		return
	}
	t.Write(s.buf.Bytes())
}

// Close ends the output. The error is that of the output.
func (s *Lines) Close() error { return s.turns.close() }
