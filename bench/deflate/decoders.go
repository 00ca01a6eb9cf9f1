package main

import (
	"bytes"
	stdflate "compress/flate"
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"strings"

	kflate "github.com/klauspost/compress/flate"
	"github.com/wiretrue/websocket/wire/deflate"
)

// decoder inflates the messages of a conversation one by one. start prepares
// that; run does it, from the beginning, is measured the second time, and returns
// how many bytes came out; held is what is held behind it, in KiB.
type decoder struct {
	name  string
	start func(packed [][]byte, bits int) (run func() int, held func() (active, idle string))
}

var decoders = []decoder{
	{"wiretrue", func(packed [][]byte, bits int) (func() int, func() (string, string)) {
		d := deflate.NewDecompressor(bits)
		run := func() (size int) {
			d.Reset()
			for _, p := range packed {
				for {
					out, n, err := d.Next(p)
					if err != nil {
						panic(err)
					}
					size += len(out)
					if p = p[n:]; n == 0 && len(out) == 0 {
						break
					}
				}
				if out, err := d.Finish(); err != nil || len(out) > 0 {
					panic("does not end with its message")
				}
			}
			return size
		}
		return run, func() (active, idle string) {
			active = kib(d.Size())
			d.Compact()
			return active, kib(d.Size())
		}
	}},
	{"compress/flate", reading(func(r io.Reader) io.Reader { return stdflate.NewReader(r) })},
	{"klauspost", reading(func(r io.Reader) io.Reader { return kflate.NewReader(r) })},
}

func kib(n int) string { return fmt.Sprintf("%.1f", float64(n)/1024) }

// reading inflates the messages as one stream in memory, the way that costs a
// reader the least: no Reset and no dictionary between messages.
func reading(open func(io.Reader) io.Reader) func([][]byte, int) (func() int, func() (string, string)) {
	return func(packed [][]byte, _ int) (func() int, func() (string, string)) {
		buf := make([]byte, 32<<10)
		var all []byte
		for _, p := range packed {
			all = append(append(all, p...), 0, 0, 0xff, 0xff)
		}
		r := open(nil)
		run := func() (size int) {
			r.(stdflate.Resetter).Reset(bytes.NewReader(all), nil)
			for {
				n, err := r.Read(buf)
				if size += n; err != nil {
					return size
				}
			}
		}
		return run, func() (string, string) {
			return kib(heapOf(func() any { return open(strings.NewReader("")) })), "same"
		}
	}
}

// inflated is what a decoder took.
type inflated struct {
	results      []result
	active, idle string
}

// passes over a conversation are measured at once: one is over too soon.
const passes = 5

// inflateInTurns runs the decoders in turns, on the same bytes.
func inflateInTurns(c corpus, bits int, only *regexp.Regexp, rounds int) (packed [][]byte, runs []inflated) {
	z := deflate.NewCompressor(bits, deflate.Default)
	size := 0
	for _, m := range c.messages {
		size += len(m)
		packed = append(packed, z.Append(nil, m, true))
	}
	runs = make([]inflated, len(decoders))
	for range rounds {
		for i, d := range decoders {
			if !only.MatchString(d.name) {
				continue
			}
			inflate, held := d.start(packed, bits)
			inflate() // what is taken once is not measured
			var before, after runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&before)
			start := now()
			for range passes - 1 {
				inflate()
			}
			out := inflate()
			took := (now() - start) / passes
			runtime.ReadMemStats(&after)
			if out != size {
				panic(fmt.Sprintf("%s: %d bytes came out of %d", d.name, out, size))
			}
			active, idle := held()
			r := result{compress: took, allocs: float64(after.Mallocs-before.Mallocs) / passes}
			runs[i] = inflated{append(runs[i].results, r), active, idle}
		}
	}
	return packed, runs
}

func measureInflating(w io.Writer, c corpus, bits int, only *regexp.Regexp, rounds int) {
	packed, runs := inflateInTurns(c, bits, only, rounds)
	n := float64(len(packed))
	for i, d := range decoders {
		if rs := runs[i].results; len(rs) > 0 {
			fmt.Fprintf(w, "%s\t%.2f\t%s\t%s\t%.2f\n", d.name, medianOf(rs)/n, runs[i].active, runs[i].idle, rs[len(rs)-1].allocs/n)
		}
	}
	if !only.MatchString("zlib") {
		return
	}
	if seconds, err := zlibInflating(packed, bits); err != nil {
		fmt.Fprintf(w, "zlib\t%v\n", err)
	} else {
		fmt.Fprintf(w, "zlib\t%.2f (Python)\t\t\t\n", seconds*1e6/n)
	}
}

// zlibInflating has Python's zlib inflate the messages.
func zlibInflating(packed [][]byte, bits int) (seconds float64, err error) {
	var in bytes.Buffer
	for _, p := range packed {
		binary.Write(&in, binary.BigEndian, uint32(len(p)))
		in.Write(p)
	}
	cmd := exec.Command("python3", "-c", zlibScript, fmt.Sprint(bits), "0", "inflate")
	cmd.Stdin, cmd.Stderr = &in, os.Stderr
	answer, err := cmd.Output()
	if err != nil {
		return 0, err
	}
	var out int
	_, err = fmt.Sscan(string(answer), &out, &seconds)
	return seconds, err
}
