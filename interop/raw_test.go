package interop

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/wiretrue/websocket"
	"github.com/wiretrue/websocket/examples/echo"
	"github.com/wiretrue/websocket/wire/frame"
	"github.com/wiretrue/websocket/wire/handshake"
)

// raw is an end of a connection that sends what it is told, legal or not, and
// looks closely at what comes back. Our end is the echo
// example.
type raw struct {
	nc     net.Conn
	r      *bufio.Reader
	client bool // it is one, and masks

	extensions string // that a server answered
}

// rig starts an echo in one role and returns a function that connects to it,
// offering or answering with the extensions.
type rig func(t *testing.T, opts websocket.Options, extensions ...handshake.Extension) (connect func(t *testing.T) *raw)

// echoServer is a rig whose raw end is the client.
func echoServer(t *testing.T, opts websocket.Options, extensions ...handshake.Extension) func(t *testing.T) *raw {
	s := &websocket.Server{AcceptOptions: websocket.AcceptOptions{Options: opts}}
	hs := httptest.NewServer(s.Handler(echo.Echo))
	t.Cleanup(hs.Close)
	return func(t *testing.T) *raw {
		t.Helper()
		nc, err := net.Dial("tcp", hs.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		r := newRaw(t, nc, true)
		offer := handshake.Offer{Key: handshake.Key([16]byte{1, 2, 3}), Extensions: extensions}
		if _, err := nc.Write(handshake.AppendRequest(nil, "/", "localhost", offer, nil)); err != nil {
			t.Fatal(err)
		}
		response, err := http.ReadResponse(r.r, nil)
		if err != nil || response.StatusCode != http.StatusSwitchingProtocols ||
			response.Header.Get("Sec-Websocket-Accept") != handshake.Accept(offer.Key) {
			t.Fatalf("the handshake: %v, %v", response, err)
		}
		r.extensions = response.Header.Get("Sec-Websocket-Extensions")
		return r
	}
}

// echoClient is a rig whose raw end is the server.
func echoClient(t *testing.T, opts websocket.Options, extensions ...handshake.Extension) func(t *testing.T) *raw {
	l := listen(t)
	return func(t *testing.T) *raw {
		t.Helper()
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			ctx := t.Context()
			c, err := websocket.Dial(ctx, "ws://"+l.Addr().String(), &websocket.DialOptions{Options: opts})
			if err != nil {
				t.Errorf("Dial: %v", err)
				return
			}
			echo.Echo(context.WithoutCancel(ctx), c)
			<-c.Done()
		}()
		nc, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		r := newRaw(t, nc, false)
		t.Cleanup(func() {
			nc.Close()
			<-ended
		})
		request, err := http.ReadRequest(r.r)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := nc.Write(handshake.AppendSwitching(nil, request.Header.Get("Sec-Websocket-Key"), handshake.Agreement{Extensions: extensions}, nil)); err != nil {
			t.Fatal(err)
		}
		return r
	}
}

func newRaw(t *testing.T, nc net.Conn, client bool) *raw {
	nc.SetDeadline(time.Now().Add(safety))
	t.Cleanup(func() { nc.Close() })
	return &raw{nc: nc, r: bufio.NewReaderSize(nc, 64<<10), client: client}
}

// piece is a frame, or the beginning of one.
type piece struct {
	frame.Header
	payload []byte
	send    int // how many bytes of the payload are sent; 0: all
}

func (p piece) String() string { return fmt.Sprintf("%v %.40q", p.Header, p.payload) }

func (p piece) append(dst []byte, masked bool) []byte {
	h := p.Header
	h.Masked = masked
	if h.Length == 0 {
		h.Length = uint64(len(p.payload))
	}
	if h.LengthSize == 0 {
		h.LengthSize = frame.MinimalLengthSize(h.Length)
	}
	if masked {
		h.MaskingKey = [4]byte{0x37, 0xfa, 0x21, byte(len(dst))}
	}
	dst = h.Append(dst)
	start := len(dst)
	dst = append(dst, p.payload...)
	if masked {
		frame.Mask(dst[start:], h.MaskingKey, 0)
	}
	if p.send > 0 {
		dst = dst[:start+p.send]
	}
	return dst
}

// The constructors of pieces.

func text[T ~string | ~[]byte](p T) piece { return whole(frame.Text, p) }
func bin[T ~string | ~[]byte](p T) piece  { return whole(frame.Binary, p) }
func ping[T ~string | ~[]byte](p T) piece { return whole(frame.Ping, p) }
func pong[T ~string | ~[]byte](p T) piece { return whole(frame.Pong, p) }

func whole[T ~string | ~[]byte](op frame.Opcode, p T) piece {
	return piece{Header: frame.Header{Fin: true, Opcode: op}, payload: []byte(p)}
}

