// Command feed tells everybody the same: each message is encoded once, however
// many receive it. A receiver that falls behind is disconnected with 1008, and
// may come back.
package main

import (
	"context"
	"flag"
	"log"
	"net/http"
	"sync"
	"time"

	"github.com/wiretrue/websocket"
)

func main() {
	listen := flag.String("listen", "127.0.0.1:8080", "address to listen on")
	flag.Parse()
	f := new(feed)
	go func() {
		for now := range time.Tick(time.Second) {
			if err := f.publish([]byte(now.Format(time.RFC3339))); err != nil {
				log.Print(err)
			}
		}
	}()
	log.Fatal(http.ListenAndServe(*listen, f.handler()))
}

type feed struct {
	mu        sync.Mutex
	receivers map[*websocket.Conn]struct{}
}

func (f *feed) handler() http.Handler {
	var s websocket.Server
	s.QueuePolicy = websocket.QueueDisconnect
	s.QueueLimit = 256 << 10
	return s.Handler(f.serve)
}

// serve keeps a receiver until its connection ends. Nothing is expected from
// it, but somebody must be reading for pings to be answered.
func (f *feed) serve(ctx context.Context, c *websocket.Conn) error {
	f.mu.Lock()
	if f.receivers == nil {
		f.receivers = map[*websocket.Conn]struct{}{}
	}
	f.receivers[c] = struct{}{}
	f.mu.Unlock()
	defer func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		delete(f.receivers, c)
	}()
	<-c.CloseRead(ctx).Done()
	return c.Cause()
}

// publish sends a text message to all receivers.
func (f *feed) publish(text []byte) error {
	p, err := websocket.Prepare(websocket.Text, text)
	if err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	for c := range f.receivers {
		c.WritePrepared(context.Background(), p) // one that has ended leaves by itself
	}
	return nil
}
