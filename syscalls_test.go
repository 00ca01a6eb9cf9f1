//go:build linux

package websocket

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/metrics"
	"sync"
	"testing"

	"github.com/wiretrue/websocket/wire/frame"
)

// countedEcho is set for a process of its own whose system calls or memory are
// measured: it serves echo until its standard input ends, and answers each line
// of that with the bytes of its stacks and those of its heap.
const countedEcho = "WIRETRUE_COUNTED_ECHO"

func TestMain(m *testing.M) {
	if os.Getenv(countedEcho) != "" {
		serveCounted()
		return
	}
	os.Exit(m.Run())
}

func serveCounted() {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println(ln.Addr())
	go http.Serve(ln, Handler(echoInto))
	for asked := bufio.NewScanner(os.Stdin); asked.Scan(); {
		runtime.GC() // the buffers of a pool outlive one collection
		runtime.GC()
		memory := []metrics.Sample{{Name: "/memory/classes/heap/stacks:bytes"}, {Name: "/memory/classes/heap/objects:bytes"}}
		metrics.Read(memory)
		fmt.Println(memory[0].Value.Uint64(), memory[1].Value.Uint64())
	}
}

// A connection that waits for a message, whose handler has done no more than echo
// the one before, keeps the smallest stack that a goroutine can have, and of the
// heap what docs/speed.md lists.
func TestTheMemoryOfAWaitingConnection(t *testing.T) {
	if RaceEnabled {
		t.Skip("the race detector's frames are larger")
	}
	cmd := exec.Command(os.Args[0])
	addr, ask, answers := startCounted(t, cmd)
	defer cmd.Wait()
	defer ask.Close()
	if addr == "" {
		t.Fatal("the server does not say where it is")
	}
	memory := func() (stacks, heap int) {
		fmt.Fprintln(ask)
		if !answers.Scan() {
			t.Fatal("the server says nothing")
		}
		if _, err := fmt.Sscan(answers.Text(), &stacks, &heap); err != nil {
			t.Fatalf("the server says %q", answers.Text())
		}
		return stacks, heap
	}
	pingPong(t, openPlain(t, addr), 1, 1) // what it makes once is made
	const conns = 500
	stacks, heap := memory()
	for range conns {
		pingPong(t, openPlain(t, addr), 1, 2)
	}
	stacksAfter, heapAfter := memory()
	stack, object := (stacksAfter-stacks)/conns, (heapAfter-heap)/conns
	t.Logf("%d bytes of stack each, %d of heap", stack, object)
	if stack > 3<<10 { // between one size and the next
		t.Errorf("the stack of a connection has %d bytes, want 2,048", stack)
	}
	if object > 1950 {
		t.Errorf("a connection holds %d bytes of heap", object)
	}
}

// A small message that is echoed costs a read and a write, and sixteen that come
// together cost no more than one. A connection that is not one of a crowd costs
// one more read, which finds nothing and saves waking a thread; now and then one
// that has sixteen in flight is not.
func TestSystemCallsOfAMessage(t *testing.T) {
	if testing.Short() {
		t.Skip("a short run")
	}
	strace, err := exec.LookPath("strace")
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("no strace, which .ci/run should have installed")
		}
		t.Skip("no strace")
	}
	for _, row := range []struct {
		conns, depth, rounds int
		limit                float64 // of calls for each message
	}{
		{1, 1, 500, 3},
		{64, 1, 40, 2},
		{64, 16, 40, 2.5 / 16},
	} {
		t.Run(fmt.Sprintf("%d connections, %d in flight", row.conns, row.depth), func(t *testing.T) {
			// What the handshakes cost is the same in both runs.
			few := countCalls(t, strace, row.conns, row.depth, row.rounds)
			many := countCalls(t, strace, row.conns, row.depth, 3*row.rounds)
			messages := 2 * row.rounds * row.conns * row.depth
			got := float64(many-few) / float64(messages)
			t.Logf("%.4f calls for each of %d messages", got, messages)
			// Now and then messages are cut, the runtime wakes itself by a write, or
			// one of the crowd is late.
			if got > row.limit*1.1 {
				t.Errorf("%.4f calls for each message; want %.4f", got, row.limit)
			}
		})
	}
}

// transfers are the calls that may carry a message.
const transfers = "read,write,readv,writev,recvfrom,recvmsg,sendto,sendmsg"

// countCalls has a server of its own echo rounds of depth messages on each
// connection, and returns the number of its calls.
func countCalls(t *testing.T, strace string, conns, depth, rounds int) int {
	t.Helper()
	log := filepath.Join(t.TempDir(), "strace")
	cmd := exec.Command(strace, "-f", "-qq", "-o", log, "-e", "trace="+transfers, "-e", "signal=none", os.Args[0])
	addr, stop, _ := startCounted(t, cmd)
	if addr == "" {
		t.Skip("strace cannot trace here")
	}
	var wg sync.WaitGroup
	for range conns {
		wg.Go(func() { pingPong(t, openPlain(t, addr), depth, rounds) })
	}
	wg.Wait()
	stop.Close()
	if err := cmd.Wait(); err != nil {
		t.Fatal(err)
	}
	calls, err := os.ReadFile(log)
	if err != nil {
		t.Fatal(err)
	}
	return bytes.Count(calls, []byte("\n")) - bytes.Count(calls, []byte(" resumed>"))
}

// openPlain returns a connection to the echo with nothing of ours on this side,
// which is closed when the test ends.
func openPlain(t *testing.T, addr string) net.Conn {
	nc, err := net.Dial("tcp", addr)
	if err != nil {
		t.Error(err)
		return nil
	}
	t.Cleanup(func() { nc.Close() })
	io.WriteString(nc, "GET / HTTP/1.1\r\nHost: "+addr+"\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"+
		"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n")
	var head []byte
	for b := make([]byte, 1); !bytes.HasSuffix(head, []byte("\r\n\r\n")); head = append(head, b...) {
		if _, err := nc.Read(b); err != nil {
			t.Error(err)
			return nil
		}
	}
	return nc
}

// startCounted starts the command, which is the counted echo or runs it, and
// returns the echo's address, or "", its standard input and its answers.
func startCounted(t *testing.T, cmd *exec.Cmd) (addr string, ask io.WriteCloser, answers *bufio.Scanner) {
	t.Helper()
	cmd.Env = append(os.Environ(), countedEcho+"=1", "GOMAXPROCS=1")
	cmd.Stderr = os.Stderr
	ask, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	answers = bufio.NewScanner(stdout)
	answers.Scan()
	return answers.Text(), ask, answers
}

// pingPong sends depth messages in one write and waits for their echoes, in each
// of the rounds.
func pingPong(t *testing.T, nc net.Conn, depth, rounds int) {
	if nc == nil {
		return
	}
	var out, want []byte
	payload := []byte("twenty bytes of text")
	for i := range depth {
		h := frame.Header{Fin: true, Opcode: frame.Text, Length: uint64(len(payload))}
		want = append(h.Append(want), payload...)
		h.Masked, h.MaskingKey = true, [4]byte{1, 2, 3, byte(i)}
		out = append(h.Append(out), payload...)
		frame.Mask(out[len(out)-len(payload):], h.MaskingKey, 0)
	}
	in := make([]byte, len(want))
	for range rounds {
		if _, err := nc.Write(out); err != nil {
			t.Error(err)
			return
		}
		if _, err := io.ReadFull(nc, in); err != nil {
			t.Error(err)
			return
		}
		if !bytes.Equal(in, want) {
			t.Errorf("got % x", in)
			return
		}
	}
}
