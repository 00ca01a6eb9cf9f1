package filter

import (
	"bytes"
	"cmp"
	"encoding/hex"
	"net/netip"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// Type is the type of a field's values.
type Type uint8

// The types.
const (
	Protocol Type = iota // is there, or is not; its value is its name
	Bool
	Number
	Seconds // a time that has passed, with nanoseconds
	Text
	Bytes
	Address
)

func (t Type) String() string {
	return [...]string{"protocol", "boolean", "number", "seconds", "text", "bytes", "address"}[t]
}

// Value is a value of a field in a record. It may refer to the record's
// memory.
type Value struct {
	kind Type
	hex  bool // a number that is written in hexadecimal
	n    uint64
	d    time.Duration
	s    string // of Text and Protocol, and a number's name
	b    []byte // of Text, in place of s, and of Bytes
	a    netip.Addr
}

func boolOf(b bool) Value {
	if b {
		return Value{kind: Bool, n: 1}
	}
	return Value{kind: Bool}
}

func numberOf[T ~int | ~int64 | ~uint8 | ~uint16 | ~uint64](n T) Value {
	return Value{kind: Number, n: uint64(n)}
}

func secondsOf(d time.Duration) Value { return Value{kind: Seconds, d: d} }
func textOf(s string) Value           { return Value{kind: Text, s: s} }
func textIn(b []byte) Value           { return Value{kind: Text, b: b} }
func bytesOf(b []byte) Value          { return Value{kind: Bytes, b: b} }
func addressOf(a netip.Addr) Value    { return Value{kind: Address, a: a.Unmap()} }

// String writes the value as tshark -T fields does: booleans as 1 and 0,
// bytes in hexadecimal.
func (v Value) String() string {
	switch v.kind {
	case Bool, Number:
		switch {
		case v.s != "":
			return v.s
		case v.hex:
			return "0x" + hex.EncodeToString([]byte{byte(v.n)})
		}
		return strconv.FormatUint(v.n, 10)
	case Seconds:
		return formatSeconds(v.d)
	case Bytes:
		return hex.EncodeToString(v.b)
	case Address:
		return v.a.String()
	}
	if v.b != nil {
		return string(v.b)
	}
	return v.s
}

func formatSeconds(d time.Duration) string {
	sign := ""
	if d < 0 {
		sign, d = "-", -d
	}
	s := strconv.FormatUint(uint64(d%time.Second), 10)
	return sign + strconv.FormatUint(uint64(d/time.Second), 10) + "." + strings.Repeat("0", 9-len(s)) + s
}

// compare returns how v and w, which are of one type, stand to each other.
func (v *Value) compare(w *Value) int {
	switch v.kind {
	case Bool, Number:
		return cmp.Compare(v.n, w.n)
	case Seconds:
		return cmp.Compare(v.d, w.d)
	case Address:
		return v.a.Compare(w.a)
	}
	if v.b == nil && w.b == nil {
		return strings.Compare(v.s, w.s)
	}
	return bytes.Compare(v.bytes(), w.bytes())
}

func (v *Value) bytes() []byte {
	if v.b == nil {
		return []byte(v.s)
	}
	return v.b
}

func (v *Value) contains(w *Value) bool {
	if v.b == nil && w.b == nil {
		return strings.Contains(v.s, w.s)
	}
	return bytes.Contains(v.bytes(), w.bytes())
}

func (v *Value) matches(re *regexp.Regexp) bool {
	if v.b == nil {
		return re.MatchString(v.s)
	}
	return re.Match(v.b)
}
