package interop

import (
	"io"
	"math/rand/v2"
	"net"
	"slices"
	"strings"
	"testing"

	"github.com/wiretrue/websocket/wire/frame"
)

// throughRecut leads through an intermediary that hands the bytes on as they
// are, in segments of its own.
func throughRecut(t testing.TB, _ *identity, backend string) string {
	return intermediary(t, backend, func(dst io.Writer, src io.Reader, rnd *rand.Rand) error {
		buf := make([]byte, 64<<10)
		for {
			n, err := src.Read(buf[:1+rnd.IntN(len(buf))])
			for b := buf[:n]; len(b) > 0; {
				// Mostly tiny pieces at the beginning, where headers stand.
				k := min(len(b), 1+rnd.IntN(1<<rnd.IntN(15)))
				if _, err := dst.Write(b[:k]); err != nil {
					return err
				}
				b = b[k:]
			}
			if err != nil {
				return err
			}
		}
	})
}

// throughRefragment leads through an intermediary that splits and merges the
// frames of messages, as RFC 6455 5.4 allows when no extension is in use.
func throughRefragment(t testing.TB, _ *identity, backend string) string {
	return intermediary(t, backend, refragment)
}

// intermediary accepts connections, makes one to the backend for each, and
// lets pass carry the bytes of each direction.
func intermediary(t testing.TB, backend string, pass func(dst io.Writer, src io.Reader, rnd *rand.Rand) error) string {
	t.Helper()
	l := listen(t)
	seed := rand.Uint64()
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the intermediary's seed was %d", seed)
		}
	})
	go func() {
		for n := uint64(0); ; n += 2 {
			client, err := l.Accept()
			if err != nil {
				return
			}
			server, err := net.Dial("tcp", backend)
			if err != nil {
				client.Close()
				return
			}
			one := func(dst, src net.Conn, rnd *rand.Rand) {
				if err := pass(dst, src, rnd); err == io.EOF {
					dst.(*net.TCPConn).CloseWrite()
					return
				}
				client.Close()
				server.Close()
			}
			go one(server, client, rand.New(rand.NewPCG(seed, n)))
			go one(client, server, rand.New(rand.NewPCG(seed, n+1)))
		}
	}()
	return l.Addr().String()
}

// refragment carries one direction: the head of the handshake as it is, and
// data frames cut anew. What it does not understand it hands on untouched, and
// all that follows.
func refragment(dst io.Writer, src io.Reader, rnd *rand.Rand) error {
	var in, out []byte
	buf := make([]byte, 64<<10)
	fill := func() error {
		if len(out) > 0 {
			if _, err := dst.Write(out); err != nil {
				return err
			}
			out = out[:0]
		}
		n, err := src.Read(buf)
		in = append(in, buf[:n]...)
		if n > 0 {
			return nil
		}
		return err
	}
	for !strings.Contains(string(in), "\r\n\r\n") {
		if err := fill(); err != nil {
			return err
		}
	}
	head := strings.Index(string(in), "\r\n\r\n") + 4
	out, in = append(out, in[:head]...), in[head:]

	var m recutMessage
	for {
		h, n := frame.Parse(in)
		if n > 0 && !understood(h, m.open) {
			break
		}
		if n == 0 || uint64(len(in)-n) < h.Length {
			if err := fill(); err != nil {
				return err
			}
			continue
		}
		payload := slices.Clone(in[n : n+int(h.Length)])
		if h.Opcode.Control() {
			out = append(out, in[:n+int(h.Length)]...)
		} else {
			if h.Masked {
				frame.Mask(payload, h.MaskingKey, 0)
			}
			out = m.take(out, h, payload, rnd)
		}
		in = in[n+int(h.Length):]
	}
	if m.open {
		out = m.flush(out, false, rnd)
	}
	out = append(out, in...)
	if _, err := dst.Write(out); err != nil {
		return err
	}
	_, err := io.Copy(dst, src)
	if err == nil {
		err = io.EOF
	}
	return err
}

// understood reports whether an intermediary may touch the frame.
func understood(h frame.Header, open bool) bool {
	if h.Opcode.Control() {
		return h.RSV == 0 && h.Opcode.Assigned() && h.Length <= frame.MaxControlPayload
	}
	return h.RSV == 0 && h.Opcode.Assigned() && h.Length < 64<<20 && open == (h.Opcode == frame.Continuation)
}

// recutMessage is the message that passes in one direction.
type recutMessage struct {
	open    bool // has begun and not ended
	next    frame.Opcode
	masked  bool
	waiting []byte // of it, not sent yet
}

// take adds a frame's payload, and sends all of what is there, some or nothing.
func (m *recutMessage) take(out []byte, h frame.Header, payload []byte, rnd *rand.Rand) []byte {
	if !m.open {
		m.next = h.Opcode
	}
	m.open, m.masked = !h.Fin, h.Masked
	m.waiting = append(m.waiting, payload...)
	if h.Fin || rnd.IntN(2) == 0 {
		return m.flush(out, h.Fin, rnd)
	}
	return out
}

// flush sends what is there, in one frame to five, empty ones among them.
func (m *recutMessage) flush(out []byte, fin bool, rnd *rand.Rand) []byte {
	for pieces := 1 + rnd.IntN(5); pieces > 0; pieces-- {
		n := len(m.waiting)
		if pieces > 1 {
			n = rnd.IntN(n + 1)
		}
		h := frame.Header{
			Fin:        fin && pieces == 1,
			Opcode:     m.next,
			Masked:     m.masked,
			Length:     uint64(n),
			LengthSize: frame.MinimalLengthSize(uint64(n)),
		}
		if h.Masked {
			key := rnd.Uint32()
			h.MaskingKey = [4]byte{byte(key), byte(key >> 8), byte(key >> 16), byte(key >> 24)}
		}
		out = h.Append(out)
		start := len(out)
		out = append(out, m.waiting[:n]...)
		if h.Masked {
			frame.Mask(out[start:], h.MaskingKey, 0)
		}
		m.waiting = m.waiting[n:]
		m.next = frame.Continuation
	}
	return out
}
