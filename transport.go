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
	buf   *buffer // of the read under way, or of the bytes read last; nil: none
	into  []byte  // where the next read is to put bytes; nil: into buf
	watch watch

	readFn func(fd uintptr) bool // reads when the descriptor may be readable

	wake wakeup
}

func (t *transport) init(nc net.Conn) {
	t.nc = nc
	if t.raw = rawConn(nc); t.raw == nil {
		return
	}
	t.readFn = func(fd uintptr) (done bool) {
		b := t.borrow()
		if b.receive(fd); b.err == errAgain {
			t.release()
			return false
		}
		return true
	}
}

// read waits for bytes and returns them: those that fit into what into is set
// to, or some in a buffer of its own, valid until the next read. A descriptor
// takes a buffer only when there is something to be read.
func (t *transport) read() ([]byte, error) {
	switch {
	case t.raw == nil:
		return t.readParked()
	case t.watched():
		return t.readWatched()
	}
	err := t.raw.Read(t.readFn)
	if t.watch.crowded() {
		t.startWatching()
	}
	return t.result(err)
}

// readParked is read for a transport that is no descriptor. Behind bytes that fill
// the buffer with which it waits there are more.
func (t *transport) readParked() ([]byte, error) {
	into := t.into
	t.into = nil
	if into == nil {
		switch {
		case t.buf == nil:
			t.buf = parkedBuffers.Get().(*buffer)
		case t.buf.n == parkedSize:
			t.release()
			t.buf = behindBuffers.Get().(*buffer)
		}
		into = t.buf.b
	}
	n, err := t.nc.Read(into)
	if t.buf != nil {
		t.buf.n = n
	}
	if n > 0 {
		return into[:n], nil // an error comes again
	}
	if err != nil {
		t.release()
	}
	return nil, err
}

// borrow returns a buffer for a read by way of the descriptor.
func (t *transport) borrow() *buffer {
	if t.buf == nil {
		t.buf = readBuffers.Get().(*buffer)
	}
	if t.buf.into = t.into; t.into == nil {
		t.buf.into = t.buf.b
	}
	return t.buf
}

// result returns what the descriptor's last read has read. err is that of the
// wait for it.
func (t *transport) result(err error) ([]byte, error) {
	t.into = nil
	if err != nil {
		return nil, err
	}
	into := t.buf.into
	n, err := t.buf.forget()
	if err != nil {
		t.release()
		return nil, err
	}
	return into[:n], nil
}

// release gives the buffer back, whose bytes are consumed.
func (t *transport) release() {
	if t.buf == nil {
		return
	}
	t.buf.forget()
	switch len(t.buf.b) {
	case readSize:
		readBuffers.Put(t.buf)
	case parkedSize:
		parkedBuffers.Put(t.buf)
	default:
		behindBuffers.Put(t.buf)
	}
	t.buf = nil
}

// tryWrite writes what the kernel takes at once of out and what is behind it.
// That may be nothing.
func (t *transport) tryWrite(out *buffer, behind []byte) (int, error) {
	if t.raw == nil {
		return 0, nil
	}
	out.behind = behind
	err := t.raw.Control(out.write)
	n, failed := out.forget()
	if err == nil && failed != errAgain {
		err = failed
	}
	return n, err
}

// close ends the transport, and the read under way. The first end counts.
func (t *transport) close() {
	t.nc.Close()
	t.interrupt()
	t.watch.end()
}

var longAgo = time.Unix(1, 0)

// interrupt ends the reads of now and of later with os.ErrDeadlineExceeded,
// whichever way they wait.
func (t *transport) interrupt() {
	t.watch.raise(interrupted)
	t.nc.SetReadDeadline(longAgo)
}

// resume undoes interrupt.
func (t *transport) resume() {
	t.nc.SetReadDeadline(time.Time{})
	t.watch.lower(interrupted)
}

// wakeup interrupts a read when a context ends, and knows to whom the
// interruption belongs.
type wakeup struct {
	mu   sync.Mutex
	turn uint32 // counts the reads
	set  bool   // the transport is interrupted
}

// next begins a turn: an interruption of an earlier one is gone.
func (w *wakeup) next(t *transport) uint32 {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.turn++
	if w.set {
		t.resume()
		w.set = false
	}
	return w.turn
}

// clear is next for a read that was interrupted, by whomever.
func (w *wakeup) clear(t *transport) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.turn++
	t.resume()
	w.set = false
}

// poke ends the read of the turn, unless the turn is over.
func (w *wakeup) poke(t *transport, turn uint32) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.turn == turn {
		t.interrupt()
		w.set = true
	}
}

// interrupt ends the read under way, which then goes on as if nothing had been.
func (w *wakeup) interrupt(t *transport) {
	w.mu.Lock()
	defer w.mu.Unlock()
	t.interrupt()
	w.set = true
}
