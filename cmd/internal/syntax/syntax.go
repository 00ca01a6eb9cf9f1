// Package syntax words what is wrong with an expression that a person wrote.
package syntax

import (
	"fmt"
	"strconv"
	"unicode/utf8"
)

// Error says what is wrong with an expression, and where.
type Error struct {
	Text       string // the expression
	Column     int    // where, counted in characters from 1
	Seen       string
	Expected   string
	Suggestion string // what may have been meant; "": nothing like it is known
}

func (e *Error) Error() string {
	s := fmt.Sprintf("column %d: %s, where %s is expected", e.Column, e.Seen, e.Expected)
	if e.Suggestion != "" {
		s += fmt.Sprintf("; did you mean %s?", e.Suggestion)
	}
	return s
}

// At is an error at a byte of the text.
func At(text string, at int, seen, expected string) *Error {
	return &Error{Text: text, Column: 1 + utf8.RuneCountInString(text[:at]), Seen: seen, Expected: expected}
}

// End is what is seen where the text ends too early.
const End = "the end"

// Quoted is a piece of the text as it is seen in an error.
func Quoted(s string) string {
	if len(s) > 40 {
		s = s[:40] + "..."
	}
	return strconv.Quote(s)
}
