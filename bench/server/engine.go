package server

import (
	"fmt"
	"net"

	"github.com/wiretrue/websocket"
	"github.com/wiretrue/websocket/bench/soak"
	"github.com/wiretrue/websocket/engine"
)

var engineEpoll = &Server{
	Name: "engine/epoll", Kind: Ours,
	What: "this library: engine.Server on epoll, handlers inline",
	Serve: func(ln net.Listener, mode Mode) error {
		return serveEngine(ln, mode, &engine.Server{Backend: engine.Epoll})
	},
}

var engineIOUring = &Server{
	Name: "engine/io_uring", Kind: Ours,
	What:    "this library: engine.Server on io_uring, handlers inline",
	Missing: func() error { return using(&engine.Server{Backend: engine.IOUring}) },
	Serve: func(ln net.Listener, mode Mode) error {
		return serveEngine(ln, mode, &engine.Server{Backend: engine.IOUring})
	},
}

var engineBlocking = &Server{
	Name: "engine/blocking", Kind: Ours,
	What:  "this library: engine.Server with Blocking, on epoll",
	Serve: func(ln net.Listener, mode Mode) error { return serveEngine(ln, mode, &engine.Server{Blocking: true}) },
}

// using reports an engine that would run on another backend than it was told,
// whose figures would stand under the wrong name.
func using(s *engine.Server) error {
	defer s.Close()
	got, err := s.Using()
	if err == nil && got != s.Backend {
		err = fmt.Errorf("%w: %v was asked for, and is %v", engine.ErrBackend, s.Backend, got)
	}
	return err
}

func serveEngine(ln net.Listener, mode Mode, s *engine.Server) error {
	switch mode {
	case EchoTakeover:
		s.Compression = new(websocket.Compression)
	case EchoReset:
		s.Compression = &websocket.Compression{NoContextTakeover: true, PeerNoContextTakeover: true}
	}
	var members room[*engine.Conn]
	s.OnOpen = func(c *engine.Conn) {
		open()
		if mode == Broadcast {
			members.enter(c)
		}
	}
	s.OnClose = func(c *engine.Conn, cause error) {
		end(soak.Cause(cause))
		if mode == Broadcast {
			members.leave(c)
		}
	}
	s.OnMessage = func(c *engine.Conn, typ websocket.MessageType, p []byte) { c.Write(typ, p) }
	if mode == Broadcast {
		s.OnMessage = func(c *engine.Conn, typ websocket.MessageType, b []byte) {
			p, err := websocket.Prepare(typ, b)
			if err != nil {
				return
			}
			members.each(func(c *engine.Conn) { c.WritePrepared(p) })
		}
	}
	return s.Serve(ln)
}
