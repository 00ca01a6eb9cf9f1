package server

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"unicode/utf8"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsflate"
	"github.com/gobwas/ws/wsutil"
)

var gobwasHelpers = &Server{
	Name: "gobwas", Kind: Peer,
	What:  "gobwas/ws: UpgradeHTTP, wsutil's ReadClientData (which checks UTF-8) and WriteServerMessage",
	Lacks: []Mode{EchoTakeover},
	Serve: serveGobwasHelpers,
}

var gobwasLean = &Server{
	Name: "gobwas/lean", Kind: Peer, LowLevel: true,
	What:  "gobwas/ws: Upgrade on the socket, frames read through one buffer and written together; the handler checks UTF-8",
	Lacks: []Mode{EchoReset, EchoTakeover},
	Serve: serveGobwasLean,
}

func serveGobwasHelpers(ln net.Listener, mode Mode) error {
	wsutil.SetCheckUTF8(true)
	wsutil.SetMaxMessageSize(readLimit)
	var members room[net.Conn]
	return serveHTTP(ln, func(w http.ResponseWriter, r *http.Request) {
		up := ws.HTTPUpgrader{}
		if mode == EchoReset {
			e := wsflate.Extension{Parameters: wsflate.DefaultParameters}
			up.Negotiate = e.Negotiate
		}
		c, _, _, err := up.Upgrade(r, w)
		if err != nil {
			return
		}
		defer c.Close()
		if mode == Broadcast {
			members.enter(c)
			defer members.leave(c)
		}
		for {
			if mode == EchoReset {
				if err := gobwasCompressed(c); err != nil {
					return
				}
				continue
			}
			b, op, err := wsutil.ReadClientData(c)
			if err != nil {
				return
			}
			if mode != Broadcast {
				if wsutil.WriteServerMessage(c, op, b) != nil {
					return
				}
				continue
			}
			out, err := ws.CompileFrame(ws.NewFrame(op, true, b))
			if err != nil {
				return
			}
			members.each(func(c net.Conn) { c.Write(out) })
		}
	})
}

// gobwasCompressed echoes one frame in the way that wsflate documents.
func gobwasCompressed(c net.Conn) error {
	h, err := ws.ReadHeader(c)
	if err != nil {
		return err
	}
	if h.OpCode.IsControl() || !h.Fin || h.Length > readLimit {
		return io.EOF // the clients of the benchmark send whole messages only
	}
	payload := make([]byte, h.Length)
	if _, err := io.ReadFull(c, payload); err != nil {
		return err
	}
	f := ws.UnmaskFrameInPlace(ws.Frame{Header: h, Payload: payload})
	if f, err = wsflate.DecompressFrame(f); err != nil {
		return err
	}
	if f.Header.OpCode == ws.OpText && !utf8.Valid(f.Payload) {
		return errNotUTF8
	}
	if f, err = wsflate.CompressFrame(ws.NewFrame(f.Header.OpCode, true, f.Payload)); err != nil {
		return err
	}
	return ws.WriteFrame(c, f)
}

func serveGobwasLean(ln net.Listener, mode Mode) error {
	var members room[net.Conn]
	for {
		c, err := ln.Accept()
		if err != nil {
			return err
		}
		go func() {
			defer c.Close()
			if _, err := ws.Upgrade(c); err != nil {
				return
			}
			if mode == Broadcast {
				members.enter(c)
				defer members.leave(c)
			}
			gobwasFrames(c, mode, &members)
		}()
	}
}

func gobwasFrames(c net.Conn, mode Mode, members *room[net.Conn]) {
	in := bufio.NewReaderSize(c, 4096)
	var payload, out []byte
	state := ws.StateServerSide
	for {
		h, err := ws.ReadHeader(in)
		if err != nil || ws.CheckHeader(h, state) != nil || h.Length > readLimit || h.OpCode.IsControl() && h.OpCode != ws.OpPing || !h.Fin {
			return // the clients of the benchmark send whole messages and Pings only
		}
		if int64(cap(payload)) < h.Length {
			payload = make([]byte, h.Length)
		}
		payload = payload[:h.Length]
		if _, err := io.ReadFull(in, payload); err != nil {
			return
		}
		ws.Cipher(payload, h.Mask, 0)
		if h.OpCode == ws.OpText && !utf8.Valid(payload) {
			return
		}
		if h.OpCode == ws.OpPing {
			h.OpCode = ws.OpPong
		} else if mode == Broadcast {
			frame := ws.MustCompileFrame(ws.NewFrame(h.OpCode, true, payload))
			members.each(func(c net.Conn) { c.Write(frame) })
			continue
		}
		out = appendGobwas(out, h.OpCode, payload)
		if in.Buffered() == 0 || len(out) > 64<<10 {
			if _, err := c.Write(out); err != nil {
				return
			}
			out = out[:0]
		}
	}
}

// appendGobwas appends a frame as a server sends it.
func appendGobwas(out []byte, op ws.OpCode, payload []byte) []byte {
	n := len(payload)
	out = append(out, 0x80|byte(op))
	switch {
	case n < 126:
		out = append(out, byte(n))
	case n < 1<<16:
		out = append(out, 126, byte(n>>8), byte(n))
	default:
		out = append(out, 127, 0, 0, 0, 0, byte(n>>24), byte(n>>16), byte(n>>8), byte(n))
	}
	return append(out, payload...)
}
