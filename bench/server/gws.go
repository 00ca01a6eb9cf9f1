package server

import (
	"net"
	"net/http"

	"github.com/lxzan/gws"
)

var gwsDefault = &Server{
	Name: "gws", Kind: Peer,
	What:  "lxzan/gws: ReadLoop and WriteMessage, payloads given back to the pool, CheckUtf8Enabled",
	Serve: serveGWS,
}

type gwsEvents struct {
	gws.BuiltinEventHandler
	mode    Mode
	members room[*gws.Conn]
}

func (e *gwsEvents) OnOpen(c *gws.Conn) {
	if e.mode == Broadcast {
		e.members.enter(c)
	}
}

func (e *gwsEvents) OnClose(c *gws.Conn, err error) {
	if e.mode == Broadcast {
		e.members.leave(c)
	}
}

func (e *gwsEvents) OnMessage(c *gws.Conn, m *gws.Message) {
	defer m.Close()
	if e.mode != Broadcast {
		c.WriteMessage(m.Opcode, m.Bytes())
		return
	}
	b := gws.NewBroadcaster(m.Opcode, m.Bytes())
	defer b.Close()
	e.members.each(func(c *gws.Conn) { b.Broadcast(c) })
}

func serveGWS(ln net.Listener, mode Mode) error {
	opts := &gws.ServerOption{CheckUtf8Enabled: true, ReadMaxPayloadSize: readLimit, Recovery: gws.Recovery}
	if mode == EchoReset || mode == EchoTakeover {
		takeover := mode == EchoTakeover
		opts.PermessageDeflate = gws.PermessageDeflate{Enabled: true, ServerContextTakeover: takeover, ClientContextTakeover: takeover}
	}
	up := gws.NewUpgrader(&gwsEvents{mode: mode}, opts)
	return serveHTTP(ln, func(w http.ResponseWriter, r *http.Request) {
		c, err := up.Upgrade(w, r)
		if err != nil {
			return
		}
		go c.ReadLoop()
	})
}
