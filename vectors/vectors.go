// Package vectors is the corpus of byte sequences that exercise the rules: one
// small text file each, named after its defect, for this implementation's
// tests and for anybody else's.
//
// A file is a head of "name: value" lines and sections behind it:
//
//	rule:    6455-5.1-client-must-mask
//	to:      server
//	expect:  close 1002
//	at:      1
//	comment: a server fails the connection on an unmasked frame
//	-- send --
//	81 05 "Hello"          # FIN TEXT length 5, MASK=0
//
// The head:
//
//   - rule: the id of the rule that the bytes break or, when expect is clean,
//     of the rule that they keep although it may not look so
//   - to: server or client, the endpoint that gets the bytes; or witness, who
//     sees both directions
//   - expect: "close CODE", the endpoint fails the connection with the code;
//     "refuse STATUS", a server refuses the handshake; "fail", a client fails
//     the handshake; "note", the rule is named and the connection goes on;
//     "clean", no rule is broken
//   - at (optional): the offset of the byte that breaks the rule, among the
//     bytes that its sender sent behind the handshake; their number when it is
//     their end that breaks the rule
//   - limits (optional): message=BYTES or fragments=COUNT or both, which the
//     endpoint must be set to
//   - origins (optional): the origins, separated by spaces, that the server must
//     be set to allow beside its own
//   - agreed (optional): the extension that both sides hold to, as a response
//     has it
//   - comment: what the defect is, for a reader
//
// The sections, in the order of the wire:
//
//   - request, response: a head of HTTP, a line each; CRLF ends the lines, and an
//     empty line the head. With "bytes" behind the name ("-- request bytes --"),
//     in the notation of package frame instead
//   - send: frames to the endpoint, in the notation of package frame. A comment
//     that describes a header ("# FIN TEXT length 5, MASK=0") is checked
//     against the line's bytes. Directly behind a request, with no response
//     between the two, they come in the same read as the request
//   - client, server: the same for a witness, with who sends them
//   - end client, end server: the side sends no more; for a witness
//   - messages: what the endpoint reads before it fails, a line each: text,
//     binary, ping or pong with its payload in the notation, or close with its
//     code, if it has one, and its reason in the notation. Behind a close it
//     reads nothing
package vectors

import (
	"embed"
	"fmt"
	"path"
	"regexp"
	"strconv"
	"strings"

	"github.com/wiretrue/websocket/wire/frame"
	"github.com/wiretrue/websocket/wire/rfc"
)

//go:embed *.txt
var files embed.FS

// Vector is one file of the corpus.
type Vector struct {
	Name      string // the file's, without its ending
	Rule      rfc.Rule
	To        string   // "server", "client" or "witness"
	Expect    string   // "close", "refuse", "fail", "note" or "clean"
	Code      int      // the status code of a close, the HTTP status of a refuse
	At        int64    // -1: not said
	Message   uint64   // the limit of a message in bytes; 0: none
	Fragments int      // the limit of a message's frames; 0: none
	Origins   []string // that the server allows beside its own
	Agreed    string   // the extension in force, as in a response; "": none
	Comment   string
	Steps     []Step
	Messages  []Message // nil: not said
}

// Step is a stretch of bytes of one side.
type Step struct {
	From  string // "client" or "server"
	Part  string // "request", "response", "frames" or "end"
	Bytes []byte
}

// Message is what the endpoint reads.
type Message struct {
	Kind    string // "text", "binary", "ping", "pong" or "close"
	Payload []byte // of a close, the reason
	Code    int    // of a close; 0: it has none
}

// All returns the corpus, ordered by name.
func All() ([]Vector, error) {
	entries, err := files.ReadDir(".")
	if err != nil {
		return nil, err
	}
	var all []Vector
	for _, e := range entries {
		text, err := files.ReadFile(e.Name())
		if err != nil {
			return nil, err
		}
		v, err := Parse(string(text))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", e.Name(), err)
		}
		v.Name = strings.TrimSuffix(path.Base(e.Name()), ".txt")
		all = append(all, v)
	}
	return all, nil
}

