// Command proxied is a service behind a reverse proxy that ends TLS, with the
// configurations of nginx and HAProxy beside it.
//
// Three things differ from a service that faces its clients. The pages that may
// connect come from the proxy's https origin, which the server cannot know and
// must be told. The peer's address is the proxy's, and the client's stands in a
// header. The proxy has an idle timeout, which the server's pings must undercut.
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"net/http"
	"time"

	"github.com/wiretrue/websocket"
)

func main() {
	listen := flag.String("listen", "127.0.0.1:8080", "address to listen on, which only the proxy should reach")
	origin := flag.String("origin", "https://example.com", "origin of the pages that may connect")
	flag.Parse()
	log.Fatal(http.ListenAndServe(*listen, handler(*origin)))
}

func handler(origin string) http.Handler {
	var s websocket.Server
	s.Origins = []string{origin}
	s.PingInterval = 25 * time.Second // nginx gives up after 60 s by default, and so do many others
	return s.Handler(greet)
}

func greet(ctx context.Context, c *websocket.Conn) error {
	client := websocket.RequestFrom(ctx).Header.Get("X-Forwarded-For")
	if err := c.Write(ctx, websocket.Text, fmt.Appendf(nil, "hello %s", client)); err != nil {
		return err
	}
	<-c.CloseRead(ctx).Done()
	return c.Cause()
}
