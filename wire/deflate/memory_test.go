package deflate

import (
	"bytes"
	"fmt"
	"runtime"
	"testing"
)

// event is the i-th of a stream of similar small JSON messages.
func event(i int) []byte {
	names := [...]string{"amara", "benoit", "chidi", "dana", "elif"}
	return fmt.Appendf(nil, `{"type":"message","seq":%d,"user":"%s","room":"general","reply":%d,"ts":%d}`,
		48210+i, names[i*i%5], i*7919%1000, 1763800000000+int64(i)*731)
}

func TestMemory(t *testing.T) {
	active := map[int]int{12: 48 << 10, 15: 160 << 10}
	text := bytes.Repeat(event(1), 3000)
	for _, l := range levels {
		for bits := 8; bits <= 15; bits++ {
			heap := heapOf(func() any {
				c := NewCompressor(bits, l.level)
				c.Append(make([]byte, 0, len(text)), text, true)
				return c
			})
			c := NewCompressor(bits, l.level)
			if n := c.Size(); n > 512 {
				t.Errorf("%s, %d bits: %d bytes before the first message", l.name, bits, n)
			}
			c.Append(nil, text, true)
			size := c.Size()
			if limit := active[bits]; limit > 0 && size > limit {
				t.Errorf("%s, %d bits: %d bytes in use, more than %d", l.name, bits, size, limit)
			}
			if heap > size+size/4+4096 { // the allocator rounds up
				t.Errorf("%s, %d bits: Size is %d, but %d bytes of heap are in use", l.name, bits, size, heap)
			}
			c.Compact()
			if n, limit := c.Size(), 1<<bits+4<<10; n > limit {
				t.Errorf("%s, %d bits: %d bytes when compact, more than %d", l.name, bits, n, limit)
			}
		}
	}
	for bits := 8; bits <= 15; bits++ {
		packed := NewCompressor(bits, Default).Append(nil, text, true)
		d := NewDecompressor(bits)
		inflateAll(t, d, packed)
		if n, limit := d.Size(), 2<<bits+12<<10; n > limit {
			t.Errorf("decompressor, %d bits: %d bytes in use, more than %d", bits, n, limit)
		}
		d.Compact()
		if n, limit := d.Size(), 1<<bits+4<<10; n > limit {
			t.Errorf("decompressor, %d bits: %d bytes when compact, more than %d", bits, n, limit)
		}
	}
}

// lender is a Pool that counts.
type lender struct {
	idle      []any
	lent, all int
}

func (l *lender) Get() any {
	l.lent++
	l.all = max(l.all, l.lent)
	if len(l.idle) == 0 {
		return nil
	}
	v := l.idle[0]
	l.idle = l.idle[1:]
	return v
}

func (l *lender) Put(v any) {
	l.lent--
	l.idle = append(l.idle, v)
}

// TestPool: between messages both directions of a connection together hold
// what survives messages, and no more; that is the same in a Compressor or
// Decompressor that was Reset in the middle of a message.
func TestPool(t *testing.T) {
	active := map[int]int{12: 48 << 10, 15: 160 << 10}
	text := bytes.Repeat(event(1), 3000)
	for _, l := range levels {
		for bits := 8; bits <= 15; bits++ {
			codes, tables := new(lender), new(lender)
			var cs [3]*Compressor
			var ds [3]*Decompressor
			for i := range cs {
				cs[i], ds[i] = NewCompressor(bits, l.level), NewDecompressor(bits)
				cs[i].Pool, ds[i].Pool = codes, tables
			}
			for i := range 300 {
				c, d := cs[i%3], ds[i%3]
				m := event(i)
				if i%50 < 3 {
					m = text
				}
				half := len(m) / 2
				packed := c.Append(nil, m[:half], false)
				if i%3 == 2 { // goes astray
					d.Next(packed)
					c.Reset()
					d.Reset()
					packed, half = nil, 0
				}
				packed = c.Append(packed, m[half:], true)
				if out := inflateAll(t, d, packed); !bytes.Equal(out, m) {
					t.Fatalf("%s, %d bits, message %d: other bytes", l.name, bits, i)
				}
				if codes.lent != 0 || tables.lent != 0 {
					t.Fatalf("%s, %d bits, message %d: %d and %d are lent", l.name, bits, i, codes.lent, tables.lent)
				}
				size := c.Size() + d.Size()
				if limit := active[bits]; limit > 0 && size > limit {
					t.Fatalf("%s, %d bits, message %d: %d bytes are held, more than %d", l.name, bits, i, size, limit)
				}
			}
			if codes.all != 1 || tables.all != 1 || len(codes.idle) != 1 || len(tables.idle) != 1 {
				t.Errorf("%s, %d bits: %d and %d lent at a time, %d and %d made", l.name, bits, codes.all, tables.all, len(codes.idle), len(tables.idle))
			}
		}
	}
	t.Run("another kind's", func(t *testing.T) {
		shared := &lender{idle: []any{"what is this", newBlockCodes(1), nil}}
		c, d := NewCompressor(12, Default), NewDecompressor(12)
		c.Pool, d.Pool = shared, shared
		for i := range 20 {
			m := bytes.Repeat(event(i), 30)
			if out := inflateAll(t, d, c.Append(nil, m, true)); !bytes.Equal(out, m) {
				t.Fatalf("message %d: other bytes", i)
			}
		}
	})
}

