package rfc

import (
	"iter"
	"math/bits"
	"strings"
)

// Set is a set of rules, as a rule a set of broken ones. The zero value is the
// empty set: nothing was broken. Sets compare with ==.
type Set [2]uint64

// SetOf returns the set of the given rules.
func SetOf(rules ...Rule) Set {
	var s Set
	for _, r := range rules {
		s.Add(r)
	}
	return s
}

// Add puts r into the set.
func (s *Set) Add(r Rule) { s[r>>6] |= 1 << (r & 63) }

// Clean reports whether the set is empty.
func (s Set) Clean() bool { return s == Set{} }

// Has reports whether r is in the set.
func (s Set) Has(r Rule) bool { return s[r>>6]&(1<<(r&63)) != 0 }

// Len returns the number of rules in the set.
func (s Set) Len() int { return bits.OnesCount64(s[0]) + bits.OnesCount64(s[1]) }

// Union returns the rules that are in s or in t.
func (s Set) Union(t Set) Set { return Set{s[0] | t[0], s[1] | t[1]} }

// All yields the rules of the set in the registry's order, which is the order
// in which a reader of the wire comes upon them.
func (s Set) All() iter.Seq[Rule] {
	return func(yield func(Rule) bool) {
		for i, word := range s {
			for ; word != 0; word &= word - 1 {
				if !yield(Rule(i<<6 + bits.TrailingZeros64(word))) {
					return
				}
			}
		}
	}
}

// First returns the first rule of the set in the registry's order. It returns
// zero, which is no rule, for the empty set.
func (s Set) First() Rule {
	for r := range s.All() {
		return r
	}
	return 0
}

// Fatal returns the first rule of the set for which the receiver must fail the
// connection (RFC 6455 7.1.7), or zero when none of them asks for it.
func (s Set) Fatal() Rule {
	for r := range s.All() {
		if r.Info().Code != 0 || r.Info().Status != 0 {
			return r
		}
	}
	return 0
}

// String lists the rules' ids, separated by spaces.
func (s Set) String() string {
	var ids []string
	for r := range s.All() {
		ids = append(ids, r.String())
	}
	return strings.Join(ids, " ")
}
