package wstest_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wiretrue/websocket"
	"github.com/wiretrue/websocket/wire/rfc"
	"github.com/wiretrue/websocket/wstest"
)

func TestPipe(t *testing.T) {
	accept := &websocket.AcceptOptions{Subprotocols: []string{"chat"}}
	dial := &websocket.DialOptions{Subprotocols: []string{"chat"}}
	server, client := wstest.Pipe(t, accept, dial)
	if server.Subprotocol() != "chat" || client.Subprotocol() != "chat" {
		t.Errorf("agreed on %q and %q, want chat", server.Subprotocol(), client.Subprotocol())
	}
	go client.Write(t.Context(), websocket.Text, []byte("hello"))
	if typ, data, err := server.Read(t.Context()); err != nil || typ != websocket.Text || string(data) != "hello" {
		t.Errorf("read %v %q, %v", typ, data, err)
	}
}

// A program's handling of a peer that breaks a rule, played by a script.
func TestScriptedPeer(t *testing.T) {
	server, peer := wstest.DialPeer(t, nil)
	go peer.Send(`89 80 01020304 81 05 "Hello"`) // a Ping, and a frame without a mask
	_, _, err := server.Read(t.Context())
	if broken := new(websocket.RuleError); !errors.As(err, &broken) || broken.Rule != rfc.ClientMustMask {
		t.Errorf("the server ended with %v, want %v", err, rfc.ClientMustMask)
	}
	peer.Want("FIN PONG length 0", "")
	peer.WantClose(websocket.StatusProtocolError)
}

// A silent peer is given up after PingInterval and PingTimeout of the bubble's
// clock.
func TestSilentPeerUnderFakeTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, peer := wstest.ServePeer(t, &websocket.DialOptions{
			Options: websocket.Options{PingInterval: time.Minute, PingTimeout: 10 * time.Second},
		})
		go func() {
			for {
				if _, _, err := peer.ReadFrame(); err != nil {
					return
				}
			}
		}()
		began := time.Now()
		_, _, err := client.Read(context.Background())
		if !errors.Is(err, websocket.ErrPingTimeout) || time.Since(began) != 70*time.Second {
			t.Errorf("ended after %v with %v", time.Since(began), err)
		}
	})
}

// What does not come as the script wants it fails the test, and says what came.
func TestPeerFailsTheTest(t *testing.T) {
	for name, test := range map[string]struct {
		sent   string // by the client
		script func(*wstest.Peer)
		says   string
	}{
		"another payload": {"hello", func(p *wstest.Peer) { p.Want("FIN TEXT length 5", "hallo") }, `got the frame FIN TEXT length 5 "hello"`},
		"another header":  {"hello", func(p *wstest.Peer) { p.Want("FIN BINARY length 5", "hello") }, `wanted FIN BINARY length 5`},
		"no close":        {"hello", func(p *wstest.Peer) { p.WantClose(websocket.StatusNormalClosure) }, `wanted a Close frame with`},
		"no end":          {"hello", (*wstest.Peer).WantEnd, `wanted the end`},
		"broken notation": {"", func(p *wstest.Peer) { p.Send("8z") }, `wstest: `},
	} {
		t.Run(name, func(t *testing.T) {
			recorder := &recorder{TB: t, failed: make(chan string, 1)}
			var client *websocket.Conn
			var peer *wstest.Peer
			made := make(chan struct{})
			go func() {
				defer close(recorder.failed)
				client, peer = wstest.ServePeer(recorder, nil)
				close(made)
				if test.sent != "" {
					client.Write(t.Context(), websocket.Text, []byte(test.sent))
				}
				test.script(peer)
			}()
			<-made
			if got := <-recorder.failed; !strings.Contains(got, test.says) {
				t.Errorf("the test failed with %q, want a word of %q", got, test.says)
			}
		})
	}
}

// recorder is a testing.TB whose Fatalf is kept and not the test's.
type recorder struct {
	testing.TB
	failed chan string
}

func (r *recorder) Fatalf(format string, args ...any) {
	r.failed <- fmt.Sprintf(format, args...)
	runtime.Goexit()
}
