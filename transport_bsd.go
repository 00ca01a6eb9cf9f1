//go:build unix && !linux

package websocket

import "syscall"

func receive(fd uintptr, p []byte) (n int, err error) {
	for {
		n, err = syscall.Read(int(fd), p)
		if err != syscall.EINTR {
			return max(n, 0), err
		}
	}
}

func send(fd uintptr, a, b []byte) (n int, err error) {
	if n, err = sendOne(fd, a); err == nil && n == len(a) && len(b) > 0 {
		var m int
		if m, err = sendOne(fd, b); err == errAgain {
			err = nil
		}
		n += m
	}
	return n, err
}

func sendOne(fd uintptr, p []byte) (n int, err error) {
	for {
		n, err = syscall.Write(int(fd), p)
		if err != syscall.EINTR {
			return max(n, 0), err
		}
	}
}
