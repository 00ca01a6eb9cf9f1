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
	Serve: func(ln net.Listener, mode Mode) error { return serveWiretrue(ln, mode, echoMessages) },
}

var wiretrueLean = &Server{
	Name: "wiretrue/lean", Kind: Ours,
	What:  "this library: Server.Handler, ReadInto the same slice and Write",
	Serve: func(ln net.Listener, mode Mode) error { return serveWiretrue(ln, mode, echoInto) },
}

func serveWiretrue(ln net.Listener, mode Mode, echo websocket.HandlerFunc) error {
	s := new(websocket.Server)
	switch mode {
	case EchoTakeover:
		s.Compression = new(websocket.Compression)
	case EchoReset:
		s.Compression = &websocket.Compression{NoContextTakeover: true, PeerNoContextTakeover: true}
	}
	var members room[*websocket.Conn]
	return serveHTTP(ln, s.Handler(func(ctx context.Context, c *websocket.Conn) (err error) {
		open()
		if mode == Broadcast {
			err = passOn(ctx, c, &members)
		} else {
			err = echo(ctx, c)
		}
		end(soak.Cause(c.Cause()))
		return err
	}).ServeHTTP)
}

func echoMessages(ctx context.Context, c *websocket.Conn) error {
	for m, err := range c.Messages(ctx) {
		if err != nil {
			return err
		}
		if err := c.Write(ctx, m.Type, m.Data); err != nil {
			return err
		}
	}
	return nil
}

func echoInto(ctx context.Context, c *websocket.Conn) error {
	var buf []byte
	for {
		typ, b, err := c.ReadInto(ctx, buf)
		if err != nil {
			return err
		}
		if err := c.Write(ctx, typ, b); err != nil {
			return err
		}
		buf = b
	}
}

// passOn sends what the connection sends to all members, of which it is one.
func passOn(ctx context.Context, c *websocket.Conn, members *room[*websocket.Conn]) error {
	members.enter(c)
	defer members.leave(c)
	for m, err := range c.Messages(ctx) {
		if err != nil {
			return err
		}
		p, err := websocket.Prepare(m.Type, m.Data)
		if err != nil {
			return err
		}
		members.each(func(c *websocket.Conn) { c.WritePrepared(ctx, p) })
	}
	return nil
}
