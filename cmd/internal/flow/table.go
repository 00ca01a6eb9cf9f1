package flow

import (
	"encoding/binary"
	"hash/maphash"
	"net/netip"
)

// A key names a connection regardless of direction: a is the lower address.
type key struct {
	a, b         [16]byte
	aPort, bPort uint16
}

// keyOf returns the key of a connection, and whether from is its a.
func keyOf(from, to netip.AddrPort) (k key, fromA bool) {
	src, dst := from.Addr().As16(), to.Addr().As16()
	if less(&src, from.Port(), &dst, to.Port()) {
		return key{src, dst, from.Port(), to.Port()}, true
	}
	return key{dst, src, to.Port(), from.Port()}, false
}

func less(a *[16]byte, aPort uint16, b *[16]byte, bPort uint16) bool {
	for i := 0; i < 16; i += 8 {
		x, y := binary.BigEndian.Uint64(a[i:]), binary.BigEndian.Uint64(b[i:])
		if x != y {
			return x < y
		}
	}
	return aPort < bPort
}

// A table holds connections by their keys. A map would hold the keys a second
// time.
type table struct {
	all     []*Conn
	buckets []*Conn      // by the hash of the key, each the first of a list; a power of two
	seed    maphash.Seed // so that a capture cannot choose the bucket
	hand    int          // in all, the next to look at
}

// place is where a Conn stands in a table.
type place struct {
	next  *Conn // in its bucket
	index int32 // in all
	used  bool  // since the hand passed
}

func newTable() table { return table{buckets: make([]*Conn, 256), seed: maphash.MakeSeed()} }

func (t *table) bucket(k *key) **Conn {
	return &t.buckets[maphash.Comparable(t.seed, *k)&uint64(len(t.buckets)-1)]
}

// find returns the connection with the key, or nil.
func (t *table) find(k *key) *Conn {
	c := *t.bucket(k)
	for c != nil && c.key != *k {
		c = c.next
	}
	return c
}

func (t *table) add(c *Conn) {
	if 2*len(t.all) == len(t.buckets) { // to look at another connection costs more than an empty bucket
		t.buckets = make([]*Conn, 2*len(t.buckets))
		for _, other := range t.all {
			t.put(other)
		}
	}
	t.put(c)
	c.index = int32(len(t.all))
	t.all = append(t.all, c)
}

func (t *table) put(c *Conn) {
	b := t.bucket(&c.key)
	c.next, *b = *b, c
}

func (t *table) remove(c *Conn) {
	p := t.bucket(&c.key)
	for *p != c {
		p = &(*p).next
	}
	*p, c.next = c.next, nil

	last := len(t.all) - 1
	t.all[c.index] = t.all[last]
	t.all[c.index].index = c.index
	t.all[last] = nil
	t.all = t.all[:last]
}

// quiet returns a connection that has not been used since the hand passed it
// before. There must be one.
func (t *table) quiet() *Conn {
	for {
		if t.hand >= len(t.all) {
			t.hand = 0
		}
		c := t.all[t.hand]
		if !c.used {
			return c
		}
		c.used = false
		t.hand++
	}
}