// Frames returns the bytes behind the handshake that the side sends.
func (v *Vector) Frames(from string) []byte { return v.bytes(from, "frames") }

// Head returns the side's head of HTTP, or nil when the vector has none: any
// good handshake will do.
func (v *Vector) Head(from string) []byte {
	return append(v.bytes(from, "request"), v.bytes(from, "response")...)
}

func (v *Vector) bytes(from, part string) (all []byte) {
	for _, s := range v.Steps {
		if s.From == from && s.Part == part {
			all = append(all, s.Bytes...)
		}
	}
	return all
}

var sectionLine = regexp.MustCompile(`^-- (.*) --$`)

// Parse reads the text of a vector.
func Parse(text string) (Vector, error) {
	p := parser{v: Vector{At: -1}, seen: map[string]bool{}}
	for i, line := range strings.Split(strings.TrimSuffix(text, "\n"), "\n") {
		var err error
		if m := sectionLine.FindStringSubmatch(line); m != nil {
			err = p.begin(m[1])
		} else {
			err = p.line(line)
		}
		if err != nil {
			return Vector{}, fmt.Errorf("line %d: %w", i+1, err)
		}
	}
	p.endSection()
	switch v := &p.v; {
	case v.Rule == 0:
		return Vector{}, fmt.Errorf("no rule")
	case v.To == "":
		return Vector{}, fmt.Errorf("no to")
	case v.Expect == "":
		return Vector{}, fmt.Errorf("no expect")
	case v.Comment == "":
		return Vector{}, fmt.Errorf("no comment")
	case len(v.Steps) == 0:
		return Vector{}, fmt.Errorf("nothing is sent")
	case v.Messages != nil && v.To == "witness":
		return Vector{}, fmt.Errorf("messages are what an endpoint reads, and a witness is none")
	}
	return p.v, nil
}

type parser struct {
	v       Vector
	seen    map[string]bool // the names of the head lines
	section string          // "" in the head
	step    *Step
	inBytes bool // the section is in the notation
}

// begin opens the section with the title.
func (p *parser) begin(title string) error {
	p.endSection()
	p.section, p.inBytes = title, false
	var step Step
	switch title {
	case "request", "request bytes":
		step = Step{From: "client", Part: "request"}
		p.inBytes = title == "request bytes"
	case "response", "response bytes":
		step = Step{From: "server", Part: "response"}
		p.inBytes = title == "response bytes"
	case "send":
		step = Step{From: map[string]string{"server": "client", "client": "server"}[p.v.To], Part: "frames"}
		p.inBytes = true
		if step.From == "" {
			return fmt.Errorf("send needs a line to: server or to: client before it")
		}
	case "client", "server":
		step = Step{From: title, Part: "frames"}
		p.inBytes = true
	case "end client", "end server":
		step = Step{From: strings.TrimPrefix(title, "end "), Part: "end"}
	case "messages":
		if p.v.Messages != nil {
			return fmt.Errorf("a second section of messages")
		}
		p.v.Messages = []Message{}
		return nil
	default:
		return fmt.Errorf("section %q is not known", title)
	}
	if (step.Part == "end" || title == step.From) && p.v.To != "witness" {
		return fmt.Errorf("section %q needs a line to: witness before it", title)
	}
	p.v.Steps = append(p.v.Steps, step)
	p.step = &p.v.Steps[len(p.v.Steps)-1]
	return nil
}

// endSection closes a head of HTTP by its empty line.
func (p *parser) endSection() {
	if p.section == "request" || p.section == "response" {
		p.step.Bytes = append(p.step.Bytes, "\r\n"...)
	}
}

func (p *parser) line(line string) error {
	switch {
	case p.section == "":
		return p.headLine(line)
	case p.section == "messages":
		return p.messageLine(line)
	case !p.inBytes && p.step.Part == "end":
		return fmt.Errorf("an end has no bytes")
	case !p.inBytes:
		p.step.Bytes = append(p.step.Bytes, line+"\r\n"...)
		return nil
	}
	b, err := frame.AppendNotation(nil, line)
	if err != nil {
		return err
	}
	p.step.Bytes = append(p.step.Bytes, b...)
	return checkComment(line, b)
}

