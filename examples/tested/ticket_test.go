package tested

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/wiretrue/websocket"
	"github.com/wiretrue/websocket/wstest"
)

// Two ends of a connection without a network.
func TestTicket(t *testing.T) {
	server, client := wstest.Pipe(t, nil, nil)
	go new(Tickets).Serve(t.Context(), server)
	if err := client.Write(t.Context(), websocket.Text, []byte("Ada")); err != nil {
		t.Fatal(err)
	}
	if _, m, err := client.Read(t.Context()); err != nil || string(m) != "Ada: ticket 1" {
		t.Errorf("%q, %v", m, err)
	}
}

// A scripted client, frame by frame: the name comes in two, with a ping
// between them.
func TestTicketForFragments(t *testing.T) {
	server, client := wstest.DialPeer(t, nil)
	go new(Tickets).Serve(t.Context(), server)
	client.Send(`01 82 00000000 "Ad"`)
	client.Send(`89 81 00000000 "?"`)
	client.Send(`80 81 00000000 "a"`)
	client.Want("FIN PONG length 1", "?")
	client.Want("FIN TEXT length 13", "Ada: ticket 1")
}

// A client that says nothing is sent away after ten seconds, which take none.
func TestTicketForTheSilent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server, client := wstest.DialPeer(t, nil)
		began := time.Now()
		err := new(Tickets).Serve(t.Context(), server)
		if took := time.Since(began); took != patience {
			t.Errorf("sent away after %v", took)
		}
		closing := err.(*websocket.CloseError)
		go server.Close(t.Context(), closing.Code, closing.Reason)
		client.WantClose(websocket.StatusTimeout)
	})
}
