package websocket

import (
	"context"
	"errors"
	"io"
	"net"
	"time"

	"github.com/wiretrue/websocket/internal/shell"
	"github.com/wiretrue/websocket/wire"
	"github.com/wiretrue/websocket/wire/frame"
	"github.com/wiretrue/websocket/wire/rfc"
)

// What they bound stands in package shell.
const lingerTime, lingerBytes = shell.LingerTime, shell.LingerBytes

// Close performs the closing handshake: it sends a Close frame behind all that
// was written, waits for the peer's, and ends the TCP connection. A client gives
// the server a second to end that first (RFC 6455 7.1.1). Messages that come
// meanwhile go to whoever is reading, or nowhere.
//
// It returns nil when the handshake was completed, whoever began it. When ctx
// ends first the connection is cut and the error says so; a ctx without
// deadline gets Options.CloseTimeout. A code that may not be sent, or a reason
// of more than 123 bytes, is refused and leaves the connection open.
func (c *Conn) Close(ctx context.Context, code StatusCode, reason string) error {
	if _, limited := ctx.Deadline(); !limited {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, c.opts.closeTimeout())
		defer cancel()
	}
	if err := c.sendClose(code, reason); err != nil && !errors.Is(err, wire.ErrClosed) && c.Cause() == nil {
		return callError(err)
	}
	err := c.awaitClose(ctx)
	if ctx.Err() != nil && c.Cause() == nil {
		c.cut(ErrCloseTimeout)
	}
	if c.Cause() == nil {
		return err
	}
	if closed := new(CloseError); errors.As(c.Cause(), &closed) {
		if c.role == wire.Client {
			select {
			case <-c.transportEnd():
			case <-ctx.Done():
			}
		}
		return nil
	}
	return c.Cause()
}

// ending is what there is to know of the end of a connection.
type ending struct {
	sent    *CloseError // the Close frame that was sent, or nil
	verdict error       // the cause of the end that is under way
	cause   error
	isGone  bool          // the transport is closed, and the Trace told
	gone    chan struct{} // closed when it is so; made when first asked for
}

// ending returns what is known of the end, to add to it. It is called with mu
// held.
func (c *Conn) ending() *ending {
	if c.last == nil {
		c.last = new(ending)
	}
	return c.last
}

// transportEnd returns a channel that is closed when the transport is.
func (c *Conn) transportEnd() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	e := c.ending()
	if e.gone == nil {
		e.gone = make(chan struct{})
		if e.isGone {
			close(e.gone)
		}
	}
	return e.gone
}

// awaitClose reads until the connection ends, or waits for the one who reads to
// do so.
func (c *Conn) awaitClose(ctx context.Context) error {
	if err := c.lock(ctx, &c.reading); err != nil {
		return err
	}
	return c.readOut(ctx)
}

// readOut reads until the connection ends, and lets go of reading, which the
// caller holds.
func (c *Conn) readOut(ctx context.Context) error {
	defer c.unlockReading()
	c.passAll()
	if r := c.streamed(); r != nil {
		r.giveUp()
	}
	var ev wire.Event
	for {
		if err := c.next(ctx, &ev); err != nil {
			return err
		}
	}
}

// CloseNow ends the connection at once, without a closing handshake. What waits
// to be sent is lost.
func (c *Conn) CloseNow() error {
	c.cut(ErrClosedHere)
	return nil
}

// sendClose queues a Close frame.
func (c *Conn) sendClose(code StatusCode, reason string) error {
	c.mu.Lock()
	err := c.encode(func(dst []byte, key [4]byte) ([]byte, error) {
		return c.sender.Close(dst, code, reason, key)
	})
	if err == nil {
		c.ending().sent = &CloseError{Code: code, Reason: reason}
	}
	c.unlockAndFlush()
	return err
}

// gotClose answers the peer's Close frame, or notes that it is the answer, and
// ends the connection. Its error is the cause.
func (c *Conn) gotClose(body []byte) error {
	cause := &CloseError{Code: StatusNoStatusReceived, ByPeer: true}
	if code, reason, ok := frame.ParseClose(body); ok {
		cause.Code, cause.Reason = StatusCode(code), string(reason)
	}
	c.decide(cause)
	if err := c.sendClose(cause.Code, ""); errors.Is(err, wire.ErrClosed) {
		c.mu.Lock()
		cause = c.last.sent
		c.last.verdict = cause
		c.mu.Unlock()
	}
	c.intake.in = nil // what stands behind a Close is ignored
	if c.end(cause) {
		c.hangUp()
	}
	return c.Cause()
}

// failRule fails the connection for a rule that the peer broke.
func (c *Conn) failRule(rule rfc.Rule, ev *wire.Event) error {
	c.intake.in = nil // nothing is read behind a broken rule
	c.queuePong()     // a Ping in front of it wants its answer, however the two were cut into reads
	return c.fail(rule.Info().Code, rule.CloseReason(), brokenBy(rule, ev))
}

// fail sends a Close frame and ends the connection without waiting for the
// answer (RFC 6455 7.1.7).
func (c *Conn) fail(code StatusCode, reason string, cause error) error {
	c.decide(cause)
	c.sendClose(code, reason) // refused if one was sent before, which is as good
	if c.end(cause) {
		go c.drainAndHangUp(true)
	}
	return c.Cause()
}

// decide notes why the connection is about to end, before the Close frame is
// sent: that it does not get through is no other reason.
func (c *Conn) decide(cause error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ending().verdict = cause
}