// begin, more and last are the frames of a message in several.
func begin[T ~string | ~[]byte](op frame.Opcode, p T) piece {
	return piece{Header: frame.Header{Opcode: op}, payload: []byte(p)}
}

func more[T ~string | ~[]byte](p T) piece { return begin(frame.Continuation, p) }
func last[T ~string | ~[]byte](p T) piece { return whole(frame.Continuation, p) }

func closing(code uint16, reason string) piece {
	return whole(frame.Close, frame.AppendClose(nil, code, reason))
}

func closingWith(body string) piece { return whole(frame.Close, body) }

func (p piece) rsv(bits uint8) piece {
	p.RSV = bits
	return p
}

// inPieces is a message in frames of n bytes.
func inPieces(op frame.Opcode, p []byte, n int) (frames []piece) {
	for len(p) > n {
		frames = append(frames, begin(op, p[:n]))
		p, op = p[n:], frame.Continuation
	}
	return append(frames, whole(op, p))
}

// send writes frames in segments: all at once for 0, a frame at a time for -1,
// so many bytes at a time otherwise. That the other side hangs up meanwhile is
// no error: what it said before tells more.
func (r *raw) send(segment int, frames ...piece) {
	var b []byte
	for _, f := range frames {
		b = f.append(b, r.client)
		if segment < 0 {
			if _, err := r.nc.Write(b); err != nil {
				return
			}
			b = b[:0]
		}
	}
	for len(b) > 0 {
		n := len(b)
		if segment > 0 {
			n = min(n, segment)
		}
		if _, err := r.nc.Write(b[:n]); err != nil {
			return
		}
		b = b[n:]
	}
}

// next returns the next message or control frame that comes, and an error for
// the end or for a frame that no endpoint may send.
func (r *raw) next() (piece, error) {
	var message piece
	for started := false; ; {
		p, err := r.frame()
		switch {
		case err != nil:
			return p, err
		case p.Masked == r.client:
			return p, fmt.Errorf("%v: the mask is wrong", p)
		case p.RSV != 0, !p.Opcode.Assigned():
			return p, fmt.Errorf("%v: a reserved bit or opcode", p)
		case p.LengthSize != frame.MinimalLengthSize(p.Length):
			return p, fmt.Errorf("%v: the length is not minimal", p)
		case p.Opcode.Control():
			if !p.Fin || p.Length > frame.MaxControlPayload || started {
				return p, fmt.Errorf("%v: illegal for a control frame here", p)
			}
			return p, nil
		case started != (p.Opcode == frame.Continuation):
			return p, fmt.Errorf("%v: not in its order", p)
		}
		if !started {
			started, message = true, p
		} else {
			message.payload = append(message.payload, p.payload...)
		}
		if p.Fin {
			return message, nil
		}
	}
}

// frame reads one frame.
func (r *raw) frame() (p piece, err error) {
	head, err := r.r.Peek(2)
	if err != nil {
		return p, err
	}
	if head, err = r.r.Peek(frame.SizeOf(head[1])); err != nil {
		return p, err
	}
	var n int
	p.Header, n = frame.Parse(head)
	r.r.Discard(n)
	p.payload = make([]byte, p.Length)
	if _, err = io.ReadFull(r.r, p.payload); err == nil && p.Masked {
		frame.Mask(p.payload, p.MaskingKey, 0)
	}
	return p, err
}

// want reads what comes, which must be these messages and control frames.
func (r *raw) want(t *testing.T, wanted ...piece) {
	t.Helper()
	for i, want := range wanted {
		got, err := r.next()
		if err != nil {
			t.Fatalf("reply %d: %v, want %v", i, err, want)
		}
		if got.Opcode != want.Opcode || !bytes.Equal(got.payload, want.payload) {
			t.Fatalf("reply %d: %v, want %v", i, got, want)
		}
	}
}

// wantClose reads a Close frame with the code, and nothing behind it. 1005
// stands for a frame without a code.
func (r *raw) wantClose(t *testing.T, code uint16) {
	t.Helper()
	got, err := r.next()
	if err != nil || got.Opcode != frame.Close {
		t.Fatalf("%v, %v; want a Close with %d", got, err, code)
	}
	gotCode := uint16(1005)
	if len(got.payload) > 0 {
		gotCode = binary.BigEndian.Uint16(got.payload)
	}
	if gotCode != code {
		t.Errorf("closed with %d %q, want %d", gotCode, got.payload[2:], code)
	}
	if !r.client {
		r.nc.Close() // the server ends TCP
		return
	}
	// A reset is an end, too: not all that was sent may have been read.
	if p, err := r.next(); err == nil {
		t.Errorf("%v came behind the Close", p)
	} else if timeout := net.Error(nil); errors.As(err, &timeout) && timeout.Timeout() {
		t.Error("the server does not end the TCP connection")
	}
}
