//go:build linux

package server

import (
	"net"
	"runtime"
	"syscall"
	"time"
	"unsafe"

	"github.com/wiretrue/websocket/internal/uring"
)

var rawIOUring = &Server{
	Name: "raw/io_uring", Kind: Floor, Raw: true,
	What:  "an echo of the bytes: one io_uring on one thread, multishot receives, sends from where the bytes are",
	Lacks: []Mode{EchoReset, EchoTakeover, Broadcast},
	Missing: func() error {
		ring, err := uring.New(1)
		if err == nil {
			ring.Close()
		}
		return err
	},
	Serve: serveRawIOUring,
}

// chunk is bytes that were received into a buffer of the ring's.
type chunk struct {
	buffer uint16
	b      []byte
}

// What a completion is for.
const (
	rawAccept = iota
	rawReceive
	rawSend
)

// serveRawIOUring is the least that an echo costs on io_uring.
func serveRawIOUring(ln net.Listener, _ Mode) error {
	file, err := ln.(*net.TCPListener).File()
	if err != nil {
		return err
	}
	defer file.Close()
	runtime.LockOSThread()
	listener := int(file.Fd())
	syscall.SetsockoptInt(listener, syscall.IPPROTO_TCP, syscall.TCP_NODELAY, 1) // which its connections inherit
	ring, err := uring.New(1024)
	if err != nil {
		return err
	}
	buffers, err := uring.NewBuffers(ring, 1024, 32<<10)
	if err != nil {
		return err
	}
	prepare := func(op uint8, what uint64, fd int) *uring.SQE {
		e := ring.Prepare()
		e.Opcode, e.FD, e.UserData = op, int32(fd), what<<32|uint64(fd)
		return e
	}
	receive := func(fd int) {
		e := prepare(uring.OpRecv, rawReceive, fd)
		e.Flags, e.IOPrio, e.BufGroup = uring.SQEBufferSelect, uring.RecvMultishot, uring.BufGroup
	}
	send := func(fd int, b []byte) {
		e := prepare(uring.OpSend, rawSend, fd)
		e.Addr, e.Len, e.OpFlags = uint64(uintptr(unsafe.Pointer(&b[0]))), uint32(len(b)), syscall.MSG_NOSIGNAL
	}
	accept := func() { prepare(uring.OpAccept, rawAccept, listener).IOPrio = uring.AcceptMultishot }
	unsent := map[int][]chunk{} // of a connection; the first is being sent
	starved := []int{}          // for want of buffers
	accept()
	for {
		if err := ring.Enter(-time.Second); err != nil {
			return err
		}
		for c := ring.Next(); c != nil; c = ring.Next() {
			done := *c
			ring.Done()
			fd, more := int(uint32(done.UserData)), done.Flags&uring.CQEMore != 0
			switch done.UserData >> 32 {
			case rawAccept:
				if done.Res >= 0 {
					receive(int(done.Res))
				}
				if !more {
					accept()
				}
			case rawReceive:
				switch {
				case done.Res > 0:
					id := uint16(done.Flags >> uring.CQEBufferShift)
					got := chunk{id, buffers.Get(id, int(done.Res))}
					if unsent[fd] = append(unsent[fd], got); len(unsent[fd]) == 1 {
						send(fd, got.b)
					}
					if !more {
						receive(fd)
					}
				case done.Res == -int32(syscall.ENOBUFS):
					starved = append(starved, fd)
				default:
					syscall.Close(fd)
				}
			case rawSend:
				queue := unsent[fd]
				first := &queue[0]
				if first.b = first.b[max(0, int(done.Res)):]; done.Res > 0 && len(first.b) > 0 {
					send(fd, first.b)
					continue
				}
				buffers.Put(first.buffer)
				if unsent[fd] = append(queue[:0], queue[1:]...); len(unsent[fd]) > 0 {
					send(fd, unsent[fd][0].b)
				}
			}
		}
		buffers.Publish()
		for _, fd := range starved {
			receive(fd)
		}
		starved = starved[:0]
	}
}
