// Package capfilter understands capture filters: the part of tcpdump's
// language that selects TCP traffic. A filter is compiled for the kernel, and
// can be asked about a decoded segment.
//
//	tcp port 8080
//	host 10.0.0.7 and not port 22
//	src net 10.0.0.0/8 and (dst port 80 or 443)
//
// Primitives are [tcp|ip|ip6] [src|dst] [host|net|port|portrange] VALUE, a
// protocol alone, or an address alone. They are joined by "and" ("&&"), "or"
// ("||"), "not" ("!") and parentheses. As in tcpdump, "and" and "or" bind
// equally and group from the left, "not" binds tighter, and a value without
// words before it repeats the words of the one before ("port 80 or 443").
// Only TCP is of interest here, so "port" means TCP's. Names are not looked
// up, except localhost.
package capfilter

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/wiretrue/websocket/cmd/internal/near"
	"github.com/wiretrue/websocket/cmd/internal/packet"
	"github.com/wiretrue/websocket/cmd/internal/syntax"
)

// A Filter is a parsed capture filter. The zero Filter lets everything pass.
type Filter struct {
	root node
	text string
}

// String returns the filter's text.
func (f *Filter) String() string { return f.text }

// Match reports whether the filter lets a segment pass.
func (f *Filter) Match(s *packet.Segment) bool { return f.root == nil || f.root.match(s) }

// A node is a part of a filter.
type node interface {
	match(*packet.Segment) bool
	compile(c *compiler, yes, no label)
}

type (
	and struct{ a, b node }
	or  struct{ a, b node }
	not struct{ a node }
)

func (n and) match(s *packet.Segment) bool { return n.a.match(s) && n.b.match(s) }
func (n or) match(s *packet.Segment) bool  { return n.a.match(s) || n.b.match(s) }
func (n not) match(s *packet.Segment) bool { return !n.a.match(s) }

type family uint8

const (
	anyFamily family = 0
	v4        family = 4
	v6        family = 6
)

// protocol is a primitive "tcp", "ip" or "ip6".
type protocol struct {
	family family
	tcp    bool
}

func (n protocol) match(s *packet.Segment) bool {
	return n.family == anyFamily || (n.family == v4) == s.Src.Addr().Is4()
}

type direction uint8

const (
	either direction = iota
	source
	destination
)

func (d direction) of(src, dst bool) bool {
	switch d {
	case source:
		return src
	case destination:
		return dst
	}
	return src || dst
}

type network struct {
	dir    direction
	prefix netip.Prefix
}

func (n network) match(s *packet.Segment) bool {
	return n.dir.of(n.prefix.Contains(s.Src.Addr()), n.prefix.Contains(s.Dst.Addr()))
}

type ports struct {
	dir      direction
	from, to uint16
}

func (n ports) match(s *packet.Segment) bool {
	in := func(p uint16) bool { return n.from <= p && p <= n.to }
	return n.dir.of(in(s.Src.Port()), in(s.Dst.Port()))
}

const (
	maxText  = 4096
	maxDepth = 64
)

// Parse parses a filter. The empty text is the filter that lets everything
// pass. The error is a [*syntax.Error].
func Parse(text string) (*Filter, error) {
	p := &parser{text: text}
	if len(text) > maxText {
		return nil, syntax.At(text, maxText, fmt.Sprintf("a filter of %d bytes", len(text)), fmt.Sprintf("one of %d at most", maxText))
	}
	f := &Filter{text: strings.TrimSpace(text)}
	if p.next(); p.word == "" {
		return f, nil
	}
	var err error
	if f.root, err = p.expression(0); err != nil {
		return nil, err
	}
	if p.word != "" {
		return nil, p.unexpected("and, or, or the end")
	}
	return f, nil
}

type parser struct {
	text string
	rest int    // offset behind word
	at   int    // offset of word
	word string // the next word; empty at the end

	// What the primitive before said, for values without words.
	last words
}

// vocabulary are the words of the language, for who misspells one.
var vocabulary = []string{"and", "dst", "host", "ip", "ip6", "localhost", "net", "not", "or", "port", "portrange", "src", "tcp"}

// expected says what stands behind a word.
var expected = map[string]string{
	"host":      "an IP address (names are not looked up)",
	"net":       "a network, such as 10.0.0.0/8,",
	"port":      "a port, 0 to 65535,",
	"portrange": "a range of ports, such as 8000-8099,",
}

// words are what a primitive says before its value.
type words struct {
	family family
	tcp    bool
	dir    direction
	kind   string // host, net, port, portrange; empty for none
}

