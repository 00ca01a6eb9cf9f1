package packet

import (
	"encoding/binary"
	"fmt"
	"io"
	"math/bits"
	"strings"
	"time"
)

// The next generation format is a sequence of blocks:
//
//	type(4) length(4) body(length-12) length(4)
//
// in sections that start with a section header, which sets the byte order and
// forgets the interfaces. Blocks with a type that is not listed here are
// skipped. A body may end with options: code(2) length(2) value, padded to 4.
const (
	blockSection   = 0x0a0d0d0a // the same in both byte orders
	blockInterface = 0x00000001
	blockPacket    = 0x00000002 // obsolete, still met
	blockSimple    = 0x00000003
	blockEnhanced  = 0x00000006
	blockSecrets   = 0x0000000a

	sectionMagic  = 0x1a2b3c4d
	secretsKeyLog = 0x544c534b // "TLSK"

	optEnd        = 0
	optComment    = 1
	optResolution = 9
	optTimeOffset = 14

	blockOverhead = 12
	maxInterfaces = 1 << 16
)

type ngFormat struct {
	order      binary.ByteOrder
	interfaces []ngInterface
	pending    *DamageError // reported once the packet before it has been yielded
}

type ngInterface struct {
	link       LinkType
	snapLen    uint32
	resolution byte  // if_tsresol as in the file
	offset     int64 // seconds added to every time
}

func (f *ngFormat) String() string { return "pcapng" }

func (f *ngFormat) next(r *Reader, p *Packet) error {
	for {
		if f.pending != nil {
			f.pending.Packet = r.count
			return f.pending
		}
		got, err := f.block(r, p)
		if err != nil {
			return err
		}
		if got {
			return nil
		}
	}
}

// block reads one block and reports whether p was filled from it.
func (f *ngFormat) block(r *Reader, p *Packet) (got bool, err error) {
	at := r.offset
	h, err := r.take(8)
	if err == io.EOF {
		return false, io.EOF
	}
	if err != nil {
		return false, r.cutShort(at, err, "a block header")
	}
	// h is gone with the next take.
	if binary.LittleEndian.Uint32(h) == blockSection {
		return false, f.section(r, at, [4]byte(h[4:8]))
	}
	if f.order == nil {
		return false, r.damage(at, nil, "a block stands before the section header")
	}
	typ, length := f.order.Uint32(h), f.order.Uint32(h[4:])
	if length < blockOverhead || length%4 != 0 {
		return false, r.damage(at, nil, "a block of type %#x says it is %d bytes long", typ, length)
	}
	body := length - blockOverhead
	if !f.wanted(r, typ) {
		// Its size does no harm: it is read past, not kept.
		if err := r.skip(int(body) + 4); err != nil {
			return false, r.cutShort(at, err, fmt.Sprintf("a block of type %#x and %d bytes", typ, length))
		}
		return false, nil
	}
	if body > maxRecord {
		return false, r.damage(at, nil, "a block of type %#x says it is %d bytes long", typ, length)
	}
	b, err := r.take(int(body) + 4)
	if err != nil {
		return false, r.cutShort(at, err, fmt.Sprintf("a block of type %#x and %d bytes", typ, length))
	}
	if again := f.order.Uint32(b[body:]); again != length {
		f.pending = r.damage(at, nil, "a block of type %#x starts with the length %d and ends with %d", typ, length, again)
	}
	return f.body(r, p, at, typ, b[:body:body])
}

func (f *ngFormat) wanted(r *Reader, typ uint32) bool {
	switch typ {
	case blockInterface, blockSecrets:
		return true
	case blockPacket, blockSimple, blockEnhanced:
		return !r.onlySecrets
	}
	return false
}

// section reads the rest of a section header, whose length field is given.
func (f *ngFormat) section(r *Reader, at int64, length [4]byte) error {
	b, err := r.take(4)
	if err != nil {
		return r.cutShort(at, err, "a section header")
	}
	switch {
	case binary.LittleEndian.Uint32(b) == sectionMagic:
		f.order = binary.LittleEndian
	case binary.BigEndian.Uint32(b) == sectionMagic:
		f.order = binary.BigEndian
	default:
		return r.damage(at, nil, "a section header has the byte-order magic % x", b)
	}
	f.interfaces = nil
	n := f.order.Uint32(length[:])
	if n < 28 || n%4 != 0 || n > maxRecord {
		return r.damage(at, nil, "a section header says it is %d bytes long", n)
	}
	if b, err = r.take(4); err != nil {
		return r.cutShort(at, err, "a section header")
	}
	if major := f.order.Uint16(b); major != 1 {
		return r.damage(at, nil, "pcapng version %d.%d is not known", major, f.order.Uint16(b[2:]))
	}
	if err := r.skip(int(n) - 16); err != nil {
		return r.cutShort(at, err, "a section header")
	}
	return nil
}

