package recorded

import (
	"bufio"
	"bytes"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/wiretrue/websocket"
	"github.com/wiretrue/websocket/cmd/internal/packet"
	"github.com/wiretrue/websocket/record"
	"github.com/wiretrue/websocket/wire/frame"
	"github.com/wiretrue/websocket/wire/handshake"
)

// echoServer runs a server that sends back what comes and is recorded. Each
// connection that ends is told to the channel.
func echoServer(t *testing.T, r *record.Recorder) (address string, ended <-chan struct{}) {
	t.Helper()
	over := make(chan struct{}, 100)
	opts := &websocket.AcceptOptions{}
	opts.Compression = &websocket.Compression{}
	opts.Trace = websocket.JoinTraces(r.Trace(), &websocket.Trace{
		Handshake: func(c *websocket.Conn, _ *websocket.HandshakeTrace) {
			if c == nil {
				over <- struct{}{}
			}
		},
		Transport: func(_ *websocket.Conn, e websocket.TransportEvent) {
			if e == websocket.TransportClosed {
				over <- struct{}{}
			}
		},
	})
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Upgrade") == "" {
			return // the end of the test
		}
		c, err := websocket.Accept(w, r, opts)
		if err != nil {
			return
		}
		for m, err := range c.Messages(t.Context()) {
			if err != nil || c.Write(t.Context(), m.Type, m.Data) != nil {
				return
			}
			if string(m.Data) == "leave" {
				c.CloseNow()
			}
		}
	}))
	t.Cleanup(s.Close)
	return s.Listener.Addr().String(), over
}

// script is what a client does on a connection. Two ends that end it at the same
// time see that in two orders: where the server ends it by itself, the client
// waits for that.
type script struct {
	name  string
	steps string // lines of bytes in the notation; behind each as many frames are awaited as it has dots in front
	last  string // how it ends: fin, rst, or eof, which waits for the server's end

	origin  string // "": none
	refused bool
}

// run plays the client.
func (s *script) run(t *testing.T, address string) {
	t.Helper()
	nc, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	nc.SetDeadline(time.Now().Add(time.Minute)) // against a server that hangs
	in := bufio.NewReader(nc)
	header, status := http.Header{}, http.StatusSwitchingProtocols
	if s.origin != "" {
		header.Set("Origin", s.origin)
	}
	if s.refused {
		status = http.StatusForbidden
	}
	nc.Write(handshake.AppendRequest(nil, "/"+strings.ReplaceAll(s.name, " ", "-"), address, handshake.Offer{Key: "dGhlIHNhbXBsZSBub25jZQ=="}, header))
	response, err := http.ReadResponse(in, nil)
	if err != nil || response.StatusCode != status {
		t.Fatalf("%s: %v, %v", s.name, response, err)
	}
	for line := range strings.Lines(s.steps) {
		n, notation, ok := strings.Cut(strings.TrimSpace(line), " < ")
		if !ok {
			continue
		}
		b, err := frame.AppendNotation(nil, notation)
		if err != nil {
			t.Fatalf("%s: %v", s.name, err)
		}
		nc.Write(b)
		for range strings.Count(n, ".") { // so many frames
			if h, err := readFrame(in); err != nil {
				t.Fatalf("%s: behind %s: %v, %v", s.name, notation, h, err)
			}
		}
	}
	switch s.last {
	case "rst":
		nc.(*net.TCPConn).SetLinger(0)
	case "eof":
		io.Copy(io.Discard, in)
	}
}

func readFrame(in *bufio.Reader) (frame.Header, error) {
	var b []byte
	for {
		c, err := in.ReadByte()
		if err != nil {
			return frame.Header{}, err
		}
		b = append(b, c)
		if h, n := frame.Parse(b); n > 0 {
			_, err := io.CopyN(io.Discard, in, int64(h.Length))
			return h, err
		}
	}
}

