package soak

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/url"
	"time"

	"github.com/wiretrue/websocket"
	"github.com/wiretrue/websocket/wire/frame"
)

// The clients below write to the socket behind a connection's back. Most of
// them break a rule, or vanish.

// appendFrame appends a client's frame.
func appendFrame(dst []byte, op frame.Opcode, payload []byte) []byte {
	h := frame.Header{Fin: true, Opcode: op, Masked: true, MaskingKey: [4]byte{0x37, 0xfa, 0x21, 0x3d}}
	h.Length = uint64(len(payload))
	h.LengthSize = frame.MinimalLengthSize(h.Length)
	dst = append(h.Append(dst), payload...)
	frame.Mask(dst[len(dst)-len(payload):], h.MaskingKey, 0)
	return dst
}

// appendMessages appends n messages, each in a frame.
func appendMessages(dst []byte, n, size int) []byte {
	for i := range n {
		dst = appendFrame(dst, frame.Opcode(kindOf(i)), message(i, size))
	}
	return dst
}

// readMessages reads the answers to those messages.
func (w *world) readMessages(c *websocket.Conn, n, size int) error {
	for i := range n {
		_, b, err := readSoon(c, nil)
		if err != nil {
			return fmt.Errorf("message %d of %d: %w", i, n, err)
		}
		if string(b) != string(message(i, size)) {
			return fmt.Errorf("message %d of %d came back as another", i, n)
		}
		w.messages.Add(1)
	}
	return nil
}

// failsWith reads until the server has closed the connection with the code.
// What it echoed before may come first, and may be lost with the connection.
func failsWith(c *websocket.Conn, code websocket.StatusCode) error {
	for {
		_, _, err := readSoon(c, nil)
		var closed *websocket.CloseError
		var lost *websocket.LostError
		switch {
		case err == nil:
		case errors.As(err, &closed) && closed.ByPeer && closed.Code == code:
			return nil
		case errors.As(err, &lost) && errors.Is(err, websocket.ErrPeerReset):
			return nil // it had more to read when it closed
		default:
			return fmt.Errorf("expected a close with %d: %w", code, err)
		}
	}
}

// slowWriter sends a few bytes at a time.
func (w *world) slowWriter(rng *rand.Rand) error {
	c, nc, err := w.dial("slow writer", nil)
	if err != nil {
		return err
	}
	defer c.CloseNow()
	n, size := 1+rng.IntN(4), 8+rng.IntN(300)
	for b := appendMessages(nil, n, size); len(b) > 0; {
		k := min(len(b), 1+rng.IntN(16))
		if _, err := nc.Write(b[:k]); err != nil {
			return err
		}
		b = b[k:]
		time.Sleep(time.Millisecond)
	}
	if err := w.readMessages(c, n, size); err != nil {
		return err
	}
	return finish(c)
}

// halfClose sends its end right behind its last message, whose answer must come
// all the same, and then the server's end.
func (w *world) halfClose(rng *rand.Rand) error {
	c, nc, err := w.dial("half-close", nil)
	if err != nil {
		return err
	}
	defer c.CloseNow()
	n, size := 1+rng.IntN(20), 8+rng.IntN(2000)
	if _, err := nc.Write(appendMessages(nil, n, size)); err != nil {
		return err
	}
	if err := nc.CloseWrite(); err != nil {
		return err
	}
	if err := w.readMessages(c, n, size); err != nil {
		return err
	}
	if _, _, err := readSoon(c, nil); !errors.Is(err, net.ErrClosed) {
		return fmt.Errorf("the server's end does not follow on this one: %w", err)
	}
	return nil
}

// reset vanishes in the middle of a frame.
func (w *world) reset(rng *rand.Rand) error {
	c, nc, err := w.dial("reset", nil)
	if err != nil {
		return err
	}
	defer c.CloseNow()
	b := appendMessages(nil, 1+rng.IntN(30), 8+rng.IntN(30_000))
	nc.SetWriteDeadline(time.Now().Add(time.Second)) // nobody reads the answers
	nc.Write(b[:len(b)-rng.IntN(min(len(b), 4000))])
	nc.SetLinger(0)
	return nc.Close()
}

// cutHandshake ends before it was a connection.
func (w *world) cutHandshake(rng *rand.Rand) error {
	u, err := url.Parse(w.url)
	if err != nil {
		return err
	}
	nc, err := net.DialTimeout("tcp", u.Host, patience)
	if err != nil {
		return err
	}
	defer nc.Close()
	request := "GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
	_, err = io.WriteString(nc, request[:rng.IntN(len(request))])
	time.Sleep(time.Duration(rng.IntN(10)) * time.Millisecond)
	return err
}

// pingFlood sends more control frames than anyone needs.
func (w *world) pingFlood(*rand.Rand) error {
	c, nc, err := w.dial("ping flood", nil)
	if err != nil {
		return err
	}
	defer c.CloseNow()
	var b []byte
	for range 4000 {
		b = appendFrame(b, frame.Ping, []byte("flood"))
	}
	nc.Write(b)
	return failsWith(c, websocket.StatusPolicyViolation)
}

// unmasked breaks the first rule of clients.
func (w *world) unmasked(rng *rand.Rand) error {
	c, nc, err := w.dial("unmasked", nil)
	if err != nil {
		return err
	}
	defer c.CloseNow()
	b := appendMessages(nil, rng.IntN(4), 100)
	if _, err := nc.Write(append(b, 0x81, 5, 'H', 'e', 'l', 'l', 'o')); err != nil {
		return err
	}
	return failsWith(c, websocket.StatusProtocolError)
}

func (w *world) notUTF8(rng *rand.Rand) error {
	c, nc, err := w.dial("not UTF-8", nil)
	if err != nil {
		return err
	}
	defer c.CloseNow()
	p := message(0, 100+rng.IntN(5000))
	p[rng.IntN(len(p))] = 0xff
	if _, err := nc.Write(appendFrame(nil, frame.Text, p)); err != nil {
		return err
	}
	return failsWith(c, websocket.StatusInvalidPayloadData)
}