var headerComment = regexp.MustCompile(`# ((?:FIN |RSV\d )*[A-Z]+(?: \d+)? length \d+.*, MASK=[0-9a-f]+)`)

// checkComment compares a comment that describes a header with the bytes.
func checkComment(line string, b []byte) error {
	m := headerComment.FindStringSubmatch(line)
	if m == nil {
		return nil
	}
	h, n := frame.Parse(b)
	if n == 0 {
		return fmt.Errorf("the comment describes a header, the line has only %d bytes of it", len(b))
	}
	if h.String() != m[1] {
		return fmt.Errorf("the comment says %q, the bytes %q", m[1], h)
	}
	return nil
}

func (p *parser) headLine(line string) (err error) {
	name, value, ok := strings.Cut(line, ":")
	if !ok {
		return fmt.Errorf("%q is no head line", line)
	}
	if p.seen[name] {
		return fmt.Errorf("a second line %s", name)
	}
	p.seen[name] = true
	value = strings.TrimSpace(value)
	switch name {
	case "rule":
		if p.v.Rule, ok = rfc.Parse(value); !ok || p.v.Rule.String() != value {
			return fmt.Errorf("rule: %q is no rule's id", value)
		}
	case "to":
		if value != "server" && value != "client" && value != "witness" {
			return fmt.Errorf("to: %q is neither server, client nor witness", value)
		}
		p.v.To = value
	case "expect":
		return p.expect(value)
	case "at":
		if p.v.At, err = strconv.ParseInt(value, 10, 64); err != nil || p.v.At < 0 {
			return fmt.Errorf("at: %q is no offset", value)
		}
	case "limits":
		return p.limits(value)
	case "origins":
		p.v.Origins = strings.Fields(value)
	case "agreed":
		p.v.Agreed = value
	case "comment":
		p.v.Comment = value
	default:
		return fmt.Errorf("%q is no head line", line)
	}
	return nil
}

func (p *parser) expect(value string) error {
	kind, code, hasCode := strings.Cut(value, " ")
	p.v.Expect = kind
	switch kind {
	case "close", "refuse":
		n, err := strconv.ParseUint(code, 10, 16)
		if err != nil {
			return fmt.Errorf("expect: %s needs a code, not %q", kind, code)
		}
		p.v.Code = int(n)
		return nil
	case "fail", "note", "clean":
		if hasCode {
			return fmt.Errorf("expect: %s has no code", kind)
		}
		return nil
	}
	return fmt.Errorf("expect: %q is not known", value)
}

func (p *parser) limits(value string) error {
	for field := range strings.FieldsSeq(value) {
		name, number, _ := strings.Cut(field, "=")
		n, err := strconv.ParseUint(number, 10, 31)
		switch {
		case err != nil || n == 0:
			return fmt.Errorf("limits: %q is no limit", field)
		case name == "message":
			p.v.Message = n
		case name == "fragments":
			p.v.Fragments = int(n)
		default:
			return fmt.Errorf("limits: %q is not known", name)
		}
	}
	return nil
}

func (p *parser) messageLine(line string) error {
	kind, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
	m := Message{Kind: kind, Payload: []byte{}}
	switch kind {
	case "text", "binary", "ping", "pong":
	case "close":
		var code string
		if code, rest, _ = strings.Cut(strings.TrimSpace(rest), " "); code != "" {
			n, err := strconv.ParseUint(code, 10, 16)
			if err != nil {
				return fmt.Errorf("close: %q is no status code", code)
			}
			m.Code = int(n)
		}
	default:
		return fmt.Errorf("%q is no message", line)
	}
	var err error
	m.Payload, err = frame.AppendNotation(m.Payload, rest)
	p.v.Messages = append(p.v.Messages, m)
	return err
}