// scripts are connections of all sorts.
var scripts = []script{
	{name: "clean", steps: `. < 81 85 01020304 4967 6f68 6e
		. < 88 82 00000000 03e8`, last: "eof"},
	{name: "a length that is too short", steps: `. < 01 82 00000000 "Hel" 89 82 00000000 "hi"`, last: "eof"},
	{name: "fragments", steps: `- < 01 83 00000000 "Hel"
		. < 89 82 00000000 "hi"
		. < 80 82 00000000 "lo"
		. < 88 85 00000000 0fa0 "bye"`, last: "eof"},
	{name: "unmasked", steps: `. < 81 05 "Hello"`, last: "eof"},
	{name: "not UTF-8", steps: `. < 81 82 00000000 c328`, last: "eof"},
	{name: "reserved opcode and more behind it", steps: `. < 83 80 00000000 81 85 00000000 "Hello"`, last: "eof"},
	{name: "end without a Close", steps: `. < 82 83 00000000 010203`, last: "fin"},
	{name: "end inside a frame", steps: `- < 82 8a 00000000 010203`, last: "fin"},
	{name: "reset", steps: `. < 81 82 00000000 "hi"`, last: "rst"},
	{name: "cut by the server", steps: `. < 81 85 00000000 "leave"`, last: "eof"},
	{name: "refused", origin: "https://elsewhere.invalid", refused: true, last: "eof"},
}

func TestSameStoryAsTcpdump(t *testing.T) {
	tcpdump := tool(t, "tcpdump")
	if os.Geteuid() != 0 {
		lacking(t, "no privilege to capture (root)")
	}
	name := filepath.Join(t.TempDir(), "recording.pcapng")
	r, err := record.Create(name, nil)
	if err != nil {
		t.Fatal(err)
	}
	address, ended := echoServer(t, r)
	_, port, _ := net.SplitHostPort(address)
	captured := startTcpdump(t, tcpdump, port)

	for _, s := range scripts {
		s.run(t, address)
		<-ended
	}
	c, err := websocket.Dial(t.Context(), "ws://"+address+"/compressed", &websocket.DialOptions{Options: websocket.Options{Compression: &websocket.Compression{}}})
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range []string{strings.Repeat("compressible ", 50), strings.Repeat("x", 200_000)} {
		c.Write(t.Context(), websocket.Text, []byte(m))
		if _, got, err := c.Read(t.Context()); err != nil || string(got) != m {
			t.Fatalf("read %d bytes, %v", len(got), err)
		}
	}
	if err := c.Close(t.Context(), 1000, "done"); err != nil {
		t.Fatal(err)
	}
	<-ended

	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	file, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	source := list(packetsOf(t, file))
	recorded := read(t, &source)
	packets := list(captured(address))
	seen := read(t, &packets)
	if len(recorded.conns) != len(scripts)+1 || len(seen.conns) < len(recorded.conns) {
		t.Fatalf("%d connections recorded, %d captured, of %d", len(recorded.conns), len(seen.conns), len(scripts)+1)
	}
	for i, k := range recorded.conns {
		what := "compressed"
		if i < len(scripts) {
			what = scripts[i].name
		}
		same(t, what, k, seen.conns[i])
	}
}

// startTcpdump captures what the port sends and receives. The function that it
// returns ends that and returns the packets.
func startTcpdump(t *testing.T, tcpdump, port string) (stop func(address string) []packet.Packet) {
	t.Helper()
	cmd := exec.Command(tcpdump, "-i", "lo", "-n", "-s", "70000", "-B", "65536", "-U", "--immediate-mode", "-w", "-", "tcp port "+port)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	words, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	for said := bufio.NewScanner(words); ; {
		if !said.Scan() {
			t.Fatalf("tcpdump ended: %v", said.Err())
		}
		if strings.Contains(said.Text(), "listening on") {
			break
		}
	}
	go io.Copy(io.Discard, words)
	return func(address string) (all []packet.Packet) {
		// A last connection tells that all before it were captured.
		const last = "GET /the-last HTTP/1.1\r\n"
		if nc, err := net.Dial("tcp", address); err == nil {
			io.WriteString(nc, last+"Host: last\r\nConnection: close\r\n\r\n")
			io.Copy(io.Discard, nc)
			nc.Close()
		}
		r, err := packet.NewReader(out, nil)
		if err != nil {
			t.Fatal(err)
		}
		for {
			var p packet.Packet
			if err := r.Next(&p); err != nil {
				t.Fatal(err)
			}
			if bytes.Contains(p.Data, []byte(last)) {
				return all
			}
			p.Data = bytes.Clone(p.Data)
			all = append(all, p)
		}
	}
}
