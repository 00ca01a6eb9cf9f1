package packet

import (
	"net/netip"
	"slices"
	"time"
)

// Fragments are kept within these bounds, whatever a capture holds. The
// oldest incomplete datagram is given up first.
const (
	maxDatagram      = 65535
	maxDatagrams     = 512     // incomplete at a time
	maxFragmentBytes = 4 << 20 // kept for them
	maxPieces        = 1024    // fragments of one datagram
	fragmentLifetime = 60 * time.Second
)

// FragmentStats count what became of IP fragments.
type FragmentStats struct {
	Fragments   int64 // fragments met
	Reassembled int64 // datagrams put together
	GivenUp     int64 // datagrams that stayed incomplete: too old, or evicted
	Illegal     int64 // fragments that overlap others, exceed a datagram or were not captured whole
}

type fragmentKey struct {
	src, dst netip.Addr
	id       uint32
	proto    uint8
}

type defragmenter struct {
	stats     FragmentStats
	datagrams map[fragmentKey]*datagram
	order     []*datagram // by age, oldest first
	bytes     int
}

type datagram struct {
	key    fragmentKey
	since  time.Time
	data   []byte // as long as its furthest fragment
	pieces []piece
	have   int
	total  int // -1 until the last fragment came
}

type piece struct{ from, to int }

// add keeps a fragment that starts at offset at in its datagram. It returns
// the datagram's payload when this fragment completes it, else nil. wire is
// the fragment's length on the wire.
func (f *defragmenter) add(key fragmentKey, now time.Time, at int, more bool, b []byte, wire int) []byte {
	f.stats.Fragments++
	if len(b) < wire || len(b) == 0 || at+len(b) > maxDatagram || more && len(b)%8 != 0 {
		f.stats.Illegal++
		return nil
	}
	f.expire(now)
	d := f.datagrams[key]
	if d == nil {
		d = f.begin(key, now)
	}
	p := piece{at, at + len(b)}
	i, overlap := slices.BinarySearchFunc(d.pieces, p, func(a, b piece) int { return a.from - b.from })
	switch {
	case overlap && d.pieces[i] == p:
		return nil // the same fragment again: a duplicated packet
	case overlap,
		i > 0 && d.pieces[i-1].to > p.from,
		i < len(d.pieces) && d.pieces[i].from < p.to,
		len(d.pieces) >= maxPieces,
		!more && (d.total >= 0 || len(d.data) > p.to),
		d.total >= 0 && p.to > d.total:
		f.stats.Illegal++
		return nil
	}
	if grow := p.to - len(d.data); grow > 0 {
		d.data = append(d.data, make([]byte, grow)...)
		f.bytes += grow
	}
	copy(d.data[at:], b)
	d.pieces = slices.Insert(d.pieces, i, p)
	d.have += len(b)
	if !more {
		d.total = p.to
	}
	if d.have == d.total {
		f.remove(d)
		f.stats.Reassembled++
		return d.data
	}
	for f.bytes > maxFragmentBytes || len(f.order) > maxDatagrams {
		f.giveUp(f.order[0])
	}
	return nil
}

func (f *defragmenter) begin(key fragmentKey, now time.Time) *datagram {
	if f.datagrams == nil {
		f.datagrams = make(map[fragmentKey]*datagram)
	}
	d := &datagram{key: key, since: now, total: -1}
	f.datagrams[key] = d
	f.order = append(f.order, d)
	return d
}

func (f *defragmenter) expire(now time.Time) {
	for len(f.order) > 0 && now.Sub(f.order[0].since) > fragmentLifetime {
		f.giveUp(f.order[0])
	}
}

func (f *defragmenter) giveUp(d *datagram) {
	f.stats.GivenUp++
	f.remove(d)
}

func (f *defragmenter) remove(d *datagram) {
	delete(f.datagrams, d.key)
	f.order = slices.DeleteFunc(f.order, func(o *datagram) bool { return o == d })
	f.bytes -= len(d.data)
}
