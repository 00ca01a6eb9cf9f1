package deflate

import "math/bits"

// parse turns bytes from at on into literals and matches, up to limit or
// somewhat beyond it, or until the block is full.
func (c *Compressor) parse(limit int) {
	if c.prev == nil {
		c.parseFast(limit)
		return
	}
	i := c.at
	misses := 0
	for i < limit && len(c.symbols) < c.capacity {
		c.enter(i)
		length, dist := c.find(i, 0, c.depth)
		if dist == 0 {
			misses++
			n := 1
			if misses > 256 {
				n = min(1+(misses-256)>>6, limit-i, c.capacity-len(c.symbols))
				c.hashed = i + n
			}
			for range n {
				c.literal(c.buf[i])
				i++
			}
			continue
		}
		misses = 0
		for length < c.effort.lazy && i+1 < limit && len(c.symbols)+3 < c.capacity {
			nextLength, nextDist := c.find(i+1, length-1, c.depth/4)
			if nextDist == 0 || 4*nextLength-bits.Len(uint(nextDist)) <= 4*length-bits.Len(uint(dist))+1 {
				break
			}
			c.literal(c.buf[i])
			i++
			length, dist = nextLength, nextDist
		}
		c.match(length, dist)
		i += length
	}
	c.enter(i)
	c.at = i
}

// parseFast takes the first match that comes.
func (c *Compressor) parseFast(limit int) {
	buf, head, base := c.buf, c.head, c.base
	shift := c.shift
	i := c.at
	c.enter(i)
	misses := 0
	for i < limit && len(c.symbols) < c.capacity {
		if c.end-i < 4 {
			c.literal(buf[i])
			i++
			continue
		}
		v := load32(buf, i)
		pos := base + uint16(i)
		h := &head[hash4(v, shift)&uint32(len(head)-1)]
		dist := int(pos - *h)
		*h = pos
		if uint(dist-1) < uint(min(i-c.oldest, c.window)) && load32(buf, i-dist) == v {
			length := 4 + matchLen(buf[i-dist+4:], buf[i+4:min(c.end, i+maxMatch)])
			c.match(length, dist)
			c.hashed = i + 1
			i += length
			c.enter(i)
			misses = 0
			continue
		}
		misses++
		for range min(1+misses>>6, limit-i, c.capacity-len(c.symbols)) {
			c.literal(buf[i])
			i++
		}
		c.hashed = i
	}
	c.at = i
}
