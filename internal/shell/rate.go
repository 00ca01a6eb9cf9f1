package shell

import (
	"context"
	"time"
)

// Rate counts the control frames of a second. It is small, for there are very
// many of them.
type Rate struct{ since, count uint32 } // since in milliseconds

// Take counts one more, at a time in nanoseconds, and reports whether it is
// within the limit. 0: no limit.
func (r *Rate) Take(at int64, limit int) bool {
	if ms := uint32(at / 1e6); ms-r.since >= 1000 {
		r.since, r.count = ms, 0
	}
	r.count++
	return limit == 0 || int64(r.count) <= int64(limit)
}

// Spread returns the time between two closes of a shutdown of n connections: a
// millisecond, or less to be through with them in half of the time that is left.
func Spread(ctx context.Context, n int) time.Duration {
	gap := time.Millisecond
	if deadline, ok := ctx.Deadline(); ok && n > 0 {
		gap = min(gap, time.Until(deadline)/2/time.Duration(n))
	}
	return max(gap, time.Nanosecond)
}
