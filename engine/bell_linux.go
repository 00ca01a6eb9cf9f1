package engine

import (
	"os"
	"syscall"
	"time"
	"unsafe"
)

// newBell makes an eventfd, by which other goroutines wake a loop.
func newBell() (int, error) {
	const cloexecNonblock = syscall.O_CLOEXEC | syscall.O_NONBLOCK
	fd, _, errno := syscall.RawSyscall(syscall.SYS_EVENTFD2, 0, cloexecNonblock, 0)
	if errno != 0 {
		return -1, os.NewSyscallError("eventfd2", errno)
	}
	return int(fd), nil
}

func ring(bell int) {
	one := uint64(1)
	syscall.RawSyscall(syscall.SYS_WRITE, uintptr(bell), uintptr(unsafe.Pointer(&one)), 8)
}

func unring(bell int) {
	var count uint64
	syscall.RawSyscall(syscall.SYS_READ, uintptr(bell), uintptr(unsafe.Pointer(&count)), 8)
}

// parker lets a goroutine wait for a descriptor by the runtime's means, which
// holds up no other goroutine.
type parker struct {
	file  *os.File
	raw   syscall.RawConn
	until time.Time // the deadline that is set; zero: none
}

// open watches a duplicate of the descriptor.
func (p *parker) open(fd int) error {
	own, _, errno := syscall.RawSyscall(syscall.SYS_FCNTL, uintptr(fd), syscall.F_DUPFD_CLOEXEC, 0)
	if errno != 0 {
		return os.NewSyscallError("dup", errno)
	}
	if err := syscall.SetNonblock(int(own), true); err != nil {
		closeFD(int(own))
		return err
	}
	p.file = os.NewFile(own, "epoll")
	raw, err := p.file.SyscallConn()
	p.raw = raw
	return err
}

// wait calls try, and again when the descriptor may have become readable, until
// try returns true or the time is over. A negative time is without end.
func (p *parker) wait(d time.Duration, try func(fd uintptr) bool) {
	switch {
	case d >= 0:
		// One that is met to the millisecond need not be set again.
		if now := time.Now(); p.until.Sub(now.Add(d)).Abs() > time.Millisecond || !p.until.After(now) {
			p.until = now.Add(d)
			p.file.SetReadDeadline(p.until)
		}
	case !p.until.IsZero():
		p.until = time.Time{}
		p.file.SetReadDeadline(p.until)
	}
	p.raw.Read(try)
}

func (p *parker) close() {
	if p.file != nil {
		p.file.Close()
	}
}
