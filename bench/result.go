//go:build linux

package main

import (
	"bufio"
	"fmt"
	"io"
	"math"
	"os"
	"runtime"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/wiretrue/websocket/bench/server"
)

// results is what a run has measured.
type results struct {
	Machine  machine
	Command  string
	Rounds   int
	Duration time.Duration // of one measurement
	Columns  []column
	Rows     []row
}

type machine struct {
	CPU    string
	Cores  int
	Kernel string
	Go     string
	Time   time.Time

	// Disturbed is how much of the processor that a server wanted went to other
	// programs, in the median of all measurements.
	Disturbed float64
}

type column struct {
	Group, Name, Unit string
	BestPeer          string  // which Go peer was best
	Best              float64 // its value; 0: there is none
	Target            float64 `json:",omitempty"`

	high bool // peers that are low-level do not count as the best
}

type row struct {
	lowLevel     bool
	Server, What string
	Kind         server.Kind
	Cells        []cell
	base         int // index of the row to compare with, when it is not the best peer
}

// cell is what one server took for one workload.
type cell struct {
	Values  []float64 // of the rounds
	Median  float64
	Spread  float64 // the median of the distances from the median, as a part of it
	Ratio   float64 // to the best Go peer, or to the first binary
	Busy    float64 `json:",omitempty"` // in which part of the time the server had something to do
	Rate    float64 `json:",omitempty"` // messages a second
	Waiting bool    `json:",omitempty"` // the server waited for the load
	Failed  string  `json:",omitempty"`

	busy, rates, disturbed []float64
}

func (c *cell) add(v float64) { c.Values = append(c.Values, v) }

func median(v []float64) float64 {
	if len(v) == 0 {
		return 0
	}
	v = slices.Sorted(slices.Values(v))
	return (v[(len(v)-1)/2] + v[len(v)/2]) / 2
}

// pairwise returns the median of the ratios within the rounds, from which falls
// out what disturbed a round as a whole.
func pairwise(c, base *cell) float64 {
	var ratios []float64
	for i := range min(len(c.Values), len(base.Values)) {
		ratios = append(ratios, c.Values[i]/base.Values[i])
	}
	return median(ratios)
}

func newResults(r *runner) *results {
	all := &results{Machine: thisMachine(), Command: "bench/run " + strings.Join(os.Args[2:], " "), Rounds: r.rounds, Duration: r.duration}
	for _, w := range r.workloads {
		unit := "µs"
		if w.memory {
			unit = "bytes"
		}
		all.Columns = append(all.Columns, column{Group: w.group, Name: w.name(), Unit: unit, Target: w.target, high: w.high})
	}
	for _, c := range r.contestants {
		all.Rows = append(all.Rows, row{Server: c.name, What: c.What, Kind: c.Kind, lowLevel: c.LowLevel, Cells: make([]cell, len(r.workloads)), base: c.base})
	}
	return all
}

// finish computes what follows from the values.
func (a *results) finish() {
	var disturbed []float64
	for i := range a.Columns {
		col := &a.Columns[i]
		for j := range a.Rows {
			c := &a.Rows[j].Cells[i]
			c.Median = median(c.Values)
			var off []float64
			for _, v := range c.Values {
				off = append(off, math.Abs(v-c.Median))
			}
			if c.Median != 0 {
				c.Spread = median(off) / c.Median
			}
			c.Busy, c.Rate = median(c.busy), median(c.rates)
			disturbed = append(disturbed, c.disturbed...)
			c.Waiting = len(c.busy) > 0 && c.Busy < 0.85 && !strings.HasPrefix(col.Name, "1 x")
			if a.Rows[j].Kind == server.Peer && !(col.high && a.Rows[j].lowLevel) && c.Median > 0 && (col.Best == 0 || c.Median < col.Best) {
				col.Best, col.BestPeer = c.Median, a.Rows[j].Server
			}
		}
		for j := range a.Rows {
			c := &a.Rows[j].Cells[i]
			switch {
			case a.Rows[j].base >= 0:
				c.Ratio = pairwise(c, &a.Rows[a.Rows[j].base].Cells[i])
			case col.Best > 0:
				c.Ratio = c.Median / col.Best
			}
		}
	}
	a.Machine.Disturbed = median(disturbed)
}

// table is rows of cells; the first is the head.
type table struct {
	title string
	rows  [][]string
}

func (a *results) tables() (tables []table) {
	for from := 0; from < len(a.Columns); {
		group := a.Columns[from].Group
		to := from
		for to < len(a.Columns) && a.Columns[to].Group == group && to-from < 6 {
			to++
		}
		t := table{title: fmt.Sprintf("%s, %s", group, unitOf(a.Columns[from].Unit))}
		head := []string{"server"}
		for _, c := range a.Columns[from:to] {
			head = append(head, c.Name)
		}
		t.rows = append(t.rows, head)
		for _, r := range a.Rows {
			line, empty := []string{r.Server}, true
			for _, c := range r.Cells[from:to] {
				line = append(line, c.String())
				empty = empty && len(c.Values) == 0
			}
			if !empty {
				t.rows = append(t.rows, line)
			}
		}
		tables = append(tables, t)
		from = to
	}
	if t := a.standing(); len(t.rows) > 1 && a.Rows[0].base < 0 {
		tables = append(tables, t)
	}
	return tables
}

func unitOf(unit string) string {
	if unit == "µs" {
		return "µs of the server's processor time per message"
	}
	return "bytes resident per connection"
}

