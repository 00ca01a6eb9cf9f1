package filter

import (
	"fmt"
	"slices"
	"strings"

	"github.com/wiretrue/websocket/capture"
)

// Field is something that a record may have values of.
type Field struct {
	Name string
	Type Type
	Help string

	names map[string]uint64 // of some of its numbers
	get   func(dst []Value, s *subject) []Value
}

// Values appends the field's values in the record to dst. They refer to the
// record's memory.
func (f *Field) Values(dst []Value, c *Conn, r *capture.Record) []Value {
	return f.get(dst, &subject{c, r})
}

// Fields returns all fields, ordered by name.
func Fields() []*Field { return slices.Clone(fields) }

// Lookup returns the field with the name. The error of an unknown one is an
// *Error that suggests a near name.
func Lookup(name string) (*Field, error) {
	if f := lookup(name); f != nil {
		return f, nil
	}
	return nil, &Error{Text: name, Column: 1, Seen: quoted(name), Expected: "a field", Suggestion: nearest(name)}
}

func lookup(name string) *Field {
	i, ok := slices.BinarySearchFunc(fields, name, func(f *Field, name string) int { return strings.Compare(f.Name, name) })
	if !ok {
		return nil
	}
	return fields[i]
}

// Error says what is wrong with an expression.
type Error struct {
	Text       string // the expression
	Column     int    // where, counted in characters from 1
	Seen       string
	Expected   string
	Suggestion string // a near name; "": none
}

func (e *Error) Error() string {
	s := fmt.Sprintf("column %d: %s, where %s is expected", e.Column, e.Seen, e.Expected)
	if e.Suggestion != "" {
		s += fmt.Sprintf("; did you mean %s?", e.Suggestion)
	}
	return s
}

// nearest returns the field whose name is most like the given one, or "".
func nearest(name string) string {
	name = strings.ToLower(name)
	best, least := "", 1+len(name)/3
	for _, f := range fields {
		d := distance(name, f.Name)
		if strings.HasSuffix(f.Name, "."+name) { // the last part alone
			d = 1
		}
		if d < least {
			best, least = f.Name, d
		}
	}
	return best
}

// distance is how many characters must be put in, taken out or changed to
// make one name of the other; what lies far apart may be called farther.
func distance(a, b string) int {
	const most = 64
	if len(a) > most || len(b) > most {
		return most
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := diagonal
			if a[i] != b[j] {
				change++
			}
			diagonal = row[j+1]
			row[j+1] = min(change, row[j+1]+1, row[j]+1)
		}
	}
	return row[len(b)]
}
