package pcapng

import (
	"fmt"
	"io"
)

// A Writer writes one file to an io.Writer, one Write for each block: a caller
// with many packets puts a bufio.Writer in between, and flushes it. After an
// error every further call returns that error. A Writer is for one goroutine.
type Writer struct {
	out        io.Writer
	block      []byte
	interfaces uint32
	written    int64
	err        error
}

// NewWriter returns a Writer that has written the section header.
func NewWriter(out io.Writer, s Section) (*Writer, error) {
	w := &Writer{out: out}
	return w, w.write(AppendSection(w.block, s))
}

// Interface writes the description of an interface and returns its index, for
// the packets that were captured there.
func (w *Writer) Interface(i Interface) (index uint32, err error) {
	index = w.interfaces
	w.interfaces++
	return index, w.write(AppendInterface(w.block, i))
}

// Packet writes a packet. Its interface must have been written before.
func (w *Writer) Packet(p *Packet) error {
	if p.Interface >= w.interfaces {
		return fmt.Errorf("pcapng: a packet of interface %d; there are %d", p.Interface, w.interfaces)
	}
	return w.write(AppendPacket(w.block, p))
}

// Secrets writes TLS secrets in the key log format, see AppendSecrets.
func (w *Writer) Secrets(keyLog []byte) error {
	return w.write(AppendSecrets(w.block, keyLog))
}

// Written returns how many bytes have been written.
func (w *Writer) Written() int64 { return w.written }

func (w *Writer) write(block []byte) error {
	w.block = block[:0]
	if w.err != nil {
		return w.err
	}
	n, err := w.out.Write(block)
	w.written += int64(n)
	if err != nil {
		w.err = fmt.Errorf("pcapng: %w", err)
	}
	return w.err
}
