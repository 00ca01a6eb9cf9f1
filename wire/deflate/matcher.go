package deflate

import (
	"encoding/binary"
	"math/bits"
)

// matcher finds earlier occurrences of what comes next.
//
// NOTE on positions. buf holds the history and the bytes to be compressed; an
// index into it is an int. The tables hold positions, 16 bits of a count that
// never stops: position = base + index. A distance is the difference of two
// positions. What a table says is only a hint, since entries are neither
// cleared nor corrected when buf is moved or the history forgotten: a candidate
// counts when its distance lies within the history (from oldest on) and its
// bytes agree.
type matcher struct {
	buf    []byte
	base   uint16 // position of buf[0]
	oldest int    // the history begins here
	at     int    // compressed up to here
	end    int    // of the bytes in buf
	hashed int    // entered into the tables up to here

	depth     int // candidates to look at for each match
	lazyDepth int // and for one that would replace another
	lazy      int // which is tried below this length
	misses    int // vain searches in a row

	shift uint     // of the hash, for head's size
	head  []uint16 // by hash of four bytes: the last position
	prev  []uint16 // by position: the one before with the same hash
}

const bufMargin = 16 // so that two words can be read at any index

// spare is the room in buf behind a window. The less there is, the more often
// the window is moved to the front, which hardly shows: a copy is fast.
const spare = 2 << 10

// headBits is the logarithm of head's size. Where there are chains, a smaller
// head makes them longer and little else.
func (c *Compressor) headBits() int {
	most := 13
	if c.effort.depth == 0 {
		most = 14
	}
	return min(max(bits.Len(uint(c.window))-1, 10), most)
}

func (c *Compressor) takeTables() {
	if c.head != nil {
		return
	}
	history := c.buf
	c.buf = make([]byte, c.window+spare+bufMargin)
	c.head = make([]uint16, 1<<c.headBits())
	c.shift = 32 - uint(c.headBits())
	if c.effort.depth > 0 {
		c.prev = make([]uint16, c.window)
	}
	c.base, c.oldest, c.at, c.hashed = 0, 0, 0, 0
	c.end = copy(c.buf, history)
	c.skip()
}

// forget makes the history empty. Positions go on, so the tables need no
// clearing.
func (c *Compressor) forget() {
	if c.head == nil {
		c.buf = nil
	}
	c.base += uint16(c.end)
	c.oldest, c.at, c.end, c.hashed = 0, 0, 0, 0
}

func (c *Compressor) history() []byte {
	if c.head == nil {
		return c.buf
	}
	return c.buf[max(c.oldest, c.at-c.window):c.at]
}

// skip makes all that was taken history. The next parse enters it into the
// tables.
func (c *Compressor) skip() { c.at, c.from = c.end, c.end }

// take copies as much of p as there is room for into buf, moving the window to
// the front when the end is reached.
func (c *Compressor) take(p []byte) int {
	room := len(c.buf) - bufMargin
	if c.end+len(p) > room && c.at > c.window {
		drop := c.at - c.window
		copy(c.buf, c.buf[drop:c.end])
		c.base += uint16(drop)
		c.at -= drop
		c.end -= drop
		c.from -= drop
		c.hashed = max(0, c.hashed-drop)
		c.oldest = max(0, c.oldest-drop)
	}
	n := copy(c.buf[c.end:room], p)
	c.end += n
	return n
}

func hash4(v uint32, shift uint) uint32 { return v * 0x9e3779b1 >> (shift & 31) }

func load32(b []byte, i int) uint32 { return binary.LittleEndian.Uint32(b[i : i+4]) }
func load64(b []byte, i int) uint64 { return binary.LittleEndian.Uint64(b[i : i+8]) }

// enter puts the positions up to limit into the tables, as far as four bytes
// are known at them.
func (c *Compressor) enter(limit int) {
	i := c.hashed
	limit = min(limit, c.end-3)
	if i >= limit {
		return
	}
	c.hashed = limit
	buf, head, base := c.buf, c.head, c.base
	shift := c.shift
	if c.prev == nil {
		for ; i < limit; i++ {
			head[hash4(load32(buf, i), shift)&uint32(len(head)-1)] = base + uint16(i)
		}
		return
	}
	prev := c.prev
	for ; i < limit; i++ {
		pos := base + uint16(i)
		h := &head[hash4(load32(buf, i), shift)&uint32(len(head)-1)]
		prev[int(pos)&(len(prev)-1)] = *h
		*h = pos
	}
}

// enterAhead enters i and some positions behind it at once, which is faster than
// one by one. Since a search follows the chain from i, it does not meet those. After
// many misses it enters i alone, and those left out before it stay out.
func (c *Compressor) enterAhead(i int) {
	if c.misses > manyMisses {
		c.hashed = i
		c.enter(i + 1)
		return
	}
	c.enter(i + min(64, c.window/16))
}

// matchLen counts the bytes from b on that are the same from a on, before it, up
// to most. Two words of them are compared in any case.
func matchLen(buf []byte, a, b, most int) int {
	x := load64(buf, a) ^ load64(buf, b)
	y := load64(buf, a+8) ^ load64(buf, b+8)
	n := bits.TrailingZeros64(x) >> 3
	if x == 0 {
		n = 8 + bits.TrailingZeros64(y)>>3
	}
	if n == 16 {
		for ; n < most; n += 8 {
			if x := load64(buf, a+n) ^ load64(buf, b+n); x != 0 {
				n += bits.TrailingZeros64(x) >> 3
				break
			}
		}
	}
	return min(n, most)
}
