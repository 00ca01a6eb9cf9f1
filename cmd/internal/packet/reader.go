package packet

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"time"
)

// ErrFormat is wrapped by the error of [NewReader] for input that is no
// capture file.
var ErrFormat = errors.New("not a pcap or pcapng file")

const (
	// maxRecord bounds a packet and a pcapng block. A capture file that asks
	// for more is taken to be damaged: snap lengths end at 256 KiB, and
	// secrets blocks stay far below this.
	maxRecord = 16 << 20

	// readBuffer is large enough that packets are handed out of it without
	// a copy.
	readBuffer = 512 << 10
)

// Options control a [Reader]. The zero value reads packets and drops secrets.
type Options struct {
	// Secrets receives the TLS secrets of the file, each when the reader
	// passes it, during Next. Secrets may stand behind the packets that need
	// them; see [ReadSecrets].
	Secrets func(Secrets)

	// Follow waits for more at the end of the file, until Close. Only for
	// files opened with [Open].
	Follow bool
}

// A Reader is a [Source] over a capture file. Apart from Close it is for one
// goroutine.
type Reader struct {
	in     *bufio.Reader
	opts   Options
	close  func() error
	closed func() bool // reports whether Close was called

	format format
	record []byte // holds records larger than the read buffer
	offset int64  // of the next byte to be consumed
	count  int64  // packets yielded
	err    error  // sticky

	onlySecrets bool // skip packets, for ReadSecrets
}

// A format reads one packet; the Reader does the rest.
type format interface {
	next(r *Reader, p *Packet) error
	String() string
}

// NewReader returns a Reader over in, which holds pcap or pcapng, possibly
// gzipped. It reads the file's header. A nil opts is the zero Options.
func NewReader(in io.Reader, opts *Options) (*Reader, error) {
	r := &Reader{in: bufio.NewReaderSize(in, readBuffer)}
	if opts != nil {
		r.opts = *opts
	}
	magic, err := r.in.Peek(4)
	if err != nil && len(magic) < 4 {
		return nil, notCapture(magic, err)
	}
	if magic[0] == 0x1f && magic[1] == 0x8b {
		z, err := gzip.NewReader(r.in)
		if err != nil {
			return nil, fmt.Errorf("gzip: %w", err)
		}
		r.in = bufio.NewReaderSize(z, readBuffer)
		if magic, err = r.in.Peek(4); err != nil {
			return nil, notCapture(magic, err)
		}
	}
	return r, r.detect(magic)
}

func (r *Reader) detect(magic []byte) error {
	if binary.BigEndian.Uint32(magic) == blockSection {
		r.format = new(ngFormat)
		return nil
	}
	f, err := readPcapHeader(r)
	if err != nil {
		return err
	}
	r.format = f
	return nil
}

func notCapture(start []byte, err error) error {
	switch {
	case err != nil && err != io.EOF && err != io.ErrUnexpectedEOF:
		return fmt.Errorf("%w: %w", ErrFormat, err)
	case len(start) == 0:
		return fmt.Errorf("%w: it is empty", ErrFormat)
	}
	return fmt.Errorf("%w: it starts with % x", ErrFormat, start)
}

// Format names the file's format: "pcap" or "pcapng".
func (r *Reader) Format() string { return r.format.String() }

// Offset returns how many bytes of the file, decompressed, have been read.
func (r *Reader) Offset() int64 { return r.offset }

// Next implements [Source]. A damaged file ends with a [*DamageError].
func (r *Reader) Next(p *Packet) error {
	if r.err != nil {
		return r.err
	}
	if err := r.format.next(r, p); err != nil {
		if r.closed != nil && r.closed() {
			err = io.EOF
		}
		r.err = err
		return err
	}
	r.count++
	p.Number = r.count
	return nil
}

// Close implements [Source].
func (r *Reader) Close() error {
	if r.close == nil {
		return nil
	}
	return r.close()
}

// damage returns the error for a record that starts at offset at.
func (r *Reader) damage(at int64, err error, why string, args ...any) *DamageError {
	return &DamageError{Offset: at, Packet: r.count, Reason: fmt.Sprintf(why, args...), Err: err}
}

// take consumes n bytes and returns them, borrowed until the next take. It
// returns io.EOF when there is not a single byte and io.ErrUnexpectedEOF when
// there are too few. Memory grows with the bytes that arrive, not with n.
func (r *Reader) take(n int) ([]byte, error) {
	if n <= r.in.Size() {
		b, err := r.in.Peek(n)
		if err != nil {
			r.offset += int64(len(b))
			r.in.Discard(len(b))
			return b, shortRead(len(b), err)
		}
		r.in.Discard(n)
		r.offset += int64(n)
		return b, nil
	}
	buf := bytes.NewBuffer(r.record[:0])
	got, err := io.CopyN(buf, r.in, int64(n))
	r.record = buf.Bytes()
	r.offset += got
	if err != nil {
		return r.record, shortRead(int(got), err)
	}
	return r.record, nil
}

// skip consumes n bytes unseen.
func (r *Reader) skip(n int) error {
	got, err := r.in.Discard(n)
	r.offset += int64(got)
	if err != nil {
		return shortRead(got, err)
	}
	return nil
}

func shortRead(got int, err error) error {
	if err == io.EOF && got > 0 {
		return io.ErrUnexpectedEOF
	}
	return err
}

// cutShort words a failed read inside a record that started at offset at.
func (r *Reader) cutShort(at int64, err error, what string) error {
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		return r.damage(at, io.ErrUnexpectedEOF, "the file ends inside %s", what)
	}
	return r.damage(at, err, "reading %s failed", what)
}

// unixTime is time.Unix in UTC.
func unixTime(sec, nsec int64) time.Time { return time.Unix(sec, nsec).UTC() }
