package handshake

import "strings"

// Extension is one element of Sec-WebSocket-Extensions: an offer in a request,
// an agreement in a response (RFC 6455 9.1).
type Extension struct {
	Name   string
	Params []Param // in the order of the wire, duplicates included
}

// Param is a parameter of an extension.
type Param struct {
	Name   string
	Value  string // unquoted
	Valued bool   // an equals sign was there
}

// String returns the extension as it is written in the header.
func (e Extension) String() string {
	var b strings.Builder
	b.WriteString(e.Name)
	for _, p := range e.Params {
		b.WriteString("; " + p.Name)
		if p.Valued {
			b.WriteString("=" + p.Value)
		}
	}
	return b.String()
}

// FormatExtensions returns the value of a header that lists the extensions.
func FormatExtensions(list []Extension) string {
	parts := make([]string, len(list))
	for i, e := range list {
		parts[i] = e.String()
	}
	return strings.Join(parts, ", ")
}

// ParseExtensions reads the values of all Sec-WebSocket-Extensions headers of
// a message, which together are one list. ok is false when they break the
// grammar; list then holds the whole elements before the break.
func ParseExtensions(values []string) (list []Extension, ok bool) {
	for _, v := range values {
		s := scanner{rest: v}
		s.spaces()
		for {
			e, ok := s.extension()
			more := s.take(',')
			if !ok || !more && s.rest != "" {
				return list, false
			}
			list = append(list, e)
			if !more {
				break
			}
		}
	}
	return list, true
}

// scanner takes what it reads off the front of rest.
type scanner struct{ rest string }

func (s *scanner) spaces() { s.rest = strings.TrimLeft(s.rest, " \t") }

func (s *scanner) take(c byte) bool {
	s.spaces()
	if s.rest == "" || s.rest[0] != c {
		return false
	}
	s.rest = s.rest[1:]
	s.spaces()
	return true
}

func (s *scanner) token() string {
	n := 0
	for n < len(s.rest) && isTokenChar(s.rest[n]) {
		n++
	}
	token := s.rest[:n]
	s.rest = s.rest[n:]
	return token
}

func (s *scanner) extension() (e Extension, ok bool) {
	if e.Name = s.token(); e.Name == "" {
		return e, false
	}
	for s.take(';') {
		p := Param{Name: s.token()}
		if p.Name == "" {
			return e, false
		}
		if s.take('=') {
			p.Valued = true
			if p.Value, ok = s.value(); !ok {
				return e, false
			}
		}
		e.Params = append(e.Params, p)
	}
	s.spaces()
	return e, true
}

// value reads a token, or a quoted string whose content is a token.
func (s *scanner) value() (string, bool) {
	if s.rest == "" || s.rest[0] != '"' {
		t := s.token()
		return t, t != ""
	}
	var b strings.Builder
	for i := 1; i < len(s.rest); i++ {
		switch c := s.rest[i]; c {
		case '"':
			s.rest = s.rest[i+1:]
			return b.String(), IsToken(b.String())
		case '\\':
			if i++; i == len(s.rest) {
				return "", false
			}
			b.WriteByte(s.rest[i])
		default:
			b.WriteByte(c)
		}
	}
	return "", false
}

// IsToken reports whether s is a token of HTTP (RFC 9110 5.6.2).
func IsToken(s string) bool {
	for i := range len(s) {
		if !isTokenChar(s[i]) {
			return false
		}
	}
	return s != ""
}

func isTokenChar(c byte) bool {
	switch {
	case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
		return true
	}
	return strings.IndexByte("!#$%&'*+-.^_`|~", c) >= 0
}

// IsFieldValue reports whether s can be the value of a header field: no
// control character but a tab, so that it cannot end its line (RFC 9110 5.5).
func IsFieldValue(s string) bool {
	for i := range len(s) {
		if c := s[i]; c < ' ' && c != '\t' || c == 0x7f {
			return false
		}
	}
	return true
}

// listed reports whether the comma-separated values hold the word, in any case.
func listed(values []string, word string) bool {
	for _, v := range values {
		for element := range strings.SplitSeq(v, ",") {
			if strings.EqualFold(strings.Trim(element, " \t"), word) {
				return true
			}
		}
	}
	return false
}
