//go:build !linux

package server

import (
	"errors"
	"net"
)

var rawEpoll = &Server{
	Name: "raw/epoll", Kind: Floor, Raw: true,
	What:  "an echo of the bytes: epoll, which is Linux's",
	Lacks: []Mode{EchoReset, EchoTakeover, Broadcast},
	Serve: func(net.Listener, Mode) error { return errors.ErrUnsupported },
}
