package capfilter

import (
	"encoding/binary"
	"errors"
	"fmt"

	"golang.org/x/net/bpf"

	"github.com/wiretrue/websocket/cmd/internal/packet"
)

// NOTE. A node compiles to code that jumps to one of two labels. Conditional
// jumps of BPF reach 255 instructions, which is not enough for long filters,
// so that every test is a conditional jump over one of two unconditional
// ones, which reach everywhere. Labels are resolved at the end.

// MaxCapture is what a matching packet is captured up to: all of it.
const MaxCapture = 262144

// Program compiles the filter for packets of a link type: Ethernet or raw IP.
// It is what the kernel runs, as tcpdump's are: fragments other than the first
// have no ports to be found by, and VLAN tags that the kernel has not removed
// hide what is behind them. inbound leaves out packets that the machine itself
// sends: on a loopback interface each of them comes back.
func (f *Filter) Program(link packet.LinkType, inbound bool) ([]bpf.RawInstruction, error) {
	c := &compiler{}
	switch link {
	case packet.LinkEthernet:
		c.ip = 14
	case packet.LinkRaw:
		c.raw = true
	default:
		return nil, fmt.Errorf("capture filter: link type %v is not supported", link)
	}
	yes, no, start := c.label(), c.label(), c.label()
	if inbound {
		c.emit(bpf.LoadExtension{Num: bpf.ExtType})
		c.test(bpf.JumpIf{Cond: bpf.JumpEqual, Val: packetOutgoing}, no, start)
		c.place(start)
	}
	if f.root != nil {
		f.root.compile(c, yes, no)
	}
	c.place(yes)
	c.emit(bpf.RetConstant{Val: MaxCapture})
	c.place(no)
	c.emit(bpf.RetConstant{Val: 0})
	return c.assemble()
}

const (
	packetOutgoing = 4 // PACKET_OUTGOING of linux/if_packet.h
	maxProgram     = 4096

	protoTCP = 6
)

type label int

type compiler struct {
	raw  bool   // the packet starts with the IP header
	ip   uint32 // offset of the IP header
	code []bpf.Instruction
	goes map[int]label // unconditional jumps by their place
	at   []int         // places of labels
}

func (c *compiler) label() label {
	c.at = append(c.at, -1)
	return label(len(c.at) - 1)
}

func (c *compiler) place(l label)          { c.at[l] = len(c.code) }
func (c *compiler) emit(i bpf.Instruction) { c.code = append(c.code, i) }

func (c *compiler) jump(l label) {
	if c.goes == nil {
		c.goes = make(map[int]label)
	}
	c.goes[len(c.code)] = l
	c.emit(bpf.Jump{})
}

func (c *compiler) test(j bpf.JumpIf, yes, no label) {
	j.SkipTrue, j.SkipFalse = 0, 1
	c.emit(j)
	c.jump(yes)
	c.jump(no)
}

func (c *compiler) equal(val uint32, yes, no label) {
	c.test(bpf.JumpIf{Cond: bpf.JumpEqual, Val: val}, yes, no)
}

func (c *compiler) assemble() ([]bpf.RawInstruction, error) {
	if len(c.code) > maxProgram {
		return nil, errors.New("capture filter: the filter is too long for the kernel")
	}
	for i, l := range c.goes {
		c.code[i] = bpf.Jump{Skip: uint32(c.at[l] - i - 1)}
	}
	return bpf.Assemble(c.code)
}

// then compiles a, and b where a says yes.
func (c *compiler) then(a func(yes, no label), b func(yes, no label), yes, no label) {
	next := c.label()
	a(next, no)
	c.place(next)
	b(yes, no)
}

// otherwise compiles a, and b where a says no.
func (c *compiler) otherwise(a func(yes, no label), b func(yes, no label), yes, no label) {
	next := c.label()
	a(yes, next)
	c.place(next)
	b(yes, no)
}

func (n and) compile(c *compiler, yes, no label) {
	c.then(func(y, f label) { n.a.compile(c, y, f) }, func(y, f label) { n.b.compile(c, y, f) }, yes, no)
}

func (n or) compile(c *compiler, yes, no label) {
	c.otherwise(func(y, f label) { n.a.compile(c, y, f) }, func(y, f label) { n.b.compile(c, y, f) }, yes, no)
}

func (n not) compile(c *compiler, yes, no label) { n.a.compile(c, no, yes) }

