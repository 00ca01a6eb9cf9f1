package websocket

import (
	"context"
	"errors"
	"iter"
	"math/rand/v2"
	"net/http"
	"time"
)

// RedialOptions are those of a client that dials again when a connection has
// ended.
type RedialOptions struct {
	DialOptions

	// MinDelay and MaxDelay bound the wait before a new attempt, which doubles
	// with each failure and is drawn at random from its upper half. 0: 500 ms and
	// 30 s.
	MinDelay, MaxDelay time.Duration

	// Stable is how long a connection must have lived for the wait to begin at
	// MinDelay again. 0: 10 s.
	Stable time.Duration

	// Resume is called with each new connection before it is yielded, to log in or
	// to ask for what was missed. Its error counts as a failed attempt.
	Resume func(ctx context.Context, c *Conn) error

	// Retry says whether a failed attempt is followed by another. nil: always,
	// but for what will not change: a mistake in the URL or the options, and a
	// refusal with HTTP 400, 401, 403, 404, 405, 410 or 426 or with a broken 101.
	Retry func(err error) bool
}

// Redial returns an iterator of connections to the URL. When the loop's body is
// done with one, it is closed with 1000 unless it has ended, and after a wait the
// next one is dialled. A failed attempt yields its error with a nil connection;
// the loop may break or go on. The iterator ends with ctx, with an attempt after
// which there is no other, and after a connection that the peer closed with 1000.
func Redial(ctx context.Context, url string, opts *RedialOptions) iter.Seq2[*Conn, error] {
	if opts == nil {
		opts = new(RedialOptions)
	}
	return func(yield func(*Conn, error) bool) {
		backoff := backoff{
			lo: orDefault(opts.MinDelay, 500*time.Millisecond, 0),
			hi: orDefault(opts.MaxDelay, 30*time.Second, 0),
		}
		stable := orDefault(opts.Stable, 10*time.Second, 0)
		for ctx.Err() == nil {
			c, err := dialAndResume(ctx, url, opts)
			if err != nil {
				if ctx.Err() != nil || !yield(nil, err) || !opts.retry(err) {
					return
				}
			} else {
				opened := time.Now()
				more := yield(c, nil)
				c.Close(context.WithoutCancel(ctx), StatusNormalClosure, "")
				closed := new(CloseError)
				if !more || errors.As(c.Cause(), &closed) && closed.ByPeer && closed.Code == StatusNormalClosure {
					return
				}
				if time.Since(opened) >= stable {
					backoff.wait = 0
				}
			}
			select {
			case <-time.After(backoff.next()):
			case <-ctx.Done():
			}
		}
	}
}

func dialAndResume(ctx context.Context, url string, opts *RedialOptions) (*Conn, error) {
	c, err := Dial(ctx, url, &opts.DialOptions)
	if err != nil || opts.Resume == nil {
		return c, err
	}
	if err := opts.Resume(ctx, c); err != nil {
		c.CloseNow()
		return nil, err
	}
	return c, nil
}

func (o *RedialOptions) retry(err error) bool {
	if o.Retry != nil {
		return o.Retry(err)
	}
	if errors.Is(err, ErrInput) {
		return false
	}
	refused := new(HandshakeError)
	if !errors.As(err, &refused) {
		return true
	}
	switch refused.Status {
	case http.StatusBadRequest, http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound,
		http.StatusMethodNotAllowed, http.StatusGone, http.StatusUpgradeRequired, http.StatusSwitchingProtocols:
		return false
	}
	return true
}

// backoff grows from lo to hi.
type backoff struct{ lo, hi, wait time.Duration }

func (b *backoff) next() time.Duration {
	b.wait = min(max(b.wait*2, b.lo), b.hi)
	half := b.wait / 2
	return half + rand.N(b.wait-half+1)
}
