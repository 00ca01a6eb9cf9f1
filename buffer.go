package websocket

import "sync"

// Buffers hold bytes on their way and belong to a connection only as long as
// there are some: an idle connection has none.
type buffer struct{ b []byte }

const (
	readSize   = 16 << 10 // of a read that waits for readiness first
	parkedSize = 4 << 10  // of a read that holds its buffer while it waits
	writeSize  = 4 << 10  // to begin with; grows with what is written
	keepSize   = 64 << 10 // a larger buffer is left to the garbage collector
)

var (
	readBuffers   = sync.Pool{New: func() any { return &buffer{make([]byte, readSize)} }}
	parkedBuffers = sync.Pool{New: func() any { return &buffer{make([]byte, parkedSize)} }}
	writeBuffers  = sync.Pool{New: func() any { return &buffer{make([]byte, 0, writeSize)} }}
)

func getWriteBuffer() *buffer { return writeBuffers.Get().(*buffer) }

func putWriteBuffer(b *buffer) {
	if cap(b.b) <= keepSize {
		b.b = b.b[:0]
		writeBuffers.Put(b)
	}
}
