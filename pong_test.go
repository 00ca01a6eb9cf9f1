package websocket_test

import (
	"errors"
	"testing"
	"testing/synctest"

	"github.com/wiretrue/websocket"
	"github.com/wiretrue/websocket/wstest"
)

func TestPong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, p := wstest.DialPeer(t, nil)
		if err := c.Pong(t.Context(), []byte("still here")); err != nil {
			t.Fatal(err)
		}
		p.Want("FIN PONG length 10", "still here")
		if err := c.Pong(t.Context(), make([]byte, 126)); !errors.Is(err, websocket.ErrControlPayload) {
			t.Errorf("126 bytes: %v", err)
		}
		w, err := c.Writer(t.Context(), websocket.Text)
		if err != nil {
			t.Fatal(err)
		}
		websocket.WriteFragment(w, []byte("be"))
		if err := c.Pong(t.Context(), nil); err != nil { // between fragments
			t.Fatal(err)
		}
		w.Close()
		p.Want("TEXT length 2", "be")
		p.Want("FIN PONG length 0", "")
		p.Want("FIN CONTINUATION length 0", "")
		if got := c.Stats().Sent; got.Pongs != 2 || got.Messages != 1 {
			t.Errorf("%+v", got)
		}
		p.End()
		wantLost(t, c, websocket.ErrPeerGone)
		if err := c.Pong(t.Context(), nil); !errors.Is(err, c.Cause()) {
			t.Errorf("after the end: %v", err)
		}
	})
}

// Pongs to a peer that does not read do not pile up.
func TestPongsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		opts := &websocket.AcceptOptions{}
		opts.QueueLimit, opts.QueuePolicy = 1000, websocket.QueueFail
		c, _ := wstest.DialPeer(t, opts)
		for range 100 {
			if err := c.Pong(t.Context(), make([]byte, 100)); err != nil {
				if !errors.Is(err, websocket.ErrQueueFull) {
					t.Error(err)
				}
				return
			}
		}
		t.Error("100 Pongs wait to be sent")
	})
}
