package record

import (
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/wiretrue/websocket"
	"github.com/wiretrue/websocket/capture"
	"github.com/wiretrue/websocket/wire"
	"github.com/wiretrue/websocket/wire/frame"
)

// Options are those of a Recorder. The zero value is good.
type Options struct {
	// Format is that of the file.
	Format Format

	// MaxBytes is the most that all files together may have, at least 1 MiB for
	// each. 0: no bound.
	MaxBytes int64

	// Files is how many files share MaxBytes. With 1, or 0, the recording stops
	// when it is full. With more, the newest has the name that was given to
	// Create, those before it are called name.1.pcapng, name.2.pcapng and so on,
	// and the oldest is deleted for a new one, which begins with the opening of
	// each connection that goes on in it.
	Files int

	// Header returns what is written as the value of a header field of the
	// opening handshake; the name ":path" stands for the request's target. nil:
	// HideSecrets.
	Header func(name, value string) string

	// Payload may change a piece of the payload of a frame in place; offset is
	// where the piece begins in the payload, and h the frame's header. Control
	// frames are shown to it too. What is compressed means nothing to it and is
	// written as uncompressed x's. nil: payloads are written as they are. See
	// HidePayload.
	Payload func(h frame.Header, offset uint64, b []byte)

	// Failed gets the error that ended the recording, when one does. Close
	// returns it, too.
	Failed func(err error)
}

// Format is how a recording is written.
type Format uint8

const (
	ByName Format = iota // JSONLines for names that end with .jsonl, .ndjson or .json; else Pcapng
	Pcapng
	JSONLines
)

// Stats count what a Recorder did.
type Stats struct {
	Connections int64 // that are in the recording
	Missed      int64 // that are not, since too much waited to be written, or there was no room
	Bytes       int64 // of the files, so far
	Lost        int64 // bytes of connections that are left out, since too much waited to be written
	Full        bool  // MaxBytes is reached
}

// A Recorder writes connections to a file. Its methods may be called from any
// goroutine.
type Recorder struct {
	o       Options
	trace   websocket.Trace
	perFile int64 // most bytes of a file; 0: no bound

	writing sync.Mutex // held by the one who writes; taken before mu
	out     output

	mu      sync.Mutex
	format  format
	conns   map[*websocket.Conn]*conn
	stats   Stats
	err     error
	stopped bool          // nothing is recorded any more
	ending  int           // connections that have ended and have a transport still
	settled chan struct{} // closed when there are none; nil: nobody waits
	scratch []byte        // for payloads that are changed
	pending pending
}

// format writes connections. Its methods, and those of what open returns, are
// called with mu held.
type format interface {
	// begin appends what a file begins with.
	begin(dst []byte) []byte
	// open writes the opening of a connection.
	open(o *opening) story
}

// story writes what happens to a connection.
type story interface {
	bytes(from wire.Role, at time.Time, b []byte)
	missed(from wire.Role, at time.Time, n int)                   // bytes that are left out
	end(from wire.Role, at time.Time, how capture.How, why error) // why: the cause, if it is known
	done()
}

// conn is a connection that is being recorded.
type conn struct {
	story  story
	self   wire.Role // of this end
	ended  [2]bool   // by role
	over   bool      // the cause was told
	cause  error     // which is still to be written
	redact [2]redactor
}

// New returns a Recorder that writes to out, in the format Pcapng unless the
// options say otherwise. MaxBytes holds, and Files does not. Out is written to
// by one goroutine at a time and is not closed. A nil o is the zero Options.
func New(out io.Writer, o *Options) (*Recorder, error) {
	var opts Options
	if o != nil {
		opts = *o
	}
	opts.Files = 1
	return start(&stream{out}, opts)
}

// Create returns a Recorder that writes to a file, or a ring of files. A file
// of that name is overwritten. A nil o is the zero Options.
func Create(name string, o *Options) (*Recorder, error) {
	var opts Options
	if o != nil {
		opts = *o
	}
	if opts.Format == ByName {
		switch strings.ToLower(filepath.Ext(name)) {
		case ".jsonl", ".ndjson", ".json":
			opts.Format = JSONLines
		}
	}
	opts.Files = max(opts.Files, 1)
	files := &files{name: name, count: opts.Files}
	r, err := start(files, opts)
	if err != nil {
		return nil, err
	}
	if err := files.create(); err != nil {
		return nil, fmt.Errorf("record: %w", err)
	}
	return r, nil
}

// minFile is the least that a file may be bounded to: the opening of any
// connection must find room.
const minFile = 1 << 20

func start(out output, o Options) (*Recorder, error) {
	r := &Recorder{o: o, out: out, conns: map[*websocket.Conn]*conn{}}
	if o.MaxBytes != 0 {
		if r.perFile = o.MaxBytes / int64(o.Files); r.perFile < minFile {
			return nil, fmt.Errorf("record: MaxBytes is %d for %d files; expected 1 MiB for each at least", o.MaxBytes, o.Files)
		}
	} else if o.Files > 1 {
		return nil, errors.New("record: several files without MaxBytes")
	}
	if r.o.Header == nil {
		r.o.Header = HideSecrets
	}
	if o.Format == JSONLines {
		r.format = &lines{r: r}
	} else {
		r.format = &packets{r: r, flows: map[flow]bool{}}
	}
	r.trace = websocket.Trace{
		Handshake: r.handshake,
		Received:  func(c *websocket.Conn, b []byte) { r.bytes(c, true, b) },
		Sent:      func(c *websocket.Conn, b []byte) { r.bytes(c, false, b) },
		Ended:     r.ended,
		Transport: r.transport,
	}
	r.beginFile()
	return r, nil
}

