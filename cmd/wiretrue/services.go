package main

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/wiretrue/websocket"
	"github.com/wiretrue/websocket/engine"
)

// The subprotocols of the services.
const (
	chatProtocol = "chat.wiretrue"
	timeProtocol = "time.wiretrue"
)

// services are what serve offers: several on one port, told apart by URI, and
// on one URI by subprotocol.
type services struct {
	http.Handler

	// Two servers, for what they do about slow consumers differs: an echo waits
	// for its client, a room does not wait for any of its members.
	own, shared websocket.Server

	// The echo's, where it is to be served by event loops.
	loops engine.Server
}

func newServices(opts websocket.AcceptOptions, loops bool) *services {
	s := new(services)
	s.own.AcceptOptions = opts
	s.loops.AcceptOptions = opts
	s.loops.OnMessage = func(c *engine.Conn, typ websocket.MessageType, p []byte) { c.Write(typ, p) }
	s.shared.AcceptOptions = opts
	s.shared.QueuePolicy = websocket.QueueDropOldest
	s.shared.QueueLimit = 256 << 10

	var lobby room
	chat := map[string]websocket.HandlerFunc{chatProtocol: lobby.serve}
	clock := map[string]websocket.HandlerFunc{timeProtocol: tell, "": tell}
	both := map[string]websocket.HandlerFunc{chatProtocol: lobby.serve, timeProtocol: tell}

	echoes := s.own.Handler(echo)
	if loops {
		echoes = &s.loops
	}
	mux := http.NewServeMux()
	mux.Handle("/{$}", upgradeOr(echoes, page()))
	mux.Handle("/page/", page())
	mux.Handle("/echo", echoes)
	mux.Handle("/time", s.own.Services(clock))
	mux.Handle("/chat", s.shared.Services(chat))
	mux.Handle("/services", s.shared.Services(both))
	s.Handler = mux
	return s
}

// shutdown ends the connections of all servers as Server.Shutdown does.
func (s *services) shutdown(ctx context.Context) error {
	ended := make(chan error)
	go func() { ended <- s.own.Shutdown(ctx) }()
	go func() { ended <- s.loops.Shutdown(ctx) }()
	err := s.shared.Shutdown(ctx)
	return errors.Join(err, <-ended, <-ended)
}

// upgradeOr serves WebSocket and plain HTTP on one URI.
func upgradeOr(upgrade, plain http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Upgrade") != "" || strings.Contains(strings.ToLower(r.Header.Get("Connection")), "upgrade") {
			upgrade.ServeHTTP(w, r)
			return
		}
		plain.ServeHTTP(w, r)
	})
}

// echo sends every message back.
func echo(ctx context.Context, c *websocket.Conn) error {
	var buf []byte
	for {
		typ, message, err := c.ReadInto(ctx, buf)
		if err != nil {
			return err
		}
		if err := c.Write(ctx, typ, message); err != nil {
			return err
		}
		if buf = message; cap(buf) > 1<<20 {
			buf = nil // a large message is not kept for the next one
		}
	}
}

// tell sends the time every second and takes no notice of what comes.
func tell(ctx context.Context, c *websocket.Conn) error {
	go func() {
		for range c.Messages(ctx) {
		}
	}()
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for now := time.Now(); ; {
		if err := c.Write(ctx, websocket.Text, []byte(now.Format(time.RFC3339))); err != nil {
			return err
		}
		select {
		case now = <-tick.C:
		case <-ctx.Done():
			return c.Cause()
		}
	}
}

// room sends every message of a member to all of them, the sender included.
type room struct {
	mu      sync.Mutex
	members map[*websocket.Conn]struct{}
}

func (r *room) serve(ctx context.Context, c *websocket.Conn) error {
	r.join(c)
	defer r.leave(c)
	for m, err := range c.Messages(ctx) {
		if err != nil {
			return err
		}
		p, err := websocket.Prepare(m.Type, m.Data)
		if err != nil {
			return err
		}
		r.broadcast(p)
	}
	return nil
}

func (r *room) join(c *websocket.Conn) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.members == nil {
		r.members = make(map[*websocket.Conn]struct{})
	}
	r.members[c] = struct{}{}
}

func (r *room) leave(c *websocket.Conn) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.members, c)
}

// broadcast waits for nobody: of a member that reads too slowly the oldest
// messages are dropped, and one that has ended leaves by itself.
func (r *room) broadcast(p *websocket.Prepared) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for c := range r.members {
		c.WritePrepared(context.Background(), p)
	}
}
