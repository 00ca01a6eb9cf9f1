//go:build !unix

package websocket

import (
	"errors"
	"net"
	"syscall"
)

func rawConn(net.Conn) syscall.RawConn { return nil }

var errAgain = errors.ErrUnsupported

func receive(uintptr, []byte) (int, error)      { return 0, errors.ErrUnsupported }
func send(uintptr, []byte, []byte) (int, error) { return 0, errors.ErrUnsupported }
