package deflate

import "unsafe"

// Decompressor turns the compressed messages of one direction of a connection
// back into bytes (RFC 7692, section 7.2.2). Feed it with Next, end each
// message with Finish:
//
//	for {
//		out, n, err := d.Next(in)
//		in = in[n:]
//		// use out; then look at err
//		if n == 0 && len(out) == 0 {
//			break // in is used up: get more, or Finish
//		}
//	}
//
// The history goes over from message to message; without context takeover
// call Reset before each. It is not safe for concurrent use.
type Decompressor struct {
	// Pool, if set before the first message, lends 6 KiB to a message that has
	// a dynamic block, from there to the message's end.
	Pool Pool

	buf    []byte // written to from its beginning to its end, lap by lap; nil until needed
	w      int    // end of what was written in this lap
	lap    int    // end of what was written in the lap before, more than a window; 0: no such
	stop   int    // begin no symbol in buf from here on
	window int    // bytes

	// The input: bits in hand, of bytes taken from it.
	bits  uint64
	nbits uint
	taken int64 // bytes of this message

	state      decoderState
	lastBlock  bool // the block being read, or just read, has BFINAL set
	storedLeft int
	litLen     *litLenTable
	distance   *distanceTable
	dynamic    *dynamicTables // nil until the first dynamic block
	err        *Error
}

type decoderState uint8

const (
	atBlock        decoderState = iota // before a block header
	atStoredLength                     // before LEN and NLEN
	inStored                           // storedLeft bytes to come
	atCounts                           // before HLIT, HDIST and HCLEN
	inCodeLengthCode
	inCodeLengths
	inSymbols
)

// Sizes of the buffer behind the window and its spare room. A piece of output is
// at most spare bytes, and where it goes in a new lap, nothing of the window stands;
// the margin lets matches be copied in words.
const (
	decoderMargin  = 16
	decoderReserve = maxStep + decoderMargin
	maxStep        = 2 + maxMatch // bytes from one round of decodeSymbols
)

// NewDecompressor returns a Decompressor for messages that were compressed
// with a window of at most windowBits, 8 to 15 (RFC 7692, 7.1.2). It panics
// on other values. Memory is taken when the first byte comes.
func NewDecompressor(windowBits int) *Decompressor {
	return &Decompressor{window: windowSize(windowBits)}
}

func windowSize(bits int) int {
	if bits < 8 || bits > 15 {
		panic("deflate: window bits outside 8 to 15")
	}
	return 1 << bits
}

// Next decompresses a piece of a message. It takes n bytes of in and returns
// what came out of them, a slice of the Decompressor's own memory that is valid
// until the next call of any method: at most 2 KiB, so that a limit on the inflated
// size can be enforced before more is inflated. A caller goes on with in[n:], and has nothing left
// to fetch when n is 0 and out is empty.
//
// An error is an *Error and final: it comes with the bytes before the fault,
// and every later call returns it until Reset. Where a message is cut into
// pieces changes neither the bytes nor the error.
func (d *Decompressor) Next(in []byte) (out []byte, n int, err error) {
	if d.err != nil {
		return nil, 0, d.err
	}
	d.makeRoom()
	start := d.w
	n = d.decode(in)
	d.taken += int64(n)
	out = d.buf[start:d.w:d.w]
	if d.err != nil {
		return out, n, d.err
	}
	return out, n, nil
}

// Finish ends a message. It returns what Next had not delivered yet, in pieces
// under the same conditions; call it until out is empty. A nil error with no
// output says that the message ended properly, that is with the header of an
// empty stored block, whose other four bytes the sender removed (RFC 7692,
// 7.2.1 and 7.2.2), or right behind a block with BFINAL set (7.2.3.4). The next
// message may follow.
func (d *Decompressor) Finish() (out []byte, err error) {
	if out, _, err = d.Next(nil); err != nil || len(out) > 0 {
		return out, err
	}
	switch {
	case d.state == atStoredLength && d.nbits == 0:
	case d.state == atBlock && d.lastBlock && d.nbits == 0:
	default:
		d.err = &Error{Truncated, d.taken * 8}
		return nil, d.err
	}
	d.startMessage()
	return nil, nil
}

func (d *Decompressor) startMessage() {
	d.bits, d.nbits, d.taken = 0, 0, 0
	d.state, d.lastBlock, d.err = atBlock, false, nil
	if d.Pool != nil && d.dynamic != nil {
		d.Pool.Put(d.dynamic)
		d.litLen, d.distance, d.dynamic = nil, nil, nil
	}
}

// Reset forgets the history, a message under way and an error. It keeps the
// memory.
func (d *Decompressor) Reset() {
	d.startMessage()
	d.w, d.lap = 0, 0
}

// Compact gives back all memory but the history, at most a window. The next
// call of Next takes it again. In the middle of a message it does nothing.
func (d *Decompressor) Compact() {
	if !d.betweenMessages() {
		return
	}
	older, newer := d.history()
	d.buf = append(append(make([]byte, 0, len(older)+len(newer)), older...), newer...)
	d.w, d.lap = len(d.buf), 0
	d.litLen, d.distance, d.dynamic = nil, nil, nil
}

func (d *Decompressor) betweenMessages() bool {
	return d.state == atBlock && d.taken == 0 && d.err == nil
}

// AppendHistory appends the history to dst: the last bytes that came out, at
// most a window. With SetHistory it lets many connections share a few
// Decompressors, each keeping only its history between messages.
func (d *Decompressor) AppendHistory(dst []byte) []byte {
	older, newer := d.history()
	return appendWindow(dst, d.window, older, newer)
}

// history is what stands of it in the lap before, and in this.
func (d *Decompressor) history() (older, newer []byte) {
	if d.lap > 0 {
		older = d.buf[d.lap-max(0, d.window-d.w) : d.lap]
	}
	return older, d.buf[max(0, d.w-d.window):d.w]
}

// SetHistory is Reset, and then makes history the bytes that the next message
// may refer to, of which the last window counts. They are copied.
func (d *Decompressor) SetHistory(history []byte) {
	d.Reset()
	d.makeRoom()
	d.w = copy(d.buf, history[max(0, len(history)-d.window):])
}

// Size returns the bytes of memory held now.
func (d *Decompressor) Size() int {
	size := int(unsafe.Sizeof(*d)) + cap(d.buf)
	if d.dynamic != nil {
		size += int(unsafe.Sizeof(*d.dynamic))
	}
	return size
}

// makeRoom leaves space for a piece of output behind the history.
func (d *Decompressor) makeRoom() {
	full := d.window + spare + decoderReserve
	if len(d.buf) < full {
		buf := make([]byte, full)
		d.w = copy(buf, d.buf[:d.w])
		d.buf = buf
	}
	if full-d.w < 3*spare/4+decoderReserve {
		d.w, d.lap = 0, d.w
	}
	d.stop = min(full-decoderReserve, d.w+spare-maxStep)
}

// fail notes a fault at the first of the bits in hand, when n bytes of the
// input of this call are taken.
func (d *Decompressor) fail(fault Fault, n int) {
	d.err = &Error{fault, (d.taken+int64(n))*8 - int64(d.nbits)}
}
