package main

import (
	"errors"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/wiretrue/websocket"
)

func TestChat(t *testing.T) {
	server := httptest.NewServer(new(room).handler())
	defer server.Close()
	enter := func(subprotocol string) *websocket.Conn {
		t.Helper()
		c, err := websocket.Dial(t.Context(), server.URL, &websocket.DialOptions{Subprotocols: []string{subprotocol}})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.CloseNow() })
		return c
	}
	old, young := enter("plain.chat"), enter("json.chat")
	// hear reads until somebody says it, which is when c is a member at the latest.
	hear := func(c *websocket.Conn, want string) {
		t.Helper()
		for {
			_, m, err := c.Read(t.Context())
			if err != nil {
				t.Fatalf("until %q: %v", want, err)
			}
			if strings.HasSuffix(string(m), want) {
				return
			}
		}
	}
	old.Write(t.Context(), websocket.Text, []byte("first"))
	hear(old, ": first")
	websocket.WriteJSON(t.Context(), young, line{"Ada", "hello"})
	hear(young, `{"name":"Ada","text":"hello"}`)
	hear(old, "Ada: hello")

	old.Write(t.Context(), websocket.Binary, []byte("\x00"))
	_, _, err := old.Read(t.Context())
	closed := new(websocket.CloseError)
	if !errors.As(err, &closed) || closed.Code != websocket.StatusUnsupportedData {
		t.Errorf("binary in a room of text: %v", err)
	}
	young.Write(t.Context(), websocket.Text, []byte("no object"))
	if _, _, err = young.Read(t.Context()); !errors.As(err, &closed) || closed.Code != websocket.StatusInvalidPayloadData {
		t.Errorf("no object: %v", err)
	}
	refused := new(websocket.HandshakeError)
	if _, err := websocket.Dial(t.Context(), server.URL, nil); !errors.As(err, &refused) || refused.Status != 400 {
		t.Errorf("without a subprotocol: %v", err)
	}
}
