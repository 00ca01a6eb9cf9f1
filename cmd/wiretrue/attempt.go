package main

import (
	"sync/atomic"
	"time"

	"github.com/wiretrue/websocket"
)

// attempt is what is known of the newest connection beside the library's
// errors: how far the attempt to open it went, and when bytes were last on
// their way.
type attempt struct {
	connected, secured atomic.Bool  // TCP is open, TLS is
	answered           atomic.Int64 // bytes of the response's head that came
	sentAt             atomic.Int64 // when bytes were last sent, as UnixNano; 0: never
}

func (a *attempt) begin() {
	a.connected.Store(false)
	a.secured.Store(false)
	a.answered.Store(0)
	a.sentAt.Store(0)
}

func (a *attempt) trace() *websocket.Trace {
	return &websocket.Trace{
		Handshake: func(_ *websocket.Conn, h *websocket.HandshakeTrace) { a.answered.Store(int64(len(h.Response))) },
		Sent:      func(*websocket.Conn, []byte) { a.sentAt.Store(time.Now().UnixNano()) },
	}
}

// lastByte is when the last byte of either direction was on its way.
func (a *attempt) lastByte(heard time.Time) time.Time {
	if sent := time.Unix(0, a.sentAt.Load()); sent.After(heard) {
		return sent
	}
	return heard
}
