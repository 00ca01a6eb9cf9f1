package inspect

import (
	"fmt"
	"io"
	"strings"

	"github.com/wiretrue/websocket/capture"
	"github.com/wiretrue/websocket/cmd/internal/filter"
)

// Format is how [Rows] writes lines. NewFormat returns tshark's defaults.
type Format struct {
	Header     bool
	Separator  string // between fields
	Aggregator string // between the values of a field
	Occurrence string // of a field's values: "a" all, "f" the first, "l" the last
	Quote      string
}

// NewFormat returns the format in which tshark -T fields writes.
func NewFormat() Format { return Format{Separator: "\t", Aggregator: ",", Occurrence: "a"} }

// Set takes an option as tshark -E has it, as "separator=," or "header=y".
func (f *Format) Set(option string) error {
	name, value, _ := strings.Cut(option, "=")
	switch name {
	case "header":
		if value != "y" && value != "n" {
			return fmt.Errorf("header=%s; expected y or n", value)
		}
		f.Header = value == "y"
	case "separator", "aggregator":
		switch value {
		case "/t":
			value = "\t"
		case "/s":
			value = " "
		case "":
			return fmt.Errorf("%s= is empty; expected a character, /t for a tab or /s for a space", name)
		}
		if name == "separator" {
			f.Separator = value
		} else {
			f.Aggregator = value
		}
	case "occurrence":
		if value != "f" && value != "l" && value != "a" {
			return fmt.Errorf("occurrence=%s; expected f, l or a", value)
		}
		f.Occurrence = value
	case "quote":
		quotes := map[string]string{"d": `"`, "s": "'", "n": ""}
		q, ok := quotes[value]
		if !ok {
			return fmt.Errorf("quote=%s; expected d, s or n", value)
		}
		f.Quote = q
	default:
		return fmt.Errorf("%q; expected header=, separator=, aggregator=, occurrence= or quote=", option)
	}
	return nil
}

// Rows writes a line with the values of fields for each record that has one
// of them. What every record has, as tcp.stream, makes no line by itself.
type Rows struct {
	fields []*filter.Field
	own    []bool // the field is one of the record, not of its connection
	every  bool
	format Format
	turns  turns
	values []filter.Value
	line   []byte
}

// NewRows returns a sink that writes lines to w. With every, each record that
// matches has a line.
func NewRows(w io.Writer, fields []*filter.Field, f Format, every bool) *Rows {
	r := &Rows{fields: fields, every: every, format: f, turns: turns{out: w, live: true}}
	var names []string
	for _, f := range fields {
		protocol, _, _ := strings.Cut(f.Name, ".")
		r.own = append(r.own, protocol == "websocket" || protocol == "http" || protocol == "wiretrue")
		names = append(names, f.Name)
	}
	if f.Header {
		if _, err := io.WriteString(w, strings.Join(names, f.Separator)+"\n"); err != nil {
			r.turns.fail(err)
		}
	}
	return r
}

// Begin implements [Sink].
func (s *Rows) Begin(c *Conn) { c.turn = s.turns.begin(c.ID) }

// Record implements [Sink].
func (s *Rows) Record(c *Conn, r *capture.Record, matches bool) {
	if c.Shown {
		c.turn.tell()
	}
	if !matches {
		return
	}
	line, some := s.line[:0], s.every
	names := c.Names()
	for i, f := range s.fields {
		if i > 0 {
			line = append(line, s.format.Separator...)
		}
		s.values = f.Values(s.values[:0], names, r)
		some = some || s.own[i] && len(s.values) > 0
		line = s.cell(line, s.values)
	}
	if s.line = append(line, '\n'); some {
		c.turn.Write(s.line)
	}
}

func (s *Rows) cell(line []byte, values []filter.Value) []byte {
	if len(values) == 0 {
		return line
	}
	switch s.format.Occurrence {
	case "f":
		values = values[:1]
	case "l":
		values = values[len(values)-1:]
	}
	line = append(line, s.format.Quote...)
	for i, v := range values {
		if i > 0 {
			line = append(line, s.format.Aggregator...)
		}
		line = appendEscaped(line, v.String())
	}
	return append(line, s.format.Quote...)
}

// appendEscaped keeps a value on its line.
func appendEscaped(dst []byte, s string) []byte {
	for i := range len(s) {
		switch c := s[i]; c {
		case '\n':
			dst = append(dst, `\n`...)
		case '\r':
			dst = append(dst, `\r`...)
		case '\t':
			dst = append(dst, `\t`...)
		default:
			if c < ' ' || c == 0x7f {
				dst = fmt.Appendf(dst, `\x%02x`, c)
				continue
			}
			dst = append(dst, c)
		}
	}
	return dst
}

// End implements [Sink].
func (s *Rows) End(c *Conn) { c.turn.end() }

// Close ends the output. The error is that of the output.
func (s *Rows) Close() error { return s.turns.close() }
