package filter

import (
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"regexp"
	regexps "regexp/syntax"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/wiretrue/websocket/cmd/internal/near"
	"github.com/wiretrue/websocket/cmd/internal/syntax"
)

// maxDepth bounds how deep parentheses and negations may stand in each other.
const maxDepth = 200

type parser struct {
	lexer
	tok   token
	depth int
}

func (p *parser) parse() (node, error) {
	if err := p.advance(); err != nil {
		return nil, err
	}
	if p.tok.kind == tokenEnd {
		return nil, nil
	}
	x, err := p.chain(0)
	if err == nil && p.tok.kind != tokenEnd {
		return nil, p.unjoined("and, or, or the end")
	}
	return x, err
}

func (p *parser) advance() (err error) {
	p.tok, err = p.next()
	return err
}

func (p *parser) unexpected(expected string) error {
	return p.error(p.tok.at, p.tok.seen(), expected)
}

// unjoined says that something should join what was read with what follows.
func (p *parser) unjoined(expected string) error {
	e := p.error(p.tok.at, p.tok.seen(), expected)
	if p.tok.kind == tokenWord {
		var words []string
		for _, c := range connectives {
			words = append(words, c.word)
		}
		e.Suggestion = near.Name(p.tok.text, words)
	}
	return e
}

// is reports whether the token is the sign or the word.
func (p *parser) is(sign, word string) bool {
	return p.tok.kind == tokenSign && p.tok.text == sign || word != "" && p.tok.kind == tokenWord && p.tok.text == word
}

// take goes on behind the token, if it is the sign or the word.
func (p *parser) take(sign, word string) (bool, error) {
	if !p.is(sign, word) {
		return false, nil
	}
	return true, p.advance()
}

// connectives are the operators between expressions, the loosest first.
var connectives = []struct {
	sign, word string
	join       func(x, y node) node
}{
	{"||", "or", func(x, y node) node { return orNode{x, y} }},
	{"^^", "xor", func(x, y node) node { return xorNode{x, y} }},
	{"&&", "and", func(x, y node) node { return andNode{x, y} }},
}

// chain reads expressions that the connective, or tighter ones, join.
func (p *parser) chain(level int) (node, error) {
	if level == len(connectives) {
		return p.unary()
	}
	c := &connectives[level]
	x, err := p.chain(level + 1)
	for err == nil {
		var more bool
		if more, err = p.take(c.sign, c.word); !more || err != nil {
			break
		}
		var y node
		if y, err = p.chain(level + 1); err == nil {
			x = c.join(x, y)
		}
	}
	return x, err
}

func (p *parser) unary() (x node, err error) {
	if p.depth++; p.depth > maxDepth {
		return nil, p.unexpected(fmt.Sprintf("an expression with fewer than %d parentheses and negations in each other", maxDepth))
	}
	defer func() { p.depth-- }()
	switch {
	case p.is("!", "not"):
		if err := p.advance(); err != nil {
			return nil, err
		}
		x, err := p.unary()
		return notNode{x}, err
	case p.is("(", ""):
		if err := p.advance(); err != nil {
			return nil, err
		}
		if x, err = p.chain(0); err != nil {
			return nil, err
		}
		if !p.is(")", "") {
			return nil, p.unjoined("a comparison, and, or, or )")
		}
		return x, p.advance()
	}
	return p.test()
}

// comparisons are the operators between a field and a value.
var comparisons = []struct {
	sign string
	word string
	all  bool
	not  bool
	ok   func(cmp int) bool
}{
	{"==", "eq", false, false, isEqual},
	{"==", "any_eq", false, false, isEqual},
	{"===", "all_eq", true, false, isEqual},
	{"!=", "ne", true, true, isEqual},
	{"!=", "all_ne", true, true, isEqual},
	{"!==", "any_ne", false, true, isEqual},
	{"~=", "any_ne", false, true, isEqual}, // its older sign
	{"<", "lt", false, false, func(c int) bool { return c < 0 }},
	{"<=", "le", false, false, func(c int) bool { return c <= 0 }},
	{">", "gt", false, false, func(c int) bool { return c > 0 }},
	{">=", "ge", false, false, func(c int) bool { return c >= 0 }},
}

func isEqual(c int) bool { return c == 0 }

