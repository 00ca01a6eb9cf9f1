package filter

import (
	"net/netip"
	"time"

	"github.com/wiretrue/websocket/capture"
)

// Conn is what is known of the connection that records belong to.
type Conn struct {
	Stream int64          // tcp.stream, counted from 0
	Client netip.AddrPort // the zero value: not known
	Server netip.AddrPort
	Begin  time.Time // of the capture, from which frame.time_relative counts
}

// Filter is an expression, ready to be evaluated. It is for one goroutine.
type Filter struct {
	text string
	root node
}

// Parse reads an expression. An error is a
// *syntax.Error. The empty expression
// matches everything.
func Parse(expression string) (*Filter, error) {
	p := parser{lexer: lexer{text: expression}}
	root, err := p.parse()
	if err != nil {
		return nil, err
	}
	return &Filter{text: expression, root: root}, nil
}

// String returns the expression.
func (f *Filter) String() string { return f.text }

// Match reports whether the record, of the connection, is one that the filter
// chooses.
func (f *Filter) Match(c *Conn, r *capture.Record) bool {
	return f.root == nil || f.root.match(subject{c, r})
}

// subject is what an expression is about.
type subject struct {
	c *Conn
	r *capture.Record
}

// node is a part of an expression.
type node interface {
	match(s subject) bool
}

type (
	notNode struct{ x node }
	andNode struct{ x, y node }
	orNode  struct{ x, y node }
	xorNode struct{ x, y node }
	hasNode struct {
		f       *Field
		scratch []Value
	}
)

func (n notNode) match(s subject) bool { return !n.x.match(s) }
func (n andNode) match(s subject) bool { return n.x.match(s) && n.y.match(s) }
func (n orNode) match(s subject) bool  { return n.x.match(s) || n.y.match(s) }
func (n xorNode) match(s subject) bool { return n.x.match(s) != n.y.match(s) }

func (n *hasNode) match(s subject) bool {
	n.scratch = n.f.get(n.scratch[:0], s)
	return len(n.scratch) > 0
}

// testNode compares the values of a field.
type testNode struct {
	f       *Field
	all     bool // the test must hold for all values, not for any
	not     bool // for the test to hold, ok must not
	ok      func(v *Value) bool
	scratch []Value
}

func (n *testNode) match(s subject) bool {
	n.scratch = n.f.get(n.scratch[:0], s)
	for i := range n.scratch {
		if held := n.ok(&n.scratch[i]) != n.not; held != n.all {
			return held
		}
	}
	return n.all && len(n.scratch) > 0
}