// body decodes the body of a wanted block.
func (f *ngFormat) body(r *Reader, p *Packet, at int64, typ uint32, b []byte) (got bool, err error) {
	short := func(what string) error {
		return r.damage(at, nil, "%s is too short for its fields: %d bytes", what, len(b))
	}
	switch typ {
	case blockInterface:
		if len(b) < 8 {
			return false, short("an interface block")
		}
		if len(f.interfaces) >= maxInterfaces {
			return false, r.damage(at, nil, "more than %d interfaces", maxInterfaces)
		}
		f.interfaces = append(f.interfaces, f.newInterface(b))

	case blockSecrets:
		if len(b) < 8 {
			return false, short("a secrets block")
		}
		kind, n := f.order.Uint32(b), f.order.Uint32(b[4:])
		keys := b[8:]
		if uint64(n) < uint64(len(keys)) {
			keys = keys[:n]
		}
		if kind == secretsKeyLog && r.opts.Secrets != nil {
			r.opts.Secrets(Secrets{Packet: r.count, KeyLog: append([]byte(nil), keys...)})
		}

	case blockEnhanced, blockPacket:
		if len(b) < 20 {
			return false, short("a packet block")
		}
		id := f.order.Uint32(b)
		if typ == blockPacket {
			id = uint32(f.order.Uint16(b))
		}
		ticks := uint64(f.order.Uint32(b[4:]))<<32 | uint64(f.order.Uint32(b[8:]))
		captured, length := f.order.Uint32(b[12:]), f.order.Uint32(b[16:])
		data := b[20:]
		if uint64(captured) > uint64(len(data)) {
			return false, r.damage(at, nil, "a packet of %d bytes is announced in a block with room for %d", captured, len(data))
		}
		*p = Packet{Interface: int(id), Link: LinkUnknown, Data: data[:captured:captured]}
		p.Length = max(int(min(length, 1<<31-1)), len(p.Data))
		if id < uint32(len(f.interfaces)) {
			i := &f.interfaces[id]
			p.Link, p.Time = i.link, i.time(ticks)
		}
		if padded := (int(captured) + 3) &^ 3; len(data) > padded+4 {
			p.Comment = f.comments(data[padded:])
		}
		return true, nil

	case blockSimple:
		if len(b) < 4 {
			return false, short("a simple packet block")
		}
		length := f.order.Uint32(b)
		captured := min(uint64(length), uint64(len(b)-4))
		*p = Packet{Link: LinkUnknown}
		if len(f.interfaces) > 0 {
			p.Link = f.interfaces[0].link
			if s := f.interfaces[0].snapLen; s > 0 {
				captured = min(captured, uint64(s))
			}
		}
		p.Data = b[4 : 4+captured : 4+captured]
		p.Length = max(int(min(length, 1<<31-1)), len(p.Data))
		return true, nil
	}
	return false, nil
}

func (f *ngFormat) newInterface(b []byte) ngInterface {
	i := ngInterface{
		link:       LinkType(f.order.Uint16(b)),
		snapLen:    f.order.Uint32(b[4:]),
		resolution: 6,
	}
	f.options(b[8:], func(code uint16, value []byte) {
		switch {
		case code == optResolution && len(value) >= 1:
			i.resolution = value[0]
		case code == optTimeOffset && len(value) >= 8:
			i.offset = int64(f.order.Uint64(value))
		}
	})
	return i
}

func (f *ngFormat) comments(b []byte) string {
	var all []string
	f.options(b, func(code uint16, value []byte) {
		if code == optComment {
			all = append(all, strings.ToValidUTF8(string(value), "\uFFFD"))
		}
	})
	return strings.Join(all, "\n")
}

// options calls each for every option, until the end or the first one that
// does not fit.
func (f *ngFormat) options(b []byte, each func(code uint16, value []byte)) {
	for len(b) >= 4 {
		code, n := f.order.Uint16(b), int(f.order.Uint16(b[2:]))
		b = b[4:]
		if code == optEnd || n > len(b) {
			return
		}
		each(code, b[:n])
		b = b[min((n+3)&^3, len(b)):]
	}
}

// time converts a packet's timestamp, which counts in units of the
// interface's resolution: 10^-n seconds, or 2^-n when the top bit is set.
func (i *ngInterface) time(ticks uint64) time.Time {
	const nano = 1e9
	n := uint(i.resolution & 0x7f)
	var sec, nsec uint64
	switch {
	case i.resolution == 6:
		sec, nsec = ticks/1e6, ticks%1e6*1e3
	case i.resolution == 9:
		sec, nsec = ticks/nano, ticks%nano
	case i.resolution&0x80 == 0:
		if n > 19 { // a unit so small that 64 bits do not hold two seconds
			n = 19
		}
		unit := uint64(1)
		for range n {
			unit *= 10
		}
		sec = ticks / unit
		hi, lo := bits.Mul64(ticks%unit, nano)
		nsec, _ = bits.Div64(hi, lo, unit)
	case n < 64:
		sec = ticks >> n
		hi, lo := bits.Mul64(ticks&(1<<n-1), nano)
		nsec = lo>>n | hi<<(64-n)
	default:
		nsec = 0
	}
	return unixTime(int64(sec)+i.offset, int64(nsec))
}
