// Command deflate compares wire/deflate with the compressors and decompressors
// that Go programs use today, on conversations that it makes itself.
//
//	go run ./deflate                    # in bench/: everything, one table
//	go run ./deflate -only json -codec klauspost
//	go run ./deflate -markdown          # the tables of docs/compression.md
package main

import (
	"bytes"
	"encoding/binary"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	_ "embed"
)

//go:embed zlib.py
var zlibScript string

func main() {
	only := flag.String("only", "", "measure only conversations whose name contains `text`")
	codec := flag.String("codec", "", "measure only codecs whose name matches `pattern`")
	rounds := flag.Int("rounds", 5, "passes over each conversation; the median counts")
	tables := flag.Bool("markdown", false, "print the tables of docs/compression.md instead")
	flag.Parse()
	chosen, err := regexp.Compile(*codec)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}

	if *tables {
		if err := markdown(os.Stdout, *only, *rounds); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	for _, c := range corpora() {
		if !strings.Contains(c.name, *only) {
			continue
		}
		bytes := 0
		for _, m := range c.messages {
			bytes += len(m)
		}
		fmt.Fprintf(w, "\n%s: %d messages, %d bytes each\n", c.name, len(c.messages), bytes/len(c.messages))
		fmt.Fprintln(w, "codec\tbytes out\tof in\tµs/message\tactive KiB\tidle KiB\tallocs")
		measure(w, c, bytes, chosen, *rounds)
		for _, z := range []struct {
			level, bits int
			mode        string
		}{{1, 15, "takeover"}, {6, 15, "takeover"}, {6, 12, "takeover"}, {6, 9, "takeover"}, {6, 15, "reset"}} {
			name := fmt.Sprintf("zlib %d, %d bits, %s", z.level, z.bits, z.mode)
			if !chosen.MatchString(name) {
				continue
			}
			out, seconds, err := zlib(c, z.bits, z.level, z.mode)
			if err != nil {
				fmt.Fprintf(w, "%s\t%v\n", name, err)
				continue
			}
			n := float64(len(c.messages))
			fmt.Fprintf(w, "%s\t%.1f\t%.1f%%\t%.2f (Python)\t\t\t\n", name, float64(out)/n, 100*float64(out)/float64(bytes), seconds*1e6/n)
		}
		w.Flush()
		for _, bits := range []int{15, 12} {
			fmt.Fprintf(w, "\ninflating what wiretrue default, %d bits, takeover wrote:\n", bits)
			fmt.Fprintln(w, "decoder\tµs/message\tactive KiB\tidle KiB\tallocs")
			measureInflating(w, c, bits, chosen, *rounds)
			w.Flush()
		}
	}
	w.Flush()
}

// inTurns runs the codecs in turns, so that what else the machine does falls on
// all of them alike.
func inTurns(codecs []codec, c corpus, rounds int) [][]result {
	results := make([][]result, len(codecs))
	for range rounds {
		for i, k := range codecs {
			results[i] = append(results[i], k.run(c))
		}
	}
	return results
}

func measure(w io.Writer, c corpus, bytes int, only *regexp.Regexp, rounds int) {
	chosen := slices.DeleteFunc(slices.Clone(codecs), func(k codec) bool { return !only.MatchString(k.name) })
	results := inTurns(chosen, c, rounds)
	n := float64(len(c.messages))
	for i, k := range chosen {
		rs := results[i]
		fmt.Fprintf(w, "%s\t%.1f\t%.1f%%\t%.2f\t%.1f\t%s\t%.2f\n", k.name,
			float64(rs[0].out)/n, 100*float64(rs[0].out)/float64(bytes),
			medianOf(rs)/n,
			float64(rs[0].active)/1024, rs[0].idle, rs[0].allocs/n)
	}
}

// medianOf is that of the times, in microseconds.
func medianOf(rs []result) float64 {
	var all []time.Duration
	for _, r := range rs {
		all = append(all, r.compress)
	}
	slices.Sort(all)
	return all[len(all)/2].Seconds() * 1e6
}

// zlib has Python's zlib compress the conversation. Its time is measured in
// Python and so holds about a microsecond a message that is not zlib's.
func zlib(c corpus, bits, level int, mode string) (out int, seconds float64, err error) {
	var in bytes.Buffer
	for _, m := range c.messages {
		binary.Write(&in, binary.BigEndian, uint32(len(m)))
		in.Write(m)
	}
	cmd := exec.Command("python3", "-c", zlibScript, fmt.Sprint(bits), fmt.Sprint(level), mode)
	cmd.Stdin, cmd.Stderr = &in, os.Stderr
	answer, err := cmd.Output()
	if err != nil {
		return 0, 0, err
	}
	_, err = fmt.Sscan(string(answer), &out, &seconds)
	return out, seconds, err
}
