package server

import (
	"io"
	"net"
	"net/http"
	"sync"
	"unicode/utf8"

	"github.com/gorilla/websocket"
)

var gorillaDefault = &Server{
	Name: "gorilla", Kind: Peer,
	What:  "gorilla/websocket: ReadMessage and WriteMessage; the handler checks UTF-8",
	Lacks: []Mode{EchoTakeover},
	Serve: func(ln net.Listener, mode Mode) error {
		return serveGorilla(ln, mode, websocket.Upgrader{}, func(c *websocket.Conn, _ []byte) (int, []byte, error) { return c.ReadMessage() })
	},
}

var gorillaLean = &Server{
	Name: "gorilla/lean", Kind: Peer,
	What:  "gorilla/websocket: NextReader into the same slice, write buffers from a pool; the handler checks UTF-8",
	Lacks: []Mode{EchoTakeover},
	Serve: func(ln net.Listener, mode Mode) error {
		up := websocket.Upgrader{ReadBufferSize: 4096, WriteBufferSize: 4096, WriteBufferPool: new(sync.Pool)}
		return serveGorilla(ln, mode, up, func(c *websocket.Conn, buf []byte) (int, []byte, error) {
			typ, r, err := c.NextReader()
			if err != nil {
				return 0, nil, err
			}
			buf, err = readInto(buf, r)
			return typ, buf, err
		})
	},
}

func serveGorilla(ln net.Listener, mode Mode, up websocket.Upgrader, read func(*websocket.Conn, []byte) (int, []byte, error)) error {
	up.EnableCompression = mode == EchoReset
	var members room[*websocket.Conn]
	return serveHTTP(ln, func(w http.ResponseWriter, r *http.Request) {
		c, err := up.Upgrade(w, r, nil)
		if err != nil {
			return
		}
		defer c.Close()
		c.SetReadLimit(readLimit)
		if mode == Broadcast {
			members.enter(c)
			defer members.leave(c)
		}
		var buf []byte
		for {
			var typ int
			typ, buf, err = read(c, buf)
			if err == nil && typ == websocket.TextMessage && !utf8.Valid(buf) {
				err = errNotUTF8
			}
			if err != nil {
				return
			}
			if mode != Broadcast {
				if c.WriteMessage(typ, buf) != nil {
					return
				}
				continue
			}
			p, err := websocket.NewPreparedMessage(typ, buf)
			if err != nil {
				return
			}
			members.each(func(c *websocket.Conn) { c.WritePreparedMessage(p) })
		}
	})
}

// readInto reads all of r into buf from its beginning, or into a larger slice.
func readInto(buf []byte, r io.Reader) ([]byte, error) {
	if cap(buf) == 0 {
		buf = make([]byte, 0, 512)
	}
	buf = buf[:0]
	for {
		if len(buf) == cap(buf) {
			buf = append(buf, 0)[:len(buf)]
		}
		n, err := r.Read(buf[len(buf):cap(buf)])
		buf = buf[:len(buf)+n]
		if err == io.EOF {
			return buf, nil
		}
		if err != nil {
			return buf, err
		}
	}
}