func (c cell) String() string {
	if len(c.Values) == 0 {
		return "–"
	}
	s := digits(c.Median)
	if len(c.Values) > 1 {
		s += fmt.Sprintf(" ±%.0f%%", 100*c.Spread)
	}
	if c.Ratio > 0 {
		s += fmt.Sprintf(" (%.2f)", c.Ratio)
	}
	if c.Waiting {
		s += " w"
	}
	return s
}

// digits formats three significant digits or all before the point.
func digits(v float64) string {
	switch {
	case math.Abs(v) < 10:
		return fmt.Sprintf("%.2f", v)
	case math.Abs(v) < 100:
		return fmt.Sprintf("%.1f", v)
	}
	return fmt.Sprintf("%.0f", v)
}

// standing compares our servers with what they are measured by.
func (a *results) standing() table {
	t := table{
		title: "Where this library stands: its value as a part of another's",
		rows:  [][]string{{"workload", "server", "value", "of the best Go peer", "", "target", "of bun", "of raw/net", "of raw/epoll", "of raw/io_uring"}},
	}
	part := func(v float64, i int, name string) string {
		for _, r := range a.Rows {
			if r.Server == name && r.Cells[i].Median > 0 {
				return fmt.Sprintf("%.2f", v/r.Cells[i].Median)
			}
		}
		return "–"
	}
	for i, col := range a.Columns {
		for _, r := range a.Rows {
			c := r.Cells[i]
			if r.Kind != server.Ours || c.Median == 0 {
				continue
			}
			line := []string{col.Name, r.Server, digits(c.Median), "–", "", "", part(c.Median, i, "bun"), part(c.Median, i, "raw/net"), part(c.Median, i, "raw/epoll"), part(c.Median, i, "raw/io_uring")}
			if col.Best > 0 {
				line[3], line[4] = fmt.Sprintf("%.2f", c.Ratio), col.BestPeer
			}
			if col.Target > 0 {
				line[5] = fmt.Sprintf("≤ %.2f", col.Target)
			}
			t.rows = append(t.rows, line)
		}
	}
	return t
}

const legend = "In each cell: the median of the rounds, the median distance from it, and the ratio to the best of the Go peers, for pipelining and handshakes of those that are not low-level (of several binaries: to the first). w: the server waited for the load."

// failures lists what could not be measured.
func (a *results) failures() (lines []string) {
	for i, col := range a.Columns {
		for _, r := range a.Rows {
			if why := r.Cells[i].Failed; why != "" {
				lines = append(lines, fmt.Sprintf("%s, %s: %s", r.Server, col.Name, why))
			}
		}
	}
	return lines
}

func (a *results) print(w io.Writer) error {
	out := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintf(out, "%s\n%d rounds of %v of the server's time. %s\n", a.Machine, a.Rounds, a.Duration, legend)
	for _, t := range a.tables() {
		fmt.Fprintf(out, "\n%s\n", t.title)
		for _, line := range t.rows {
			fmt.Fprintln(out, strings.Join(line, "\t"))
		}
		out.Flush()
	}
	if lines := a.failures(); len(lines) > 0 {
		fmt.Fprintf(out, "\nNot measured\n%s\n", strings.Join(lines, "\n"))
	}
	return out.Flush()
}

func (a *results) markdown(w io.Writer) error {
	out := bufio.NewWriter(w)
	fmt.Fprintf(out, "# Results\n\nWritten by `%s` on %s.\n\n%s.\n\n%d rounds, %v of the server's processor time for one measurement, servers in random order in each round; the server on one processor with GOMAXPROCS=1, the load on another; every byte that comes back is compared. The server's processor time is the operating system's account of its whole process. %s Only ratios within one run can be compared.\n",
		a.Command, a.Machine.Time.Format(time.DateOnly), a.Machine, a.Rounds, a.Duration, legend)
	for _, t := range a.tables() {
		fmt.Fprintf(out, "\n## %s\n\n", t.title)
		for i, line := range t.rows {
			fmt.Fprintf(out, "| %s |\n", strings.Join(line, " | "))
			if i == 0 {
				fmt.Fprintf(out, "|---%s|\n", strings.Repeat("|---:", len(line)-1))
			}
		}
	}
	fmt.Fprintf(out, "\n## The servers\n\n")
	for _, r := range a.Rows {
		fmt.Fprintf(out, "- **%s**: %s\n", r.Server, r.What)
	}
	if lines := a.failures(); len(lines) > 0 {
		fmt.Fprintf(out, "\n## Not measured\n\n- %s\n", strings.Join(lines, "\n- "))
	}
	return out.Flush()
}

func thisMachine() machine {
	m := machine{Cores: runtime.NumCPU(), Go: runtime.Version(), Time: time.Now()}
	read := func(path string) string {
		b, _ := os.ReadFile(path)
		return strings.TrimSpace(string(b))
	}
	m.Kernel = read("/proc/sys/kernel/osrelease")
	for line := range strings.Lines(read("/proc/cpuinfo")) {
		if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
			m.CPU = strings.TrimSpace(value)
			break
		}
	}
	return m
}

func (m machine) String() string {
	return fmt.Sprintf("%s, %d processors, Linux %s, %s; %.0f %% of the servers' processor went to other programs", m.CPU, m.Cores, m.Kernel, m.Go, 100*m.Disturbed)
}
