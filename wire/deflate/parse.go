package deflate

import "math/bits"

// manyMisses is after how many vain searches in a row positions that are left
// out are not entered into the tables either: the bytes may be incompressible.
const manyMisses = 128

// looksRandom guesses from three samples of p whether its bytes are
// incompressible: of 64 random bytes 57 or so are different ones, of most other
// 64 bytes much fewer. The beginning is not looked at, since what is compressed
// often has a header that is not.
func looksRandom(p []byte) bool {
	const sample = 64
	if len(p) < 8*sample {
		return false
	}
	for quarter := 1; quarter <= 3; quarter++ {
		s := p[len(p)/4*quarter:][:sample]
		all := uint64(0)
		for i := 0; i < sample; i += 8 {
			all |= load64(s, i)
		}
		if all&0x8080808080808080 == 0 {
			return false // ASCII
		}
		var seen [4]uint64
		for _, b := range s {
			seen[b>>6] |= 1 << (b & 63)
		}
		different := 0
		for _, s := range seen {
			different += bits.OnesCount64(s)
		}
		if different <= 48 {
			return false
		}
	}
	return true
}

// parse turns bytes from at on into literals and matches, up to limit or
// somewhat beyond it, or until the block is full.
//
// A match is not taken at once: while it is short, the next byte may start a
// better one, and then the byte before becomes a literal. The longer nothing is
// found, the more positions are left out; a match that began at one of them is
// found at a later one, and goes back to where it began.
func (c *Compressor) parse(limit int) {
	if c.prev == nil {
		c.parseFast(limit)
		return
	}
	c.enter(c.at)
	i, start := c.at, c.at // start: of the literals that are not in the block yet
	for i < limit && len(c.symbols)+i-start < blockSymbols {
		length, dist := c.search(i, 3, c.depth)
		if dist == 0 {
			c.misses++
			i = min(i+1+min(c.misses>>c.effort.patience, 31), limit, start+blockSymbols-len(c.symbols))
			continue
		}
		c.misses = 0
		for length < c.lazy && i+1 < limit && len(c.symbols)+i-start+3 < blockSymbols {
			better, far := c.search(i+1, length-1, c.lazyDepth)
			if far == 0 || 4*better-bits.Len(uint(far)) <= 4*length-bits.Len(uint(dist))+1 {
				break
			}
			i, length, dist = i+1, better, far
		}
		for i > start && i-dist > c.oldest && c.buf[i-1] == c.buf[i-dist-1] && length < maxMatch {
			i--
			length++
		}
		c.addLiterals(c.buf[start:i])
		c.addMatch(length, dist)
		i += length
		start = i
	}
	c.addLiterals(c.buf[start:i])
	c.at = i
}

// search looks for the longest match at i of more than best bytes, at least 3,
// among the last depth occurrences of the four there. dist is 0 if there is none.
func (c *Compressor) search(i, best, depth int) (length, dist int) {
	longest := min(c.end-i, maxMatch)
	if longest <= best {
		return 0, 0
	}
	if i >= c.hashed {
		c.enterAhead(i)
	}
	buf, prev := c.buf, c.prev
	mask := uint16(len(prev) - 1)
	reach := min(i-c.oldest, c.window)
	pos := c.base + uint16(i)
	p := prev[pos&mask]
	last := 0
	for {
		// The next occurrence that agrees in the last four bytes of a better match.
		ends := buf[best-3:]
		end := load32(ends, i)
		d := int(pos - p)
		for {
			if uint(d-last-1) >= uint(reach-last) {
				return best, dist
			}
			p = prev[p&mask]
			if load32(ends, i-d) == end {
				break
			}
			if depth--; depth <= 0 {
				return best, dist
			}
			last = d
			d = int(pos - p)
		}
		if n := matchLen(buf, i-d, i, longest); n > best {
			best, dist = n, d
			if n >= c.effort.nice || n >= longest {
				return best, dist
			}
			if n >= c.effort.good {
				depth -= 8
			}
		}
		if depth--; depth <= 0 {
			return best, dist
		}
		last = d
	}
}

// parseFast takes the first match that comes.
func (c *Compressor) parseFast(limit int) {
	c.enter(c.at)
	buf, head := c.buf, c.head
	i, end := c.at, c.end
	misses := c.misses
	for i < limit && len(c.symbols) < blockSymbols {
		if longest := min(end-i, maxMatch); longest >= 4 {
			v := load32(buf, i)
			pos := c.base + uint16(i)
			h := &head[hash4(v, c.shift)&uint32(len(head)-1)]
			d := int(pos - *h)
			*h = pos
			c.hashed = i + 1
			if uint(d)-1 < uint(min(i-c.oldest, c.window)) && load32(buf, i-d) == v {
				misses = 0
				n := matchLen(buf, i-d, i, longest)
				c.addMatch(n, d)
				i += n
				c.enter(i)
				continue
			}
		}
		misses++
		n := 1
		if misses > manyMisses {
			n = min(1+(misses-manyMisses)>>5, limit-i, blockSymbols-len(c.symbols))
		}
		c.addLiterals(buf[i : i+n])
		i += n
	}
	c.misses = misses
	c.enter(i)
	c.at = i
}