// unexpected says that something else should stand here than the next word.
func (p *parser) unexpected(expected string) *syntax.Error {
	seen := syntax.End
	if p.word != "" {
		seen = syntax.Quoted(p.word)
	}
	e := syntax.At(p.text, p.at, seen, expected)
	if !slices.Contains(vocabulary, p.word) {
		e.Suggestion = near.Name(p.word, vocabulary)
	}
	return e
}

// next reads a word: a sign, or what stands between signs and spaces.
func (p *parser) next() {
	for p.rest < len(p.text) && strings.ContainsRune(" \t\r\n", rune(p.text[p.rest])) {
		p.rest++
	}
	p.at = p.rest
	s := p.text[p.at:]
	n := strings.IndexAny(s, " \t\r\n()!&|")
	switch {
	case n < 0:
		n = len(s)
	case n == 0 && (strings.HasPrefix(s, "&&") || strings.HasPrefix(s, "||")):
		n = 2
	case n == 0:
		n = 1
	}
	p.rest += n
	p.word = s[:n]
}

func (p *parser) expression(depth int) (node, error) {
	a, err := p.unary(depth)
	for err == nil {
		var b node
		switch p.word {
		case "and", "&&":
			p.next()
			if b, err = p.unary(depth); err == nil {
				a = and{a, b}
			}
		case "or", "||":
			p.next()
			if b, err = p.unary(depth); err == nil {
				a = or{a, b}
			}
		default:
			return a, nil
		}
	}
	return nil, err
}

func (p *parser) unary(depth int) (node, error) {
	if depth > maxDepth {
		return nil, p.unexpected(fmt.Sprintf("a filter with fewer than %d parentheses and negations in each other", maxDepth))
	}
	switch p.word {
	case "not", "!":
		p.next()
		a, err := p.unary(depth + 1)
		return not{a}, err
	case "(":
		p.next()
		a, err := p.expression(depth + 1)
		if err != nil {
			return nil, err
		}
		if p.word != ")" {
			return nil, p.unexpected("and, or, or )")
		}
		p.next()
		return a, nil
	}
	return p.primitive()
}

func (p *parser) primitive() (node, error) {
	var w words
	said := false
	for ; ; said = true {
		switch p.word {
		case "tcp":
			w.tcp = true
		case "ip":
			w.family = v4
		case "ip6":
			w.family = v6
		case "src":
			w.dir = source
		case "dst":
			w.dir = destination
		case "host", "net", "port", "portrange":
			w.kind = p.word
			p.next()
			return p.value(w)
		case "udp", "icmp", "arp", "ether", "vlan", "icmp6", "sctp", "gateway", "less", "greater":
			return nil, p.unexpected("tcp, which alone is captured,")
		default:
			switch {
			case !said && p.last.kind != "":
				return p.value(p.last)
			case said && w.dir == either:
				return protocol{w.family, w.tcp}, nil
			}
			n, err := p.value(words{w.family, w.tcp, w.dir, "host"})
			if err == nil {
				return n, nil
			}
			return nil, p.unexpected("tcp, host, net, port, portrange, src, dst or an IP address")
		}
		p.next()
	}
}

func (p *parser) value(w words) (node, error) {
	p.last = w
	word := p.word
	if word == "" || strings.ContainsAny(word, "()!&|") {
		return nil, p.unexpected(expected[w.kind])
	}
	var n node
	switch w.kind {
	case "port", "portrange":
		from, to, isRange := strings.Cut(word, "-")
		if isRange != (w.kind == "portrange") {
			return nil, p.unexpected(expected[w.kind])
		}
		if !isRange {
			to = from
		}
		a, errA := strconv.ParseUint(from, 10, 16)
		b, errB := strconv.ParseUint(to, 10, 16)
		if errA != nil || errB != nil || a > b {
			return nil, p.unexpected(expected[w.kind])
		}
		n = ports{w.dir, uint16(a), uint16(b)}
	case "net":
		prefix, err := netip.ParsePrefix(word)
		if err != nil {
			return nil, p.unexpected(expected[w.kind])
		}
		n = network{w.dir, prefix.Masked()}
	default:
		if word == "localhost" {
			n = or{host(w.dir, netip.AddrFrom4([4]byte{127, 0, 0, 1})), host(w.dir, netip.IPv6Loopback())}
			break
		}
		addr, err := netip.ParseAddr(word)
		if err != nil || addr.Zone() != "" {
			return nil, p.unexpected(expected[w.kind])
		}
		n = host(w.dir, addr.Unmap())
	}
	if w.tcp || w.family != anyFamily {
		n = and{protocol{w.family, w.tcp}, n}
	}
	p.next()
	return n, nil
}

func host(dir direction, a netip.Addr) node {
	return network{dir, netip.PrefixFrom(a, a.BitLen())}
}
