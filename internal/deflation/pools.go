package deflation

import (
	"sync"

	"github.com/wiretrue/websocket/wire/deflate"
)

// Pools of what connections without context takeover share, by window bits.
var (
	compressors   [3][16]sync.Pool
	decompressors [16]sync.Pool
)

// Pools of what only a message that is under way needs, by window bits.
var (
	compressing [16]sync.Pool
	inflating   sync.Pool
)

func getCompressor(bits int, level deflate.Level) *deflate.Compressor {
	if c, ok := compressors[level][bits].Get().(*deflate.Compressor); ok {
		c.Reset()
		return c
	}
	c := deflate.NewCompressor(bits, level)
	c.Pool = &compressing[bits]
	return c
}

func putCompressor(c *deflate.Compressor, bits int, level deflate.Level) {
	compressors[level][bits].Put(c)
}

func getDecompressor(bits int) *deflate.Decompressor {
	if d, ok := decompressors[bits].Get().(*deflate.Decompressor); ok {
		d.Reset()
		return d
	}
	d := deflate.NewDecompressor(bits)
	d.Pool = &inflating
	return d
}

func putDecompressor(d *deflate.Decompressor, bits int) { decompressors[bits].Put(d) }

// windowMemory and inflateMemory return the bytes that a connection holds for
// a Compressor or a Decompressor between messages.
func windowMemory(bits int, level deflate.Level, atOnce bool) int64 {
	if atOnce {
		return 1 << bits
	}
	c := getCompressor(bits, level)
	defer putCompressor(c, bits, level)
	if c.Size() < 1<<bits {
		c.Append(nil, []byte("wiretrue"), true)
	}
	return int64(c.Size())
}

func inflateMemory(bits int, atOnce bool) int64 {
	if atOnce {
		return 1 << bits
	}
	d := getDecompressor(bits)
	defer putDecompressor(d, bits)
	if d.Size() < 1<<bits {
		d.Next(nil)
	}
	return int64(d.Size())
}
