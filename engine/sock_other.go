//go:build !linux

package engine

import (
	"errors"
	"net"
)

var errNoLoops = errors.New("there are event loops on Linux only")

func newBackend(*loop) (backend, Backend, error) { return nil, 0, errNoLoops }

func dupListener(net.Listener) (int, error)     { return -1, errNoLoops }
func takeConn(net.Conn) (int, error)            { return -1, errNoLoops }
func closeFD(int)                               {}
func halfClose(int)                             {}
func writeTwo(int, []byte, []byte) (int, error) { return 0, errNoLoops }
func remoteAddr(int) net.Addr                   { return nil }
func localAddr(int) net.Addr                    { return nil }
