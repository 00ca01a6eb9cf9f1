package inspect

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/wiretrue/websocket/capture"
	"github.com/wiretrue/websocket/cmd/internal/flow"
	"github.com/wiretrue/websocket/internal/duration"
)

// A Table has a line for each connection.
type Table struct {
	w      io.Writer
	open   map[*Conn]*row
	start  time.Time // of the first connection
	rows   []*row    // until the widths of the columns are known
	widths []int
	err    error
}

// row is what the table says of a connection.
type row struct {
	number int64
	what   string // what was asked for
	cells  []string
}

// tableSample is how many lines are sorted, and decide the widths of the
// columns. What comes behind them, of a capture that goes on, is in the order
// in which connections end.
const tableSample = 10_000

var tableHead = []string{"#", "start", "lasted", "client", "server", "frames", "bytes", "err", "warn", "note", "ended", "what"}

// rightAligned are the columns of numbers.
var rightAligned = []string{"#", "start", "lasted", "frames", "bytes", "err", "warn", "note"}

// NewTable returns a sink that writes a table to w.
func NewTable(w io.Writer) *Table { return &Table{w: w, open: map[*Conn]*row{}} }

// Begin implements [Sink].
func (t *Table) Begin(c *Conn) {
	if t.start.IsZero() {
		t.start = c.First.Time()
	}
	t.open[c] = &row{number: c.ID, what: "-"}
}

// Record implements [Sink].
func (t *Table) Record(c *Conn, r *capture.Record, _ bool) {
	w := t.open[c]
	switch {
	case r.Handshake != nil:
		w.what = requested(c, "ws", &r.Handshake.Exchange)
		if !r.Handshake.Opened {
			w.what += fmt.Sprintf(" (%d)", r.Handshake.Status)
		}
	case r.HTTP != nil && w.what == "-":
		w.what = requested(c, "http", r.HTTP)
	case r.Start != nil && w.what == "-":
		w.what = "(" + r.Start.As + ", its beginning is missing)"
	case r.Net != nil && r.Net.TLS != nil && !r.Net.TLS.Decrypted:
		w.what = "(TLS, not decrypted)"
		if name := r.Net.TLS.ServerName; name != "" {
			w.what = "(TLS, not decrypted) " + name
		}
	}
}

func requested(c *Conn, scheme string, x *capture.Exchange) string {
	if c.TLS != nil {
		scheme += "s"
	}
	if x.Target == "" {
		return scheme + " (the request is missing)"
	}
	return scheme + " " + plain(x.Target, 80)
}

// plain is the beginning of s without anything that moves a cursor.
func plain(s string, most int) string {
	var b strings.Builder
	n := 0
	for _, r := range s {
		if n++; n > most {
			b.WriteString("...")
			break
		}
		if r == utf8.RuneError || !strconv.IsPrint(r) {
			r = '?'
		}
		b.WriteRune(r)
	}
	return b.String()
}

// End implements [Sink].
func (t *Table) End(c *Conn) {
	w := t.open[c]
	delete(t.open, c)
	if !c.Shown {
		return
	}
	report := c.Report()
	both := func(a, b uint64) string { return fmt.Sprintf("%s/%s", short(a), short(b)) }
	w.cells = []string{
		fmt.Sprint(c.ID),
		fmt.Sprintf("%.3f", c.First.Time().Sub(t.start).Seconds()),
		duration.Words(c.Last.Since(c.First)),
		c.Client().String(), c.Server().String(),
		both(report.Client.Frames, report.Server.Frames),
		both(uint64(c.StreamBytes(flow.ToServer)), uint64(c.StreamBytes(flow.ToClient))),
		count(report.Errors), count(report.Warnings), count(report.Notes),
		ended(report), w.what,
	}
	if t.widths != nil {
		t.write(w.cells)
		return
	}
	if t.rows = append(t.rows, w); len(t.rows) >= tableSample {
		t.flush()
	}
}

func count(n int) string {
	if n == 0 {
		return "-"
	}
	return fmt.Sprint(n)
}

// short is a number in four characters or so.
func short(n uint64) string {
	if n < 10_000 {
		return fmt.Sprint(n)
	}
	v := float64(n)
	for _, unit := range "kMGTPE" {
		if v /= 1000; v < 1000 {
			if v < 10 {
				return fmt.Sprintf("%.1f%c", v, unit)
			}
			return fmt.Sprintf("%.0f%c", v, unit)
		}
	}
	return fmt.Sprint(n)
}

// ended is how the connection ended, in two words.
func ended(report *capture.Report) string {
	e := report.Ending
	if e == nil {
		return "-"
	}
	words := string(e.How)
	if e.Code != 0 {
		words = fmt.Sprintf("%d %s", uint16(e.Code), e.How)
	}
	if e.Proxy != "" {
		return words + ", " + e.Proxy
	}
	if e.Began != "" && e.Began != capture.Unknown {
		words += ", " + string(e.Began)
	}
	return words
}

// flush writes what was kept to learn the widths from.
func (t *Table) flush() {
	t.widths = make([]int, len(tableHead))
	measure := func(cells []string) {
		for i, s := range cells {
			t.widths[i] = max(t.widths[i], utf8.RuneCountInString(s))
		}
	}
	slices.SortFunc(t.rows, func(a, b *row) int { return cmp.Compare(a.number, b.number) })
	measure(tableHead)
	for _, w := range t.rows {
		measure(w.cells)
	}
	if len(t.rows) > 0 {
		t.write(tableHead)
	}
	for _, w := range t.rows {
		t.write(w.cells)
	}
	t.rows = nil
}

func (t *Table) write(cells []string) {
	if t.err != nil {
		return
	}
	var b strings.Builder
	for i, s := range cells {
		if i > 0 {
			b.WriteString("  ")
		}
		pad := strings.Repeat(" ", max(0, t.widths[i]-utf8.RuneCountInString(s)))
		if slices.Contains(rightAligned, tableHead[i]) {
			b.WriteString(pad + s)
		} else {
			b.WriteString(s + pad)
		}
	}
	_, t.err = io.WriteString(t.w, strings.TrimRight(b.String(), " ")+"\n")
}

// Close writes what is left. The error is that of the output.
func (t *Table) Close() error {
	if t.widths == nil {
		t.flush()
	}
	return t.err
}
