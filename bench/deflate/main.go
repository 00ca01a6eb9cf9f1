// Command deflate compares wire/deflate with the compressors and decompressors
// that Go programs use today, on conversations that it makes itself.
//
//	go run ./deflate                    # in bench/: everything, one table
//	go run ./deflate -only json -bits 12
package main

import (
	"bytes"
	"encoding/binary"
	"flag"
	"fmt"
	"os"
	"os/exec"
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
	codec := flag.String("codec", "", "measure only codecs whose name contains `text`")
	rounds := flag.Int("rounds", 5, "passes over each conversation; the median counts")
	flag.Parse()

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
		fmt.Fprintln(w, "codec\tbytes out\tof in\tµs/message\tinflate µs\tactive KiB\tidle KiB\tallocs")
		for _, k := range codecs {
			if strings.Contains(k.name, *codec) {
				measure(w, c, bytes, k, *rounds)
			}
		}
		for _, z := range []struct {
			level, bits int
			mode        string
		}{{1, 15, "takeover"}, {6, 15, "takeover"}, {6, 12, "takeover"}, {6, 9, "takeover"}, {6, 15, "reset"}} {
			name := fmt.Sprintf("zlib %d, %d bits, %s", z.level, z.bits, z.mode)
			if !strings.Contains(name, *codec) {
				continue
			}
			out, seconds, err := zlib(c, z.bits, z.level, z.mode)
			if err != nil {
				fmt.Fprintf(w, "%s\t%v\n", name, err)
				continue
			}
			n := float64(len(c.messages))
			fmt.Fprintf(w, "%s\t%.1f\t%.1f%%\t%.2f (Python)\t\t\t\t\n", name, float64(out)/n, 100*float64(out)/float64(bytes), seconds*1e6/n)
		}
	}
	w.Flush()
}

func measure(w *tabwriter.Writer, c corpus, bytes int, k codec, rounds int) {
	var times, inflates []float64
	var r result
	for range rounds {
		r = k.run(c)
		times = append(times, r.compress.Seconds())
		inflates = append(inflates, r.inflate.Seconds())
	}
	slices.Sort(times)
	slices.Sort(inflates)
	n := float64(len(c.messages))
	fmt.Fprintf(w, "%s\t%.1f\t%.1f%%\t%.2f\t%.2f\t%.1f\t%s\t%.2f\n", k.name,
		float64(r.out)/n, 100*float64(r.out)/float64(bytes),
		times[rounds/2]*1e6/n, inflates[rounds/2]*1e6/n,
		float64(r.active)/1024, r.idle, r.allocs/n)
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

var _ = time.Now
