// Command client sends its arguments to a server and prints what comes back.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"log"
	"os"
	"time"

	"github.com/wiretrue/websocket"
)

func main() {
	url := flag.String("url", "ws://127.0.0.1:8080/", "URL of the server")
	flag.Parse()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := converse(ctx, *url, flag.Args(), os.Stdout); err != nil {
		log.Fatal(err)
	}
}

// converse sends each line and waits for its answer.
func converse(ctx context.Context, url string, lines []string, w io.Writer) error {
	c, err := websocket.Dial(ctx, url, nil)
	if err != nil {
		return err
	}
	defer c.CloseNow() // does nothing after Close
	for _, line := range lines {
		if err := c.Write(ctx, websocket.Text, []byte(line)); err != nil {
			return err
		}
		_, answer, err := c.Read(ctx)
		if err != nil {
			return err
		}
		fmt.Fprintf(w, "%s\n", answer)
	}
	return c.Close(ctx, websocket.StatusNormalClosure, "")
}
