package handshake

import (
	"bytes"
	"slices"
	"strconv"
	"strings"

	"github.com/wiretrue/websocket/wire/rfc"
)

// Request is the request of an opening handshake. ParseRequest makes one from
// bytes; a shell over net/http fills it from an http.Request.
type Request struct {
	Method string
	Target string
	Proto  string              // "HTTP/1.1"
	Host   []string            // the values of Host, which net/http keeps apart
	Header map[string][]string // the others, by canonical name
	Body   bool                // a body is announced
	Broken rfc.Set             // what broke while the bytes were read

	// Pipelined says that bytes came behind the head, before any response to
	// it. ParseRequest sets it when it is given them; a shell whose reader holds
	// them back sets it itself. They are no reason to refuse the request.
	Pipelined bool
}

// Response is the response of an opening handshake.
type Response struct {
	Proto  string
	Status int
	Reason string              // the text behind the status
	Header map[string][]string // by canonical name
	Body   bool                // a body is announced
	Broken rfc.Set             // what broke while the bytes were read
}

// ParseRequest reads the request head that b begins with and returns its size.
// It returns 0 when the head's end has not come: call again with more bytes.
// limit is the most bytes that a head may have; 0 stands for DefaultLimit.
//
// What is no HTTP or larger than the limit is returned at once, with Broken
// set and n the number of bytes looked at.
//
// The strings of r share one copy of the head: whoever keeps one of them for
// long clones it.
func ParseRequest(b []byte, limit int) (r Request, n int) {
	head, n, verdict := splitHead(b, limit, mayBeRequest)
	switch verdict {
	case headUnfinished:
		return Request{}, 0
	case headTooLarge:
		return Request{Broken: rfc.SetOf(rfc.RequestSize)}, n
	case headForeign:
		return Request{Broken: rfc.SetOf(rfc.RequestSyntax)}, n
	}
	line, fields := cutLine(string(head))
	ok := n-len(head) == len("\r\n") // the empty line
	parts := strings.Split(line.text, " ")
	if len(parts) != 3 || line.bare || !IsFieldValue(line.text) || !IsToken(parts[0]) || parts[1] == "" || !isProto(parts[2]) {
		ok = false
	}
	r.Method = parts[0]
	if len(parts) > 1 {
		r.Target = parts[1]
		r.Proto = parts[len(parts)-1]
	}
	var fieldsOK bool
	r.Header, fieldsOK = parseFields(fields)
	r.Host = r.Header["Host"]
	delete(r.Header, "Host")
	r.Body = announcesBody(r.Header)
	r.Pipelined = len(b) > n
	if !ok || !fieldsOK {
		r.Broken.Add(rfc.RequestSyntax)
	}
	return r, n
}

// ParseResponse reads the response head that b begins with, as ParseRequest
// does a request's.
func ParseResponse(b []byte, limit int) (r Response, n int) {
	head, n, verdict := splitHead(b, limit, mayBeResponse)
	switch verdict {
	case headUnfinished:
		return Response{}, 0
	case headTooLarge:
		return Response{Broken: rfc.SetOf(rfc.ResponseSize)}, n
	case headForeign:
		return Response{Broken: rfc.SetOf(rfc.ResponseSyntax)}, n
	}
	line, fields := cutLine(string(head))
	var rest, status string
	r.Proto, rest, _ = strings.Cut(line.text, " ")
	status, r.Reason, _ = strings.Cut(rest, " ")
	ok := n-len(head) == len("\r\n") && !line.bare && isProto(r.Proto) && len(status) == 3 && IsFieldValue(r.Reason)
	if code, err := strconv.ParseUint(status, 10, 16); err == nil {
		r.Status = int(code)
	}
	var fieldsOK bool
	r.Header, fieldsOK = parseFields(fields)
	r.Body = announcesBody(r.Header)
	if !ok || r.Status < 100 || !fieldsOK {
		r.Broken.Add(rfc.ResponseSyntax)
	}
	return r, n
}

// DefaultLimit is the most bytes of a head that is read, unless told.
const DefaultLimit = 32 << 10

type headVerdict uint8

const (
	headWhole headVerdict = iota
	headUnfinished
	headTooLarge
	headForeign // no HTTP
)

