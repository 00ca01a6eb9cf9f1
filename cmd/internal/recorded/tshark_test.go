package recorded

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/wiretrue/websocket"
	"github.com/wiretrue/websocket/record"
	"github.com/wiretrue/websocket/wstest"
)

// TestTsharkReadsEverything states that another program decodes a recording to
// the last frame, of plain and TLS connections, pipes, IPv4 and IPv6, and finds
// nothing wrong with the packets.
func TestTsharkReadsEverything(t *testing.T) {
	tshark := tool(t, "tshark")
	name := filepath.Join(t.TempDir(), "recording.pcapng")
	r, err := record.Create(name, nil)
	if err != nil {
		t.Fatal(err)
	}
	large := strings.Repeat("0123456789", 30_000) // several packets
	messages := []string{"Hello", "", "größer", large}
	talk := func(c *websocket.Conn) {
		t.Helper()
		for _, m := range messages {
			if err := c.Write(t.Context(), websocket.Text, []byte(m)); err != nil {
				t.Fatal(err)
			}
			if _, got, err := c.Read(t.Context()); err != nil || string(got) != m {
				t.Fatalf("read %d bytes, %v", len(got), err)
			}
		}
		w, err := c.Writer(t.Context(), websocket.Text)
		if err != nil {
			t.Fatal(err)
		}
		for range 3 {
			fmt.Fprint(w, large[:50_000])
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		if _, got, err := c.Read(t.Context()); err != nil || len(got) != 150_000 {
			t.Fatalf("read %d bytes, %v", len(got), err)
		}
		if err := c.Close(t.Context(), 1000, ""); err != nil {
			t.Fatal(err)
		}
	}
	echo := func(c *websocket.Conn) {
		for m, err := range c.Messages(context.Background()) {
			if err != nil || c.Write(context.Background(), m.Type, m.Data) != nil {
				return
			}
		}
	}
	over := make(chan struct{}, 10)
	traced := websocket.Options{Trace: websocket.JoinTraces(r.Trace(), &websocket.Trace{Transport: func(_ *websocket.Conn, e websocket.TransportEvent) {
		if e == websocket.TransportClosed {
			over <- struct{}{}
		}
	}})}
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if c, err := websocket.Accept(w, r, nil); err == nil {
			echo(c)
		}
	})
	plain, secure := httptest.NewServer(handler), httptest.NewTLSServer(handler)
	defer plain.Close()
	defer secure.Close()
	for _, s := range []*httptest.Server{plain, secure} {
		o := &websocket.DialOptions{Options: traced}
		if s == secure {
			o.TLS = s.Client().Transport.(*http.Transport).TLSClientConfig
		}
		c, err := websocket.Dial(t.Context(), s.URL, o)
		if err != nil {
			t.Fatal(err)
		}
		talk(c)
		<-over
	}
	// Both ends of a connection, over a transport without addresses.
	server, client := wstest.Pipe(t, &websocket.AcceptOptions{Options: traced}, &websocket.DialOptions{Options: traced})
	go echo(server)
	talk(client)
	<-over
	<-over
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}

	fields := func(filter string, fields ...string) []string {
		t.Helper()
		args := []string{"-n", "-r", name, "-o", "tcp.check_checksum:TRUE", "-o", "ip.check_checksum:TRUE", "-Y", filter, "-T", "fields"}
		for _, f := range fields {
			args = append(args, "-e", f)
		}
		out, err := exec.Command(tshark, args...).Output()
		if err != nil {
			t.Fatal(err)
		}
		return strings.Split(strings.TrimSuffix(string(out), "\n"), "\n")
	}
	if wrong := fields("_ws.malformed || _ws.expert.severity >= 6291456 || tcp.checksum.status != 1 || ip.checksum.status != 1", "frame.number", "_ws.expert.message"); len(wrong) != 1 || wrong[0] != "" {
		t.Errorf("tshark warns of\n\t%s", strings.Join(wrong, "\n\t"))
	}
	if odd := fields("tcp.analysis.flags", "frame.number", "_ws.expert.message"); len(odd) != 1 || odd[0] != "" {
		t.Errorf("tshark finds odd\n\t%s", strings.Join(odd, "\n\t"))
	}
	for stream := range 4 {
		count := map[string]int{}
		for _, opcodes := range fields(fmt.Sprintf("websocket && tcp.stream == %d", stream), "websocket.opcode") {
			for op := range strings.SplitSeq(opcodes, ",") {
				count[op]++
			}
		}
		// A Writer makes as many frames of its message as it likes.
		if count["1"] != 2*len(messages)+2 || count["0"] == 0 || count["8"] != 2 {
			t.Errorf("stream %d: tshark sees frames with the opcodes %v", stream, count)
		}
	}
}
