package websocket_test

import (
	"encoding/json"
	"errors"
	"math"
	"testing"

	"github.com/wiretrue/websocket"
	"github.com/wiretrue/websocket/wstest"
)

func TestJSON(t *testing.T) {
	type point struct{ X, Y int }
	server, client := wstest.Pipe(t, nil, nil)
	go func() {
		websocket.WriteJSON(t.Context(), client, point{1, 2})
		websocket.WriteJSON(t.Context(), client, "no point")
		client.Write(t.Context(), websocket.Binary, []byte(`{"X":3}`))
		client.Write(t.Context(), websocket.Text, []byte(`{"X":`))
		websocket.WriteJSON(t.Context(), client, []point{{4, 5}})
		client.Close(t.Context(), websocket.StatusNormalClosure, "")
	}()
	if p, err := websocket.ReadJSON[point](t.Context(), server); err != nil || p != (point{1, 2}) {
		t.Errorf("%v, %v", p, err)
	}
	mismatch := new(json.UnmarshalTypeError)
	if p, err := websocket.ReadJSON[point](t.Context(), server); !errors.As(err, &mismatch) {
		t.Errorf("of another type: %v, %v", p, err)
	}
	if p, err := websocket.ReadJSON[*point](t.Context(), server); err != nil || p.X != 3 {
		t.Errorf("in a binary message: %v, %v", p, err)
	}
	syntax := new(json.SyntaxError)
	if p, err := websocket.ReadJSON[point](t.Context(), server); !errors.As(err, &syntax) {
		t.Errorf("half of it: %v, %v", p, err)
	}
	if p, err := websocket.ReadJSON[[]point](t.Context(), server); err != nil || len(p) != 1 { // the connection goes on
		t.Errorf("%v, %v", p, err)
	}
	if _, err := websocket.ReadJSON[point](t.Context(), server); !errors.Is(err, server.Cause()) {
		t.Errorf("at the end: %v", err)
	}

	unsupported := new(json.UnsupportedValueError)
	if err := websocket.WriteJSON(t.Context(), client, math.NaN()); !errors.As(err, &unsupported) {
		t.Errorf("NaN: %v", err)
	}
}
