// Package tested is a service with the tests that a service should have: see
// its test file for how package wstest and fake time make them short.
package tested

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/wiretrue/websocket"
)

// patience is how long a client may take to say who it is.
const patience = 10 * time.Second

// Tickets hands a numbered ticket to each client that says its name in time.
type Tickets struct{ next int }

// Serve serves one client.
func (s *Tickets) Serve(ctx context.Context, c *websocket.Conn) error {
	limited, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	_, name, err := c.Read(limited)
	if errors.Is(err, context.DeadlineExceeded) {
		return &websocket.CloseError{Code: websocket.StatusTimeout, Reason: "say your name"} // the connection is still whole
	}
	if err != nil {
		return err
	}
	s.next++
	return c.Write(ctx, websocket.Text, fmt.Appendf(nil, "%s: ticket %d", name, s.next))
}
