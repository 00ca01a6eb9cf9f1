package inspect

import (
	"bytes"
	"fmt"
	"io"
	"os"
)

// NOTE. Connections happen at the same time, and people read one after the
// other. So what is told of a connection waits for its turn: the first one
// that turned out to be worth telling writes straight to the output, the
// others keep their text, in memory while it is little and in a temporary
// file beyond. A capture that goes on cannot wait: there every line is
// written as it comes.

const (
	maxUndecided     = 8 << 10  // bytes of a connection that may never be told
	maxAllUndecided  = 16 << 20 // of all of them
	maxWaitingMemory = 32 << 20 // of those that wait for their turn
)

// Turns puts the texts of connections one after the other.
type turns struct {
	out  io.Writer
	live bool   // do not wait
	mark bool   // begin each line with the connection's number; only when live
	note string // a line that stands for what is not kept of an undecided connection

	first, last *turn // of those that are told
	undecided   int   // bytes
	memory      int   // bytes that wait
	spool       spool
	err         error // of the output, or of the spool
}

// A turn is a place for the text of one connection.
type turn struct {
	of     *turns
	number int64
	state  turnState
	wrote  bool     // something
	cut    bool     // some of what it said while undecided was not kept
	waits  *waiting // nil: nothing
	next   *turn
}

// waiting is text that waits for its turn: what is in the spool, then the rest.
type waiting struct {
	spool spooled
	buf   []byte
}

// hold lets lines wait.
func (t *turn) hold(b []byte) {
	if t.waits == nil {
		t.waits = new(waiting)
	}
	t.waits.buf = append(t.waits.buf, b...)
}

// held returns how many bytes wait in memory.
func (t *turn) held() int {
	if t.waits == nil {
		return 0
	}
	return len(t.waits.buf)
}

type turnState uint8

const (
	undecided turnState = iota
	told
	over    // told, and nothing more will come
	dropped // not to be told
)

func (t *turns) begin(number int64) *turn { return &turn{of: t, number: number} }

// Write takes whole lines. Its errors are in turns.err.
func (t *turn) Write(b []byte) (int, error) {
	o := t.of
	t.wrote = t.wrote || len(b) > 0
	switch {
	case t.state == undecided:
		if t.held()+len(b) > maxUndecided || o.undecided+len(b) > maxAllUndecided {
			t.cut = true
			break
		}
		o.undecided += len(b)
		t.hold(b)
	case t.state == dropped:
	case o.live, t == o.first:
		t.emit(b)
	default:
		t.hold(b)
		if o.memory += len(b); o.memory > maxWaitingMemory {
			o.spill()
		}
	}
	return len(b), nil
}

// tell decides that the connection is worth telling.
func (t *turn) tell() {
	o := t.of
	if t.state != undecided {
		return
	}
	t.state = told
	o.undecided -= t.held()
	o.memory += t.held()
	if t.cut {
		t.Write([]byte(o.note))
	}
	if o.live {
		t.flush()
		return
	}
	if o.last == nil {
		o.first = t
		t.flush()
	} else {
		o.last.next = t
	}
	o.last = t
}

// end says that the connection has nothing more to say; one that is still
// undecided is dropped.
func (t *turn) end() {
	o := t.of
	switch t.state {
	case undecided:
		o.undecided -= t.held()
		t.state, t.waits = dropped, nil
		return
	case told:
		t.state = over
	}
	for !o.live && o.first != nil && o.first.state == over {
		if o.first = o.first.next; o.first == nil {
			o.last = nil
			break
		}
		o.first.flush()
	}
}

// flush writes what waited.
func (t *turn) flush() {
	o, w := t.of, t.waits
	if w == nil {
		return
	}
	if o.err == nil {
		if err := o.spool.copy(&w.spool, t.emit); err != nil {
			o.fail(err)
		}
	}
	o.memory -= len(w.buf)
	t.emit(w.buf)
	t.waits = nil
}

// emit writes lines to the output.
func (t *turn) emit(b []byte) {
	o := t.of
	if o.err != nil || len(b) == 0 {
		return
	}
	if o.live && o.mark {
		var marked []byte
		prefix := fmt.Appendf(nil, "#%-3d ", t.number)
		for line := range bytes.Lines(b) {
			if len(line) > 1 { // blank lines divide stories that stand one after the other
				marked = append(append(marked, prefix...), line...)
			}
		}
		b = marked
	}
	if _, err := o.out.Write(b); err != nil {
		o.fail(err)
	}
}

func (o *turns) fail(err error) {
	if o.err == nil {
		o.err = err
	}
}

// spill moves what waits to the temporary file.
func (o *turns) spill() {
	for t := o.first; t != nil; t = t.next {
		if t.held() == 0 {
			continue
		}
		w := t.waits
		if err := o.spool.append(&w.spool, w.buf); err != nil {
			o.fail(err)
		}
		o.memory -= len(w.buf)
		w.buf = nil
	}
}

// close ends all turns.
func (o *turns) close() error {
	o.spool.close()
	return o.err
}

// A spool is a temporary file that holds texts in pieces.
type spool struct {
	file *os.File
	size int64
}

// spooled is where the pieces of a text are.
type spooled []extent

type extent struct{ at, n int64 }

func (s *spool) append(to *spooled, b []byte) error {
	if s.file == nil {
		f, err := os.CreateTemp("", "wiretrue-*")
		if err != nil {
			return err
		}
		os.Remove(f.Name()) // where that is possible, nothing is left behind whatever happens
		s.file = f
	}
	if _, err := s.file.WriteAt(b, s.size); err != nil {
		return fmt.Errorf("keeping what has to wait: %w", err)
	}
	if last := len(*to) - 1; last >= 0 && (*to)[last].at+(*to)[last].n == s.size {
		(*to)[last].n += int64(len(b))
	} else {
		*to = append(*to, extent{s.size, int64(len(b))})
	}
	s.size += int64(len(b))
	return nil
}

// copy passes a text on, in pieces of whole lines if they were written so.
func (s *spool) copy(from *spooled, to func([]byte)) error {
	for _, e := range *from {
		b := make([]byte, min(e.n, 1<<20))
		for e.n > 0 {
			n, err := s.file.ReadAt(b[:min(e.n, int64(len(b)))], e.at)
			to(b[:n])
			if e.at, e.n = e.at+int64(n), e.n-int64(n); err != nil {
				return err
			}
		}
	}
	*from = nil
	return nil
}

func (s *spool) close() {
	if s.file != nil {
		s.file.Close()
		os.Remove(s.file.Name())
		s.file = nil
	}
}
