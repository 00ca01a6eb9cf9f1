//go:build linux

package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"text/tabwriter"

	"github.com/wiretrue/websocket/bench/load"
	"github.com/wiretrue/websocket/bench/server"
)

// count is what a server of this library may take for a message. Unlike times,
// these numbers are the same on every machine, so a change that costs something
// cannot hide in the noise. Whoever makes them smaller writes the smaller number
// here.
//
// The calls that move bytes are exact. How many wait, watch or find nothing
// depends on how many connections are busy at once: a wait is shared by those
// that became ready meanwhile, and a Conn that is alone makes a read that finds
// nothing (TestSystemCallsOfAMessage has them all busy, and counts those too).
type count struct {
	server   string
	workload workload
	allocs   float64
	moves    float64 // system calls that read or wrote something
	waits    float64 // the connections' other system calls
}

var counts = []count{
	{"wiretrue", echo(64, 20), 1 + stray, 2.1, 1.5},
	{"wiretrue/lean", echo(64, 20), stray, 2.1, 1.5},
	{"wiretrue/lean", echo(1, 20), stray, 2.1, 3.2},
	{"wiretrue/lean", echo(64, 20).pipelined(16), stray, 0.2, 0.2},
	{"wiretrue/lean", echo(64, 16*kiB), stray, 3.2, 1.5}, // half a message may be there first
	{"wiretrue/lean", echo(64, kiB).of(load.Text), stray, 2.1, 1.5},
	{"wiretrue/lean", echo(64, kiB).of(load.JSON).packed(load.Reset), stray, 2.1, 1.5},
	{"wiretrue/lean", echo(64, kiB).of(load.JSON).packed(load.Takeover), stray, 2.1, 1.5},
	{"wiretrue/lean", echo(1000, 125).shaped(load.Broadcast), stray, 1.1, 0.5},
	{"engine/epoll", echo(64, 20), stray, 2.1, 1.2},
	{"engine/epoll", echo(64, 20).pipelined(16), stray, 0.2, 0.2},
	{"engine/epoll", echo(1000, 125).shaped(load.Broadcast), stray, 1.1, 0.5},
}

// stray is what a message may allocate where none should be: a garbage
// collection empties pools, which are then filled again.
const stray = 0.5

// counted is what it took.
type counted struct{ allocs, moves, waits, all float64 }

// countAll checks all counts, and prints them beside the quick ratios.
func (r *runner) countAll() error {
	out := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(out, "server\tworkload\tallocations per message\tat most\tcalls that move bytes\tat most\tother I/O calls\tat most\tall calls")
	var failed []string
	for _, c := range counts {
		s, err := server.Find(c.server)
		if err != nil {
			return err
		}
		name := c.workload.name()
		if s.Missing != nil {
			if err := s.Missing(); err != nil {
				fmt.Fprintf(out, "%s\t%s\t%v\n", c.server, name, err)
				continue
			}
		}
		got, err := r.count(s, &c.workload)
		if err != nil {
			return fmt.Errorf("%s, %s: %w", c.server, name, err)
		}
		fmt.Fprintf(out, "%s\t%s\t%.3f\t%.2f\t%.3f\t%.2f\t%.3f\t%.2f\t%.3f\n", c.server, name, got.allocs, c.allocs, got.moves, c.moves, got.waits, c.waits, got.all)
		for _, limited := range []struct {
			what     string
			got, max float64
		}{
			{"allocations", got.allocs, c.allocs},
			{"system calls that move bytes", got.moves, c.moves},
			{"other I/O calls", got.waits, c.waits},
		} {
			if limited.got > limited.max {
				failed = append(failed, fmt.Sprintf("%s, %s: %.3f %s per message, more than %.2f", c.server, name, limited.got, limited.what, limited.max))
			}
		}
	}
	out.Flush()
	if len(failed) > 0 {
		return errors.New(strings.Join(failed, "\n"))
	}
	return nil
}

