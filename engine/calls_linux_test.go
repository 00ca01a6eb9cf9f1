package engine_test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/wiretrue/websocket"
	"github.com/wiretrue/websocket/engine"
)

// serveMode, in the environment, makes a server of the mode of this process,
// for tests that look at it from outside.
const serveMode = "ENGINE_TEST_SERVE"

func TestMain(m *testing.M) {
	for _, mode := range modes {
		if mode.name != os.Getenv(serveMode) {
			continue
		}
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		fmt.Println(ln.Addr())
		s := &engine.Server{Backend: mode.backend, Blocking: mode.blocking, Loops: 1}
		s.OnMessage = echo
		s.PingInterval = websocket.NoTimeout // a Ping that waits for its answer has memory
		go s.Serve(ln)
		for in := bufio.NewScanner(os.Stdin); in.Scan(); { // until the test ends it
			debug.FreeOSMemory()
			fmt.Println("collected")
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// startServer starts a server in a process of its own, by way of a command if
// there is one.
func (m mode) startServer(t testing.TB, by ...string) *serverProcess {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	args := append(by, self)
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Env = append(os.Environ(), serveMode+"="+m.name, "GOMAXPROCS=1")
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	s := &serverProcess{
		pid:  cmd.Process.Pid,
		in:   in,
		out:  bufio.NewReader(out),
		stop: sync.OnceFunc(func() { in.Close(); cmd.Wait() }),
	}
	t.Cleanup(s.stop)
	s.addr = s.line(t)
	return s
}

// serverProcess is a server that echoes.
type serverProcess struct {
	addr string
	pid  int
	stop func()

	in  io.Writer
	out *bufio.Reader
}

func (s *serverProcess) line(t testing.TB) string {
	t.Helper()
	line, err := s.out.ReadString('\n')
	if err != nil {
		t.Fatalf("the server says %q: %v", line, err)
	}
	return strings.TrimSpace(line)
}

// resident returns the memory that is the server's own, in bytes, without what
// is garbage by now.
func (s *serverProcess) resident(t testing.TB) int {
	t.Helper()
	fmt.Fprintln(s.in, "collect")
	s.line(t)
	return resident(t, s.pid)
}

// lacking skips a test for want of a tool, or fails it in CI, where .ci/run
// installs all of them.
func lacking(t testing.TB, reason string) {
	t.Helper()
	if os.Getenv("CI") != "" {
		t.Fatalf("%s, which .ci/run should have installed", reason)
	}
	t.Skip(reason)
}

// What an echoed message costs in system calls, counted by strace.
func TestSystemCalls(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector makes calls of its own")
	}
	strace, err := exec.LookPath("strace")
	if err != nil {
		lacking(t, "no strace")
	}
	for _, test := range []struct {
		mode      string
		depth     int
		transfers float64 // reads and writes, at most
		all       float64
	}{
		{"epoll", 1, 2.05, 3.1}, // with the wait that connections share
		{"epoll", 16, 0.13, 0.2},
		{"io_uring", 1, 0.02, 0.2},
		{"io_uring", 16, 0.02, 0.125},
		{"blocking", 1, 2.05, 8},
		{"blocking", 16, 0.13, 0.6},
	} {
		t.Run(fmt.Sprintf("%s/%d", test.mode, test.depth), func(t *testing.T) {
			var m mode
			for _, m = range modes {
				if m.name == test.mode {
					break
				}
			}
			m.check(t)
			report := filepath.Join(t.TempDir(), "calls")
			server := m.startServer(t, strace, "-f", "-c", "-qq", "-o", report)
			const conns = 64
			messages := less(320, 160) * test.depth
			converse(t, server.addr, conns, messages, test.depth)
			server.stop()
			b, err := os.ReadFile(report)
			if err != nil {
				t.Fatal(err)
			}
			calls := countCalls(string(b))
			if calls["read"]+calls["io_uring_enter"] == 0 {
				lacking(t, "strace cannot trace: "+string(b))
			}
			transfers, all := 0, 0
			for name, n := range calls {
				all += n
				switch name {
				case "read", "write", "readv", "writev", "recvfrom", "sendto":
					transfers += n
				}
			}
			total := float64(conns * messages)
			// Starting and opening takes calls too, a few for each connection.
			transfers, all = max(0, transfers-4*conns-200), max(0, all-16*conns-1500)
			t.Logf("%.3f reads and writes, %.3f calls a message", float64(transfers)/total, float64(all)/total)
			if got := float64(transfers) / total; got > test.transfers {
				t.Errorf("%.3f reads and writes a message, want %v\n%s", got, test.transfers, b)
			}
			if got := float64(all) / total; got > test.all {
				t.Errorf("%.3f calls a message, want %v\n%s", got, test.all, b)
			}
		})
	}
}

// countCalls reads strace's table.
func countCalls(table string) map[string]int {
	calls := map[string]int{}
	for line := range strings.Lines(table) {
		f := strings.Fields(line)
		if len(f) < 5 || strings.HasPrefix(f[0], "%") || strings.HasPrefix(f[0], "-") || f[len(f)-1] == "total" {
			continue
		}
		if n, err := strconv.Atoi(f[3]); err == nil {
			calls[f[len(f)-1]] += n
		}
	}
	return calls
}

// converse echoes messages over connections, so many on their way on each.
func converse(t testing.TB, addr string, conns, messages, depth int) {
	t.Helper()
	one := maskedText("twenty bytes of text")
	batch := bytes.Repeat(one, depth)
	var opened, wg sync.WaitGroup
	opened.Add(conns)
	for range conns {
		wg.Go(func() {
			nc, err := net.Dial("tcp", addr)
			if err != nil {
				opened.Done()
				t.Error(err)
				return
			}
			defer nc.Close()
			nc.SetDeadline(time.Now().Add(2 * safety))
			nc.Write(goodRequest)
			readHead(t, nc)
			opened.Done()
			opened.Wait()
			reply := make([]byte, depth*22)
			for range messages / depth {
				nc.Write(batch)
				if _, err := io.ReadFull(nc, reply); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
}

// What an idle connection costs a server in its own memory, in all that is
// resident.
func TestIdleMemory(t *testing.T) {
	if testing.Short() {
		t.Skip("a short run")
	}
	if raceEnabled {
		t.Skip("the race detector has memory of its own")
	}
	var limit syscall.Rlimit
	syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit)
	n := 10_000
	if limit.Cur < 12_000 {
		lacking(t, fmt.Sprintf("the limit of %d descriptors", limit.Cur))
	}
	for _, test := range []struct {
		mode string
		most int // bytes: some 270 to 340 are seen, by where the allocator puts them
	}{
		{"epoll", 400}, {"io_uring", 400}, {"blocking", 400},
	} {
		t.Run(test.mode, func(t *testing.T) {
			var m mode
			for _, m = range modes {
				if m.name == test.mode {
					break
				}
			}
			m.check(t)
			server := m.startServer(t)
			reply := make([]byte, 22)
			open := func(n int) (all []net.Conn) {
				for range n {
					nc, err := net.Dial("tcp", server.addr)
					if err != nil {
						t.Fatal(err)
					}
					t.Cleanup(func() { nc.Close() })
					nc.Write(append(bytes.Clone(goodRequest), maskedText("twenty bytes of text")...))
					readHead(t, nc)
					if _, err := io.ReadFull(nc, reply); err != nil {
						t.Fatal(err)
					}
					all = append(all, nc)
				}
				return all
			}
			open(1500) // with which it has what does not depend on their number
			before := server.resident(t)
			open(n)
			got := (server.resident(t) - before) / n
			t.Logf("%d bytes a connection", got)
			if got > test.most {
				t.Errorf("%d bytes a connection, want %d", got, test.most)
			}
		})
	}
}

// resident returns the memory of the process that is its own, in bytes.
func resident(t testing.TB, pid int) int {
	t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(b)) {
		if f := strings.Fields(line); f[0] == "RssAnon:" {
			kb, _ := strconv.Atoi(f[1])
			return kb << 10
		}
	}
	t.Fatal("no RssAnon")
	return 0
}
