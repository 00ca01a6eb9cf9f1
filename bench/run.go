//go:build linux

package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"net/url"
	"os"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/wiretrue/websocket/bench/load"
	"github.com/wiretrue/websocket/bench/server"
)

// runner is a run.
type runner struct {
	contestants []*contestant
	workloads   []workload
	rounds      int
	warmup      time.Duration
	duration    time.Duration
	serverCPU   int
	loadCPU     int
	progress    bool
}

func runCommand(args []string) error {
	fs := flag.NewFlagSet("run", flag.ExitOnError)
	var (
		quick     = fs.Bool("quick", false, "the main workloads and servers only, in less than three minutes")
		ci        = fs.Bool("ci", false, "count allocations and system calls of this library's servers, and fail above their numbers")
		asJSON    = fs.Bool("json", false, "print JSON")
		markdown  = fs.String("markdown", "", "also write the tables to the `file`")
		names     = fs.String("servers", "", "`names` with commas between; empty: all")
		only      = fs.String("only", "", "measure only workloads whose name matches the `pattern`")
		rounds    = fs.Int("rounds", 0, "how often everything is measured; the median counts. 0: 5, or 3 with -quick")
		duration  = fs.Duration("duration", 0, "of one measurement, in the server's processor time. 0: 500ms, or 200ms with -quick")
		rawURL    = fs.String("url", "", "measure the server at this `ws://` URL, too")
		pid       = fs.Int("pid", 0, "process `id` of the server at -url")
		serverCPU = fs.Int("server-cpu", 0, "processor of the servers; -1: any")
		loadCPU   = fs.Int("load-cpu", 1, "processor of the load; -1: any")
		procs     = fs.String("gomaxprocs", "1", "of the servers in Go")
	)
	binaries := map[string]string{}
	var labels []string
	fs.Func("binary", "`label=path` of another bench, whose servers take part instead; may be repeated", func(s string) error {
		label, path, ok := strings.Cut(s, "=")
		if !ok {
			return errors.New("expected label=path")
		}
		binaries[label] = path
		labels = append(labels, label)
		return nil
	})
	fs.Parse(args)
	if runtime.NumCPU() < 2 {
		return errors.New("the load needs a processor of its own, and there is but one")
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	r := &runner{rounds: *rounds, warmup: 100 * time.Millisecond, duration: *duration, serverCPU: *serverCPU, loadCPU: *loadCPU, progress: isTerminal(os.Stderr)}
	if *ci {
		if err := r.countAll(); err != nil {
			return err
		}
		*quick, *rounds, *duration = true, 1, 100*time.Millisecond
		if *only == "" {
			*only = `^64 x (20 B|16 KiB|16 x 20 B)$`
		}
		if *names == "" {
			*names = "wiretrue/lean,engine/epoll,engine/io_uring,gorilla,gws,raw/epoll"
		}
	}
	r.rounds, r.duration = *rounds, *duration
	if r.rounds == 0 {
		r.rounds = 5
		if *quick {
			r.rounds = 3
		}
	}
	if r.duration == 0 {
		r.duration = 500 * time.Millisecond
		if *quick {
			r.duration = 200 * time.Millisecond
		}
	}
	pattern, err := regexp.Compile(*only)
	if err != nil {
		return err
	}
	for _, w := range workloads {
		if (w.quick || !*quick) && (!w.memory || !*ci) && pattern.MatchString(w.name()) {
			r.workloads = append(r.workloads, w)
		}
	}
	wanted := strings.FieldsFunc(*names, func(r rune) bool { return r == ',' })
	for _, name := range wanted {
		if _, err := server.Find(name); err != nil {
			return err
		}
	}
	if len(wanted) == 0 && *quick {
		wanted = quickServers
	}
	for _, s := range server.All {
		if len(wanted) > 0 && !slices.Contains(wanted, s.Name) {
			continue
		}
		c := contestant{Server: s, name: s.Name, binary: self, cpus: *procs, cpu: *serverCPU, base: -1}
		if len(labels) == 0 {
			r.contestants = append(r.contestants, &c)
			continue
		}
		c.base = len(r.contestants)
		for _, label := range labels {
			other := c
			other.binary, other.name = binaries[label], s.Name+"@"+label
			r.contestants = append(r.contestants, &other)
		}
	}
	if *rawURL != "" {
		c, err := stranger(*rawURL, *pid)
		if err != nil {
			return err
		}
		r.contestants = append(r.contestants, c)
	}
	results, err := r.run()
	if err != nil {
		return err
	}
	if *markdown != "" {
		f, err := os.Create(*markdown)
		if err != nil {
			return err
		}
		defer f.Close()
		if err := results.markdown(f); err != nil {
			return err
		}
	}
	if *asJSON {
		out := json.NewEncoder(os.Stdout)
		out.SetIndent("", "  ")
		return out.Encode(results)
	}
	return results.print(os.Stdout)
}

// quickServers take part in the quick profile.
var quickServers = []string{"wiretrue", "wiretrue/lean", "engine/epoll", "engine/io_uring", "gorilla", "coder", "gobwas/lean", "gws", "bun", "raw/epoll"}

// stranger makes a contestant of a server that is running.
func stranger(rawURL string, pid int) (*contestant, error) {
	u, err := url.Parse(rawURL)
	if err != nil {
		return nil, err
	}
	if u.Scheme != "ws" || u.Port() == "" || pid == 0 {
		return nil, errors.New("-url must be ws://ADDRESS:PORT/PATH, and go with -pid")
	}
	return &contestant{
		Server: &server.Server{Name: u.Host, Kind: server.Stranger, What: rawURL},
		name:   u.Host,
		base:   -1,
		fixed:  &target{addr: u.Host, path: u.RequestURI(), pid: pid},
	}, nil
}

// run measures everything.
func (r *runner) run() (*results, error) {
	if len(r.workloads) == 0 {
		return nil, errors.New("no workload is left")
	}
	all := newResults(r)
	begin, done := time.Now(), 0
	total := r.rounds * len(r.workloads) * len(r.contestants)
	for round := range r.rounds {
		for i := range r.workloads {
			w := &r.workloads[i]
			for _, j := range rand.Perm(len(r.contestants)) {
				c := r.contestants[j]
				done++
				if r.progress {
					left := time.Duration(float64(time.Since(begin)) / float64(done) * float64(total-done)).Round(time.Second)
					fmt.Fprintf(os.Stderr, "\r\x1b[Kround %d of %d, %v left: %s, %s", round+1, r.rounds, left, w.name(), c.name)
				}
				cell := &all.Rows[j].Cells[i]
				if slices.Contains(c.Lacks, w.mode) || c.Raw && (w.load.Shape == load.Handshake) {
					continue
				}
				if cell.Failed != "" || w.memory && round > 0 {
					continue // one will do
				}
				if err := r.measure(c, w, cell); err != nil {
					cell.Failed = err.Error()
				}
			}
		}
	}
	if r.progress {
		fmt.Fprint(os.Stderr, "\r\x1b[K")
	}
	all.finish()
	return all, nil
}

// measure takes one measurement.
func (r *runner) measure(c *contestant, w *workload, into *cell) error {
	t, err := c.start(w.mode)
	if err != nil {
		return err
	}
	defer t.stop()
	cfg := w.load
	cfg.Warmup, cfg.Duration = r.warmup, r.duration
	if w.memory {
		bytes, err := r.memory(t, cfg)
		if err == nil {
			into.add(bytes)
		}
		return err
	}
	m, err := t.load(cfg, r.loadCPU, nil)
	if err != nil {
		return err
	}
	into.add(m.PerMessage())
	into.busy = append(into.busy, m.Busy())
	into.disturbed = append(into.disturbed, m.Disturbed())
	into.rates = append(into.rates, float64(m.Messages)/m.Wall.Seconds())
	return nil
}

// memory measures the bytes that an idle connection adds to the server's, after
// one message, when the garbage of its handshake is gone.
func (r *runner) memory(t *target, cfg load.Config) (float64, error) {
	warm := cfg
	warm.Shape, warm.Conns, warm.Messages = load.Echo, 64, 6400
	if _, err := t.load(warm, r.loadCPU, nil); err != nil {
		return 0, err
	}
	before, err := t.settled()
	if err != nil {
		return 0, err
	}
	var bytes float64
	_, err = t.load(cfg, r.loadCPU, func(held *load.Result) error {
		if held.Conns < cfg.Conns {
			return fmt.Errorf("only %d connections could be opened", held.Conns)
		}
		after, err := t.settled()
		bytes = float64(after-before) / float64(held.Conns)
		return err
	})
	return bytes, err
}

// settled returns the server's resident memory once it has collected its
// garbage.
func (t *target) settled() (int64, error) {
	for range 2 {
		if _, err := t.ask("gc"); err != nil {
			return 0, err
		}
		time.Sleep(200 * time.Millisecond)
	}
	return t.resident()
}

func isTerminal(f *os.File) bool {
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}