// flushFailed ends the connection because nothing more can be written.
func (c *Conn) flushFailed(err error) {
	c.mu.Lock()
	c.queue.abandon()
	c.mu.Unlock()
	if ne := net.Error(nil); errors.As(err, &ne) && ne.Timeout() {
		err = ErrWriteTimeout
	}
	cause := transportCause(err)
	switch {
	case c.Cause() != nil, !errors.Is(cause, ErrPeerReset) && !errors.Is(cause, ErrPeerGone):
		c.lose(cause)
	case c.reading.tryLock():
		c.hearOut(cause, c.hearRest)
	default: // this may be the one who reads
		go c.hearOut(cause, func(ctx context.Context) {
			if c.lock(ctx, &c.reading) == nil {
				c.hearRest(ctx)
			}
		})
	}
}

// hearOut ends the connection of a peer that has ended it and takes nothing any
// more. What it has sent before may say why, and is heard.
func (c *Conn) hearOut(cause error, hear func(context.Context)) {
	ctx, cancel := context.WithTimeout(context.Background(), lingerTime)
	defer cancel()
	hear(ctx)
	if c.Cause() == nil {
		c.lose(cause)
	}
}

// hearRest reads what the peer has sent, unless there is something that the
// program may still read itself. It lets go of reading, which the caller holds.
func (c *Conn) hearRest(ctx context.Context) {
	if c.intake != nil && len(c.intake.in) > 0 {
		c.unlockReading()
		return
	}
	c.readOut(ctx)
}

// lose ends the connection because the transport did.
func (c *Conn) lose(err error) error {
	c.opts.Trace.lost(c, err)
	c.cut(err)
	return c.Cause()
}

// outlive ends the connection of a peer that has ended its side of the stream.
// What it has sent before is answered, as long as it takes the answers.
func (c *Conn) outlive() error {
	gone := transportCause(io.EOF)
	c.opts.Trace.lost(c, gone)
	switch {
	case !c.end(c.lost(gone)):
	case c.flushed():
		c.closeTransport()
	default:
		go func() {
			c.awaitFlushed(nil)
			c.closeTransport()
		}()
	}
	return c.Cause()
}

// cut ends the connection and its transport at once.
func (c *Conn) cut(err error) {
	c.end(c.lost(err))
	c.closeTransport()
}

// closeTransport ends the connection below. It may be called again.
func (c *Conn) closeTransport() {
	c.transport.close()
	if c.hungUp.Swap(true) {
		return
	}
	c.opts.Trace.transport(c, TransportClosed)
	c.mu.Lock()
	defer c.mu.Unlock()
	e := c.ending()
	e.isGone = true
	if e.gone != nil {
		close(e.gone)
	}
}

func (c *Conn) lost(err error) *LostError {
	ended := time.Now()
	return &LostError{Err: err, LastHeard: ended.Add(time.Duration(c.heard.at() - now())), Ended: ended}
}

// end notes the cause, for the first that calls it. The transport is still to
// be ended.
func (c *Conn) end(cause error) (first bool) {
	c.mu.Lock()
	if c.over.Load() {
		c.mu.Unlock()
		return false
	}
	e := c.ending()
	if e.verdict != nil {
		cause = e.verdict
	}
	e.cause = cause
	c.over.Store(true)
	timer := c.timer
	if c.done != nil {
		close(c.done)
	}
	c.deflation.End(&c.sender)
	c.mu.Unlock()
	if timer != nil {
		timer.Stop()
	}
	c.transport.interrupt() // wakes a read
	c.deflation.Release()
	c.opts.Trace.ended(c, cause)
	return true
}

// hangUp ends the transport after the closing handshake. The server does it at
// once; the client gives the server time to do it first (RFC 6455 7.1.1).
func (c *Conn) hangUp() {
	if c.role == wire.Server && c.flushed() {
		c.closeTransport()
		return
	}
	go func() {
		c.awaitFlushed(nil) // as long as the peer takes it
		c.drainAndHangUp(c.role == wire.Client)
	}()
}

// flushed reports whether nothing waits to be sent.
func (c *Conn) flushed() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return !c.queue.flushing
}

// awaitFlushed waits until nothing waits to be sent, or until done is closed, and
// reports which of them came.
func (c *Conn) awaitFlushed(done <-chan struct{}) (flushed bool) {
	for {
		c.mu.Lock()
		if !c.queue.flushing {
			c.mu.Unlock()
			return true
		}
		room := c.queue.waitRoom()
		c.mu.Unlock()
		select {
		case <-room:
		case <-done:
			return false
		}
	}
}

// drainAndHangUp waits until what waits is sent and, if it is to drain, until the
// peer has ended the TCP connection, each for lingerTime at most, and ends the
// transport.
func (c *Conn) drainAndHangUp(drain bool) {
	nc := c.transport.nc
	defer c.closeTransport()
	ctx, cancel := context.WithTimeout(context.Background(), lingerTime)
	defer cancel()
	if !c.awaitFlushed(ctx.Done()) || !drain {
		return
	}
	if half, ok := nc.(interface{ CloseWrite() error }); ok && c.role == wire.Server {
		half.CloseWrite()
		c.opts.Trace.transport(c, TransportFinished)
	}
	if !c.reading.lock(ctx.Done(), nil) { // the end has woken the one who reads
		return
	}
	defer c.unlockReading()
	c.stopWatching() // the end of a reader's context is none of this
	nc.SetReadDeadline(time.Now().Add(lingerTime))
	buf := behindBuffers.Get().(*buffer)
	defer behindBuffers.Put(buf)
	for left := lingerBytes; left > 0; {
		n, err := nc.Read(buf.b)
		c.traceReceived(buf.b[:n])
		if err != nil {
			c.opts.Trace.lost(c, transportCause(err))
			return
		}
		left -= n
	}
}
