//go:build linux

package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"

	"github.com/wiretrue/websocket/bench/load"
	"github.com/wiretrue/websocket/bench/server"
)

// process is a child, which lives as long as its input is open.
type process struct {
	cmd   *exec.Cmd
	stdin io.WriteCloser
	lines *bufio.Reader
	erred bytes.Buffer
}

// startProcess starts a child on a processor. The child dies with this process.
func startProcess(cmd *exec.Cmd, cpu int) (*process, error) {
	p := &process{cmd: cmd}
	var err error
	if p.stdin, err = cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	p.lines = bufio.NewReader(out)
	cmd.Stderr = &p.erred
	return p, load.Pinned(cpu, cmd.Start)
}

// line reads a line of the child's output.
func (p *process) line(v any) error {
	b, err := p.lines.ReadBytes('\n')
	if err != nil {
		p.stdin.Close()
		p.cmd.Wait()
		if said := strings.TrimSpace(p.erred.String()); said != "" {
			lines := strings.Split(said, "\n")
			return errors.New(strings.TrimPrefix(lines[len(lines)-1], "bench: "))
		}
		return fmt.Errorf("%s ended: %w", p.cmd.Path, err)
	}
	if err := json.Unmarshal(b, v); err != nil {
		return fmt.Errorf("%s said %q: %w", p.cmd.Path, b, err)
	}
	return nil
}

func (p *process) stop() {
	p.stdin.Close()
	p.cmd.Process.Kill()
	p.cmd.Wait()
}

// target is a server that is running.
type target struct {
	addr, path string
	raw        bool
	pid        int
	process    *process // nil: not ours to stop
}

// contestant is a server as it takes part in a run.
type contestant struct {
	*server.Server
	name   string // also says which binary it comes from, when there are several
	binary string
	cpus   string // GOMAXPROCS
	cpu    int
	base   int     // index of the contestant to compare with; -1: the best peer
	fixed  *target // of --url
}

// start starts the server in a mode, in a process of its own.
func (c *contestant) start(mode server.Mode) (*target, error) {
	if c.fixed != nil {
		return c.fixed, nil
	}
	if c.Missing != nil {
		if err := c.Missing(); err != nil {
			return nil, err
		}
	}
	cmd := exec.Command(c.binary, "serve", "-mode", string(mode), c.Name)
	if c.Command != nil {
		var err error
		if cmd, err = c.Command(mode); err != nil {
			return nil, err
		}
	} else {
		cmd.Env = append(os.Environ(), "GOMAXPROCS="+c.cpus)
	}
	p, err := startProcess(cmd, c.cpu)
	if err != nil {
		return nil, err
	}
	var port int
	if err := p.line(&port); err != nil {
		return nil, err
	}
	return &target{addr: fmt.Sprintf("127.0.0.1:%d", port), path: "/", raw: c.Raw, pid: cmd.Process.Pid, process: p}, nil
}

func (t *target) stop() {
	if t.process != nil {
		t.process.stop()
	}
}

// ask asks the server for its Stats.
func (t *target) ask(line string) (stats server.Stats, err error) {
	if t.process == nil {
		return stats, nil
	}
	if _, err := fmt.Fprintln(t.process.stdin, line); err != nil {
		return stats, err
	}
	return stats, t.process.line(&stats)
}

// resident returns the bytes of the server's memory that are in RAM, but for
// those of files, its program's among them.
func (t *target) resident() (int64, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", t.pid))
	if err != nil {
		return 0, err
	}
	f := strings.Fields(string(b))
	all, err := strconv.ParseInt(f[1], 10, 64)
	if err != nil {
		return 0, err
	}
	files, err := strconv.ParseInt(f[2], 10, 64)
	return (all - files) * int64(os.Getpagesize()), err
}

// load runs the load against the server. With hold, of the shape idle, it calls
// that while the connections are open.
func (t *target) load(cfg load.Config, cpu int, hold func(*load.Result) error) (*load.Result, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cfg.Addr, cfg.Path, cfg.Raw, cfg.PID = t.addr, t.path, t.raw, t.pid
	p, err := startProcess(exec.Command(self, append([]string{"load"}, cfg.Args()...)...), cpu)
	if err != nil {
		return nil, err
	}
	defer p.stop()
	r := new(load.Result)
	if err := p.line(r); err != nil {
		return nil, err
	}
	if hold != nil {
		return r, hold(r)
	}
	return r, nil
}

// descriptorLimit returns how many descriptors a process may have.
func descriptorLimit() int {
	var l syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &l); err != nil {
		return 1024
	}
	return int(l.Max)
}
