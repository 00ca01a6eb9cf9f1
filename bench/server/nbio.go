package server

import (
	"net"
	"net/http"

	"github.com/lesismal/nbio/logging"
	"github.com/lesismal/nbio/nbhttp"
	"github.com/lesismal/nbio/nbhttp/websocket"
)

var nbioDefault = &Server{
	Name: "nbio", Kind: Peer,
	What:  "lesismal/nbio: non-blocking, handlers on its goroutines, the defaults (which check UTF-8)",
	Lacks: []Mode{EchoTakeover},
	Serve: func(ln net.Listener, mode Mode) error { return serveNbio(ln, mode, nil) },
}

var nbioInline = &Server{
	Name: "nbio/inline", Kind: Peer,
	What:  "lesismal/nbio: non-blocking, handlers on the poller's thread",
	Lacks: []Mode{EchoTakeover},
	Serve: func(ln net.Listener, mode Mode) error { return serveNbio(ln, mode, func(f func()) { f() }) },
}

func serveNbio(ln net.Listener, mode Mode, executor func(func())) error {
	logging.SetLevel(logging.LevelNone)
	up := websocket.NewUpgrader()
	up.MessageLengthLimit = readLimit
	up.EnableCompression(mode == EchoReset)
	var members room[*websocket.Conn]
	if mode == Broadcast {
		up.OnOpen(func(c *websocket.Conn) { members.enter(c) })
		up.OnClose(func(c *websocket.Conn, _ error) { members.leave(c) })
	}
	up.OnMessage(func(c *websocket.Conn, typ websocket.MessageType, b []byte) {
		if mode != Broadcast {
			c.WriteMessage(typ, b)
			return
		}
		members.each(func(c *websocket.Conn) { c.WriteMessage(typ, b) })
	})
	engine := nbhttp.NewEngine(nbhttp.Config{
		Network:                 "tcp",
		Addrs:                   []string{ln.Addr().String()},
		Listen:                  func(string, string) (net.Listener, error) { return ln, nil },
		ReleaseWebsocketPayload: true,
		ServerExecutor:          executor,
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			c, err := up.Upgrade(w, r, nil)
			if err == nil && mode == EchoReset {
				c.EnableWriteCompression(true)
			}
		}),
	})
	if err := engine.Start(); err != nil {
		return err
	}
	select {}
}
