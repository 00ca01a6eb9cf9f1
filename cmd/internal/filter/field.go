package filter

import (
	"slices"
	"strings"

	"github.com/wiretrue/websocket/capture"
	"github.com/wiretrue/websocket/cmd/internal/near"
	"github.com/wiretrue/websocket/cmd/internal/syntax"
)

// Field is something that a record may have values of.
type Field struct {
	Name string
	Type Type
	Help string

	names map[string]uint64 // of some of its numbers
	get   func(dst []Value, s subject) []Value
}

// Values appends the field's values in the record to dst. They refer to the
// record's memory.
func (f *Field) Values(dst []Value, c *Conn, r *capture.Record) []Value {
	return f.get(dst, subject{c, r})
}

// Fields returns all fields, ordered by name.
func Fields() []*Field { return slices.Clone(fields) }

// Lookup returns the field with the name. The error of an unknown one is an
// *syntax.Error that suggests a near name.
func Lookup(name string) (*Field, error) {
	if f := lookup(name); f != nil {
		return f, nil
	}
	return nil, unknown(name, 0, name)
}

func lookup(name string) *Field {
	i, ok := slices.BinarySearchFunc(fields, name, func(f *Field, name string) int { return strings.Compare(f.Name, name) })
	if !ok {
		return nil
	}
	return fields[i]
}

// unknown is the error of a name at a byte of the text that is no field's.
func unknown(text string, at int, name string) error {
	names := make([]string, len(fields))
	for i, f := range fields {
		names[i] = f.Name
	}
	e := syntax.At(text, at, syntax.Quoted(name), "a field")
	e.Suggestion = near.Name(name, names)
	return e
}
