package main

import (
	"errors"
	"io"
	"os"
	"sync"
	"syscall"
)

// output is standard output. When whoever reads it is gone, it says so once
// and drops what follows. It may be written to by any goroutine.
type output struct {
	mu   sync.Mutex
	w    io.Writer
	gone bool
	lost func() // called once, when the reader is gone
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.gone {
		return len(p), nil
	}
	n, err := o.w.Write(p)
	if errors.Is(err, syscall.EPIPE) || errors.Is(err, os.ErrClosed) {
		o.gone = true
		if o.lost != nil {
			o.lost()
		}
		return len(p), nil
	}
	return n, err
}
