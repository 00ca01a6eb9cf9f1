// Package story prints the records of package capture as a person reads them:
// from top to bottom, in the order of the wire, a line for each frame with its
// header in words, findings where they happen and again at the end, numbers
// last. Live connections of the library are told by the same text.
package story

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/mattn/go-isatty"

	"github.com/wiretrue/websocket/capture"
)

// Options choose what is printed. The zero value prints plain text without
// bytes.
type Options struct {
	Hex    bool     // dump the bytes of each frame, its payload unmasked
	Bits   bool     // draw each frame's header bit by bit, as RFC 6455 5.2 does
	Format string   // "text" or "", or "json": a JSON object on a line for each record
	Quiet  bool     // findings only, and whose they are, without the traffic
	Colour bool     // for a terminal; see ColourFor
	Hide   []string // what is not printed: opcodes ("ping", "pong", "text", ...) and kinds of records ("net", "http", "message", ...)
}

// ColourFor reports whether output to f should be coloured: f is a terminal
// and NO_COLOR is not set (no-color.org).
func ColourFor(f *os.File) bool {
	return os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb" && isatty.IsTerminal(f.Fd())
}

// Check returns an error that says what is wrong with the options, for the
// command line.
func (o *Options) Check() error {
	switch o.Format {
	case "", "text", "json":
	default:
		return fmt.Errorf("format %q is neither text nor json", o.Format)
	}
	for _, name := range o.Hide {
		if !slices.Contains(hideable, name) {
			return fmt.Errorf("%q cannot be hidden; what can: %s", name, hideable)
		}
	}
	return nil
}

var hideable = []string{
	"continuation", "text", "binary", "close", "ping", "pong",
	"start", "net", "http", "handshake", "frame", "message", "gap", "end", "ending",
}

// Printer prints the stories of connections. Its methods, and those of its
// Tellings, may be called from any goroutine, one at a time for a Telling.
type Printer struct {
	o       Options
	palette palette

	mu  sync.Mutex
	w   io.Writer
	err error // of w, which ends the printing
}

// New returns a Printer to w.
func New(w io.Writer, o Options) *Printer {
	return &Printer{o: o, palette: newPalette(o.Colour), w: w}
}

// Err returns the first error of the writer. After it nothing is printed.
func (p *Printer) Err() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.err
}

// write writes whole lines at once.
func (p *Printer) write(b []byte) {
	if len(b) == 0 {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.err == nil {
		_, p.err = p.w.Write(b)
	}
}

// Telling is the story of one connection.
type Telling struct {
	p      *Printer
	number int // 0: it is the only one
	start  time.Time
	titled bool
	buf    bytes.Buffer
	told   map[string]int // findings told, by ID
	where  string         // the connection's addresses or whatever names it
}

// Conn begins the story of a connection. A number other than 0 begins each of
// its lines. title, if it is not empty, is told before its first record.
func (p *Printer) Conn(number int, title string) *Telling {
	return &Telling{p: p, number: number, where: title, told: map[string]int{}}
}

// Record tells a record. It is what to pass to capture.New.
func (t *Telling) Record(r capture.Record) {
	if t.p.o.Format == "json" {
		if !t.p.o.Hidden(&r) {
			t.json(struct {
				Conn int `json:"conn,omitempty"`
				capture.Record
			}{t.number, r})
		}
		return
	}
	if t.start.IsZero() {
		t.start = beginning(&r)
	}
	hidden := t.p.o.Hidden(&r)
	if !t.titled && !(hidden && t.p.o.Quiet) {
		t.title(t.start)
		t.titled = true
	}
	if !hidden {
		t.text(&r)
	}
	t.flush()
}

// Since sets the time from which the story counts. It is that of the first
// record if nothing else is said before.
func (t *Telling) Since(start time.Time) { t.start = start }

// beginning is the time of a record's first byte.
func beginning(r *capture.Record) time.Time {
	switch {
	case r.Handshake != nil && !r.Handshake.Requested.IsZero():
		return r.Handshake.Requested
	case r.HTTP != nil && !r.HTTP.Requested.IsZero():
		return r.HTTP.Requested
	case r.Frame != nil:
		return r.Frame.First
	}
	return r.At
}

// Report tells the sum: the findings again, and the numbers.
func (t *Telling) Report(r *capture.Report) {
	if t.p.o.Format == "json" {
		t.json(struct {
			V      int             `json:"v"`
			Conn   int             `json:"conn,omitempty"`
			Kind   string          `json:"kind"`
			Report *capture.Report `json:"report"`
		}{capture.Version, t.number, "report", r})
		return
	}
	t.findings(r)
	if !t.p.o.Quiet {
		t.numbers(r)
	}
	t.flush()
}

// Findings tells the findings again, without numbers.
func (t *Telling) Findings(r *capture.Report) {
	if t.p.o.Format != "json" {
		t.findings(r)
		t.flush()
	}
}

func (t *Telling) json(v any) {
	e := json.NewEncoder(&t.buf)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil { // of a number that JSON does not have: there is none
		fmt.Fprintf(&t.buf, "{\"error\":%q}\n", err)
	}
	t.p.write(t.buf.Bytes())
	t.buf.Reset()
}

// flush writes what was told, each line behind the connection's number.
func (t *Telling) flush() {
	b := t.buf.Bytes()
	if t.number != 0 {
		prefix := fmt.Appendf(nil, "#%-3d ", t.number)
		var numbered []byte
		for line := range bytes.Lines(b) {
			numbered = append(append(numbered, prefix...), line...)
		}
		b = numbered
	}
	t.p.write(b)
	t.buf.Reset()
}

// Hidden reports whether the options keep the record from being told.
func (o *Options) Hidden(r *capture.Record) bool {
	if r.Kind == capture.KindFinding {
		return false
	}
	if o.Quiet {
		return true
	}
	hide := o.Hide
	if len(hide) == 0 {
		return false
	}
	if r.Frame != nil && slices.Contains(hide, opcodeWord(r.Frame)) {
		return true
	}
	if r.Ping != nil {
		return slices.Contains(hide, "pong")
	}
	return slices.Contains(hide, string(r.Kind))
}
