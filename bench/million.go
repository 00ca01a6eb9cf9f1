//go:build linux

package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"

	"github.com/wiretrue/websocket/bench/load"
	"github.com/wiretrue/websocket/bench/server"
)

// millionCommand opens connections that then do nothing, to one server process
// after the other, until something stops it. A process may have only so many
// descriptors; 127.0.0.0/8 has addresses enough for the clients.
func millionCommand(args []string) error {
	fs := flag.NewFlagSet("million", flag.ExitOnError)
	name := fs.String("server", "wiretrue/lean", "`name` of the server")
	most := fs.Int("max", 1_000_000, "connections to end with")
	reserve := fs.Int64("reserve", 2048, "`MiB` of memory to leave to other programs")
	hold := fs.Duration("hold", 60*time.Second, "how long to hold them all, so that heartbeats pass")
	fs.Parse(args)
	s, err := server.Find(*name)
	if err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	begin, err := available()
	if err != nil {
		return err
	}
	type pair struct {
		target *target
		load   *process
	}
	var pairs []pair
	var resident int64 // in all the servers
	defer func() {
		for _, p := range pairs {
			p.load.stop()
			p.target.stop()
		}
	}()
	total, step := 0, mostConns()
	stopped := "the number asked for"
	fmt.Printf("%s, %s\n%d descriptors a process, %d MiB of memory available\n\n", *name, s.What, descriptorLimit(), begin>>20)
	const line = "%12s  %14s  %12s  %14s  %12s\n"
	fmt.Printf(line, "connections", "in the servers", "a connection", "of all memory", "a connection")
	for total < *most && stopped == "the number asked for" {
		c := &contestant{Server: s, name: s.Name, binary: self, cpus: "1", cpu: -1}
		t, err := c.start(server.Echo)
		if err != nil {
			stopped = err.Error()
			break
		}
		cfg := load.Default()
		cfg.Shape, cfg.Conns = load.Idle, min(step, *most-total)
		cfg.Sources = 1 + cfg.Conns/4000
		cfg.Addr, cfg.Path, cfg.Raw = t.addr, t.path, t.raw
		p, err := startProcess(exec.Command(self, append([]string{"load"}, cfg.Args()...)...), -1)
		if err != nil {
			t.stop()
			stopped = err.Error()
			break
		}
		var held load.Result
		if err := p.line(&held); err != nil {
			t.stop()
			stopped = err.Error()
			break
		}
		pairs = append(pairs, pair{t, p})
		total += held.Conns
		if held.Stopped != "" {
			stopped = held.Stopped
		}
		n, err := t.settled()
		if err != nil {
			return err
		}
		resident += n
		left, err := available()
		if err != nil {
			return err
		}
		mib := func(n int64) string { return fmt.Sprintf("%d MiB", n>>20) }
		each := func(n int64) string { return fmt.Sprintf("%d B", n/int64(total)) }
		fmt.Printf(line, thousands(total), mib(resident), each(resident), mib(begin-left), each(begin-left))
		// The next step takes as much as the ones before, on average.
		if need := (begin - left) / int64(len(pairs)); left-need < *reserve<<20 && total < *most {
			stopped = fmt.Sprintf("memory: %d MiB are left, and the next %s connections need %d more", left>>20, thousands(step), need>>20)
		}
	}
	time.Sleep(*hold)
	resident = 0
	for _, p := range pairs {
		n, err := p.target.resident()
		if err != nil {
			return err
		}
		resident += n
	}
	var lost error
	for i, p := range pairs {
		p.load.stdin.Close()
		if err := p.load.cmd.Wait(); err != nil {
			lost = errors.Join(lost, fmt.Errorf("of the connections of process %d: %s", i+1, strings.TrimSpace(p.load.erred.String())))
		}
	}
	fmt.Printf("\n%s connections, held for %v, when the servers had %d MiB. What stopped it: %s.\n", thousands(total), *hold, resident>>20, stopped)
	return lost
}

// available returns how much memory programs may still take.
func available() (int64, error) {
	b, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(b)) {
		if f := strings.Fields(line); len(f) > 1 && f[0] == "MemAvailable:" {
			kib, err := strconv.ParseInt(f[1], 10, 64)
			return kib << 10, err
		}
	}
	return 0, errors.New("/proc/meminfo has no MemAvailable")
}
