package websocket_test

import (
	"context"
	"fmt"
	"net"

	"github.com/wiretrue/websocket"
	"github.com/wiretrue/websocket/wire/handshake"
)

// serveByHand is a server without net/http.
func serveByHand(nc net.Conn, opts *websocket.AcceptOptions) (*websocket.Conn, error) {
	var b []byte
	for {
		request, n := handshake.ParseRequest(b, 0)
		if n == 0 {
			more := make([]byte, 4096)
			m, err := nc.Read(more)
			if err != nil {
				return nil, err
			}
			b = append(b, more[:m]...)
			continue
		}
		accepted, refused := opts.Answer(&request, false)
		if refused != nil {
			nc.Write(refused.Refusal())
			nc.Close()
			return nil, refused
		}
		accepted.Request = b[:n]
		if _, err := nc.Write(accepted.Response); err != nil {
			accepted.Release()
			return nil, err
		}
		return accepted.Conn(nc, b[n:]), nil
	}
}

func ExampleAcceptOptions_Answer() {
	near, far := net.Pipe()
	go func() {
		c, err := serveByHand(far, new(websocket.AcceptOptions))
		if err != nil {
			return
		}
		c.Write(context.Background(), websocket.Text, []byte("no net/http here"))
		c.Close(context.Background(), websocket.StatusNormalClosure, "")
	}()
	c, err := websocket.Dial(context.Background(), "ws://example.com/", &websocket.DialOptions{
		NetDial: func(context.Context, string, string) (net.Conn, error) { return near, nil },
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	for m, err := range c.Messages(context.Background()) {
		if err != nil {
			break
		}
		fmt.Println(string(m.Data))
	}
	// Output: no net/http here
}
