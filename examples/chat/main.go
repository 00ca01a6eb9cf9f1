// Command chat is a room in which two generations of clients meet: one URI,
// two subprotocols. Members of plain.chat exchange lines of text, those of
// json.chat objects with a name. A member that reads too slowly loses the
// oldest messages, and delays nobody.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"log"
	"net/http"
	"sync"

	"github.com/wiretrue/websocket"
)

func main() {
	listen := flag.String("listen", "127.0.0.1:8080", "address to listen on")
	flag.Parse()
	log.Fatal(http.ListenAndServe(*listen, new(room).handler()))
}

// line is what somebody said.
type line struct {
	Name string `json:"name"`
	Text string `json:"text"`
}

// room knows its members, and the form in which each wants to be told.
type room struct {
	mu      sync.Mutex
	members map[*websocket.Conn]func(line) []byte
}

// handler serves the room by subprotocol. A client that speaks neither is
// answered with HTTP 400.
func (r *room) handler() http.Handler {
	var s websocket.Server
	s.QueuePolicy = websocket.QueueDropOldest
	s.QueueLimit = 64 << 10
	s.ReadLimit = 4 << 10
	return s.Services(map[string]websocket.HandlerFunc{"plain.chat": r.plain, "json.chat": r.json})
}

func (r *room) plain(ctx context.Context, c *websocket.Conn) error {
	r.join(c, func(l line) []byte { return fmt.Appendf(nil, "%s: %s", l.Name, l.Text) })
	defer r.leave(c)
	name := c.RemoteAddr().String()
	for m, err := range c.Messages(ctx) {
		if err != nil {
			return err
		}
		if m.Type != websocket.Text {
			return &websocket.CloseError{Code: websocket.StatusUnsupportedData, Reason: "plain.chat is text"}
		}
		r.say(line{name, string(m.Data)})
	}
	return nil
}

func (r *room) json(ctx context.Context, c *websocket.Conn) error {
	r.join(c, func(l line) []byte {
		b, _ := json.Marshal(l) // two strings
		return b
	})
	defer r.leave(c)
	for {
		l, err := websocket.ReadJSON[line](ctx, c)
		if err != nil && c.Cause() == nil {
			return &websocket.CloseError{Code: websocket.StatusInvalidPayloadData, Reason: "json.chat is objects with name and text"}
		} else if err != nil {
			return err
		}
		r.say(l)
	}
}

func (r *room) join(c *websocket.Conn, form func(line) []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.members == nil {
		r.members = map[*websocket.Conn]func(line) []byte{}
	}
	r.members[c] = form
}

func (r *room) leave(c *websocket.Conn) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.members, c)
}

// say tells everybody. No write waits, whatever a member does: its queue drops
// the oldest messages.
func (r *room) say(l line) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for c, form := range r.members {
		c.Write(context.Background(), websocket.Text, form(l)) // one that has ended leaves by itself
	}
}