func heapOf(open func() any) int {
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	v := open()
	runtime.GC()
	runtime.ReadMemStats(&after)
	runtime.KeepAlive(v)
	return int(after.HeapAlloc) - int(before.HeapAlloc)
}

func TestNoAllocation(t *testing.T) {
	for _, l := range levels {
		c, d := NewCompressor(12, l.level), NewDecompressor(12)
		i := 0
		packed := make([]byte, 0, 1<<16)
		large := bytes.Repeat(event(0), 500)
		step := func() {
			m := event(i)
			if i%50 == 0 {
				m = large
			}
			i++
			packed = c.Append(packed[:0], m, true)
			for in := packed; ; {
				out, n, err := d.Next(in)
				if err != nil {
					t.Fatal(err)
				}
				in = in[n:]
				if n == 0 && len(out) == 0 {
					break
				}
			}
			if out, err := d.Finish(); err != nil || len(out) > 0 {
				t.Fatal(err)
			}
		}
		step()
		perEvent := testing.AllocsPerRun(50, func() { event(i) })
		if n := testing.AllocsPerRun(200, step); n > perEvent {
			t.Errorf("%s: %.1f allocations per message", l.name, n-perEvent)
		}
	}
}

// TestHistory: a history can be kept compactly, or handed to another
// Compressor and Decompressor, between any two messages.
func TestHistory(t *testing.T) {
	t.Parallel()
	for _, l := range levels {
		for _, bits := range windows() {
			c, d := NewCompressor(bits, l.level), NewDecompressor(bits)
			var sent, received []byte // histories
			pool, unpool := NewCompressor(bits, l.level), NewDecompressor(bits)
			var total, pooled int
			for i := range 400 {
				m := event(i)
				if i%29 == 0 {
					c.Compact()
					d.Compact()
					c.Compact()
				}
				packed := c.Append(nil, m, true)
				total += len(packed)
				if out := inflateAll(t, d, packed); !bytes.Equal(out, m) {
					t.Fatalf("%s, %d bits, message %d: other bytes", l.name, bits, i)
				}

				pool.SetHistory(sent)
				packed = pool.Append(nil, m, true)
				pooled += len(packed)
				sent = pool.AppendHistory(sent[:0])
				unpool.SetHistory(received)
				if out := inflateAll(t, unpool, packed); !bytes.Equal(out, m) {
					t.Fatalf("%s, %d bits, message %d, pooled: other bytes", l.name, bits, i)
				}
				received = unpool.AppendHistory(received[:0])
				if !bytes.Equal(sent, received) || len(sent) > 1<<bits {
					t.Fatalf("%s, %d bits, message %d: histories of %d and %d bytes", l.name, bits, i, len(sent), len(received))
				}
			}
			if pooled > total+total/50 {
				t.Errorf("%s, %d bits: %d bytes, but %d with a shared Compressor", l.name, bits, total, pooled)
			}
		}
	}
}

func TestCompactInAMessageDoesNothing(t *testing.T) {
	t.Parallel()
	c, d := NewCompressor(10, Default), NewDecompressor(10)
	var packed, want []byte
	for i := range 100 {
		want = append(want, event(i)...)
		packed = c.Append(packed, event(i), i == 99)
		c.Compact()
	}
	var got []byte
	for i := range packed {
		out, _, err := d.Next(packed[i : i+1])
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, out...)
		d.Compact()
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%d bytes came back of %d", len(got), len(want))
	}
}

func TestPanics(t *testing.T) {
	for name, f := range map[string]func(){
		"window of 7":   func() { NewCompressor(7, Default) },
		"window of 16":  func() { NewDecompressor(16) },
		"unknown level": func() { NewCompressor(15, 99) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: no panic", name)
				}
			}()
			f()
		}()
	}
}

// TestSkip: messages that another Compressor made are history, too.
func TestSkip(t *testing.T) {
	t.Parallel()
	for _, l := range levels {
		for _, bits := range windows() {
			c, d := NewCompressor(bits, l.level), NewDecompressor(bits)
			other := NewCompressor(bits, l.level)
			var total, without int
			plain := NewCompressor(bits, l.level)
			for i := range 300 {
				shared := event(i)
				if i%31 == 0 {
					shared = bytes.Repeat(shared, 1+i*i/20) // up to several windows
				}
				other.Reset()
				if out := inflateAll(t, d, other.Append(nil, shared, true)); !bytes.Equal(out, shared) {
					t.Fatalf("%s, %d bits, message %d of the other: other bytes", l.name, bits, i)
				}
				c.Skip(shared)
				if i%17 == 0 { // the history alone takes it in, too
					c.Compact()
					c.Skip(nil)
					for range 3 {
						other.Reset()
						inflateAll(t, d, other.Append(nil, shared, true))
						c.Skip(shared)
					}
					if n := c.Size(); n > 1<<bits+4<<10 {
						t.Fatalf("%s, %d bits: %d bytes when compact", l.name, bits, n)
					}
				}
				m := event(i + 1000)
				packed := c.Append(nil, m, true)
				total += len(packed)
				if out := inflateAll(t, d, packed); !bytes.Equal(out, m) {
					t.Fatalf("%s, %d bits, message %d: other bytes", l.name, bits, i)
				}
				plain.Reset()
				without += len(plain.Append(nil, m, true))
			}
			if total > without*2/3 {
				t.Errorf("%s, %d bits: %d bytes, %d without any history", l.name, bits, total, without)
			}
		}
	}
}
