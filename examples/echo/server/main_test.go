package main

import (
	"context"
	"errors"
	"net"
	"testing"

	"github.com/wiretrue/websocket"
)

func TestServe(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	served := make(chan error, 1)
	go func() { served <- serve(ctx, l) }()

	c, err := websocket.Dial(t.Context(), "ws://"+l.Addr().String(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer c.CloseNow()
	if err := c.Write(t.Context(), websocket.Text, []byte("hello")); err != nil {
		t.Fatal(err)
	}
	if typ, m, err := c.Read(t.Context()); err != nil || typ != websocket.Text || string(m) != "hello" {
		t.Errorf("%v %q, %v", typ, m, err)
	}

	stop()
	_, _, err = c.Read(t.Context())
	closed := new(websocket.CloseError)
	if !errors.As(err, &closed) || closed.Code != websocket.StatusGoingAway {
		t.Errorf("while the server ends: %v", err)
	}
	if err := <-served; err != nil {
		t.Error(err)
	}
}
