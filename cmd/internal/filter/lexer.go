package filter

import (
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/wiretrue/websocket/cmd/internal/syntax"
)

// token is a piece of an expression.
type token struct {
	kind tokenKind
	text string // as it stands there; of a string, what it says
	at   int    // its first byte
}

type tokenKind uint8

const (
	tokenEnd tokenKind = iota
	tokenWord
	tokenString
	tokenSign // operators and brackets
)

// signs are the tokens of signs, each before its own beginnings.
var signs = []string{"===", "!==", "==", "!=", "<=", ">=", "~=", "&&", "||", "^^", "<", ">", "!", "~", "(", ")", "{", "}", ","}

// endsWord are the characters that no word has.
const endsWord = " \t\r\n()[]{},\"&|!=<>~^"

type lexer struct {
	text string
	at   int
}

// next returns the next token. An error is a *syntax.Error.
func (l *lexer) next() (token, error) {
	rest := strings.TrimLeft(l.text[l.at:], " \t\r\n")
	l.at = len(l.text) - len(rest)
	t := token{at: l.at}
	switch {
	case rest == "":
		return t, nil
	case rest[0] == '"':
		return l.quoted(t, 1, false)
	case strings.HasPrefix(rest, `r"`):
		return l.quoted(t, 2, true)
	}
	for _, sign := range signs {
		if strings.HasPrefix(rest, sign) {
			t.kind, t.text = tokenSign, sign
			l.at += len(sign)
			return t, nil
		}
	}
	n := strings.IndexAny(rest, endsWord)
	if n < 0 {
		n = len(rest)
	}
	if n == 0 {
		_, size := utf8.DecodeRuneInString(rest)
		e := l.error(t.at, syntax.Quoted(rest[:size]), "a field, an operator or a value")
		if rest[0] == '=' {
			e.Suggestion = "=="
		}
		return t, e
	}
	t.kind, t.text = tokenWord, rest[:n]
	l.at += n
	return t, nil
}

// quoted reads a string of which the quotation mark ends before skip bytes.
func (l *lexer) quoted(t token, skip int, raw bool) (token, error) {
	var b strings.Builder
	t.kind = tokenString
	i := l.at + skip
	for i < len(l.text) {
		c := l.text[i]
		switch {
		case c == '"':
			t.text = b.String()
			l.at = i + 1
			return t, nil
		case c == '\\' && raw && strings.HasPrefix(l.text[i:], `\"`):
			b.WriteString(`\"`) // the mark is part of the string, and the regular expression takes it for one
			i += 2
		case c == '\\' && !raw:
			value, multibyte, rest, err := strconv.UnquoteChar(l.text[i:], '"')
			if err != nil {
				_, size := utf8.DecodeRuneInString(l.text[min(i+1, len(l.text)):])
				return t, l.error(i, syntax.Quoted(l.text[i:i+1+size]), `an escape such as \n, \x41, \\ or \"`)
			}
			if multibyte {
				b.WriteRune(value)
			} else {
				b.WriteByte(byte(value))
			}
			i = len(l.text) - len(rest)
		default:
			b.WriteByte(c)
			i++
		}
	}
	return t, l.error(len(l.text), syntax.End, `the string's closing "`)
}

func (l *lexer) error(at int, seen, expected string) *syntax.Error {
	return syntax.At(l.text, at, seen, expected)
}

func (t token) seen() string {
	if t.kind == tokenEnd {
		return syntax.End
	}
	return syntax.Quoted(t.text)
}
