package websocket

import (
	"context"
	"encoding/binary"
	"sync/atomic"
	"time"

	"github.com/wiretrue/websocket/wire/frame"
)

// Ping sends a Ping and waits for its Pong, which some goroutine must be
// reading to notice. It returns the round-trip time.
func (c *Conn) Ping(ctx context.Context) (time.Duration, error) {
	answer := make(chan time.Duration, 1)
	if err := c.sendPing(answer); err != nil {
		return 0, c.writeError(err)
	}
	select {
	case rtt := <-answer:
		return rtt, nil
	case <-c.Done():
		return 0, c.Cause()
	case <-ctx.Done():
		c.mu.Lock()
		defer c.mu.Unlock()
		for p := &c.pingers; *p != nil; p = &(*p).next {
			if (*p).answer == answer {
				*p = (*p).next
				break
			}
		}
		return 0, ctx.Err()
	}
}

// pinger waits for the answer to the Ping sent at sentAt or to a newer one.
type pinger struct {
	sentAt int64
	answer chan<- time.Duration
	next   *pinger
}

// has reports whether one of them has sent its Ping then.
func (p *pinger) has(sentAt int64) bool {
	for ; p != nil; p = p.next {
		if p.sentAt == sentAt {
			return true
		}
	}
	return false
}

// sendPing sends a Ping whose payload is the time, so that it is like no other.
func (c *Conn) sendPing(answer chan<- time.Duration) error {
	sentAt := now()
	var payload [8]byte
	binary.BigEndian.PutUint64(payload[:], uint64(sentAt))
	c.mu.Lock()
	err := c.encode(func(dst []byte, key [4]byte) ([]byte, error) {
		return c.sender.Control(dst, frame.Ping, payload[:], key)
	})
	if err == nil {
		c.sent.pings.Add(1)
		c.pinged = sentAt
		if answer != nil {
			c.pingers = &pinger{sentAt, answer, c.pingers}
		}
	}
	c.unlockAndFlush()
	return err
}

// gotPong takes the answer to the newest Ping, or to one that somebody waits
// for. One that answers neither says nothing (RFC 6455 5.5.3).
func (c *Conn) gotPong(payload []byte) {
	if len(payload) != 8 {
		return
	}
	sentAt := int64(binary.BigEndian.Uint64(payload))
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case sentAt != 0 && sentAt == c.pinged:
		c.pinged = 0
	case !c.pingers.has(sentAt):
		return
	}
	at := now()
	c.rtt.Store(at - sentAt)
	for p := &c.pingers; *p != nil; {
		if (*p).sentAt > sentAt {
			p = &(*p).next
			continue
		}
		(*p).answer <- time.Duration(at - (*p).sentAt) // has room for one
		*p = (*p).next
	}
}

// maxPongs is how many Pongs wait in the queue at most. Of the Pings that come
// while they do, only the newest is answered (RFC 6455 5.5.3).
const maxPongs = 16

// pongState is what the reading side owes beyond maxPongs.
type pongState struct {
	queued int     // Pongs in the queue
	owed   *buffer // the payload of one more that is to follow, or nil
}

// sendPong answers the newest Ping.
func (c *Conn) sendPong() {
	if !c.queuePong() {
		return
	}
	c.mu.Lock()
	c.unlockAndFlush()
}

// queuePong queues the answer to the newest Ping, for sendPong or another
// write to send, and reports whether there was a Ping to be answered.
func (c *Conn) queuePong() bool {
	i := c.intake
	if i == nil || !i.owesPong {
		return false
	}
	i.owesPong = false
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.pong.queued == maxPongs {
		if c.pong.owed == nil {
			c.pong.owed = getWriteBuffer()
		}
		c.pong.owed.b = append(c.pong.owed.b[:0], i.pongDue...)
	} else {
		c.encodePong(i.pongDue)
	}
	return true
}

// encodePong queues a Pong. It is called with mu held. A refusal says that a
// Close was sent, behind which nothing is owed.
func (c *Conn) encodePong(payload []byte) {
	err := c.encode(func(dst []byte, key [4]byte) ([]byte, error) {
		return c.sender.Control(dst, frame.Pong, payload, key)
	})
	if err == nil {
		c.pong.queued++
		c.sent.pongs.Add(1)
	}
}

