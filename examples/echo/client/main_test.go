package main

import (
	"bytes"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/wiretrue/websocket"
	"github.com/wiretrue/websocket/examples/echo"
)

func TestConverse(t *testing.T) {
	server := httptest.NewServer(websocket.Handler(echo.Echo))
	defer server.Close()
	var out bytes.Buffer
	if err := converse(t.Context(), server.URL, []string{"one", "zwölf"}, &out); err != nil || out.String() != "one\nzwölf\n" {
		t.Errorf("%q, %v", out.String(), err)
	}

	nothing := httptest.NewServer(http.NotFoundHandler())
	defer nothing.Close()
	refused := new(websocket.HandshakeError)
	if err := converse(t.Context(), nothing.URL, nil, &out); !errors.As(err, &refused) || refused.Status != http.StatusNotFound {
		t.Error(err)
	}
}
