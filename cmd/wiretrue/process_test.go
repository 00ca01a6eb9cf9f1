package main

import (
	"bytes"
	"errors"
	"io"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// processes is the key of a script's programs in the background.
type processes struct{}

// process is a program that a script has started.
type process struct {
	cmd   *exec.Cmd
	stdin io.WriteCloser
	ended chan struct{} // closed when it has ended and all its output is there
	err   error         // of its end

	mu        sync.Mutex
	all       bytes.Buffer  // of both streams
	out, err2 bytes.Buffer  // of one
	more      chan struct{} // closed when there is more, and replaced
}

// stream collects one stream of a process.
type stream struct {
	p  *process
	to *bytes.Buffer
}

func (s stream) Write(b []byte) (int, error) {
	s.p.mu.Lock()
	defer s.p.mu.Unlock()
	s.p.all.Write(b)
	s.to.Write(b)
	close(s.p.more)
	s.p.more = make(chan struct{})
	return len(b), nil
}

func named(ts *testscript.TestScript, name string) *process {
	p := ts.Value(processes{}).(map[string]*process)[name]
	if p == nil {
		ts.Fatalf("nothing was started as %s", name)
	}
	return p
}

func scriptStart(ts *testscript.TestScript, neg bool, args []string) {
	const usage = "start [-tty] NAME PROGRAM [ARG...]"
	tty := arguments(ts, neg, args, 2, usage) == "-tty"
	if tty {
		args = args[1:]
	}
	name := arguments(ts, neg, args, 2, usage)
	all := ts.Value(processes{}).(map[string]*process)
	if all[name] != nil {
		ts.Fatalf("%s was started already", name)
	}
	path, err := lookIn(ts.Getenv("PATH"), args[1])
	ts.Check(err)
	p := &process{cmd: exec.Command(path, args[2:]...), ended: make(chan struct{}), more: make(chan struct{})}
	p.cmd.Dir = ts.MkAbs(".")
	for _, name := range []string{"PATH", "HOME", "TMPDIR", "TERM", "NO_COLOR", "SSLKEYLOGFILE", "HTTP_PROXY", "HTTPS_PROXY", "GOCOVERDIR"} {
		p.cmd.Env = append(p.cmd.Env, name+"="+ts.Getenv(name))
	}
	var output sync.WaitGroup
	if tty {
		startOnTerminal(ts, p, &output)
	} else {
		p.stdin, err = p.cmd.StdinPipe()
		ts.Check(err)
		p.cmd.Stdout, p.cmd.Stderr = stream{p, &p.out}, stream{p, &p.err2}
		ts.Check(p.cmd.Start())
	}
	all[name] = p
	go func() {
		p.err = p.cmd.Wait()
		output.Wait()
		close(p.ended)
	}()
	ts.Defer(func() {
		p.cmd.Process.Kill()
		<-p.ended
		p.stdin.Close()
		ts.Logf("[output of %s]\n%s", name, p.output())
	})
}

// startOnTerminal starts a process whose three streams are a terminal.
func startOnTerminal(ts *testscript.TestScript, p *process, output *sync.WaitGroup) {
	keyboard, screen, err := openTerminal()
	if err != nil {
		ts.Fatalf("no terminal: %v", err)
	}
	defer screen.Close()
	p.stdin = keyboard
	attach(p.cmd, screen)
	ts.Check(p.cmd.Start())
	output.Go(func() { io.Copy(stream{p, &p.out}, keyboard) }) // ends with an error when the process has
}

func (p *process) output() []byte {
	p.mu.Lock()
	defer p.mu.Unlock()
	return bytes.Clone(p.all.Bytes())
}

func scriptUntil(ts *testscript.TestScript, neg bool, args []string) {
	name := arguments(ts, neg, args, 2, "until NAME REGEXP [VARIABLE]")
	re, err := regexp.Compile(`(?m)` + args[1])
	ts.Check(err)
	p := named(ts, name)
	late := time.NewTimer(scriptSafety)
	defer late.Stop()
	for over := false; ; {
		p.mu.Lock()
		groups, more := re.FindSubmatch(p.all.Bytes()), p.more
		p.mu.Unlock()
		switch {
		case groups != nil:
			if len(args) > 2 {
				ts.Setenv(args[2], firstGroup(groups))
			}
			return
		case over:
			ts.Fatalf("%s has ended without %s; its output:\n%s", name, args[1], p.output())
		}
		select {
		case <-more:
		case <-p.ended:
			over = true // what it wrote last is there
		case <-late.C:
			ts.Fatalf("%s did not come from %s; its output:\n%s", args[1], name, p.output())
		}
	}
}

func scriptType(ts *testscript.TestScript, neg bool, args []string) {
	name := arguments(ts, neg, args, 1, "type NAME [LINE]")
	give(ts, name, strings.Join(args[1:], " ")+"\n")
}

func scriptKeys(ts *testscript.TestScript, neg bool, args []string) {
	name := arguments(ts, neg, args, 2, "keys NAME KEYS")
	keys, err := strconv.Unquote(`"` + args[1] + `"`)
	ts.Check(err)
	give(ts, name, keys)
}

func give(ts *testscript.TestScript, name, text string) {
	_, err := io.WriteString(named(ts, name).stdin, text)
	ts.Check(err)
}

func scriptEOF(ts *testscript.TestScript, neg bool, args []string) {
	named(ts, arguments(ts, neg, args, 1, "eof NAME")).stdin.Close()
}

func scriptSignal(ts *testscript.TestScript, neg bool, args []string) {
	name := arguments(ts, neg, args, 2, "signal NAME INT|TERM|KILL|STOP")
	p := named(ts, name).cmd.Process
	switch args[1] {
	case "INT":
		ts.Check(p.Signal(os.Interrupt))
	case "TERM":
		ts.Check(p.Signal(syscall.SIGTERM))
	case "KILL":
		ts.Check(p.Kill())
	case "STOP":
		ts.Check(halt(p))
	default:
		ts.Fatalf("%s is no signal that scripts send", args[1])
	}
}

func scriptEnds(ts *testscript.TestScript, neg bool, args []string) {
	name := arguments(ts, neg, args, 2, "ends NAME CODE")
	p := named(ts, name)
	select {
	case <-p.ended:
	case <-time.After(scriptSafety):
		ts.Fatalf("%s does not end; its output:\n%s", name, p.output())
	}
	if exit := new(exec.ExitError); p.err != nil && !errors.As(p.err, &exit) {
		ts.Fatalf("%s: %v", name, p.err)
	}
	ts.Check(os.WriteFile(ts.MkAbs(name+".out"), p.out.Bytes(), 0o600))
	ts.Check(os.WriteFile(ts.MkAbs(name+".err"), p.err2.Bytes(), 0o600))
	if code := strconv.Itoa(p.cmd.ProcessState.ExitCode()); code != args[1] {
		ts.Fatalf("%s ended with the exit code %s, wanted %s; its output:\n%s", name, code, args[1], p.output())
	}
}
