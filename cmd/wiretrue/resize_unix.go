//go:build unix

package main

import (
	"os"
	"os/signal"
	"syscall"
)

// onResize calls f now and whenever the terminal's size has changed.
func onResize(f func()) {
	f()
	resized := make(chan os.Signal, 1)
	signal.Notify(resized, syscall.SIGWINCH)
	go func() {
		for range resized {
			f()
		}
	}()
}
