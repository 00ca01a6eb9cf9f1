package websocket

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"time"
)

// NetConn returns a net.Conn that carries a stream of bytes in messages of the
// type: each Write is a message, and Read reads on over their ends. Messages may
// have any size. One of the other type fails the connection with 1003.
//
// A normal close by the peer (1000 or 1001) is io.EOF to Read; any other end is
// the connection's Cause, for which errors.Is(err, net.ErrClosed) holds. A
// deadline that passes is os.ErrDeadlineExceeded to the calls that it ends and
// leaves the connection open. Close performs the closing handshake with 1000,
// within Options.CloseTimeout. Nothing else may read from c meanwhile.
func NetConn(c *Conn, typ MessageType) net.Conn {
	n := &netConn{c: c, typ: typ}
	n.readDeadline.init()
	n.writeDeadline.init()
	return n
}

type netConn struct {
	c   *Conn
	typ MessageType

	reading gate      // held while someone reads
	message io.Reader // what is left of it; nil: none

	readDeadline, writeDeadline deadline
}

func (n *netConn) Read(p []byte) (int, error) {
	if err := n.c.lock(n.readDeadline.context(), &n.reading); err != nil {
		return 0, n.readError(err)
	}
	defer n.reading.unlock()
	for {
		ctx := n.readDeadline.context()
		if ctx.Err() != nil {
			return 0, os.ErrDeadlineExceeded
		}
		if len(p) == 0 {
			return 0, nil
		}
		if n.message == nil {
			typ, r, err := n.c.Reader(ctx)
			if err != nil {
				return 0, n.readError(err)
			}
			if typ != n.typ {
				reason := "this is a stream of " + n.typ.String() + " messages"
				return 0, n.c.fail(StatusUnsupportedData, reason, &CloseError{Code: StatusUnsupportedData, Reason: reason})
			}
			n.message = r
		}
		n.message.(*messageReader).ctx = ctx
		k, err := n.message.Read(p)
		if errors.Is(err, io.EOF) {
			n.message, err = nil, nil
			if k == 0 {
				continue
			}
		}
		return k, n.readError(err)
	}
}

// readError gives an error the form that users of net.Conn expect.
func (n *netConn) readError(err error) error {
	closed := new(CloseError)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return os.ErrDeadlineExceeded
	case errors.As(err, &closed) && closed.ByPeer && (closed.Code == StatusNormalClosure || closed.Code == StatusGoingAway):
		return io.EOF
	}
	return err
}

func (n *netConn) Write(p []byte) (int, error) {
	ctx := n.writeDeadline.context()
	if ctx.Err() != nil {
		return 0, os.ErrDeadlineExceeded
	}
	err := n.c.Write(ctx, n.typ, p)
	switch {
	case err == nil:
		return len(p), nil
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return 0, os.ErrDeadlineExceeded
	}
	return 0, err
}

func (n *netConn) Close() error {
	return n.c.Close(context.Background(), StatusNormalClosure, "")
}

func (n *netConn) LocalAddr() net.Addr  { return n.c.LocalAddr() }
func (n *netConn) RemoteAddr() net.Addr { return n.c.RemoteAddr() }

func (n *netConn) SetDeadline(t time.Time) error {
	n.readDeadline.set(t)
	n.writeDeadline.set(t)
	return nil
}

func (n *netConn) SetReadDeadline(t time.Time) error {
	n.readDeadline.set(t)
	return nil
}

func (n *netConn) SetWriteDeadline(t time.Time) error {
	n.writeDeadline.set(t)
	return nil
}

// deadline is a context that ends when the deadline in force passes. A new
// deadline applies to calls that wait already, as net.Conn asks for.
type deadline struct {
	mu     sync.Mutex
	ctx    context.Context
	cancel context.CancelFunc
	timer  *time.Timer
}

func (d *deadline) init() { d.ctx, d.cancel = context.WithCancel(context.Background()) }

func (d *deadline) context() context.Context {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.ctx
}

func (d *deadline) set(t time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	// A timer that could not be stopped ends the context that it was made for.
	if d.timer != nil && !d.timer.Stop() || d.ctx.Err() != nil {
		d.init()
	}
	d.timer = nil
	if t.IsZero() {
		return
	}
	cancel := d.cancel
	if wait := time.Until(t); wait > 0 {
		d.timer = time.AfterFunc(wait, cancel)
	} else {
		cancel()
	}
}
