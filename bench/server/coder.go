package server

import (
	"context"
	"net"
	"net/http"
	"unicode/utf8"

	"github.com/coder/websocket"
)

var coderDefault = &Server{
	Name: "coder", Kind: Peer,
	What: "coder/websocket: Read and Write; the handler checks UTF-8",
	Serve: func(ln net.Listener, mode Mode) error {
		return serveCoder(ln, mode, func(ctx context.Context, c *websocket.Conn, _ []byte) (websocket.MessageType, []byte, error) {
			return c.Read(ctx)
		})
	},
}

var coderLean = &Server{
	Name: "coder/lean", Kind: Peer,
	What: "coder/websocket: Reader into the same slice and Write; the handler checks UTF-8",
	Serve: func(ln net.Listener, mode Mode) error {
		return serveCoder(ln, mode, func(ctx context.Context, c *websocket.Conn, buf []byte) (websocket.MessageType, []byte, error) {
			typ, r, err := c.Reader(ctx)
			if err != nil {
				return 0, nil, err
			}
			buf, err = readInto(buf, r)
			return typ, buf, err
		})
	},
}

func serveCoder(ln net.Listener, mode Mode, read func(context.Context, *websocket.Conn, []byte) (websocket.MessageType, []byte, error)) error {
	var opts websocket.AcceptOptions
	switch mode {
	case EchoReset:
		opts.CompressionMode = websocket.CompressionNoContextTakeover
	case EchoTakeover:
		opts.CompressionMode = websocket.CompressionContextTakeover
	}
	var members room[*websocket.Conn]
	return serveHTTP(ln, func(w http.ResponseWriter, r *http.Request) {
		c, err := websocket.Accept(w, r, &opts)
		if err != nil {
			return
		}
		defer c.CloseNow()
		c.SetReadLimit(readLimit)
		if mode == Broadcast {
			members.enter(c)
			defer members.leave(c)
		}
		ctx := context.Background() // the documentation warns of the request's after a hijack
		var buf []byte
		for {
			var typ websocket.MessageType
			typ, buf, err = read(ctx, c, buf)
			if err == nil && typ == websocket.MessageText && !utf8.Valid(buf) {
				err = errNotUTF8
			}
			if err != nil {
				return
			}
			if mode == Broadcast {
				members.each(func(c *websocket.Conn) { c.Write(ctx, typ, buf) })
			} else if c.Write(ctx, typ, buf) != nil {
				return
			}
		}
	})
}
