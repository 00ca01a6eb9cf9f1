package websocket

import (
	"context"
	"encoding/json"
	"fmt"
)

// ReadJSON reads a message and decodes it. A message that is no JSON or does
// not fit T is an error that leaves the connection open.
func ReadJSON[T any](ctx context.Context, c *Conn) (v T, err error) {
	_, b, err := c.Read(ctx)
	if err != nil {
		return v, err
	}
	if err := json.Unmarshal(b, &v); err != nil {
		return v, fmt.Errorf("websocket: decode the message: %w", err)
	}
	return v, nil
}

// WriteJSON sends v as a text message in JSON.
func WriteJSON(ctx context.Context, c *Conn, v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("websocket: encode the message: %w", err)
	}
	return c.Write(ctx, Text, b)
}
