package record

import (
	"bytes"
	"net/textproto"
	"strings"

	"github.com/wiretrue/websocket/wire/frame"
)

// Hidden stands in the place of a secret.
const Hidden = "[hidden]"

// HideSecrets, as Options.Header, leaves out the values of Authorization and
// Proxy-Authorization behind their scheme, those of Cookie and Set-Cookie, and
// in the request's target the values of parameters whose names have a word such
// as token, auth, session, secret, password, signature, ticket or key.
func HideSecrets(name, value string) string {
	switch textproto.CanonicalMIMEHeaderKey(name) {
	case "Authorization", "Proxy-Authorization":
		if scheme, _, ok := strings.Cut(value, " "); ok {
			return scheme + " " + Hidden
		}
		return Hidden
	case "Cookie", "Set-Cookie":
		return Hidden
	case ":path":
		return hideParameters(value)
	}
	return value
}

var secretWords = []string{"token", "jwt", "auth", "session", "sid", "secret", "pass", "pwd", "signature", "sig", "ticket", "key", "credential", "code"}

func hideParameters(target string) string {
	path, query, ok := strings.Cut(target, "?")
	if !ok {
		return target
	}
	parameters := strings.FieldsFunc(query, func(r rune) bool { return r == '&' || r == ';' })
	hidden := false
	for i, p := range parameters {
		name, _, _ := strings.Cut(p, "=")
		for _, word := range secretWords {
			if strings.Contains(strings.ToLower(name), word) {
				parameters[i], hidden = name+"="+Hidden, true
				break
			}
		}
	}
	if !hidden {
		return target
	}
	return path + "?" + strings.Join(parameters, "&")
}

// HidePayload, as Options.Payload, writes x's in the place of all text and
// binary messages. Control frames stay as they are.
func HidePayload(h frame.Header, _ uint64, b []byte) {
	if !h.Opcode.Control() {
		blank(b)
	}
}

func blank(b []byte) {
	for i := range b {
		b[i] = 'x'
	}
}

// redactHead returns a copy of a head of HTTP with the values that header
// chooses. What does not look like a field, and what follows the head, is
// copied as it is.
func redactHead(head []byte, request bool, header func(name, value string) string) []byte {
	out := make([]byte, 0, len(head))
	for first := true; len(head) > 0; first = false {
		line, rest := cutLine(head)
		if len(bytes.TrimRight(line, "\r\n")) == 0 {
			return append(out, head...)
		}
		// A line that begins with a blank belongs to the field before it.
		for !first && len(rest) > 0 && (rest[0] == ' ' || rest[0] == '\t') {
			more, behind := cutLine(rest)
			line, rest = line[:len(line)+len(more)], behind
		}
		head = rest
		before, name, value, after := split(line, first && request)
		if changed := value; name != "" {
			if changed = header(name, value); changed != value {
				out = append(append(append(out, before...), oneLine(changed)...), after...)
				continue
			}
		}
		out = append(out, line...)
	}
	return out
}

func cutLine(b []byte) (line, rest []byte) {
	if i := bytes.IndexByte(b, '\n'); i >= 0 {
		return b[:i+1], b[i+1:]
	}
	return b, nil
}

// split takes a line apart. The parts before, value and after make the line.
func split(line []byte, requestLine bool) (before []byte, name, value string, after []byte) {
	end := len(bytes.TrimRight(line, "\r\n \t"))
	begin := bytes.IndexByte(line[:end], ':') + 1
	name = string(bytes.TrimSpace(line[:max(begin-1, 0)]))
	if requestLine {
		begin = bytes.IndexByte(line[:end], ' ') + 1
		if last := bytes.LastIndexByte(line[:end], ' '); last > begin {
			end = last
		}
		name = ":path"
	}
	if begin == 0 {
		return line, "", "", nil
	}
	for begin < end && (line[begin] == ' ' || line[begin] == '\t') {
		begin++
	}
	return line[:begin], name, string(line[begin:end]), line[end:]
}

// oneLine keeps what a program returns from being more than a value.
func oneLine(value string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, value)
}

// redactor finds the payloads in the frames of a direction.
type redactor struct {
	head       [frame.MaxHeaderSize]byte // of the frame that begins
	n          int                       // bytes of it
	h          frame.Header
	left       uint64 // bytes of payload to come
	offset     uint64 // of the next
	compressed bool   // the message under way is
}

// redact changes the payloads in b.
func (d *redactor) redact(b []byte, payload func(frame.Header, uint64, []byte)) {
	for len(b) > 0 {
		if d.left == 0 {
			d.header(&b[0])
			b = b[1:]
			continue
		}
		piece := b[:min(uint64(len(b)), d.left)]
		if d.h.Masked {
			frame.Mask(piece, d.h.MaskingKey, int(d.offset&3))
		}
		if d.compressed && !d.h.Opcode.Control() {
			blank(piece)
		} else {
			payload(d.h, d.offset, piece)
		}
		if d.h.Masked {
			frame.Mask(piece, d.h.MaskingKey, int(d.offset&3))
		}
		d.left -= uint64(len(piece))
		d.offset += uint64(len(piece))
		b = b[len(piece):]
	}
}

// header takes the next byte of a header, and clears the bit that says that the
// message is compressed.
func (d *redactor) header(c *byte) {
	if d.n == 0 {
		if op := frame.Opcode(*c & 0xf); !op.Control() {
			if op != frame.Continuation {
				d.compressed = *c&(frame.RSV1<<4) != 0
			}
			*c &^= frame.RSV1 << 4
		}
	}
	d.head[d.n] = *c
	d.n++
	if h, n := frame.Parse(d.head[:d.n]); n > 0 {
		d.h, d.left, d.offset, d.n = h, h.Length, 0, 0
	}
}
