package wstest

import (
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"

	"github.com/wiretrue/websocket"
	"github.com/wiretrue/websocket/wire/frame"
	"github.com/wiretrue/websocket/wire/handshake"
)

// Peer is one end of a connection that does only what its script says: it
// sends any bytes, legal or not, and compares what comes with what the script
// wants. Its methods fail the test.
type Peer struct {
	t    testing.TB
	nc   net.Conn
	out  chan []byte
	stop chan struct{} // closed when the test ends
	in   []byte        // received and not consumed
	over error         // why no more comes
}

// ServePeer returns a client and the peer that plays its server.
func ServePeer(t testing.TB, opts *websocket.DialOptions) (client *websocket.Conn, p *Peer) {
	t.Helper()
	near, far := net.Pipe()
	p = NewPeer(t, far)
	go func() {
		request := p.ReadRequest()
		offer, _ := request.Offer()
		p.SendBytes(handshake.AppendSwitching(nil, offer.Key, handshake.Agreement{}, nil))
	}()
	return Dial(t, near, opts), p
}

// DialPeer returns a server's connection and the peer that plays its client.
func DialPeer(t testing.TB, opts *websocket.AcceptOptions) (server *websocket.Conn, p *Peer) {
	t.Helper()
	near, far := net.Pipe()
	p = NewPeer(t, near)
	p.SendBytes(handshake.AppendRequest(nil, "/", "wstest.invalid", handshake.Offer{Key: "dGhlIHNhbXBsZSBub25jZQ=="}, nil))
	accepted := make(chan error, 1)
	go func() {
		var err error
		server, err = Accept(far, opts)
		accepted <- err
	}()
	p.ReadResponse()
	if err := <-accepted; err != nil {
		t.Fatalf("wstest: accept: %v", err)
	}
	t.Cleanup(func() { server.CloseNow() })
	return server, p
}

// NewPeer returns a peer at an end of any connection, before the handshake.
func NewPeer(t testing.TB, nc net.Conn) *Peer {
	p := &Peer{t: t, nc: nc, out: make(chan []byte, 1024), stop: make(chan struct{})}
	go p.write()
	t.Cleanup(func() {
		nc.Close()
		close(p.stop)
	})
	return p
}

// write sends what the script has queued. Nothing, as nil, stands for the end.
func (p *Peer) write() {
	for {
		select {
		case b := <-p.out:
			if b == nil {
				p.nc.Close()
				return
			}
			if _, err := p.nc.Write(b); err != nil {
				return
			}
		case <-p.stop:
			return
		}
	}
}

// Send sends the bytes that the line stands for, in the notation of package
// frame. It does not wait until they are read.
func (p *Peer) Send(line string) {
	p.t.Helper()
	b, err := frame.AppendNotation(nil, line)
	if err != nil {
		p.t.Fatalf("wstest: %v", err)
	}
	p.SendBytes(b)
}

// SendBytes sends the bytes.
func (p *Peer) SendBytes(b []byte) {
	if b == nil {
		b = []byte{}
	}
	p.queue(b)
}

// End ends the peer's side without a word, once all is sent.
func (p *Peer) End() { p.queue(nil) }

func (p *Peer) queue(b []byte) {
	select {
	case p.out <- b:
	case <-p.stop:
	}
}

// Want reads a frame and compares it with the header, in the words of
// frame.Header.String without its MASK, and with the payload, unmasked: for
// instance Want("FIN TEXT length 5", "Hello").
func (p *Peer) Want(header, payload string) {
	p.t.Helper()
	h, got, err := p.ReadFrame()
	if err != nil {
		p.t.Fatalf("wstest: wanted the frame %s, but the connection ended: %v", header, err)
	}
	words, _, _ := strings.Cut(h.String(), ", MASK")
	if words != header || string(got) != payload {
		p.t.Fatalf("wstest: got the frame %s %q, wanted %s %q", words, excerpt(got), header, excerpt([]byte(payload)))
	}
}

// WantClose reads a Close frame with the code, whatever its reason. With 0 the
// frame must have no body.
func (p *Peer) WantClose(code websocket.StatusCode) {
	p.t.Helper()
	h, got, err := p.ReadFrame()
	if err != nil {
		p.t.Fatalf("wstest: wanted a Close frame with %v, but the connection ended: %v", code, err)
	}
	c, reason, _ := frame.ParseClose(got)
	if h.Opcode != frame.Close || websocket.StatusCode(c) != code {
		p.t.Fatalf("wstest: got the frame %v with code %d %q, wanted a Close frame with %v", h, c, excerpt(reason), code)
	}
}

// WantEnd reads to the end of the connection, where nothing more may come.
func (p *Peer) WantEnd() {
	p.t.Helper()
	if h, payload, err := p.ReadFrame(); err == nil {
		p.t.Fatalf("wstest: got the frame %v %q, wanted the end", h, excerpt(payload))
	} else if !errors.Is(err, io.EOF) {
		p.t.Fatalf("wstest: wanted the end, got %v", err)
	}
}

// ReadFrame reads a frame and unmasks its payload. At the end of the
// connection, between two frames, the error is io.EOF.
func (p *Peer) ReadFrame() (frame.Header, []byte, error) {
	for {
		if h, n := frame.Parse(p.in); n > 0 && h.Length <= uint64(len(p.in)-n) {
			payload := p.in[n : n+int(h.Length)]
			p.in = p.in[n+int(h.Length):]
			if h.Masked {
				frame.Mask(payload, h.MaskingKey, 0)
			}
			return h, payload, nil
		}
		if err := p.fill(); err != nil {
			if len(p.in) > 0 {
				err = fmt.Errorf("%w after %d bytes of a frame", io.ErrUnexpectedEOF, len(p.in))
			}
			return frame.Header{}, nil, err
		}
	}
}

func (p *Peer) fill() error {
	if p.over != nil {
		return p.over
	}
	b := make([]byte, 32<<10)
	n, err := p.nc.Read(b)
	p.in = append(p.in, b[:n]...)
	if errors.Is(err, io.ErrClosedPipe) {
		err = io.EOF
	}
	p.over = err
	if n > 0 {
		return nil
	}
	return err
}

// ReadRequest reads the head of a request, as far as it comes.
func (p *Peer) ReadRequest() handshake.Request {
	for {
		if r, n := handshake.ParseRequest(p.in, 0); n > 0 {
			p.in = p.in[n:]
			return r
		}
		if p.fill() != nil {
			return handshake.Request{}
		}
	}
}

// ReadResponse reads the head of a response, as far as it comes.
func (p *Peer) ReadResponse() handshake.Response {
	for {
		if r, n := handshake.ParseResponse(p.in, 0); n > 0 {
			p.in = p.in[n:]
			return r
		}
		if p.fill() != nil {
			return handshake.Response{}
		}
	}
}

func excerpt(b []byte) []byte { return b[:min(len(b), 64)] }
