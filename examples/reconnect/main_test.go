package main

import (
	"context"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"slices"
	"testing"
	"testing/synctest"

	"github.com/wiretrue/websocket"
	"github.com/wiretrue/websocket/wstest"
)

// A server that is restarted twice tells each entry once, without a wait in
// real time.
func TestFollow(t *testing.T) {
	log.SetOutput(io.Discard)
	synctest.Test(t, func(t *testing.T) {
		connections := 0
		var f follower
		f.options.NetDial = func(context.Context, string, string) (net.Conn, error) {
			near, far := net.Pipe()
			connections++
			turn := connections
			go func() {
				c, err := wstest.Accept(far, nil)
				if err != nil {
					return
				}
				from, err := websocket.ReadJSON[resume](context.Background(), c)
				if err != nil {
					return
				}
				for id := from.After + 1; id <= turn*2; id++ {
					websocket.WriteJSON(context.Background(), c, entry{id, "news"})
				}
				switch turn {
				case 1:
					c.Close(context.Background(), websocket.StatusServiceRestart, "")
				case 2:
					c.CloseNow()
				default:
					c.Close(context.Background(), websocket.StatusNormalClosure, "the end")
				}
			}()
			return near, nil
		}
		var ids []int
		if err := f.follow(t.Context(), wstest.URL, func(e entry) { ids = append(ids, e.ID) }); err != nil {
			t.Error(err)
		}
		if !slices.Equal(ids, []int{1, 2, 3, 4, 5, 6}) || connections != 3 {
			t.Errorf("%v over %d connections", ids, connections)
		}
	})
}

func TestFollowIsRefused(t *testing.T) {
	log.SetOutput(io.Discard)
	var f follower
	f.options.NetDial = func(context.Context, string, string) (net.Conn, error) {
		near, far := net.Pipe()
		p := wstest.NewPeer(t, far)
		go func() {
			p.ReadRequest()
			p.SendBytes([]byte("HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n"))
		}()
		return near, nil
	}
	refused := new(websocket.HandshakeError)
	if err := f.follow(t.Context(), wstest.URL, nil); !errors.As(err, &refused) || refused.Status != http.StatusUnauthorized {
		t.Error(err)
	}
}
