package shell

import (
	"context"
	"time"
)

// LingerTime is how long the transport of a connection that has ended waits for
// the peer's part of the end: the server's FIN for a client, whatever is still on
// its way for one that failed the connection, so that the peer reads the Close
// frame before a reset (RFC 6455 7.1.1, 7.1.7). LingerBytes is the most that the
// peer can send meanwhile.
const (
	LingerTime  = time.Second
	LingerBytes = 16 << 20
)

// Pace calls end for each of the connections of a server that shuts down, a
// millisecond apart, or closer together to be through with them in half of the
// time that is left, so that the peers do not all come back at once. When ctx
// ends there is no pause any more.
func Pace[C any](ctx context.Context, conns []C, end func(C)) {
	gap := time.NewTicker(pause(ctx, len(conns)))
	defer gap.Stop()
	for i, c := range conns {
		if i > 0 {
			select {
			case <-gap.C:
			case <-ctx.Done():
			}
		}
		end(c)
	}
}

func pause(ctx context.Context, n int) time.Duration {
	gap := time.Millisecond
	if deadline, ok := ctx.Deadline(); ok && n > 0 {
		gap = min(gap, time.Until(deadline)/2/time.Duration(n))
	}
	return max(gap, time.Nanosecond)
}
