package websocket

import (
	"net"
	"sync"
	"syscall"
	"time"
)

// transport is the connection below, with reads that hold no buffer while they
// wait and writes that never wait, where the operating system offers them.
type transport struct {
	nc  net.Conn
	raw syscall.RawConn // nil: only the blocking calls of nc

	// Owned by the one who reads.
	buf    *buffer // holds the bytes read last, or nil
	into   []byte  // where to read; nil: into buf
	readN  int
	rerr   error
	readFn func(fd uintptr) bool

	// Owned by the one who flushes.
	from    []byte
	wroteN  int
	werr    error
	writeFn func(fd uintptr) bool

	// The read deadline is used to wake a read whose context has ended.
	wake wakeup
}

func (t *transport) init(nc net.Conn) {
	t.nc = nc
	if t.raw = rawConn(nc); t.raw != nil {
		t.readFn, t.writeFn = t.rawRead, t.rawWrite
	}
}

// read waits for bytes and returns them: those that fit into the slice, if it
// is given one, or some in a buffer of its own, valid until the next read.
func (t *transport) read(into []byte) ([]byte, error) {
	if t.raw != nil {
		t.into = into
		err := t.raw.Read(t.readFn)
		t.into = nil
		if err == nil {
			err = t.rerr
		}
		if err != nil {
			t.release()
			return nil, err
		}
		if into != nil {
			return into[:t.readN], nil
		}
		return t.buf.b[:t.readN], nil
	}
	if into == nil {
		if t.buf == nil {
			t.buf = parkedBuffers.Get().(*buffer)
		}
		into = t.buf.b
	}
	n, err := t.nc.Read(into)
	if n > 0 {
		return into[:n], nil // an error comes again
	}
	if err != nil {
		t.release()
	}
	return nil, err
}

// release gives the buffer back, whose bytes are consumed.
func (t *transport) release() {
	if t.buf == nil {
		return
	}
	if len(t.buf.b) == readSize {
		readBuffers.Put(t.buf)
	} else {
		parkedBuffers.Put(t.buf)
	}
	t.buf = nil
}

// tryWrite writes what the kernel takes at once, which may be nothing.
func (t *transport) tryWrite(b []byte) (int, error) {
	if t.raw == nil {
		return 0, nil
	}
	t.from, t.wroteN, t.werr = b, 0, nil
	err := t.raw.Write(t.writeFn)
	t.from = nil
	if err == nil {
		err = t.werr
	}
	return t.wroteN, err
}

// wakeup ends a read by its deadline when a context ends, and knows to whom
// the deadline belongs.
type wakeup struct {
	mu   sync.Mutex
	turn int  // counts the reads
	set  bool // the deadline is in the past
}

var longAgo = time.Unix(1, 0)

// next begins a turn: a deadline of an earlier one is gone.
func (w *wakeup) next(nc net.Conn) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.turn++
	if w.set {
		nc.SetReadDeadline(time.Time{})
		w.set = false
	}
	return w.turn
}

// poke ends the read of the turn, unless the turn is over.
func (w *wakeup) poke(nc net.Conn, turn int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.turn == turn {
		nc.SetReadDeadline(longAgo)
		w.set = true
	}
}

// interrupt ends the read under way, which then goes on as if nothing had been.
func (w *wakeup) interrupt(nc net.Conn) {
	w.mu.Lock()
	defer w.mu.Unlock()
	nc.SetReadDeadline(longAgo)
	w.set = true
}
