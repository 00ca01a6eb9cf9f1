package server

import (
	"context"
	"net"

	"github.com/wiretrue/websocket"
	"github.com/wiretrue/websocket/bench/soak"
)

var wiretrue = &Server{
	Name: "wiretrue", Kind: Ours,
	What:  "this library: Server.Handler, Messages and Write, the defaults",
	Serve: func(ln net.Listener, mode Mode) error { return serveWiretrue(ln, mode, wiretrueMessages) },
}

var wiretrueLean = &Server{
	Name: "wiretrue/lean", Kind: Ours,
	What:  "this library: Server.Handler, ReadInto the same slice and Write",
	Serve: func(ln net.Listener, mode Mode) error { return serveWiretrue(ln, mode, wiretrueInto) },
}

func serveWiretrue(ln net.Listener, mode Mode, read func(context.Context, *websocket.Conn, func(websocket.Message) error) error) error {
	s := new(websocket.Server)
	switch mode {
	case EchoTakeover:
		s.Compression = new(websocket.Compression)
	case EchoReset:
		s.Compression = &websocket.Compression{NoContextTakeover: true, PeerNoContextTakeover: true}
	}
	var members room[*websocket.Conn]
	return serveHTTP(ln, s.Handler(func(ctx context.Context, c *websocket.Conn) error {
		open()
		defer func() { end(soak.Cause(c.Cause())) }()
		if mode != Broadcast {
			return read(ctx, c, func(m websocket.Message) error { return c.Write(ctx, m.Type, m.Data) })
		}
		members.enter(c)
		defer members.leave(c)
		return read(ctx, c, func(m websocket.Message) error {
			p, err := websocket.Prepare(m.Type, m.Data)
			if err != nil {
				return err
			}
			members.each(func(c *websocket.Conn) { c.WritePrepared(ctx, p) })
			return nil
		})
	}).ServeHTTP)
}

func wiretrueMessages(ctx context.Context, c *websocket.Conn, f func(websocket.Message) error) error {
	for m, err := range c.Messages(ctx) {
		if err == nil {
			err = f(m)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func wiretrueInto(ctx context.Context, c *websocket.Conn, f func(websocket.Message) error) error {
	var buf []byte
	for {
		typ, b, err := c.ReadInto(ctx, buf)
		if err == nil {
			err = f(websocket.Message{Type: typ, Data: b})
		}
		if err != nil {
			return err
		}
		buf = b
	}
}
