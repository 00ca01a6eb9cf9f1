//go:build linux

package main

import (
	"errors"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/wiretrue/websocket/bench/server"
	"github.com/wiretrue/websocket/bench/soak"
)

// soakCommand runs the soak in phases. Behind each of them the server must hold
// what it held behind the first, and nothing of a connection that is gone.
func soakCommand(args []string) error {
	fs := flag.NewFlagSet("soak", flag.ExitOnError)
	names := fs.String("servers", "", "`names` with commas between; empty: all of this library")
	duration := fs.Duration("duration", 30*time.Minute, "of the soak of one server")
	seed := fs.Uint64("seed", 1, "of the clients' choices")
	fs.Parse(args)
	var failed error
	for _, s := range server.All {
		if s.Kind != server.Ours || *names != "" && !slices.Contains(strings.Split(*names, ","), s.Name) {
			continue
		}
		fmt.Printf("%s: %s\n", s.Name, s.What)
		if s.Missing != nil {
			if err := s.Missing(); err != nil {
				fmt.Printf("  not soaked: %v\n", err)
				continue
			}
		}
		if err := soakServer(s, *duration, *seed); err != nil {
			failed = errors.Join(failed, fmt.Errorf("%s: %w", s.Name, err))
		}
	}
	return failed
}

// phases of a soak: the first fills the pools.
const phases = 4

func soakServer(s *server.Server, d time.Duration, seed uint64) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	c := &contestant{Server: s, name: s.Name, binary: self, cpus: "2", cpu: -1}
	t, err := c.start(server.EchoTakeover)
	if err != nil {
		return err
	}
	defer t.stop()
	all := soak.Report{Opened: map[string]int{}}
	var first held
	for phase := range phases {
		r, err := soak.Run("ws://"+t.addr+t.path, d/phases, seed+uint64(phase))
		for name, n := range r.Opened {
			all.Opened[name] += n
		}
		if err != nil {
			return err
		}
		now, err := t.quiet(all.Ends())
		if err != nil {
			return err
		}
		fmt.Printf("  phase %d of %d: %d messages came back; %v\n", phase+1, phases, r.Messages, now)
		if phase == 0 {
			first = now
		} else if err := now.compare(first); err != nil {
			return err
		}
	}
	fmt.Printf("  connections: %v\n", all.Opened)
	// Race reports, and what the server logged, are on its standard error.
	t.process.stdin.Close()
	err = t.process.cmd.Wait()
	if said := t.process.erred.String(); err != nil || strings.Contains(said, "DATA RACE") || strings.Contains(said, "panic") {
		return fmt.Errorf("the server ended with %v and said:\n%s", err, said)
	}
	return nil
}

// held is what a server holds without connections.
type held struct {
	stats       server.Stats
	descriptors int
	resident    int64
}

func (h held) String() string {
	return fmt.Sprintf("%d goroutines, %d descriptors, %d KiB of heap, %d MiB resident; ends %v",
		h.stats.Goroutines, h.descriptors, h.stats.HeapBytes>>10, h.resident>>20, h.stats.Ended)
}

// compare finds leaks. Pools may differ from time to time, so memory has some
// room, and less than the connections of a phase would take.
func (h held) compare(first held) error {
	switch {
	case h.stats.Goroutines > first.stats.Goroutines+1:
		return fmt.Errorf("%d goroutines became %d", first.stats.Goroutines, h.stats.Goroutines)
	case h.descriptors > first.descriptors:
		return fmt.Errorf("%d descriptors became %d", first.descriptors, h.descriptors)
	case h.stats.HeapBytes > 2*first.stats.HeapBytes+(4<<20):
		return fmt.Errorf("%d bytes of heap became %d", first.stats.HeapBytes, h.stats.HeapBytes)
	case h.resident > 2*first.resident+(64<<20):
		return fmt.Errorf("%d bytes of memory became %d", first.resident, h.resident)
	}
	return nil
}

// quiet waits until the server has accounted for every connection, each with
// the end that it must have had, and returns what it still holds.
func (t *target) quiet(ends map[string]int) (h held, err error) {
	for since := time.Now(); ; time.Sleep(100 * time.Millisecond) {
		if h.stats, err = t.ask("gc"); err != nil {
			return h, err
		}
		if maps.Equal(h.stats.Ended, ends) {
			break
		}
		if time.Since(since) > 2*time.Minute {
			return h, fmt.Errorf("the connections must have ended so: %v; the server says, of %d opened: %v", ends, h.stats.Opened, h.stats.Ended)
		}
	}
	// The goroutines of the last ones are on their way out, and so are those
	// that net/http has for handshakes that were cut.
	if h.resident, err = t.settled(); err != nil {
		return h, err
	}
	if h.stats, err = t.ask("gc"); err != nil {
		return h, err
	}
	fds, err := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", t.pid))
	h.descriptors = len(fds)
	return h, err
}
