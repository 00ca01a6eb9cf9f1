package websocket

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"
	"time"

	"github.com/wiretrue/websocket/wire"
	"github.com/wiretrue/websocket/wire/handshake"
	"github.com/wiretrue/websocket/wire/rfc"
)

// Why a connection was lost, as the Err of a LostError; of a handshake that the
// peer cut short, ErrPeerReset is wrapped by the HandshakeError, too.
var (
	ErrPeerGone        = errors.New("the peer ended the TCP connection without a Close frame")
	ErrPeerReset       = errors.New("the peer reset the TCP connection")
	ErrPingTimeout     = errors.New("no answer to a ping")
	ErrWriteTimeout    = errors.New("the peer takes no more bytes")
	ErrCloseTimeout    = errors.New("no answer to the Close frame")
	ErrSlowConsumer    = errors.New("the queue of unsent messages is full")
	ErrAssemblyTimeout = errors.New("the peer takes too long over a message")
	ErrClosedHere      = errors.New("closed by this program without a closing handshake")
)

// ErrQueueFull is returned by writes under the policy QueueFail when the
// message does not fit into the queue. The connection goes on.
var ErrQueueFull = errors.New("websocket: the queue of unsent messages is full")

// CloseError is the cause of a connection that ended by the closing handshake
// (RFC 6455 7.1.4). Returned from a handler function, it chooses the status
// code and the reason with which the connection is closed.
type CloseError struct {
	Code   StatusCode // StatusNoStatusReceived when the Close frame had none
	Reason string
	ByPeer bool // the peer began
}

func (e *CloseError) Error() string {
	who := "here"
	if e.ByPeer {
		who = "by the peer"
	}
	if e.Reason == "" {
		return fmt.Sprintf("websocket: closed %s: %v", who, e.Code)
	}
	return fmt.Sprintf("websocket: closed %s: %v, %q", who, e.Code, e.Reason)
}

// Is makes errors.Is(err, net.ErrClosed) hold.
func (e *CloseError) Is(target error) bool { return target == net.ErrClosed }

// RuleError is the cause of a connection that this endpoint failed, because the
// peer broke a rule of the protocol or passed a limit (RFC 6455 7.1.7).
type RuleError struct {
	Rule   rfc.Rule
	Offset int64  // of the byte that broke it, from the first byte behind the handshake
	Seen   string // the frame that it stands in
}

func (e *RuleError) Error() string {
	i := e.Rule.Info()
	return fmt.Sprintf("websocket: %s (%v) broken by the peer at byte %d, %s: %s", i.Name, e.Rule, e.Offset, e.Seen, i.Duty)
}

// Is makes errors.Is(err, net.ErrClosed) hold.
func (e *RuleError) Is(target error) bool { return target == net.ErrClosed }

// LostError is the cause of a connection that ended without a closing
// handshake.
type LostError struct {
	Err       error     // one of this package's, or what the transport said
	LastHeard time.Time // when the last byte from the peer came, the handshake included
	Ended     time.Time
}

func (e *LostError) Error() string {
	return fmt.Sprintf("websocket: lost: %v, %v after the last byte", e.Err, e.Ended.Sub(e.LastHeard).Round(time.Millisecond))
}

// Unwrap returns Err.
func (e *LostError) Unwrap() error { return e.Err }

// Is makes errors.Is(err, net.ErrClosed) hold.
func (e *LostError) Is(target error) bool { return target == net.ErrClosed }

// transportCause names what a read or write of the transport ended with.
func transportCause(err error) error {
	switch {
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.ErrClosedPipe):
		return ErrPeerGone
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE), errors.Is(err, syscall.ECONNABORTED):
		return fmt.Errorf("%w (%w)", ErrPeerReset, err)
	}
	return err
}

// HandshakeError reports an opening handshake that failed, on either side.
type HandshakeError struct {
	Rule    rfc.Rule          // the first rule that was broken; 0: none, Detail or Err says what was wrong
	Broken  rfc.Set           // all of them
	Mistake handshake.Mistake // how a wrong Sec-WebSocket-Accept came to be
	Status  int               // of the response, sent or received; 0: there was none
	Header  http.Header       // of the response, received by a client
	Body    []byte            // its first KiB; what came, when that is no HTTP
	Detail  string            // what was seen and what was expected
	Err     error             // a cause beside the protocol's rules, or nil
}

func (e *HandshakeError) Error() string {
	var b strings.Builder
	b.WriteString("websocket: handshake refused")
	if e.Status != 0 && e.Status != http.StatusSwitchingProtocols {
		fmt.Fprintf(&b, ": HTTP %d %s", e.Status, http.StatusText(e.Status))
	}
	if e.Rule != 0 && e.Rule != rfc.SwitchingProtocols {
		fmt.Fprintf(&b, ": %s (%v)", e.Rule.Info().Duty, e.Rule)
	}
	if e.Mistake != handshake.NoMistake {
		fmt.Fprintf(&b, " What came: %s.", e.Mistake)
	}
	if e.Detail != "" {
		b.WriteString(": " + e.Detail)
	}
	if e.Err != nil {
		b.WriteString(": " + e.Err.Error())
	}
	return b.String()
}

// Unwrap returns Err.
func (e *HandshakeError) Unwrap() error { return e.Err }

// callError marks what the core refused as an error of this package's caller.
func callError(err error) error { return fmt.Errorf("websocket: %w", err) }

// The errors that a write of something illegal wraps; the connection goes on.
var (
	ErrNotUTF8        = wire.ErrNotUTF8
	ErrControlPayload = wire.ErrControlPayload
	ErrStatusCode     = wire.ErrStatusCode
)
