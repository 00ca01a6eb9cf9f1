package main

import (
	"fmt"
	"io"
	"os"
	"regexp"
	"runtime"
	"strings"
)

// summarised are the codecs of the Markdown tables. The first two are the ones
// that the others are compared with.
var summarised = []codec{ours(0, 15, true), ours(0, 12, true), klauspost(1, true), standard(1, true), standard(6, true)}

// markdown prints docs/compression.md's tables: what is compared first, what was
// measured behind it.
func markdown(w io.Writer, only string, rounds int) error {
	var ratios, inflating, details, memory strings.Builder
	for _, c := range corpora() {
		if !strings.Contains(c.name, only) {
			continue
		}
		results := inTurns(summarised, c, rounds)
		n := float64(len(c.messages))
		time := func(i int) float64 { return medianOf(results[i]) / n }
		bytes := func(i int) float64 { return float64(results[i][0].out) / n }

		fmt.Fprintf(&ratios, "| %s |", c.name)
		fmt.Fprintf(&details, "| %s |", c.name)
		var of [2]float64
		for i, bits := range []int{15, 12} {
			out, _, err := zlib(c, bits, 6, "takeover")
			if err != nil {
				return err
			}
			of[i] = float64(out) / n
			fmt.Fprintf(&ratios, " %.3f |", bytes(i)/of[i])
		}
		for i := range 2 {
			fmt.Fprintf(&ratios, " %.2f |", time(i)/time(2))
		}
		for i := range 2 {
			fmt.Fprintf(&ratios, " %.2f |", time(i)/time(4))
		}
		for i, k := range summarised {
			fmt.Fprintf(&details, " %.1f B, %.2f µs |", bytes(i), time(i))
			if results[i][0].allocs/n >= 0.005 {
				return fmt.Errorf("%s allocates: the table has no column for that", k.name)
			}
		}
		fmt.Fprintf(&details, " %.1f B, %.1f B |\n", of[0], of[1])
		fmt.Fprintln(&ratios)

		memory.Reset()
		for i, k := range summarised {
			name, _, _ := strings.Cut(k.name, ", takeover")
			fmt.Fprintf(&memory, "| %s | %.1f | %s |\n", name, float64(results[i][0].active)/1024, results[i][0].idle)
		}
		fmt.Fprintf(&inflating, "| %s |", c.name)
		for _, bits := range []int{15, 12} {
			_, runs := inflateInTurns(c, bits, regexp.MustCompile(""), rounds)
			own := medianOf(runs[0].results)
			fmt.Fprintf(&inflating, " %.2f | %.2f | %.2f |", own/medianOf(runs[2].results), own/medianOf(runs[1].results), own/n)
			for i, d := range decoders {
				fmt.Fprintf(&memory, "| inflating: %s, %d bits | %s | %s |\n", d.name, bits, runs[i].active, runs[i].idle)
			}
		}
		fmt.Fprintln(&inflating)
	}
	fmt.Fprintf(w, "Measured on %s with %s: processor time, the codecs in turns, medians of %d passes.\n", processor(), runtime.Version(), rounds)
	fmt.Fprintf(w, "\n### Ratios\n\nLess than 1: wiretrue takes less.\n\n| messages | bytes of zlib 6, 15 bits | 12 bits | time of klauspost 1, 15 bits | 12 bits | time of compress/flate 6, 15 bits | 12 bits |\n|---|---|---|---|---|---|---|\n%s", ratios.String())
	fmt.Fprintf(w, "\n### A message\n\nBytes out and time. None of them allocates.\n\n| messages | wiretrue, 15 bits | wiretrue, 12 bits | klauspost 1 | compress/flate 1 | compress/flate 6 | zlib 6 (Python), 15 and 12 bits |\n|---|---|---|---|---|---|---|\n%s", details.String())
	fmt.Fprintf(w, "\n### Inflating\n\n| messages | time of klauspost, 15 bits | of compress/flate | µs | time of klauspost, 12 bits | of compress/flate | µs |\n|---|---|---|---|---|---|---|\n%s", inflating.String())
	fmt.Fprintf(w, "\n### Memory\n\nKiB, with all that a message under way needs, and compact between messages.\n\n| | active | idle |\n|---|---|---|\n%s", memory.String())
	return nil
}

// processor names the one that this runs on.
func processor() string {
	info, _ := os.ReadFile("/proc/cpuinfo")
	for line := range strings.Lines(string(info)) {
		if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
			return fmt.Sprintf("%s, %d cores", strings.TrimSpace(value), runtime.NumCPU())
		}
	}
	return fmt.Sprintf("%s/%s, %d cores", runtime.GOOS, runtime.GOARCH, runtime.NumCPU())
}
