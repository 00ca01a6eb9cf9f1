package interop

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"os/exec"
	"sync"
	"syscall"
	"testing"
)

// command is what a test tells a peer to do.
type command struct {
	Do           string   `json:"do"` // listen, dial, send, fragments, ping, raw or close
	Conn         int      `json:"conn,omitempty"`
	URL          string   `json:"url,omitempty"`
	CA           string   `json:"ca,omitempty"`
	Cert         string   `json:"cert,omitempty"`
	Key          string   `json:"key,omitempty"`
	Origin       string   `json:"origin,omitempty"`
	Subprotocols []string `json:"subprotocols,omitempty"`
	Binary       bool     `json:"binary,omitempty"`
	Data         []byte   `json:"data"`
	Parts        [][]byte `json:"parts,omitempty"`
	Code         int      `json:"code,omitempty"`
	Reason       string   `json:"reason,omitempty"`

	Compression *compression `json:"compression,omitempty"` // to listen or dial with
	Echo        bool         `json:"echo,omitempty"`        // send messages back instead of telling them
}

// compression is what a peer is to agree on.
type compression struct {
	ServerBits  int  `json:"serverBits"`
	ClientBits  int  `json:"clientBits"`
	ServerFresh bool `json:"serverFresh"`
	ClientFresh bool `json:"clientFresh"`
}

// event is what a peer tells.
type event struct {
	Kind        string `json:"kind"` // ready, listening, open, refused, error, message, ping, pong, closed or note
	Conn        int    `json:"conn"`
	Port        int    `json:"port"`
	Subprotocol string `json:"subprotocol"`
	Binary      bool   `json:"binary"`
	Data        []byte `json:"data"`
	Code        int    `json:"code"`
	Reason      string `json:"reason"`
}

// peer is another implementation, in a process of its own that does what it is
// told. It numbers its connections from 1 on.
type peer struct {
	lacks  abilities
	do     func(command) // sends a command
	events <-chan event  // is closed when the process has ended
	kill   func()        // as kill -9 does
	stderr func() string
}

// abilities names what a peer's interface does not offer, or does not show.
type abilities struct {
	listening  bool // it is a client only
	fragments  bool // cannot choose them
	pings      bool // cannot send them
	raw        bool // cannot write what is no frame
	emptyClose bool // cannot close without a code
	codes      bool // closes with 1000 and 3000 to 4999 only
	refusals   bool // does not tell the status of a refusal
	missing    bool // takes it for an error when no subprotocol is chosen
}

// kinds are the peers that run as a script, by the name of the implementation.
var kinds = map[string]func(testing.TB) *peer{
	"ws": func(t testing.TB) *peer {
		path, env := node(t, "ws")
		cmd := exec.Command(path, "testdata/peer.js")
		cmd.Env = env
		return startPeer(t, cmd, abilities{missing: true})
	},
	"websockets": func(t testing.TB) *peer {
		cmd := exec.Command(python(t, "websockets"), "testdata/peer_websockets.py")
		return startPeer(t, cmd, abilities{emptyClose: true})
	},
	"wsproto": func(t testing.TB) *peer {
		cmd := exec.Command(python(t, "wsproto"), "testdata/peer_wsproto.py")
		return startPeer(t, cmd, abilities{})
	},
}

// startPeer starts a script that takes commands on its standard input.
func startPeer(t testing.TB, cmd *exec.Cmd, lacks abilities) *peer {
	t.Helper()
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	stderr, kill := startProcess(t, cmd)
	events := make(chan event, 1024)
	go func() {
		defer close(events)
		for d := json.NewDecoder(out); ; {
			var ev event
			if d.Decode(&ev) != nil {
				return
			}
			events <- ev
		}
	}()
	enc := json.NewEncoder(in)
	p := &peer{
		lacks: lacks,
		do: func(c command) {
			if c.Data == nil {
				c.Data = []byte{} // "" instead of null
			}
			enc.Encode(c) // a peer that is gone is noticed by its events
		},
		events: events,
		kill:   kill,
		stderr: stderr,
	}
	p.await(t, 0, "ready")
	return p
}

// startProcess starts a process in a group of its own, which is killed at the
// end of the test.
func startProcess(t testing.TB, cmd *exec.Cmd) (stderr func() string, kill func()) {
	t.Helper()
	var log lockedBuffer
	cmd.Stderr = &log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	kill = sync.OnceFunc(func() {
		syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		cmd.Wait()
	})
	t.Cleanup(kill)
	return log.String, kill
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

var _ io.Writer = (*lockedBuffer)(nil)

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// await returns the peer's next event about the connection, which must be of
// the kind. Pings and pongs that are not asked for are passed over, and so is
// what is told of other connections.
func (p *peer) await(t testing.TB, conn int, kind string) event {
	t.Helper()
	return p.awaitIn(t, safe(t), conn, kind)
}

func (p *peer) awaitIn(t testing.TB, ctx context.Context, conn int, kind string) event {
	t.Helper()
	var notes string
	for {
		select {
		case ev, ok := <-p.events:
			switch {
			case !ok:
				t.Fatalf("the peer ended while %q was expected of it\n%s", kind, p.stderr())
			case ev.Conn != conn && conn != 0:
			case ev.Kind == kind:
				return ev
			case ev.Kind == "note":
				notes += ev.Reason + "\n"
			case conn == 0 || ev.Kind == "ping" || ev.Kind == "pong":
			default:
				t.Fatalf("the peer told of %q (code %d, %q, %d bytes) while %q was expected\n%s%s", ev.Kind, ev.Code, ev.Reason, len(ev.Data), kind, notes, p.stderr())
			}
		case <-ctx.Done():
			t.Fatalf("nothing came of the peer while %q was expected\n%s%s", kind, notes, p.stderr())
		}
	}
}