// count measures what a message costs as the difference between many messages
// and few, which leaves out what the connections cost.
func (r *runner) count(s *server.Server, w *workload) (counted, error) {
	self, err := os.Executable()
	if err != nil {
		return counted{}, err
	}
	c := &contestant{Server: s, name: s.Name, binary: self, cpus: "1", cpu: r.serverCPU}
	t, err := c.start(w.mode)
	if err != nil {
		return counted{}, err
	}
	defer t.stop()
	few := w.load.Conns * w.load.InFlight * 4
	many := few + max(8000, 30*w.load.Conns)
	send := func(n int) error {
		cfg := w.load
		cfg.Messages = n
		_, err := t.load(cfg, r.loadCPU, nil)
		return err
	}
	// Pools and stacks grow first.
	if err := send(many); err != nil {
		return counted{}, err
	}
	var got [2]counted
	for i, n := range []int{few, many} {
		before, err := t.ask("stats")
		if err == nil {
			err = send(n)
		}
		if err != nil {
			return counted{}, err
		}
		after, err := t.ask("stats")
		if err != nil {
			return counted{}, err
		}
		if got[i], err = systemCalls(t.pid, func() error { return send(n) }); err != nil {
			return counted{}, err
		}
		got[i].allocs = float64(after.Mallocs - before.Mallocs)
	}
	messages := float64(many - few)
	if w.load.Shape == load.Broadcast {
		messages = float64(many/w.load.Conns-few/w.load.Conns) * float64(w.load.Conns)
	}
	return counted{
		(got[1].allocs - got[0].allocs) / messages,
		(got[1].moves - got[0].moves) / messages,
		(got[1].waits - got[0].waits) / messages,
		(got[1].all - got[0].all) / messages,
	}, nil
}

// transfers are the system calls that move bytes, unless they fail.
var transfers = strings.Fields("read write readv writev recvfrom sendto recvmsg sendmsg")

// waits are the other system calls of a connection, as opposed to the runtime's.
var waits = strings.Fields("epoll_wait epoll_pwait epoll_ctl poll io_uring_enter")

// systemCalls counts the calls of a process while f runs, with strace.
func systemCalls(pid int, f func() error) (c counted, err error) {
	table, err := os.CreateTemp("", "calls")
	if err != nil {
		return c, err
	}
	defer os.Remove(table.Name())
	defer table.Close()
	cmd := exec.Command("strace", "-f", "-c", "-o", table.Name(), "-p", strconv.Itoa(pid))
	said, err := cmd.StderrPipe()
	if err != nil {
		return c, err
	}
	if err := cmd.Start(); err != nil {
		return c, err
	}
	lines := bufio.NewReader(said)
	if line, err := lines.ReadString('\n'); err != nil || !strings.Contains(line, "attached") {
		cmd.Wait()
		return c, fmt.Errorf("strace: %s", strings.TrimSpace(line))
	}
	go lines.WriteTo(new(bytes.Buffer))
	err = f()
	cmd.Process.Signal(syscall.SIGINT)
	cmd.Wait()
	if err != nil {
		return c, err
	}
	b, err := os.ReadFile(table.Name())
	if err != nil {
		return c, err
	}
	for line := range strings.Lines(string(b)) {
		f := strings.Fields(line)
		if len(f) < 5 || strings.HasPrefix(f[0], "-") {
			continue
		}
		calls, err := strconv.ParseFloat(f[3], 64)
		name := f[len(f)-1]
		if err != nil || name == "total" {
			continue
		}
		var errors float64 // of which; blank when there are none
		if len(f) == 6 {
			errors, _ = strconv.ParseFloat(f[4], 64)
		}
		c.all += calls
		switch {
		case slices.Contains(transfers, name):
			c.moves += calls - errors
			c.waits += errors
		case slices.Contains(waits, name):
			c.waits += calls
		}
	}
	if c.all == 0 {
		return c, fmt.Errorf("strace counted nothing: %s", b)
	}
	return c, nil
}
