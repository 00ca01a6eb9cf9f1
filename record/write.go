package record

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"
)

const (
	flushSize  = 64 << 10               // that waits is written at once
	flushDelay = 200 * time.Millisecond // is how long less than that waits
	maxPending = 4 << 20                // is how much waits before bytes are left out
)

// pending is what waits to be written.
type pending struct {
	full   [][]byte // the rest of each file that is complete, oldest first
	buf    []byte   // of the file that is not
	spare  []byte   // empty
	began  int64    // bytes of that file that were handed to the writer
	file   int      // its number
	timer  *time.Timer
	active bool // a goroutine writes
}

func (p *pending) size() int {
	n := len(p.buf)
	for _, b := range p.full {
		n += len(b)
	}
	return n
}

// beginFile appends the beginning of a file. It is called with mu held, or
// before anybody else knows the Recorder.
func (r *Recorder) beginFile() {
	r.pending.buf = r.format.begin(r.pending.buf)
	r.pending.began = 0
}

// room makes room for n bytes, in the next file if need be, or reports that
// there is none left. It is called with mu held.
func (r *Recorder) room(n int) bool {
	p := &r.pending
	switch {
	case r.stopped:
		return false
	case r.perFile == 0 || p.began+int64(len(p.buf)+n) <= r.perFile:
		return true
	case r.o.Files == 1:
		r.stats.Full = true
		r.stop()
		return false
	}
	p.full = append(p.full, p.buf)
	p.buf = nil
	p.file++
	r.beginFile()
	return p.began+int64(len(p.buf)+n) <= r.perFile
}

// wake sees to it that what waits is written. It is called with mu held.
func (r *Recorder) wake() {
	p := &r.pending
	switch {
	case p.active || p.size() == 0:
	case p.size() >= flushSize:
		p.active = true
		go r.Flush()
	case p.timer == nil:
		p.timer = time.AfterFunc(flushDelay, func() { r.Flush() })
	}
}

// Flush writes what waits. It returns the error that ended the recording, if one
// did.
func (r *Recorder) Flush() error {
	r.writing.Lock()
	defer r.writing.Unlock()
	for {
		full, buf := r.take()
		if full == nil && len(buf) == 0 {
			return r.err // which only the one who writes changes
		}
		for _, b := range full {
			if r.put(b) {
				if err := r.out.next(); err != nil {
					r.fail(err)
				}
			}
		}
		r.put(buf)
		r.mu.Lock()
		if cap(buf) <= 2*flushSize {
			r.pending.spare = buf[:0]
		}
		r.mu.Unlock()
	}
}

// take takes what waits; with nothing, the writing ends.
func (r *Recorder) take() (full [][]byte, buf []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	p := &r.pending
	full, buf = p.full, p.buf
	p.full, p.buf, p.spare = nil, p.spare, nil
	p.began += int64(len(buf))
	p.active = full != nil || len(buf) > 0
	if p.timer != nil {
		p.timer.Stop()
		p.timer = nil
	}
	return full, buf
}

// put writes to the file, unless an earlier write failed. It is called by the
// one who writes.
func (r *Recorder) put(b []byte) bool {
	if r.err != nil || len(b) == 0 {
		return r.err == nil
	}
	n, err := r.out.Write(b)
	r.mu.Lock()
	r.stats.Bytes += int64(n)
	r.mu.Unlock()
	if err != nil {
		r.fail(err)
	}
	return err == nil
}

// fail ends the recording for the first error.
func (r *Recorder) fail(err error) error {
	r.mu.Lock()
	r.stop()
	first := r.err == nil
	if first {
		r.err = fmt.Errorf("record: %w", err)
	}
	err = r.err
	r.mu.Unlock()
	if first && r.o.Failed != nil {
		r.o.Failed(err)
	}
	return err
}

// output is where a recording goes.
type output interface {
	io.Writer
	next() error // begins the next file
	close() error
}

type stream struct{ io.Writer }

func (*stream) next() error  { return nil }
func (*stream) close() error { return nil }

// files is a ring of files.
type files struct {
	name  string
	count int
	*os.File
}

// create opens the first file and deletes those of an earlier ring.
func (f *files) create() (err error) {
	for i := 1; i < f.count; i++ {
		if err := os.Remove(f.numbered(i)); err != nil && !os.IsNotExist(err) {
			return err
		}
	}
	f.File, err = os.OpenFile(f.name, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	return err
}

// numbered is the name of the file that was the newest so many files ago.
func (f *files) numbered(ago int) string {
	if ago == 0 {
		return f.name
	}
	ext := filepath.Ext(f.name)
	return fmt.Sprintf("%s.%d%s", strings.TrimSuffix(f.name, ext), ago, ext)
}

func (f *files) next() error {
	if err := f.File.Close(); err != nil {
		return err
	}
	for i := f.count - 1; i > 0; i-- {
		if err := os.Rename(f.numbered(i-1), f.numbered(i)); err != nil && !os.IsNotExist(err) {
			return err
		}
	}
	var err error
	f.File, err = os.OpenFile(f.name, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	return err
}

func (f *files) close() error { return f.File.Close() }
