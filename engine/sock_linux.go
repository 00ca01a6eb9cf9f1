package engine

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"syscall"
	"unsafe"
)

// The calls here do not wait, so the runtime need not be told of them.

func readFD(fd int, b []byte) (int, error) {
	n, _, errno := syscall.RawSyscall6(sysRecv, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)), 0, 0, 0)
	return result(n, errno)
}

func writeFD(fd int, b []byte) (int, error) {
	n, _, errno := syscall.RawSyscall6(sysSend, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)), syscall.MSG_NOSIGNAL, 0, 0)
	return result(n, errno)
}

// readTwo reads into a, and then into b.
func readTwo(fd int, a, b []byte) (int, error) {
	return vector(syscall.SYS_READV, fd, a, b)
}

// writeTwo writes a and b. When the kernel takes nothing it has written nothing.
func writeTwo(fd int, a, b []byte) (int, error) {
	n, err := vector(syscall.SYS_WRITEV, fd, a, b)
	if errors.Is(err, syscall.EAGAIN) {
		return 0, nil
	}
	return n, err
}

func vector(trap uintptr, fd int, a, b []byte) (int, error) {
	iov := [2]syscall.Iovec{{Base: unsafe.SliceData(a)}, {Base: unsafe.SliceData(b)}}
	iov[0].SetLen(len(a))
	iov[1].SetLen(len(b))
	for {
		n, _, errno := syscall.RawSyscall(trap, uintptr(fd), uintptr(unsafe.Pointer(&iov)), 2)
		if errno != syscall.EINTR {
			return result(n, errno)
		}
	}
}

func result(n uintptr, errno syscall.Errno) (int, error) {
	if errno != 0 {
		return 0, errno
	}
	return int(n), nil
}

// closeFD closes a socket, which nothing holds up: none of them lingers.
func closeFD(fd int) { syscall.RawSyscall(syscall.SYS_CLOSE, uintptr(fd), 0, 0) }

// halfClose ends this side of the stream.
func halfClose(fd int) { syscall.Shutdown(fd, syscall.SHUT_WR) }

// dupListener returns a descriptor of a listener's socket.
func dupListener(ln net.Listener) (int, error) {
	switch ln.(type) {
	case *net.TCPListener, *net.UnixListener:
		return dup(ln.(syscall.Conn))
	}
	return -1, errors.New("it is no plain TCP or unix socket")
}

// takeConn takes a connection's socket over.
func takeConn(nc net.Conn) (int, error) {
	switch nc.(type) {
	case *net.TCPConn, *net.UnixConn:
		fd, err := dup(nc.(syscall.Conn))
		if err == nil {
			nc.Close()
		}
		return fd, err
	}
	return -1, errors.New("it is no plain TCP or unix socket")
}

func dup(sc syscall.Conn) (fd int, err error) {
	raw, err := sc.SyscallConn()
	if err != nil {
		return -1, err
	}
	control := raw.Control(func(old uintptr) {
		r, _, errno := syscall.RawSyscall(syscall.SYS_FCNTL, old, syscall.F_DUPFD_CLOEXEC, 0)
		if fd = int(r); errno != 0 {
			fd, err = -1, fmt.Errorf("dup: %w", errno)
		}
	})
	if control != nil {
		return -1, control
	}
	return fd, err
}

// acceptFD accepts a connection of a listener, without waiting.
func acceptFD(ln int) (int, error) {
	fd, _, errno := syscall.RawSyscall6(sysAccept4, uintptr(ln), 0, 0, syscall.SOCK_NONBLOCK|syscall.SOCK_CLOEXEC, 0, 0)
	return result(fd, errno)
}

// exhausted reports whether the system can take no more connections for now.
func exhausted(err error) bool {
	return errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE) || errors.Is(err, syscall.ENOBUFS) || errors.Is(err, syscall.ENOMEM)
}

// noDelay turns Nagle's algorithm off: what belongs together is written in one
// call.
func noDelay(fd int) { syscall.SetsockoptInt(fd, syscall.IPPROTO_TCP, syscall.TCP_NODELAY, 1) }

func remoteAddr(fd int) net.Addr {
	sa, err := syscall.Getpeername(fd)
	if errors.Is(err, syscall.ENOTCONN) {
		sa = formerPeer(fd)
	}
	return addrOf(sa)
}

// formerPeer is Getpeername for a connection that was reset, which Linux tells
// as an option.
func formerPeer(fd int) syscall.Sockaddr {
	const soPeername = 28
	var raw syscall.RawSockaddrAny
	for _, size := range []uint32{syscall.SizeofSockaddrInet6, syscall.SizeofSockaddrInet4} { // asked for more than there is it fails
		_, _, errno := syscall.RawSyscall6(sysGetsockopt, uintptr(fd), syscall.SOL_SOCKET, soPeername, uintptr(unsafe.Pointer(&raw)), uintptr(unsafe.Pointer(&size)), 0)
		if errno != 0 {
			continue
		}
		switch raw.Addr.Family {
		case syscall.AF_INET6:
			a := (*syscall.RawSockaddrInet6)(unsafe.Pointer(&raw))
			return &syscall.SockaddrInet6{Port: hostOrder(&a.Port), ZoneId: a.Scope_id, Addr: a.Addr}
		case syscall.AF_INET:
			a := (*syscall.RawSockaddrInet4)(unsafe.Pointer(&raw))
			return &syscall.SockaddrInet4{Port: hostOrder(&a.Port), Addr: a.Addr}
		}
	}
	return nil
}

// hostOrder returns a port that the kernel gives as it is on the wire.
func hostOrder(port *uint16) int {
	return int(binary.BigEndian.Uint16((*[2]byte)(unsafe.Pointer(port))[:]))
}

func localAddr(fd int) net.Addr {
	sa, _ := syscall.Getsockname(fd)
	return addrOf(sa)
}

func addrOf(sa syscall.Sockaddr) net.Addr {
	switch a := sa.(type) {
	case *syscall.SockaddrInet4:
		return &net.TCPAddr{IP: a.Addr[:], Port: a.Port}
	case *syscall.SockaddrInet6:
		t := &net.TCPAddr{IP: a.Addr[:], Port: a.Port}
		if a.ZoneId != 0 {
			if i, err := net.InterfaceByIndex(int(a.ZoneId)); err == nil {
				t.Zone = i.Name
			}
		}
		return t
	case *syscall.SockaddrUnix:
		return &net.UnixAddr{Name: a.Name, Net: "unix"}
	}
	return &net.TCPAddr{}
}