// Trace returns the Trace that records a connection, the same at every call.
func (r *Recorder) Trace() *websocket.Trace { return &r.trace }

// Stats returns the counts so far.
func (r *Recorder) Stats() Stats {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.stats
}

// hangUpTime is how long Close waits for the transports of connections that have
// ended. The library gives a peer about a second.
const hangUpTime = 2 * time.Second

// Close writes what waits, ends the recording and closes the file. Connections
// that go on are recorded no further; for those that have ended it waits some
// time until their transport has, too. It returns the error that ended the
// recording before, if one did.
func (r *Recorder) Close() error {
	r.mu.Lock()
	if r.ending > 0 {
		settled := make(chan struct{})
		r.settled = settled
		r.mu.Unlock()
		select {
		case <-settled:
		case <-time.After(hangUpTime):
		}
		r.mu.Lock()
	}
	if !r.stopped {
		for c, k := range r.conns {
			k.story.done()
			delete(r.conns, c)
		}
		r.stop()
	}
	r.mu.Unlock()
	err := r.Flush()
	r.writing.Lock()
	defer r.writing.Unlock()
	if cerr := r.out.close(); err == nil && cerr != nil {
		err = r.fail(cerr)
	}
	return err
}

// stop ends the recording. It is called with mu held.
func (r *Recorder) stop() {
	r.stopped = true
	r.conns, r.ending = nil, 0
	r.settle()
}

// settle lets Close go on once no end is to be waited for. It is called with mu
// held.
func (r *Recorder) settle() {
	if r.ending == 0 && r.settled != nil {
		close(r.settled)
		r.settled = nil
	}
}

func (r *Recorder) handshake(c *websocket.Conn, h *websocket.HandshakeTrace) {
	o := newOpening(h, r.o.Header)
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.stopped {
		return
	}
	if r.pending.size() > maxPending || r.perFile != 0 && o.size() > r.perFile/4 {
		r.stats.Missed++
		return
	}
	r.stats.Connections++
	o.number, o.at = r.stats.Connections, time.Now()
	k := &conn{story: r.format.open(o), self: o.self}
	switch {
	case c == nil:
		k.refused(o.at, h)
	case !r.stopped: // by the opening, which found no room
		r.conns[c] = k
	}
	r.wake()
}

// refused writes the end of a connection that was not opened.
func (k *conn) refused(at time.Time, h *websocket.HandshakeTrace) {
	k.cause = h.Err
	if !h.Server {
		switch {
		case errors.Is(h.Err, io.ErrUnexpectedEOF):
			k.end(k.self.Peer(), at, capture.FIN)
		case errors.Is(h.Err, websocket.ErrPeerReset):
			k.end(k.self.Peer(), at, capture.RST)
		}
	}
	k.end(k.self, at, capture.FIN)
	k.story.done()
}

// bytes writes bytes of either direction.
func (r *Recorder) bytes(c *websocket.Conn, received bool, b []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	k := r.conns[c]
	if k == nil {
		return
	}
	from := k.self
	if received {
		from = from.Peer()
	}
	at := time.Now()
	if r.o.Payload != nil {
		// Even what is left out: the frames behind it must be found.
		b = append(r.scratch[:0], b...)
		k.redact[from].redact(b, r.o.Payload)
		if r.scratch = b; cap(b) > 1<<20 {
			r.scratch = nil
		}
	}
	if r.pending.size() > maxPending {
		r.stats.Lost += int64(len(b))
		k.story.missed(from, at, len(b))
		return
	}
	k.story.bytes(from, at, b)
	r.wake()
}

func (r *Recorder) ended(c *websocket.Conn, cause error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if k := r.conns[c]; k != nil {
		k.cause, k.over = cause, true
		r.ending++
	}
}

func (r *Recorder) transport(c *websocket.Conn, e websocket.TransportEvent) {
	r.mu.Lock()
	defer r.mu.Unlock()
	k := r.conns[c]
	if k == nil {
		return
	}
	at := time.Now()
	switch e {
	case websocket.TransportEOF:
		k.end(k.self.Peer(), at, capture.FIN)
	case websocket.TransportReset:
		k.end(k.self.Peer(), at, capture.RST)
	case websocket.TransportFinished:
		k.end(k.self, at, capture.FIN)
	case websocket.TransportClosed:
		how := capture.FIN
		for _, timeout := range []error{websocket.ErrPingTimeout, websocket.ErrWriteTimeout, websocket.ErrCloseTimeout} {
			if errors.Is(k.cause, timeout) {
				how = capture.TimedOut
			}
		}
		k.end(k.self, at, how)
		k.story.done()
		delete(r.conns, c)
		if k.over && !r.stopped {
			r.ending--
			r.settle()
		}
	}
	r.wake()
}

// end writes the end of a direction, once. A reset ends both.
func (k *conn) end(from wire.Role, at time.Time, how capture.How) {
	if k.ended[from] {
		return
	}
	k.ended[from] = true
	if how == capture.RST {
		k.ended[from.Peer()] = true
	}
	k.story.end(from, at, how, k.cause)
	k.cause = nil // is told
}
