package interop

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http/httptest"
	"strconv"
	"testing"

	"github.com/wiretrue/websocket"
	"github.com/wiretrue/websocket/wire/deflate"
)

// TestCompressionWithPeers holds the conversation with echoes that compress
// with zlib, in both roles.
func TestCompressionWithPeers(t *testing.T) {
	for _, name := range []string{"ws", "websockets"} {
		for _, server := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s, server %t", name, server), func(t *testing.T) {
				full(t)
				t.Parallel()
				them := kinds[name](t)
				all := directions()
				for i, ours := range all {
					theirs := all[(7*i+3)%len(all)] // each once
					if name == "websockets" {
						theirs.bits = max(theirs.bits, 9) // with 8 its compressor refuses to work
					}
					t.Run(fmt.Sprintf("ours %v, theirs %v", ours, theirs), func(t *testing.T) {
						if server {
							withCompressingClient(t, them, ours, theirs)
						} else {
							withCompressingServer(t, them, ours, theirs)
						}
					})
				}
			})
		}
	}
}

func compressing(ours, theirs direction) websocket.Options {
	return websocket.Options{Compression: &websocket.Compression{
		Threshold:  1,
		WindowBits: ours.bits, NoContextTakeover: ours.fresh,
		PeerWindowBits: theirs.bits, PeerNoContextTakeover: theirs.fresh,
	}}
}

func withCompressingClient(t *testing.T, them *peer, ours, theirs direction) {
	accepted := make(chan *websocket.Conn, 1)
	s := &websocket.Server{AcceptOptions: websocket.AcceptOptions{Options: compressing(ours, theirs)}}
	hs := httptest.NewServer(s.Handler(func(_ context.Context, c *websocket.Conn) error {
		accepted <- c
		<-c.Done()
		return nil
	}))
	defer hs.Close()
	them.do(command{Do: "dial", URL: "ws" + hs.URL[len("http"):], Echo: true, Compression: &compression{ours.bits, theirs.bits, ours.fresh, theirs.fresh}})
	opened := them.await(t, 0, "open")
	c := <-accepted
	want := deflate.Params{ServerMaxWindowBits: uint8(ours.bits), ClientMaxWindowBits: uint8(theirs.bits), ServerNoContextTakeover: ours.fresh, ClientNoContextTakeover: theirs.fresh}
	echoed(t, c, want)
	them.await(t, opened.Conn, "closed")
}

func withCompressingServer(t *testing.T, them *peer, ours, theirs direction) {
	them.do(command{Do: "listen", Echo: true, Compression: &compression{theirs.bits, ours.bits, theirs.fresh, ours.fresh}})
	port := them.await(t, 0, "listening").Port
	c, err := websocket.Dial(safe(t), "ws://127.0.0.1:"+strconv.Itoa(port), &websocket.DialOptions{Options: compressing(ours, theirs)})
	if err != nil {
		t.Fatalf("%v\n%s", err, them.stderr())
	}
	opened := them.await(t, 0, "open")
	want := deflate.Params{ServerMaxWindowBits: uint8(theirs.bits), ClientMaxWindowBits: uint8(ours.bits), ServerNoContextTakeover: theirs.fresh, ClientNoContextTakeover: ours.fresh}
	echoed(t, c, want)
	them.await(t, opened.Conn, "closed")
}

// echoed sends the conversation, and reads it.
func echoed(t *testing.T, c *websocket.Conn, agreed deflate.Params) {
	t.Helper()
	defer c.CloseNow()
	if want := agreed.Response().String(); c.Compression() != want {
		t.Fatalf("agreed on %q, want %q", c.Compression(), want)
	}
	ctx := safe(t)
	sent := make(chan error, 1)
	// A ws that has much to inflate gives the connection up without a word.
	underWay := make(chan struct{}, 16)
	go func() {
		for i, m := range conversation(t) {
			underWay <- struct{}{}
			if err := sendSomehow(ctx, c, i, m); err != nil {
				sent <- err
				return
			}
		}
		sent <- nil
	}()
	for i, want := range conversation(t) {
		if _, m, err := c.Read(ctx); err != nil || !bytes.Equal(m, want) {
			t.Fatalf("message %d: %d bytes came back of %d, %v", i, len(m), len(want), err)
		}
		<-underWay
	}
	if err := <-sent; err != nil {
		t.Error(err)
	}
	if s := c.Stats(); s.Sent.Compressed == 0 || s.Received.Compressed == 0 {
		t.Errorf("nothing was compressed: %+v", s)
	}
	closed := new(websocket.CloseError)
	if err := c.Close(ctx, websocket.StatusNormalClosure, ""); err != nil || !errors.As(c.Cause(), &closed) {
		t.Errorf("Close: %v, %v", err, c.Cause())
	}
}

// sendSomehow sends the i-th message whole or in fragments, with pings beside.
func sendSomehow(ctx context.Context, c *websocket.Conn, i int, m []byte) error {
	if i%10 == 0 {
		go c.Ping(ctx)
	}
	if i%4 != 1 {
		return c.Write(ctx, websocket.Text, m)
	}
	w, err := c.Writer(ctx, websocket.Text)
	if err != nil {
		return err
	}
	for len(m) > 0 {
		n := min(len(m), 3000)
		if _, err := w.Write(m[:n]); err != nil {
			return err
		}
		m = m[n:]
	}
	return w.Close()
}
