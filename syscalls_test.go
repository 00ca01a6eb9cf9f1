//go:build linux

package websocket

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/wiretrue/websocket/wire/frame"
)

// countedEcho is set for the process whose system calls are counted: it serves
// echo until its standard input ends.
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
	io.Copy(io.Discard, os.Stdin)
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
			// Now and then messages are cut, or the runtime wakes itself by a write.
			if got > row.limit*1.03 {
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
	cmd.Env = append(os.Environ(), countedEcho+"=1", "GOMAXPROCS=1")
	cmd.Stderr = os.Stderr
	stop, err := cmd.StdinPipe()
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
	addr := make([]byte, 64)
	n, err := stdout.Read(addr)
	if err != nil {
		t.Skipf("strace cannot trace here: %v", err)
	}
	var wg sync.WaitGroup
	for range conns {
		wg.Go(func() { pingPong(t, strings.TrimSpace(string(addr[:n])), depth, rounds) })
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

// pingPong sends depth messages in one write and waits for their echoes, in each
// of the rounds.
func pingPong(t *testing.T, addr string, depth, rounds int) {
	nc, err := net.Dial("tcp", addr)
	if err != nil {
		t.Error(err)
		return
	}
	defer nc.Close()
	io.WriteString(nc, "GET / HTTP/1.1\r\nHost: "+addr+"\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"+
		"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n")
	var head []byte
	for b := make([]byte, 1); !bytes.HasSuffix(head, []byte("\r\n\r\n")); head = append(head, b...) {
		if _, err := nc.Read(b); err != nil {
			t.Error(err)
			return
		}
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
