//go:build linux

package load

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"
	"unsafe"
)

// The calls below go to the kernel without telling the scheduler: none of them
// waits, and the thread has nothing else to do.

func read(fd int32, b []byte) (int, syscall.Errno) {
	n, _, errno := syscall.RawSyscall(syscall.SYS_READ, uintptr(fd), uintptr(unsafe.Pointer(&b[0])), uintptr(len(b)))
	return int(n), errno
}

func write(fd int32, b []byte) (int, syscall.Errno) {
	n, _, errno := syscall.RawSyscall(syscall.SYS_WRITE, uintptr(fd), uintptr(unsafe.Pointer(&b[0])), uintptr(len(b)))
	return int(n), errno
}

func poll(ep int, events []syscall.EpollEvent) int {
	n, _, errno := syscall.RawSyscall6(syscall.SYS_EPOLL_PWAIT, uintptr(ep), uintptr(unsafe.Pointer(&events[0])), uintptr(len(events)), 0, 0, 0)
	if errno != 0 {
		return 0
	}
	return int(n)
}

// processTime returns the processor time that all threads of a process have
// used so far, those that have ended included, in nanoseconds' precision
// (clock_getcpuclockid(3)).
func processTime(pid int) (time.Duration, error) {
	if pid == 0 {
		return 0, nil
	}
	const sched = 2
	clock := int32(^pid<<3 | sched)
	var t syscall.Timespec
	if _, _, errno := syscall.RawSyscall(syscall.SYS_CLOCK_GETTIME, uintptr(clock), uintptr(unsafe.Pointer(&t)), 0); errno != 0 {
		return 0, fmt.Errorf("the processor time of process %d: %w", pid, errno)
	}
	return time.Duration(t.Nano()), nil
}

// runDelay returns how long the threads of a process that are there now have been
// ready to run and had to wait for a processor.
func runDelay(pid int) (sum time.Duration) {
	files, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", pid))
	for _, name := range files {
		b, _ := os.ReadFile(name)
		if f := strings.Fields(string(b)); len(f) > 1 {
			n, _ := strconv.ParseInt(f[1], 10, 64)
			sum += time.Duration(n)
		}
	}
	return sum
}

// Pinned runs f, which starts a process, on the processor; what it starts stays
// there. A processor below 0 is any.
func Pinned(cpu int, f func() error) error {
	if cpu < 0 {
		return f()
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var old, one [16]uint64
	size, ptr := unsafe.Sizeof(old), func(p *[16]uint64) uintptr { return uintptr(unsafe.Pointer(p)) }
	if _, _, errno := syscall.RawSyscall(syscall.SYS_SCHED_GETAFFINITY, 0, size, ptr(&old)); errno != 0 {
		return fmt.Errorf("sched_getaffinity: %w", errno)
	}
	one[cpu/64] = 1 << (cpu % 64)
	if _, _, errno := syscall.RawSyscall(syscall.SYS_SCHED_SETAFFINITY, 0, size, ptr(&one)); errno != 0 {
		return fmt.Errorf("pinning to processor %d: %w", cpu, errno)
	}
	defer syscall.RawSyscall(syscall.SYS_SCHED_SETAFFINITY, 0, size, ptr(&old))
	return f()
}
