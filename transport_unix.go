//go:build unix

package websocket

import (
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

// errAgain says that a read or a write would have to wait.
var errAgain error = syscall.EAGAIN
