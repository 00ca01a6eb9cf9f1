package websocket_test

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/wiretrue/websocket"
	"github.com/wiretrue/websocket/wire/handshake"
	"github.com/wiretrue/websocket/wire/rfc"
)

// What is answered by hand is a connection like any other, with the bytes behind
// its request and the Trace's view of it.
func TestAnswer(t *testing.T) {
	near, far := net.Pipe()
	var told websocket.HandshakeTrace
	opts := &websocket.AcceptOptions{
		Options: websocket.Options{Trace: &websocket.Trace{Handshake: func(_ *websocket.Conn, h *websocket.HandshakeTrace) {
			told = *h
			told.Request, told.Response = bytes.Clone(h.Request), bytes.Clone(h.Response)
		}}},
		Subprotocols: []string{"b", "a"},
	}
	head := strings.Replace(requestHead("+Sec-WebSocket-Protocol: a"), "Sec-WebSocket-Version", "sec-websocket-VERSION", 1)
	go near.Write([]byte(head + "\x81\x85\x00\x00\x00\x00early"))
	read := make(chan []byte, 1)
	go func() {
		defer close(read)
		r, err := http.ReadResponse(bufio.NewReader(near), nil)
		if err == nil {
			read <- []byte(r.Status)
		}
	}()
	c, err := serveByHand(far, opts)
	if err != nil {
		t.Fatal(err)
	}
	defer c.CloseNow()
	if got := string(<-read); got != "101 Switching Protocols" {
		t.Errorf("answered with %q", got)
	}
	if c.Subprotocol() != "a" {
		t.Errorf("the subprotocol is %q", c.Subprotocol())
	}
	if _, m, err := c.Read(t.Context()); err != nil || string(m) != "early" {
		t.Errorf("read %q, %v", m, err)
	}
	if !told.Server || told.Begun.IsZero() || told.Local == nil || string(told.Request) != head || !bytes.HasPrefix(told.Response, []byte("HTTP/1.1 101 ")) || told.Err != nil {
		t.Errorf("the Trace was told %+v", told)
	}
}

// Answer writes a head for the Trace when nobody has the bytes.
func TestAnswerWithoutTheBytes(t *testing.T) {
	request, n := handshake.ParseRequest([]byte(requestHead("Host: example.com:81", "+X-Of-The-Program: 1")), 0)
	if n == 0 {
		t.Fatal("the request is not whole")
	}
	accepted, refused := (&websocket.AcceptOptions{Options: websocket.Options{Trace: new(websocket.Trace)}}).Answer(&request, false)
	if refused != nil {
		t.Fatal(refused)
	}
	defer accepted.Release()
	again, n := handshake.ParseRequest(accepted.Request, 0)
	if n != len(accepted.Request) || !again.Broken.Clean() || again.Target != request.Target || fmt.Sprint(again.Host, again.Header) != fmt.Sprint(request.Host, request.Header) {
		t.Errorf("the request was told as %q", accepted.Request)
	}
}

func TestAnswerRefuses(t *testing.T) {
	near, far := net.Pipe()
	go near.Write([]byte(requestHead("+Origin: https://evil.example")))
	answer := make(chan string, 1)
	go func() {
		b, _ := io.ReadAll(near)
		answer <- string(b)
	}()
	_, err := serveByHand(far, new(websocket.AcceptOptions))
	refused := new(websocket.HandshakeError)
	if !errors.As(err, &refused) || refused.Rule != rfc.OriginAllowed || refused.Status != http.StatusForbidden {
		t.Fatalf("ended with %v", err)
	}
	r, err := http.ReadResponse(bufio.NewReader(strings.NewReader(<-answer)), nil)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(r.Body)
	if err != nil || r.StatusCode != http.StatusForbidden || !r.Close || string(body) != refused.Error()+"\n" {
		t.Errorf("answered with %v, %q, %v", r, body, err)
	}
}

// A handshake that is given up leaves its memory to others.
func TestReleaseAccepted(t *testing.T) {
	opts := &websocket.AcceptOptions{Options: compressed(&websocket.Compression{MaxMemory: 10 << 10, CompactAfter: websocket.CompactAtOnce})}
	request, _ := handshake.ParseRequest([]byte(requestHead("+Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits")), 0)
	var first *websocket.Accepted
	for i, windows := range []bool{true, false, true} {
		accepted, refused := opts.Answer(&request, false)
		if refused != nil {
			t.Fatal(refused)
		}
		if bytes.Contains(accepted.Response, []byte("server_no_context_takeover")) == windows {
			t.Errorf("handshake %d is answered with %q", i+1, accepted.Response)
		}
		switch i {
		case 0:
			first = accepted
		case 1:
			first.Release()
		}
	}
}
