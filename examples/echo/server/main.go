// Command server echoes. Ctrl-C closes every connection with 1001 before it
// ends.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"os/signal"
	"time"

	"github.com/wiretrue/websocket"
	"github.com/wiretrue/websocket/examples/echo"
)

func main() {
	listen := flag.String("listen", "127.0.0.1:8080", "address to listen on")
	flag.Parse()
	l, err := net.Listen("tcp", *listen)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("ws://%v/\n", l.Addr())
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := serve(ctx, l); err != nil {
		log.Fatal(err)
	}
}

// serve serves until ctx ends, and then drains for up to 10 s.
func serve(ctx context.Context, l net.Listener) error {
	sockets := new(websocket.Server)
	server := &http.Server{Handler: sockets.Handler(echo.Echo), ReadHeaderTimeout: 10 * time.Second}
	served := make(chan error, 1)
	go func() { served <- server.Serve(l) }()
	select {
	case err := <-served:
		return err
	case <-ctx.Done():
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	return errors.Join(server.Shutdown(ctx), sockets.Shutdown(ctx)) // no new ones, then the open ones
}
