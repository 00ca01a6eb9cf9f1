//go:build linux

package server

import (
	"errors"
	"net"
	"runtime"
	"syscall"
	"unsafe"
)

var rawEpoll = &Server{
	Name: "raw/epoll", Kind: Floor, Raw: true,
	What:  "an echo of the bytes: epoll and raw system calls on one thread",
	Lacks: []Mode{EchoReset, EchoTakeover, Broadcast},
	Serve: serveRawEpoll,
}

// serveRawEpoll is the least that an echo costs on epoll.
func serveRawEpoll(ln net.Listener, _ Mode) error {
	file, err := ln.(*net.TCPListener).File()
	if err != nil {
		return err
	}
	defer file.Close()
	runtime.LockOSThread()
	listener := int(file.Fd())
	if err := syscall.SetNonblock(listener, true); err != nil {
		return err
	}
	ep, err := syscall.EpollCreate1(syscall.EPOLL_CLOEXEC)
	if err != nil {
		return err
	}
	watch := func(op, fd int, events uint32) {
		syscall.EpollCtl(ep, op, fd, &syscall.EpollEvent{Events: events, Fd: int32(fd)})
	}
	watch(syscall.EPOLL_CTL_ADD, listener, syscall.EPOLLIN)
	buf := make([]byte, 256<<10)
	unsent := map[int][]byte{} // of those whose socket is full
	end := func(fd int) {
		delete(unsent, fd)
		syscall.Close(fd)
	}
	// send returns what was not taken, or false when the connection is gone.
	send := func(fd int, b []byte) ([]byte, bool) {
		for len(b) > 0 {
			n, _, errno := syscall.RawSyscall6(syscall.SYS_SENDTO, uintptr(fd), uintptr(unsafe.Pointer(&b[0])), uintptr(len(b)), syscall.MSG_NOSIGNAL, 0, 0)
			if errno == syscall.EAGAIN {
				return b, true
			}
			if errno != 0 {
				return nil, false
			}
			b = b[n:]
		}
		return nil, true
	}
	events := make([]syscall.EpollEvent, 256)
	for {
		n, err := syscall.EpollWait(ep, events, -1)
		if err != nil && !errors.Is(err, syscall.EINTR) {
			return err
		}
		for _, e := range events[:max(n, 0)] {
			fd := int(e.Fd)
			if fd == listener {
				for {
					c, _, err := syscall.Accept4(listener, syscall.SOCK_NONBLOCK|syscall.SOCK_CLOEXEC)
					if err != nil {
						break
					}
					syscall.SetsockoptInt(c, syscall.IPPROTO_TCP, syscall.TCP_NODELAY, 1)
					watch(syscall.EPOLL_CTL_ADD, c, syscall.EPOLLIN)
				}
				continue
			}
			if e.Events&syscall.EPOLLOUT != 0 {
				rest, ok := send(fd, unsent[fd])
				switch {
				case !ok:
					end(fd)
				case len(rest) > 0:
					unsent[fd] = rest
				default:
					delete(unsent, fd)
					watch(syscall.EPOLL_CTL_MOD, fd, syscall.EPOLLIN)
				}
				continue
			}
			n, _, errno := syscall.RawSyscall6(syscall.SYS_RECVFROM, uintptr(fd), uintptr(unsafe.Pointer(&buf[0])), uintptr(len(buf)), 0, 0, 0)
			if errno == syscall.EAGAIN {
				continue
			}
			if errno != 0 || n == 0 {
				end(fd)
				continue
			}
			rest, ok := send(fd, buf[:n])
			switch {
			case !ok:
				end(fd)
			case len(rest) > 0:
				unsent[fd] = append([]byte(nil), rest...)
				watch(syscall.EPOLL_CTL_MOD, fd, syscall.EPOLLOUT)
			}
		}
	}
}
