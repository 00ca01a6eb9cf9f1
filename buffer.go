package websocket

import (
	"io"
	"sync"
)

// buffer holds bytes on their way, and what the call that moves them has to
// remember. It belongs to a connection only as long as there are some: an idle
// connection has none.
type buffer struct {
	b []byte

	// Of a call by way of the descriptor, which does not wait.
	into   []byte // where read puts bytes
	behind []byte // what write sends behind b
	n      int
	err    error

	read, write func(fd uintptr)
}

const (
	readSize   = 20 << 10 // of a read that waits for readiness first: 16 KiB and what frames them
	parkedSize = 1 << 10  // of a read that holds its buffer while it waits
	behindSize = 4 << 10  // of one behind a read that has filled such a buffer
	writeSize  = 4 << 10  // to begin with; grows with what is written
	keepSize   = 64 << 10 // a larger buffer is left to the garbage collector
)

var (
	readBuffers   = sync.Pool{New: func() any { return newBuffer(make([]byte, readSize)) }}
	parkedBuffers = sync.Pool{New: func() any { return &buffer{b: make([]byte, parkedSize)} }}
	behindBuffers = sync.Pool{New: func() any { return &buffer{b: make([]byte, behindSize)} }}
	writeBuffers  = sync.Pool{New: func() any { return newBuffer(make([]byte, 0, writeSize)) }}
)

func newBuffer(b []byte) *buffer {
	buf := &buffer{b: b}
	buf.read, buf.write = buf.receive, buf.send
	return buf
}

func (b *buffer) receive(fd uintptr) {
	b.n, b.err = receive(fd, b.into)
	if b.n == 0 && b.err == nil {
		b.err = io.EOF
	}
}

func (b *buffer) send(fd uintptr) { b.n, b.err = send(fd, b.b, b.behind) }

// forget ends a call, and returns what it has come to.
func (b *buffer) forget() (n int, err error) {
	n, err = b.n, b.err
	b.into, b.behind, b.n, b.err = nil, nil, 0, nil
	return n, err
}

func getWriteBuffer() *buffer { return writeBuffers.Get().(*buffer) }

func putWriteBuffer(b *buffer) {
	if cap(b.b) <= keepSize {
		b.b = b.b[:0]
		writeBuffers.Put(b)
	}
}