// test reads a field and what it is compared with.
func (p *parser) test() (node, error) {
	if p.tok.kind != tokenWord {
		return nil, p.unexpected("a field, not or (")
	}
	f := lookup(p.tok.text)
	if f == nil {
		return nil, unknown(p.text, p.tok.at, p.tok.text)
	}
	if err := p.advance(); err != nil {
		return nil, err
	}
	at := p.tok
	for i := range comparisons {
		c := &comparisons[i]
		if !p.is(c.sign, c.word) {
			continue
		}
		if err := p.advance(); err != nil {
			return nil, err
		}
		return p.comparison(f, at, c.all, c.not, c.ok)
	}
	switch {
	case p.is("", "contains"):
		return p.contains(f)
	case p.is("~", "matches"):
		return p.matches(f)
	case p.is("", "in"):
		return p.in(f, false)
	case p.is("", "not"):
		if err := p.advance(); err != nil {
			return nil, err
		}
		if !p.is("", "in") {
			return nil, p.unexpected("in")
		}
		return p.in(f, true)
	}
	return &hasNode{f: f}, nil
}

// comparison reads the value behind an operator.
func (p *parser) comparison(f *Field, op token, all, not bool, ok func(int) bool) (node, error) {
	value := p.tok
	lit, err := p.literal(f)
	if err != nil {
		return nil, err
	}
	equality := ok(0) && !ok(1) && !ok(-1)
	if !equality && (lit.prefix.IsValid() || f.Type == Bool) {
		return nil, p.error(op.at, syntax.Quoted(op.text)+" before "+value.seen(), "== or !=")
	}
	return &testNode{f: f, all: all, not: not, ok: func(v *Value) bool {
		if lit.prefix.IsValid() {
			return lit.prefix.Contains(v.a)
		}
		return ok(v.compare(&lit.Value))
	}}, nil
}

// textual refuses an operator that needs characters or bytes.
func (p *parser) textual(f *Field) error {
	if f.Type != Text && f.Type != Bytes {
		return p.error(p.tok.at, syntax.Quoted(p.tok.text)+" behind "+f.Name, "an operator for a "+f.Type.String())
	}
	return p.advance()
}

func (p *parser) contains(f *Field) (node, error) {
	if err := p.textual(f); err != nil {
		return nil, err
	}
	lit, err := p.literal(f)
	if err != nil {
		return nil, err
	}
	return &testNode{f: f, ok: func(v *Value) bool { return v.contains(&lit.Value) }}, nil
}

func (p *parser) matches(f *Field) (node, error) {
	if err := p.textual(f); err != nil {
		return nil, err
	}
	if p.tok.kind != tokenString && p.tok.kind != tokenWord {
		return nil, p.unexpected("a regular expression in quotation marks")
	}
	re, err := regexp.Compile("(?i)" + p.tok.text)
	if err != nil {
		why := err.Error()
		if wrong := new(regexps.Error); errors.As(err, &wrong) {
			why = wrong.Code.String()
		}
		return nil, p.error(p.tok.at, p.tok.seen()+" ("+why+")", "a regular expression")
	}
	return &testNode{f: f, ok: func(v *Value) bool { return v.matches(re) }}, p.advance()
}

// span is a value of a set, or those from one to another.
type span struct{ from, to literal }

func (s *span) holds(v *Value) bool {
	if s.from.prefix.IsValid() {
		return s.from.prefix.Contains(v.a)
	}
	return v.compare(&s.from.Value) >= 0 && v.compare(&s.to.Value) <= 0
}

// in reads a set.
func (p *parser) in(f *Field, not bool) (node, error) {
	if err := p.advance(); err != nil {
		return nil, err
	}
	if !p.is("{", "") {
		return nil, p.unexpected("{")
	}
	if err := p.advance(); err != nil {
		return nil, err
	}
	var set []span
	for {
		s, err := p.span(f)
		if err != nil {
			return nil, err
		}
		set = append(set, s)
		more, err := p.take(",", "")
		if err != nil {
			return nil, err
		}
		if !more {
			break
		}
	}
	if !p.is("}", "") {
		return nil, p.unexpected(", or }")
	}
	return &testNode{f: f, all: not, not: not, ok: func(v *Value) bool {
		return slices.ContainsFunc(set, func(s span) bool { return s.holds(v) })
	}}, p.advance()
}