// splitHead finds the head that b begins with, without its empty line. mayBe
// tells from the first bytes whether a head can follow.
func splitHead(b []byte, limit int, mayBe func([]byte) bool) (head []byte, n int, v headVerdict) {
	if limit <= 0 {
		limit = DefaultLimit
	}
	b = b[:min(len(b), limit)]
	if !mayBe(b) {
		return nil, len(b), headForeign
	}
	end, n := -1, 0
	if i := bytes.Index(b, []byte("\n\r\n")); i >= 0 {
		end, n = i+1, i+3
	}
	if i := bytes.Index(b, []byte("\n\n")); i >= 0 && (end < 0 || i < end) {
		end, n = i+1, i+2
	}
	switch {
	case end >= 0:
		return b[:end], n, headWhole
	case len(b) >= limit:
		return nil, len(b), headTooLarge
	}
	return nil, 0, headUnfinished
}

// mayBeRequest reports whether b begins with a method, as far as it goes.
func mayBeRequest(b []byte) bool {
	for i, c := range b[:min(len(b), 8)] {
		if c == ' ' && i > 0 {
			return true
		}
		if !isTokenChar(c) {
			return false
		}
	}
	return true
}

// mayBeResponse reports whether b begins with the name of HTTP, as far as it
// goes.
func mayBeResponse(b []byte) bool {
	n := min(len(b), len("HTTP/"))
	return string(b[:n]) == "HTTP/"[:n]
}

// headLine is a line of a head, without its end.
type headLine struct {
	text string
	bare bool // ended by LF alone
}

func cutLine(head string) (line headLine, rest string) {
	text, rest, _ := strings.Cut(head, "\n")
	text, crlf := strings.CutSuffix(text, "\r")
	return headLine{text, !crlf}, rest
}

// parseFields reads the header lines. ok is false when one of them breaks the
// syntax; what can be understood of it is kept.
func parseFields(head string) (header map[string][]string, ok bool) {
	lines := strings.Count(head, "\n")
	header, ok = make(map[string][]string, lines), true
	values := make([]string, 0, lines) // backs those of the fields that come once
	for len(head) > 0 {
		var line headLine
		line, head = cutLine(head)
		name, value, colon := strings.Cut(line.text, ":")
		value = strings.Trim(value, " \t")
		if !IsFieldValue(value) || line.bare {
			ok = false
		}
		if !colon || !IsToken(name) {
			ok = false
			if name = strings.TrimSpace(name); !colon || !IsToken(name) {
				continue
			}
		}
		name = CanonicalName(name)
		if before, again := header[name]; again {
			header[name] = append(before, value)
			continue
		}
		n := len(values)
		values = append(values, value)
		header[name] = values[n : n+1 : n+1]
	}
	return header, ok
}

// CanonicalName returns the field name in the form in which maps hold it, with
// a capital at the start and behind each hyphen: "Sec-Websocket-Key", as
// net/http does.
func CanonicalName(name string) string {
	var room [64]byte
	b := append(room[:0], name...)
	up, canonical := true, true
	for i, c := range b {
		switch {
		case up && 'a' <= c && c <= 'z':
			b[i], canonical = c-'a'+'A', false
		case !up && 'A' <= c && c <= 'Z':
			b[i], canonical = c-'A'+'a', false
		}
		up = c == '-'
	}
	if canonical {
		return name
	}
	for _, known := range [...]string{fieldKey, fieldVersion, fieldAccept, fieldExtensions, fieldProtocol} {
		if string(b) == known {
			return known
		}
	}
	return string(b)
}

func isProto(s string) bool {
	return len(s) == 8 && strings.HasPrefix(s, "HTTP/") && s[6] == '.' && isDigit(s[5]) && isDigit(s[7])
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

// atLeastHTTP11 compares the digits of "HTTP/x.y".
func atLeastHTTP11(proto string) bool { return isProto(proto) && proto[5:] >= "1.1" }

func announcesBody(header map[string][]string) bool {
	if len(header["Transfer-Encoding"]) > 0 {
		return true
	}
	return slices.ContainsFunc(header["Content-Length"], func(v string) bool { return v != "0" })
}
