package story

import (
	"bytes"
	"context"
	"strings"
	"testing"
	"testing/synctest"

	websocket "github.com/wiretrue/websocket"
	"github.com/wiretrue/websocket/wstest"
)

// endings of connections that a server tells of: what the client does, and
// parts of the story behind the handshake, in their order.
var endings = []struct {
	name   string
	client func(t *testing.T, server *websocket.Conn, p *wstest.Peer)
	want   []string
}{
	{"closed by the client", func(t *testing.T, _ *websocket.Conn, p *wstest.Peer) {
		p.Send(`88 82 00000000 03e8`)
		p.WantClose(1000)
	}, []string{
		"client #1   FIN CLOSE", "the client begins",
		"server #2   FIN CLOSE", "the server answers",
		"server FIN: sends no more", "Closed by the client with 1000",
		"this end: closed by the peer: 1000",
	}},
	{"closed by the server, which the client leaves unanswered", func(t *testing.T, server *websocket.Conn, p *wstest.Peer) {
		over := make(chan error)
		go func() { over <- server.Close(t.Context(), 1001, "") }()
		p.WantClose(1001)
		<-over
	}, []string{
		"server #1   FIN CLOSE", "the server begins",
		"server gives up", "The server closed with 1001 Going Away, 0s after the handshake; its Close was not answered",
		"this end: lost: no answer to the Close frame",
	}},
	{"a broken rule, and the client reads the Close before it goes", func(t *testing.T, _ *websocket.Conn, p *wstest.Peer) {
		p.Send(`81 02 "hi"`)
		p.WantClose(1002)
		p.Send(`88 82 00000000 03ea`)
		p.End()
	}, []string{
		"client #1   FIN TEXT", "! ERROR ClientMustMask",
		"server #2   FIN CLOSE", "the server begins",
		"client #3   FIN CLOSE", "the client answers",
		"client FIN: sends no more",
		"server FIN: sends no more", "Closed by the server with 1002",
		"this end: ClientMustMask",
	}},
	{"the client goes without a word", func(t *testing.T, _ *websocket.Conn, p *wstest.Peer) {
		p.End()
	}, []string{
		"client FIN: sends no more", "! WARNING CloseBeforeEnd",
		"server FIN: sends no more", "The client ended TCP without a Close",
		"this end: lost: the peer ended the TCP connection",
	}},
	{"cut by the server", func(t *testing.T, server *websocket.Conn, _ *wstest.Peer) {
		server.CloseNow()
	}, []string{
		"server FIN: sends no more", "! WARNING CloseBeforeEnd",
		"The server ended TCP without a Close",
		"this end: lost: closed by this program",
	}},
}

func TestLiveEndings(t *testing.T) {
	for _, e := range endings {
		t.Run(e.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var out bytes.Buffer
				opts := &websocket.AcceptOptions{}
				opts.Trace, _ = Live(&out, Options{})
				server, p := wstest.DialPeer(t, opts)
				go func() {
					for _, err := range server.Messages(context.Background()) {
						if err != nil {
							return
						}
					}
				}()
				e.client(t, server, p)
				synctest.Wait()
				_, told, _ := strings.Cut(out.String(), "the Accept is right\n")
				rest := told
				for _, want := range e.want {
					_, behind, ok := strings.Cut(rest, want)
					if !ok {
						t.Fatalf("where is %q? Told was\n%s", want, told)
					}
					rest = behind
				}
			})
		})
	}
}

// A program that ends while its connection lingers has the end of the story all
// the same.
func TestLiveFinish(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		opts := &websocket.DialOptions{}
		trace, finish := Live(&out, Options{})
		opts.Trace = trace
		client, p := wstest.ServePeer(t, opts)
		p.Send(`88 02 03e8`)
		client.Read(t.Context())
		p.WantClose(1000)
		finish()
		const last = "no findings\n"
		if told := out.String(); !strings.Contains(told, "Closed by the server with 1000") || !strings.HasSuffix(told, last) {
			t.Errorf("told was\n%s", told)
		}
		p.End()
		client.CloseNow()
		synctest.Wait()
		if !strings.HasSuffix(out.String(), last) {
			t.Errorf("told was\n%s", out.String())
		}
	})
}
