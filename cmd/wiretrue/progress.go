package main

import (
	"fmt"
	"io"
	"os"
	"sync/atomic"
	"time"

	"github.com/mattn/go-isatty"

	"github.com/wiretrue/websocket/cmd/internal/packet"
)

// A screen is standard output beside a progress line, which is taken away
// before anything is written.
type screen struct {
	w        io.Writer
	progress *progress
	lost     atomic.Bool
}

func (s *screen) Write(b []byte) (int, error) {
	s.progress.clear()
	n, err := s.w.Write(b)
	if err != nil {
		s.lost.Store(true)
	}
	return n, err
}

// gone reports whether nobody reads any more.
func (s *screen) gone() bool { return s.lost.Load() }

const (
	progressAfter = 2 * time.Second
	progressEvery = 250 * time.Millisecond
	progressSteps = 1 << 12 // steps between two looks at the clock
)

// A progress tells on a terminal how far a file has been read, when that takes
// its time.
type progress struct {
	w     io.Writer // nil: nobody is there to see it
	src   *packet.Reader
	file  string
	size  int64 // of the file; 0: not known, or not to be compared
	steps int
	next  time.Time
	drawn bool
}

func newProgress(stderr *os.File) *progress {
	p := new(progress)
	if isatty.IsTerminal(stderr.Fd()) {
		p.w = stderr
	}
	return p
}

// begin begins a file.
func (p *progress) begin(file string, src packet.Source) {
	p.src, _ = src.(*packet.Reader)
	p.file, p.size, p.next = file, 0, time.Now().Add(progressAfter)
	if info, err := os.Stat(file); err == nil && info.Mode().IsRegular() {
		p.size = info.Size()
	}
}

// step is called often.
func (p *progress) step() {
	if p.steps++; p.w == nil || p.src == nil || p.steps%progressSteps != 0 {
		return
	}
	now := time.Now()
	if now.Before(p.next) {
		return
	}
	p.next = now.Add(progressEvery)
	read := p.src.Offset()
	text := fmt.Sprintf("%s: %d MB", p.file, read/1e6)
	if p.size >= read { // less: it is compressed
		text += fmt.Sprintf(" of %d, %d%%", p.size/1e6, 100*read/max(1, p.size))
	}
	fmt.Fprintf(p.w, "\r%s\x1b[K", text)
	p.drawn = true
}

func (p *progress) clear() {
	if p.drawn {
		fmt.Fprint(p.w, "\r\x1b[K")
		p.drawn = false
	}
}

// end takes the line away.
func (p *progress) end() { p.clear() }