// isIP tests the IP version.
func (c *compiler) isIP(f family) func(yes, no label) {
	return func(yes, no label) {
		if c.raw {
			c.emit(bpf.LoadAbsolute{Off: 0, Size: 1})
			c.emit(bpf.ALUOpConstant{Op: bpf.ALUOpAnd, Val: 0xf0})
			c.equal(uint32(f)<<4, yes, no)
			return
		}
		c.emit(bpf.LoadAbsolute{Off: 12, Size: 2})
		c.equal(map[family]uint32{v4: 0x0800, v6: 0x86dd}[f], yes, no)
	}
}

// isTCP tests the protocol behind an IP header of a known version.
func (c *compiler) isTCP(f family) func(yes, no label) {
	return func(yes, no label) {
		c.emit(bpf.LoadAbsolute{Off: c.ip + map[family]uint32{v4: 9, v6: 6}[f], Size: 1})
		c.equal(protoTCP, yes, no)
	}
}

func (n protocol) compile(c *compiler, yes, no label) {
	version := func(f family) func(yes, no label) {
		if !n.tcp {
			return c.isIP(f)
		}
		return func(yes, no label) { c.then(c.isIP(f), c.isTCP(f), yes, no) }
	}
	if n.family != anyFamily {
		version(n.family)(yes, no)
		return
	}
	c.otherwise(version(v4), version(v6), yes, no)
}

func (n network) compile(c *compiler, yes, no label) {
	f, src, dst := v4, c.ip+12, c.ip+16
	if n.prefix.Addr().Is6() {
		f, src, dst = v6, c.ip+8, c.ip+24
	}
	at := func(off uint32) func(yes, no label) {
		return func(yes, no label) { n.compare(c, off, yes, no) }
	}
	c.then(c.isIP(f), func(yes, no label) {
		switch n.dir {
		case source:
			at(src)(yes, no)
		case destination:
			at(dst)(yes, no)
		default:
			c.otherwise(at(src), at(dst), yes, no)
		}
	}, yes, no)
}

// compare tests the address at an offset, four bytes at a time.
func (n network) compare(c *compiler, off uint32, yes, no label) {
	addr, bits := n.prefix.Addr().AsSlice(), n.prefix.Bits()
	for i := 0; i < len(addr) && bits > 0; i += 4 {
		c.emit(bpf.LoadAbsolute{Off: off + uint32(i), Size: 4})
		if bits < 32 {
			c.emit(bpf.ALUOpConstant{Op: bpf.ALUOpAnd, Val: ^uint32(0) << (32 - bits)})
		}
		next := c.label()
		c.equal(binary.BigEndian.Uint32(addr[i:]), next, no)
		c.place(next)
		bits -= 32
	}
	c.jump(yes)
}

func (n ports) compile(c *compiler, yes, no label) {
	// first: not a later fragment. X is then the length of the IP header.
	four := func(yes, no label) {
		first := c.label()
		c.emit(bpf.LoadAbsolute{Off: c.ip + 6, Size: 2})
		c.test(bpf.JumpIf{Cond: bpf.JumpBitsSet, Val: 0x1fff}, no, first)
		c.place(first)
		c.emit(bpf.LoadMemShift{Off: c.ip})
		n.either(c, func(off uint32) bpf.Instruction { return bpf.LoadIndirect{Off: c.ip + off, Size: 2} }, yes, no)
	}
	six := func(yes, no label) {
		n.either(c, func(off uint32) bpf.Instruction { return bpf.LoadAbsolute{Off: c.ip + 40 + off, Size: 2} }, yes, no)
	}
	tcp := func(f family, rest func(yes, no label)) func(yes, no label) {
		return func(yes, no label) {
			c.then(c.isIP(f), func(yes, no label) { c.then(c.isTCP(f), rest, yes, no) }, yes, no)
		}
	}
	c.otherwise(tcp(v4, four), tcp(v6, six), yes, no)
}

// either tests the ports; load loads the one at an offset in the TCP header.
func (n ports) either(c *compiler, load func(off uint32) bpf.Instruction, yes, no label) {
	at := func(off uint32) func(yes, no label) {
		return func(yes, no label) {
			c.emit(load(off))
			if n.from == n.to {
				c.equal(uint32(n.from), yes, no)
				return
			}
			upper := c.label()
			c.test(bpf.JumpIf{Cond: bpf.JumpGreaterOrEqual, Val: uint32(n.from)}, upper, no)
			c.place(upper)
			c.test(bpf.JumpIf{Cond: bpf.JumpGreaterThan, Val: uint32(n.to)}, no, yes)
		}
	}
	switch n.dir {
	case source:
		at(0)(yes, no)
	case destination:
		at(2)(yes, no)
	default:
		c.otherwise(at(0), at(2), yes, no)
	}
}