// span reads a value, or two with .. between them.
func (p *parser) span(f *Field) (s span, err error) {
	if p.tok.kind == tokenWord {
		from, to, ranged := strings.Cut(p.tok.text, "..")
		if ranged {
			whole := p.tok
			if from == "" || to == "" {
				return s, p.unexpected("two values with .. between them")
			}
			p.tok.text = from
			if s.from, err = p.value(f); err != nil {
				return s, err
			}
			p.tok = token{tokenWord, to, whole.at + len(from) + len("..")}
			if s.to, err = p.value(f); err != nil {
				return s, err
			}
			if s.from.prefix.IsValid() || s.to.prefix.IsValid() {
				return s, p.error(whole.at, whole.seen(), "two addresses without a prefix length")
			}
			return s, p.advance()
		}
	}
	s.from, err = p.literal(f)
	s.to = s.from
	return s, err
}

// literal is a value of an expression.
type literal struct {
	Value
	prefix netip.Prefix // of an address with a prefix length
}

// literal reads a value for the field.
func (p *parser) literal(f *Field) (lit literal, err error) {
	if lit, err = p.value(f); err != nil {
		return lit, err
	}
	return lit, p.advance()
}

// value is the token as a value for the field.
func (p *parser) value(f *Field) (lit literal, err error) {
	text := p.tok.text
	if p.tok.kind != tokenWord && p.tok.kind != tokenString {
		return lit, p.unexpected(expectedOf(f))
	}
	ok := true
	switch f.Type {
	case Bool:
		switch strings.ToLower(text) {
		case "0", "false":
			lit.Value = boolOf(false)
		case "1", "true":
			lit.Value = boolOf(true)
		default:
			ok = false
		}
	case Number:
		n, named := f.names[strings.ToLower(text)]
		if !named {
			n, err = strconv.ParseUint(text, 0, 64)
			ok = err == nil
		}
		lit.Value = numberOf(n)
	case Seconds:
		d, err := time.ParseDuration(text + "s")
		if err != nil {
			d, err = time.ParseDuration(text)
		}
		ok = err == nil
		lit.Value = secondsOf(d)
	case Text:
		lit.Value = textOf(text)
	case Bytes:
		b := []byte(text)
		if p.tok.kind == tokenWord {
			b, ok = parseBytes(text)
		}
		lit.Value = bytesOf(b)
	case Address:
		lit, ok = parseAddress(f, text)
	default:
		return lit, p.error(p.tok.at, p.tok.seen(), "no value, since "+f.Name+" is there or is not")
	}
	if !ok {
		return lit, p.unexpected(expectedOf(f))
	}
	return lit, nil
}

// expectedOf says which values the field is compared with.
func expectedOf(f *Field) string {
	switch f.Type {
	case Bool:
		return "true or false"
	case Number:
		if len(f.names) > 0 {
			return "a number or one of " + strings.Join(slices.Sorted(maps.Keys(f.names)), ", ")
		}
		return "a number"
	case Seconds:
		return "seconds, such as 1.5, or a time, such as 100ms"
	case Text:
		return "a string"
	case Bytes:
		return "bytes, such as 37:fa:21:3d, or a string"
	case Address:
		if strings.HasPrefix(f.Name, "ipv6") {
			return "an IPv6 address, or a network such as 2001:db8::/32"
		}
		return "an IPv4 address, or a network such as 192.0.2.0/24"
	}
	return "no value, since " + f.Name + " is there or is not"
}

// parseBytes reads bytes in hexadecimal, with separators or without.
func parseBytes(s string) ([]byte, bool) {
	plain := strings.NewReplacer(":", "", "-", "").Replace(strings.TrimPrefix(s, "0x"))
	b, err := hex.DecodeString(plain)
	return b, err == nil
}

func parseAddress(f *Field, s string) (lit literal, ok bool) {
	four := !strings.HasPrefix(f.Name, "ipv6")
	if strings.Contains(s, "/") {
		prefix, err := netip.ParsePrefix(s)
		lit.prefix = prefix
		return lit, err == nil && prefix.Addr().Is4() == four
	}
	a, err := netip.ParseAddr(s)
	lit.Value = addressOf(a)
	return lit, err == nil && a.Unmap().Is4() == four && a.Zone() == ""
}
