// Package server holds the servers that are measured, each in a file of its
// own. They echo messages, or broadcast them, with the protections that their
// libraries have by default, and with text checked to be UTF-8: by the library
// where it can, by the handler where it cannot (RFC 6455 8.1).
package server

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os/exec"
	"runtime"
	"runtime/debug"
	"sync"
)

// Kind says what a server stands for in a comparison.
type Kind string

const (
	Ours     Kind = "ours"
	Peer     Kind = "peer"     // another library for Go
	Stranger Kind = "stranger" // a server in another language
	Floor    Kind = "floor"    // an echo of bytes without any protocol
)

// Server is one that can be measured.
type Server struct {
	Name string
	Kind Kind
	What string // it is and how it is configured, in a line
	Raw  bool   // it knows no WebSocket

	// LowLevel says that the handler does itself what a library is for: it knows
	// frames and works on the socket.
	LowLevel bool

	// Lacks lists modes that it does not have.
	Lacks []Mode

	// Missing says what this machine lacks for it, or nil. nil: it needs nothing.
	Missing func() error

	// Serve serves the connections of the listener until the process ends.
	Serve func(ln net.Listener, mode Mode) error

	// Command is a Stranger's program. It prints its port, answers each line of
	// its input with a line of JSON, and ends with its input. An error says what
	// is missing.
	Command func(mode Mode) (*exec.Cmd, error)
}

// Mode is what a server does with a message.
type Mode string

const (
	Echo         Mode = "echo"
	EchoReset    Mode = "echo-reset"    // with compression, without context takeover
	EchoTakeover Mode = "echo-takeover" // with both
	Broadcast    Mode = "broadcast"
)

// All lists the servers.
var All = []*Server{
	wiretrue, wiretrueLean, engineEpoll, engineIOUring, engineBlocking,
	gorillaDefault, gorillaLean,
	coderDefault, coderLean,
	gobwasHelpers, gobwasLean,
	gwsDefault,
	nbioDefault, nbioInline,
	nodeWS, bun,
	rawGo, rawEpoll, rawIOUring,
}

// Find returns the server of the name.
func Find(name string) (*Server, error) {
	for _, s := range All {
		if s.Name == name {
			return s, nil
		}
	}
	return nil, fmt.Errorf("no server %q", name)
}

// Stats are of the server's own process.
type Stats struct {
	Mallocs    uint64 // since the start
	HeapBytes  uint64
	Goroutines int
	Opened     int            // connections, of Ours
	Ended      map[string]int // of those, by the cause
}

// accounts counts the connections of this process.
var accounts struct {
	mu     sync.Mutex
	opened int
	ended  map[string]int
}

// open accounts for a connection that was opened.
func open() {
	accounts.mu.Lock()
	defer accounts.mu.Unlock()
	accounts.opened++
}

// end accounts for the end of a connection.
func end(cause string) {
	accounts.mu.Lock()
	defer accounts.mu.Unlock()
	if accounts.ended == nil {
		accounts.ended = map[string]int{}
	}
	accounts.ended[cause]++
}

// Main runs the server as a process of its own: it listens on the address,
// writes the port to out, and answers each line of in with a line of Stats. The
// line "gc" asks for a garbage collection before. It returns when in ends.
func (s *Server) Main(addr string, mode Mode, in io.Reader, out io.Writer) error {
	if s.Serve == nil {
		return fmt.Errorf("%s is another program", s.Name)
	}
	ln, err := net.Listen("tcp", addr)
	if err != nil {
		return err
	}
	failed := make(chan error, 1)
	go func() { failed <- s.Serve(ln, mode) }()
	fmt.Fprintln(out, ln.Addr().(*net.TCPAddr).Port)
	lines := bufio.NewScanner(in)
	for lines.Scan() {
		select {
		case err := <-failed:
			return err
		default:
		}
		if lines.Text() == "gc" {
			debug.FreeOSMemory()
		}
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		accounts.mu.Lock()
		json.NewEncoder(out).Encode(Stats{m.Mallocs, m.HeapAlloc, runtime.NumGoroutine(), accounts.opened, accounts.ended})
		accounts.mu.Unlock()
	}
	return lines.Err()
}

// readLimit is what each server takes as a message's size, where it can be told.
const readLimit = 4 << 20

var errNotUTF8 = errors.New("text that is not UTF-8")

// room is the connections to which a broadcast goes.
type room[C comparable] struct {
	mu    sync.Mutex
	conns map[C]struct{}
	all   []C
}

func (r *room[C]) enter(c C) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.conns == nil {
		r.conns = map[C]struct{}{}
	}
	r.conns[c] = struct{}{}
	r.all = nil
}

func (r *room[C]) leave(c C) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.conns, c)
	r.all = nil
}

// each calls f for everybody who is there.
func (r *room[C]) each(f func(C)) {
	r.mu.Lock()
	if r.all == nil {
		for c := range r.conns {
			r.all = append(r.all, c)
		}
	}
	all := r.all
	r.mu.Unlock()
	for _, c := range all {
		f(c)
	}
}

// serveHTTP serves upgrades through net/http, as it comes.
func serveHTTP(ln net.Listener, h http.HandlerFunc) error {
	return (&http.Server{Handler: h}).Serve(ln)
}
