package deflate

import "math/bits"

// manyMisses is after how many vain searches in a row the search begins to
// leave out positions, ever more of them: the bytes may be incompressible.
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
		var seen [4]uint64
		for _, b := range p[len(p)/4*quarter:][:sample] {
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
// better one, and then the byte before becomes a literal.
func (c *Compressor) parse(limit int) {
	if c.prev == nil {
		c.parseFast(limit)
		return
	}
	c.enter(c.at)
	buf, head, prev := c.buf, c.head, c.prev
	mask := uint16(len(prev) - 1)
	symbols, codes := c.symbols, c.codes
	i, end := c.at, c.end
	misses := c.misses
	length, dist := 0, 0 // the match at i-1 that waits; none if dist is 0
	for {
		depth := c.depth
		best, bestDist := 3, 0
		if dist != 0 {
			best = length - 1
			depth = c.lazyDepth
		} else if i >= limit || len(symbols) >= blockSymbols {
			break
		}

		// Look for a match at i that is longer than best.
		longest := min(end-i, maxMatch)
		if longest > best {
			v := load32(buf, i)
			pos := c.base + uint16(i)
			h := &head[hash4(v, c.shift)&uint32(len(head)-1)]
			d := pos - *h
			prev[pos&mask] = *h
			*h = pos
			c.hashed = i + 1
			reach := uint(min(i-c.oldest, c.window))
			tail := load32(buf, i+best-3)
			for uint(d)-1 < reach {
				next := pos - prev[(pos-d)&mask]
				from := i - int(d)
				if load32(buf, from+best-3) == tail && load32(buf, from) == v {
					n := 4 + matchLen(buf[from+4:], buf[i+4:i+longest])
					if n > best {
						best, bestDist = n, int(d)
						if n >= c.effort.nice || n >= longest {
							break
						}
						tail = load32(buf, i+best-3)
						if n >= c.effort.good {
							depth -= 8
						}
					}
				}
				depth--
				if depth <= 0 || next <= d {
					break
				}
				d = next
			}
		}

		switch {
		case dist != 0 && (bestDist == 0 || 4*best-bits.Len(uint(bestDist)) <= 4*length-bits.Len(uint(dist))+1):
			// The match that waited it is.
			symbols = append(symbols, uint16(length)|isMatch, uint16(dist-1))
			codes.countMatch(length, uint16(dist-1))
			i += length - 1
			dist = 0
			c.enter(i)
		case bestDist == 0:
			n := 1
			misses++
			if misses > manyMisses {
				n = min(1+(misses-manyMisses)>>5, limit-i, blockSymbols-len(symbols))
			}
			for _, b := range buf[i : i+n] {
				symbols = append(symbols, uint16(b))
				codes.countLiteral(b)
			}
			i += n
		default:
			misses = 0
			if dist != 0 {
				symbols = append(symbols, uint16(buf[i-1]))
				codes.countLiteral(buf[i-1])
			}
			length, dist = best, bestDist
			i++
			if length >= c.lazy || i >= limit || len(symbols)+3 >= blockSymbols {
				symbols = append(symbols, uint16(length)|isMatch, uint16(dist-1))
				codes.countMatch(length, uint16(dist-1))
				i += length - 1
				dist = 0
				c.enter(i)
			}
		}
	}
	c.symbols, c.misses = symbols, misses
	c.enter(i)
	c.at = i
}

// parseFast takes the first match that comes.
func (c *Compressor) parseFast(limit int) {
	c.enter(c.at)
	buf, head := c.buf, c.head
	symbols, codes := c.symbols, c.codes
	i, end := c.at, c.end
	misses := c.misses
	for i < limit && len(symbols) < blockSymbols {
		if longest := min(end-i, maxMatch); longest >= 4 {
			v := load32(buf, i)
			pos := c.base + uint16(i)
			h := &head[hash4(v, c.shift)&uint32(len(head)-1)]
			d := pos - *h
			*h = pos
			c.hashed = i + 1
			from := i - int(d)
			if uint(d)-1 < uint(min(i-c.oldest, c.window)) && load32(buf, from) == v {
				misses = 0
				n := 4 + matchLen(buf[from+4:], buf[i+4:i+longest])
				symbols = append(symbols, uint16(n)|isMatch, d-1)
				codes.countMatch(n, d-1)
				i += n
				c.enter(i)
				continue
			}
		}
		misses++
		n := 1
		if misses > manyMisses {
			n = min(1+(misses-manyMisses)>>5, limit-i, blockSymbols-len(symbols))
		}
		for _, b := range buf[i : i+n] {
			symbols = append(symbols, uint16(b))
			codes.countLiteral(b)
		}
		i += n
	}
	c.symbols, c.misses = symbols, misses
	c.enter(i)
	c.at = i
}
