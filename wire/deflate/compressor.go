package deflate

import "unsafe"

// Level is how much time a Compressor spends on finding matches.
type Level uint8

const (
	// Default looks at a fair number of earlier occurrences: for most uses.
	Default Level = iota
	// Fastest looks at the last occurrence only, and needs the least memory.
	Fastest
	// Best searches as long as it pays at all.
	Best
)

// effort is what a Level means.
type effort struct {
	depth int // earlier occurrences to look at, one by one; 0: the last only
	short int // the most for a short message, where little is lost by more
	lazy  int // below this length, see whether the next byte starts a better match
	good  int // from this length on, look at eight fewer
	nice  int // from this length on, look no further

	patience uint // logarithm of the searches in vain behind which one more position is left out
}

var efforts = [...]effort{
	Default: {depth: 18, short: 48, lazy: 24, good: 16, nice: 96, patience: 2},
	Fastest: {},
	Best:    {depth: 512, short: 512, lazy: maxMatch, good: maxMatch, nice: maxMatch, patience: 5},
}

// depthFor is the depth for a part of n bytes: the fewer, the deeper.
func (e effort) depthFor(n int) int {
	return min(max(e.depth, 10_000/max(n, 1)), e.short)
}

// Compressor turns the messages of one direction of a connection into DEFLATE
// blocks (RFC 7692, section 7.2.1). Matches reach back over message ends up to
// the window (context takeover); without context takeover call Reset before
// each message. It is not safe for concurrent use.
type Compressor struct {
	// Pool, if set before the first message, lends what only a message under
	// way needs, from its beginning to its end: 6 KiB.
	Pool Pool

	level  Level
	window int // bytes
	effort effort

	matcher
	block
	started bool // a message is under way
}

// NewCompressor returns a Compressor whose matches reach back at most
// 1<<windowBits bytes, windowBits from 8 to 15 (RFC 7692, 7.1.2). It panics on
// other values and on an unknown level. Memory is taken when the first message
// comes.
func NewCompressor(windowBits int, level Level) *Compressor {
	window := windowSize(windowBits)
	if int(level) >= len(efforts) {
		panic("deflate: unknown level")
	}
	c := &Compressor{level: level, window: window, effort: efforts[level]}
	return c
}

// Append compresses p, a message or the next part of one, and appends what is
// ready to dst. With final set the message ends with p: everything is appended,
// up to and with the header of an empty stored block, whose other four bytes
// (00 00 ff ff) are left out as RFC 7692, 7.2.1 has it. An empty message becomes
// the single byte 00 (7.2.3.6). Without final, bytes may be kept back for the
// parts to come, so that nothing at all may be appended; what is appended can
// be sent as a frame at once. p is copied where it is needed later. Append does
// not allocate when dst has room, except on first use and after Compact.
func (c *Compressor) Append(dst, p []byte, final bool) []byte {
	c.takeTables()
	c.takeCodes()
	c.started = true
	c.depth = c.effort.depthFor(len(p))
	c.lazy = min(c.effort.lazy, c.effort.lazy*c.depth/32)
	c.lazyDepth = max(c.depth/4, c.depth-16)
	if looksRandom(p) {
		c.misses = max(c.misses, manyMisses+256)
	}
	for {
		p = p[c.take(p):]
		limit := c.end
		if !final || len(p) > 0 {
			limit -= maxMatch + minMatch + 1 // matches may still grow
		}
		for c.at < limit {
			c.parse(limit)
			if c.full() {
				dst = c.appendBlock(dst, c.blockBytes())
			}
		}
		if len(p) == 0 {
			break
		}
		if c.incompressible() {
			// While its bytes are still in the buffer, to be stored.
			dst = c.appendBlock(dst, c.blockBytes())
		}
	}
	if final {
		if len(c.symbols) > 0 {
			dst = c.appendBlock(dst, c.blockBytes())
		}
		dst = c.appendSyncHeader(dst)
		c.started = false
		c.misses = 0
		c.giveBackCodes()
	}
	return c.appendWholeBytes(dst)
}

// Reset forgets the history and a message under way. It keeps the memory and
// costs next to nothing.
func (c *Compressor) Reset() {
	c.forget()
	c.block.reset()
	c.giveBackCodes()
	c.misses = 0
	c.started = false
}

// Compact gives back all memory but the history, at most a window. The next
// Append takes it again and looks the history through, once. In the middle of
// a message it does nothing.
func (c *Compressor) Compact() {
	if c.started {
		return
	}
	c.buf = append([]byte(nil), c.history()...)
	c.head, c.prev, c.symbols, c.codes = nil, nil, nil, nil
}

// AppendHistory appends the history to dst: the last bytes that went in, at
// most a window. With SetHistory it lets many connections share a few
// Compressors, each keeping only its history between messages.
func (c *Compressor) AppendHistory(dst []byte) []byte {
	return appendWindow(dst, c.window, c.history())
}

// SetHistory is Reset, and then makes history the bytes that the next message
// may refer to, of which the last window counts. They are copied; the next
// message enters them into the tables, which takes about a nanosecond or two
// for each.
func (c *Compressor) SetHistory(history []byte) {
	c.Reset()
	c.takeTables()
	c.take(history[max(0, len(history)-c.window):])
	c.skip()
}

// Skip makes p a part of the history, as if it had been a message that was
// compressed: for one that the peer gets compressed by another Compressor. It
// copies p, and does nothing in the middle of a message.
func (c *Compressor) Skip(p []byte) {
	if c.started {
		return
	}
	p = p[max(0, len(p)-c.window):]
	if c.head == nil {
		c.buf = slide(c.buf, p, c.window)
		return
	}
	for len(p) > 0 {
		p = p[c.take(p):]
		c.skip()
	}
}

// slide appends p, at most a window, to a history, of which the last window
// bytes stay.
func slide(history, p []byte, window int) []byte {
	keep := history[max(0, len(history)+len(p)-window):]
	return appendWindow(history[:copy(history, keep)], window, p)
}

// appendWindow appends parts to dst, which it makes larger in steps that end at a
// window: a history may be kept for long.
func appendWindow(dst []byte, window int, parts ...[]byte) []byte {
	n := len(dst)
	for _, p := range parts {
		n += len(p)
	}
	if n > cap(dst) {
		dst = append(make([]byte, 0, max(n, min(2*n, window))), dst...)
	}
	for _, p := range parts {
		dst = append(dst, p...)
	}
	return dst
}

// Size returns the bytes of memory held now.
func (c *Compressor) Size() int {
	size := int(unsafe.Sizeof(*c)) + cap(c.buf) + 2*(cap(c.head)+cap(c.prev))
	if c.codes != nil {
		size += c.codes.size()
	}
	return size
}
