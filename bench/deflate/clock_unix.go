//go:build unix

package main

import (
	"syscall"
	"time"
)

// now is the processor time that this process has used. Unlike the time of day
// it does not run while other programs do.
func now() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
