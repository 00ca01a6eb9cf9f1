//go:build !unix

package websocket

import (
	"net"
	"syscall"
)

func rawConn(net.Conn) syscall.RawConn { return nil }

func (t *transport) rawRead(uintptr) bool  { return true }
func (t *transport) rawWrite(uintptr) bool { return true }
