package main

import (
	"errors"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/wiretrue/websocket"
	"github.com/wiretrue/websocket/wire/handshake"
	"github.com/wiretrue/websocket/wire/rfc"
)

// How a connection was lost, and after which silence, is told with the idle
// timeout that would do it.
func TestLostOutcome(t *testing.T) {
	for _, tt := range []struct {
		err  error
		idle time.Duration
		code int
		want string
	}{
		{websocket.ErrPeerReset, 60*time.Second + 400*time.Millisecond, exitAbnormal,
			"lost: TCP reset 60.4s after the last byte; an idle timeout of 60s between you and the server would do this (the default of nginx's proxy_read_timeout and of AWS application load balancers): --ping-interval 30s"},
		{websocket.ErrPeerReset, 3 * time.Millisecond, exitAbnormal, "lost: TCP reset 3ms after the last byte"},
		{websocket.ErrPeerReset, 45 * time.Second, exitAbnormal, "lost: TCP reset 45s after the last byte"},
		{websocket.ErrPeerGone, 10 * time.Minute, exitAbnormal,
			"lost: the server ended TCP without a Close frame, 600s after the last byte; an idle timeout of 600s between you and the server would do this (CloudFront, and the connection tracking of Google Cloud): --ping-interval 300s"},
		{websocket.ErrPingTimeout, 50 * time.Second, exitTimeout, "lost: no answer to a ping; nothing came for 50s"},
		{websocket.ErrCloseTimeout, time.Second, exitTimeout, "lost: the server did not answer the Close frame"},
		{websocket.ErrWriteTimeout, time.Minute, exitTimeout, "lost: the server took no more bytes"},
		{websocket.ErrClosedHere, 0, exitAbnormal, "cut before the server answered the Close frame"},
		{errors.New("the cable is out"), 2 * time.Second, exitAbnormal, "lost: the cable is out, 2s after the last byte"},
	} {
		ended := time.Now()
		got := endOutcome(&websocket.LostError{Err: tt.err, LastHeard: ended.Add(-tt.idle), Ended: ended}, new(attempt))
		if got.code != tt.code || got.text != tt.want {
			t.Errorf("%v after %v:\n got %d %s\nwant %d %s", tt.err, tt.idle, got.code, got.text, tt.code, tt.want)
		}
	}
}

// A byte that was sent counts as the last one, too.
func TestLostOutcomeAfterSending(t *testing.T) {
	ended := time.Now()
	a := new(attempt)
	a.sentAt.Store(ended.Add(-60 * time.Second).UnixNano())
	got := endOutcome(&websocket.LostError{Err: websocket.ErrPeerReset, LastHeard: ended.Add(-75 * time.Second), Ended: ended}, a)
	if !strings.Contains(got.text, "60s after the last byte; an idle timeout of 60s") {
		t.Error(got.text)
	}
}

func TestIdleHint(t *testing.T) {
	for _, tt := range []struct {
		idle time.Duration
		want string // of the hint; "": there is none
	}{
		{0, ""}, {9 * time.Second, ""}, {59*time.Second + 950*time.Millisecond, "60s"}, {60 * time.Second, "60s"}, {61 * time.Second, "60s"},
		{64 * time.Second, ""}, {5 * time.Minute, "300s"}, {350 * time.Second, "350s"}, {time.Hour, "3600s"}, {2 * time.Hour, ""},
	} {
		got := idleHint(tt.idle)
		if tt.want == "" && got != "" || tt.want != "" && !strings.HasPrefix(got, "; an idle timeout of "+tt.want+" ") {
			t.Errorf("%v: %q, want %q", tt.idle, got, tt.want)
		}
	}
}

// Each usual mistake in Sec-WebSocket-Accept is named.
func TestAcceptOutcome(t *testing.T) {
	for _, m := range []handshake.Mistake{
		handshake.HexDigest, handshake.DecodedKey, handshake.NoGUID, handshake.OtherKey, handshake.UnknownReason,
	} {
		e := &websocket.HandshakeError{Rule: rfc.AcceptMatchesKey, Mistake: m, Status: 101, Detail: "the detail"}
		got := dialOutcome(e, new(dialFlags), &url.URL{Scheme: "ws"}, new(attempt))
		if got.code != exitRefused || !strings.Contains(got.text, "the detail") || m != handshake.UnknownReason && !strings.Contains(got.text, string(m)) {
			t.Errorf("%v: %d %s", m, got.code, got.text)
		}
	}
}
