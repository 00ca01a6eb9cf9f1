// Command reconnect follows a feed across restarts of the server and losses of
// the network: it connects again with a growing wait, and asks for what it has
// missed meanwhile.
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"os"
	"os/signal"

	"github.com/wiretrue/websocket"
)

func main() {
	url := flag.String("url", "ws://127.0.0.1:8080/", "URL of the feed")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	f := follower{options: websocket.RedialOptions{}}
	if err := f.follow(ctx, *url, func(e entry) { fmt.Println(e.ID, e.Text) }); err != nil {
		log.Fatal(err)
	}
}

// entry is one of the feed, numbered.
type entry struct {
	ID   int    `json:"id"`
	Text string `json:"text"`
}

// resume asks for the entries behind one.
type resume struct {
	After int `json:"after"`
}

type follower struct {
	options websocket.RedialOptions
	last    int // the number of the newest entry
}

// follow hands out the entries until ctx ends, the feed is over, or the server
// refuses for good, which is the error.
func (f *follower) follow(ctx context.Context, url string, got func(entry)) error {
	opts := f.options
	opts.Resume = func(ctx context.Context, c *websocket.Conn) error {
		return websocket.WriteJSON(ctx, c, resume{After: f.last})
	}
	var refused error
	for c, err := range websocket.Redial(ctx, url, &opts) {
		if refused = err; err != nil {
			log.Print(err)
			continue
		}
		for {
			e, err := websocket.ReadJSON[entry](ctx, c)
			if err != nil {
				log.Print(err) // why the connection ended; the loop goes on with the next
				break
			}
			f.last = e.ID
			got(e)
		}
	}
	if ctx.Err() != nil {
		return nil
	}
	return refused
}
