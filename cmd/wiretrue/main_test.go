package main

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/wiretrue/websocket/cmd/internal/live"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"wiretrue": main})
}

// TestScripts runs the scripts of testdata/script. Beside the commands of
// package testscript they have
//
//	exits CODE PROGRAM [ARG...]     run a program that must end with the exit code
//	start [-tty] NAME PROGRAM [ARG...]
//	                                run one in the background, on a terminal or not
//	until NAME REGEXP [VARIABLE]    wait until its output matches, and set the
//	                                variable to the first group
//	type NAME [LINE]                give it a line on standard input
//	keys NAME KEYS                  give it bytes, escaped as in a Go string
//	eof NAME                        end its standard input
//	signal NAME INT|TERM|KILL|STOP       send it a signal
//	ends NAME CODE                  wait for its end, with the exit code; its output
//	                                is in the files NAME.out and NAME.err
//	serve NAME [ARG...]             start wiretrue serve on a free port; the variable
//	                                NAME is its host:port once it is ready, NAME_PORT its port
//	peer NAME FILE                  start a server that does what the file says; the
//	                                variable NAME is its host:port
//	met NAME                        wait until somebody has connected to the peer
//	certificate NAME HOST           make NAME.pem and NAME.key, self-signed
//
// A regular expression may be matched over several lines of output. The condition
// [capture] is whether an interface may be captured.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		Setup: func(e *testscript.Env) error {
			e.Values[processes{}] = map[string]*process{}
			e.Values[meetings{}] = map[string]chan struct{}{}
			// Neither the user's proxies nor their colours.
			for _, name := range []string{"HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy", "NO_COLOR", "SSLKEYLOGFILE"} {
				e.Setenv(name, "")
			}
			e.Setenv("TERM", "xterm")
			return setUpCaptures(e)
		},
		Condition: func(condition string) (bool, error) {
			if condition != "capture" {
				return false, fmt.Errorf("no condition %q", condition)
			}
			return mayCapture()
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"exits":       scriptExits,
			"append":      scriptAppend,
			"start":       scriptStart,
			"until":       scriptUntil,
			"type":        scriptType,
			"keys":        scriptKeys,
			"eof":         scriptEOF,
			"signal":      scriptSignal,
			"ends":        scriptEnds,
			"serve":       scriptServe,
			"peer":        scriptPeer,
			"met":         scriptMet,
			"certificate": scriptCertificate,
		},
	})
}

// mayCapture reports whether this process may capture an interface, which it must
// where CI is set and it is possible at all.
func mayCapture() (bool, error) {
	s, err := live.Open("lo", &live.Options{})
	if err == nil {
		return true, s.Close()
	}
	if os.Getenv("CI") != "" && runtime.GOOS == "linux" {
		return false, err
	}
	return false, nil
}

// scriptSafety bounds what a script waits for, on a busy machine too. Nothing
// waits for it when all is well.
const scriptSafety = 60 * time.Second

func scriptExits(ts *testscript.TestScript, neg bool, args []string) {
	code := arguments(ts, neg, args, 2, "exits CODE PROGRAM [ARG...]")
	err := ts.Exec(args[1], args[2:]...)
	got := 0
	if exit, ok := err.(*exec.ExitError); ok {
		got = exit.ExitCode()
	} else if err != nil {
		ts.Fatalf("%v", err)
	}
	if strconv.Itoa(got) != code {
		ts.Fatalf("exit code %d, wanted %s", got, code)
	}
}

// scriptAppend makes a file longer by another, as one who is writing it does.
func scriptAppend(ts *testscript.TestScript, neg bool, args []string) {
	name := arguments(ts, neg, args, 2, "append FILE MORE")
	f, err := os.OpenFile(ts.MkAbs(name), os.O_APPEND|os.O_WRONLY, 0)
	ts.Check(err)
	_, err = f.WriteString(ts.ReadFile(args[1]))
	ts.Check(err)
	ts.Check(f.Close())
}

// arguments checks how many arguments there are, and returns the first.
func arguments(ts *testscript.TestScript, neg bool, args []string, least int, usage string) string {
	if neg || len(args) < least {
		ts.Fatalf("usage: %s", usage)
	}
	return args[0]
}

func scriptServe(ts *testscript.TestScript, neg bool, args []string) {
	name := arguments(ts, neg, args, 1, "serve NAME [ARG...]")
	scriptStart(ts, false, append([]string{name, "wiretrue", "serve", "--listen", "127.0.0.1:0"}, args[1:]...))
	scriptUntil(ts, false, []string{name, `(?:listening on |wss?://|"address":")([^\s/"]+)[^\0]*(?:Ready|"listening")|"listening".*"address":"([^"]+)`, name})
	_, port, _ := strings.Cut(ts.Getenv(name), ":")
	ts.Setenv(name+"_PORT", port)
}

func scriptCertificate(ts *testscript.TestScript, neg bool, args []string) {
	name := arguments(ts, neg, args, 2, "certificate NAME HOST")
	cert, err := selfSigned(args[1])
	ts.Check(err)
	certPEM, keyPEM, err := pemOf(cert)
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(name+".pem"), certPEM, 0o600))
	ts.Check(os.WriteFile(ts.MkAbs(name+".key"), keyPEM, 0o600))
}

// Every exit code that the help documents is that of a script.
func TestScriptsForEachExitCode(t *testing.T) {
	files, err := filepath.Glob("testdata/script/*.txtar")
	if err != nil {
		t.Fatal(err)
	}
	var seen []string
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range regexp.MustCompile(`(?m)^(?:\[.*\] )?(?:exits (\d+)|ends \w+ (\d+))`).FindAllSubmatch(text, -1) {
			seen = append(seen, string(m[1])+string(m[2]))
		}
	}
	documented := 0
	for lines := bufio.NewScanner(strings.NewReader(exitCodes)); lines.Scan(); {
		code, _, _ := strings.Cut(strings.TrimSpace(lines.Text()), " ")
		if _, err := strconv.Atoi(code); err != nil {
			continue
		}
		documented++
		if !slices.Contains(seen, code) {
			t.Errorf("no script ends with the exit code %s", code)
		}
	}
	if documented < 11 {
		t.Errorf("%d exit codes are documented", documented)
	}
}

// firstGroup returns the first group of the expression that matched something.
func firstGroup(groups [][]byte) string {
	for _, g := range groups[1:] {
		if len(g) > 0 {
			return string(g)
		}
	}
	return string(bytes.TrimSpace(groups[0]))
}
