package main

import (
	"net/http/httptest"
	"testing"

	"github.com/wiretrue/websocket"
)

func TestFeed(t *testing.T) {
	f := new(feed)
	server := httptest.NewServer(f.handler())
	defer server.Close()
	var receivers []*websocket.Conn
	for range 10 {
		c, err := websocket.Dial(t.Context(), server.URL, nil)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.CloseNow() })
		receivers = append(receivers, c)
	}
	stop := make(chan struct{})
	published := make(chan struct{})
	go func() { // again and again, for those that are not known yet
		defer close(published)
		for {
			select {
			case <-stop:
				return
			default:
				f.publish([]byte("news"))
			}
		}
	}()
	for _, c := range receivers {
		for range 3 {
			if _, m, err := c.Read(t.Context()); err != nil || string(m) != "news" {
				t.Errorf("%q, %v", m, err)
			}
		}
	}
	close(stop)
	<-published
}