// take notes that the queue was handed out, and returns the payload of a Pong
// that is owed.
func (p *pongState) take() (owed *buffer) {
	owed = p.owed
	p.queued, p.owed = 0, nil
	return owed
}

// startHeartbeat starts the timer that looks after the connection.
func (c *Conn) startHeartbeat() {
	if wait := c.beatInterval(); wait > 0 {
		c.startTimer(wait)
	}
}

// beatInterval is how often a connection is looked after that does nothing. 0:
// never.
func (c *Conn) beatInterval() time.Duration {
	if interval := c.opts.pingInterval(c.role); interval > 0 {
		return interval
	}
	return c.deflation.CompactAfter()
}

// watchAssembly has a message looked after whose assembly begins, where nothing
// else asks for a heartbeat.
func (c *Conn) watchAssembly() {
	if limit := c.opts.assemblyTimeout(); limit > 0 && c.beatInterval() == 0 {
		c.startTimer(limit)
	}
}

// startTimer has the connection looked after, unless it is anyway.
func (c *Conn) startTimer(wait time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.timer == nil && !c.over.Load() {
		c.timer = time.AfterFunc(wait, c.beat)
	}
}

// beat looks after the connection, and says when it is to be looked after again.
func (c *Conn) beat() {
	at := now()
	c.compactWhenIdle()
	if c.assemblyLeft(at) < 0 {
		c.fail(StatusPolicyViolation, "the message takes too long", c.lost(ErrAssemblyTimeout))
		return
	}
	wait := c.beatInterval()
	if interval := c.opts.pingInterval(c.role); interval > 0 {
		wait = c.watchSilence(at, interval)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if wait == 0 {
		wait = c.assemblyLeft(at)
	}
	switch {
	case c.over.Load():
	case wait == 0:
		c.timer = nil
	default:
		c.timer.Reset(wait)
	}
}

// assemblyLeft returns how much time the message has that is being assembled.
// Negative: none any more. 0: there is no such message, or no limit.
func (c *Conn) assemblyLeft(at int64) time.Duration {
	since, limit := c.assembling.Load(), c.opts.assemblyTimeout()
	if since == 0 || limit == 0 {
		return 0
	}
	if left := limit - time.Duration(at-since); left > 0 {
		return left
	}
	return -1
}

// watchSilence sends a Ping to a silent peer and gives up one that does not
// answer.
func (c *Conn) watchSilence(at int64, interval time.Duration) (wait time.Duration) {
	timeout := c.opts.pingTimeout()
	// What the peer has sent may be unread, but for a read that has waited since
	// the last beat or one that has ended without a byte.
	silentUntil := c.silentUntil.Load()
	if wait := c.heard.waits(); wait != 0 && wait == c.lastWait {
		silentUntil = at
	} else {
		c.lastWait = wait
	}
	heard := c.heard.at()
	if c.pingedAt > heard {
		unanswered := max(0, time.Duration(silentUntil-c.pingedAt))
		if unanswered >= timeout {
			c.cut(ErrPingTimeout)
			return timeout
		}
		return timeout - unanswered
	}
	if silent := time.Duration(at - heard); silent < interval {
		return interval - silent
	}
	c.pingedAt = at
	c.sendPing(nil) // refused once a Close was sent, whose timeout then counts
	return timeout
}

// lastHeard is when the last byte came and whether the next is waited for, in
// one word: twice the time, and one more during a wait.
type lastHeard struct{ word atomic.Int64 }

// note says that bytes came, which ends the wait for them. See now.
func (l *lastHeard) note(at int64) { l.word.Store(at << 1) }

// wait begins a wait.
func (l *lastHeard) wait() { l.word.Store(l.word.Load() | 1) }

// waited ends a wait in which nothing came. The next one is told from it by a
// nanosecond.
func (l *lastHeard) waited() { l.word.Store(l.word.Load()&^1 + 2) }

func (l *lastHeard) at() int64 { return l.word.Load() >> 1 }

// waits returns what tells the wait that is under way from others; 0: none is.
func (l *lastHeard) waits() int64 {
	word := l.word.Load()
	return word * (word & 1)
}
