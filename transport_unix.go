//go:build unix

package websocket

import (
	"errors"
	"io"
	"net"
	"syscall"
)

// rawConn returns the descriptor of a plain TCP or unix connection.
func rawConn(nc net.Conn) syscall.RawConn {
	switch c := nc.(type) {
	case *net.TCPConn:
		raw, _ := c.SyscallConn()
		return raw
	case *net.UnixConn:
		raw, _ := c.SyscallConn()
		return raw
	}
	return nil
}

// rawRead is called when the descriptor may be readable, and again when it is.
// It takes a buffer only for the time of the call.
func (t *transport) rawRead(fd uintptr) (done bool) {
	dst := t.into
	if dst == nil {
		if t.buf == nil {
			t.buf = readBuffers.Get().(*buffer)
		}
		dst = t.buf.b
	}
	for {
		t.readN, t.rerr = syscall.Read(int(fd), dst)
		switch {
		case t.rerr == nil && t.readN == 0:
			t.rerr = io.EOF
			return true
		case errors.Is(t.rerr, syscall.EINTR):
			continue
		case errors.Is(t.rerr, syscall.EAGAIN):
			t.release()
			return false
		}
		return true
	}
}

// rawWrite writes what the socket's buffer takes. It always is done: what is
// left is written by a goroutine that may wait.
func (t *transport) rawWrite(fd uintptr) (done bool) {
	for t.wroteN < len(t.from) {
		n, err := syscall.Write(int(fd), t.from[t.wroteN:])
		switch {
		case errors.Is(err, syscall.EINTR):
			continue
		case errors.Is(err, syscall.EAGAIN):
			return true
		case err != nil:
			t.werr = err
			return true
		}
		if t.wroteN += n; n == 0 {
			return true
		}
	}
	return true
}
