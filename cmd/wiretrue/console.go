package main

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/term"

	"github.com/wiretrue/websocket"
)

// console is where lines come from and messages go to: pipes, or a terminal
// with line editing.
type console struct {
	stdin, stderr *os.File
	out           *output
	interactive   bool // standard input and output are one terminal
	json          bool
	base64        bool

	editor  *term.Terminal // nil: none yet, or none
	restore func()

	mu        sync.Mutex
	toldOfBin bool
}

func newConsole(f *dialFlags, stdin, stdout, stderr *os.File) *console {
	json := f.format.value == "json"
	return &console{
		stdin: stdin, stderr: stderr,
		out:         &output{w: stdout},
		interactive: !json && term.IsTerminal(int(stdin.Fd())) && term.IsTerminal(int(stdout.Fd())),
		json:        json,
		base64:      f.base64,
		restore:     func() {},
	}
}

// line is one of standard input, without its end.
type line struct {
	text []byte
	err  error // io.EOF behind the last one
}

// lines begins to read standard input. Ctrl-C typed at the editor, which is no
// signal there, calls interrupt.
func (k *console) lines(interrupt func()) <-chan line {
	lines := make(chan line)
	if !k.interactive {
		go readLines(k.stdin, lines)
		return lines
	}
	state, err := term.MakeRaw(int(k.stdin.Fd()))
	if err != nil {
		k.interactive = false
		go readLines(k.stdin, lines)
		return lines
	}
	keys := &keyboard{r: k.stdin, interrupt: interrupt}
	k.mu.Lock()
	k.editor = term.NewTerminal(struct {
		io.Reader
		io.Writer
	}{keys, k.out}, "> ")
	k.restore = sync.OnceFunc(func() {
		k.mu.Lock()
		defer k.mu.Unlock()
		k.editor = nil
		io.WriteString(k.out, "\r\x1b[K") // the prompt
		term.Restore(int(k.stdin.Fd()), state)
	})
	editor := k.editor
	k.mu.Unlock()
	onResize(func() {
		if width, height, err := term.GetSize(int(k.stdin.Fd())); err == nil && width > 0 {
			editor.SetSize(width, height)
		}
	})
	go func() {
		for {
			text, err := editor.ReadLine()
			if errors.Is(err, term.ErrPasteIndicator) {
				err = nil
			}
			if err != nil && keys.interrupted && keys.err == nil {
				continue // for the second Ctrl-C
			}
			lines <- line{[]byte(text), err}
			if keys.err != nil {
				return
			}
		}
	}()
	return lines
}

// keyboard notices Ctrl-C.
type keyboard struct {
	r           io.Reader
	interrupt   func()
	interrupted bool  // owned by the one who reads, as is
	err         error // the end of the terminal
}

func (k *keyboard) Read(p []byte) (int, error) {
	n, err := k.r.Read(p)
	if bytes.IndexByte(p[:n], 3) >= 0 {
		k.interrupted = true
		k.interrupt()
	}
	k.err = err
	return n, err
}

// readLines sends the lines of a pipe or file.
func readLines(r io.Reader, lines chan<- line) {
	in := bufio.NewReaderSize(r, 64<<10)
	for {
		text, err := in.ReadBytes('\n')
		if len(text) > 0 {
			text = bytes.TrimSuffix(bytes.TrimSuffix(text, []byte("\n")), []byte("\r"))
			lines <- line{text: text}
		}
		if err != nil {
			lines <- line{err: err}
			return
		}
	}
}

// message writes a message that has come.
func (k *console) message(m websocket.Message) {
	var b []byte
	switch {
	case k.json:
		k.event(messageEvent(m))
		return
	case m.Type == websocket.Text && k.interactive:
		b = append([]byte("< "), printable(m.Data)...)
	case m.Type == websocket.Text:
		b = m.Data
	case k.interactive && !k.base64:
		b = fmt.Appendf(nil, "< binary, %s: %s", bytesOf(len(m.Data)), hexOf(m.Data))
	default:
		if !k.base64 && !k.toldOfBin {
			k.toldOfBin = true
			k.note("a binary message came; such messages are written in base64, a line each")
		}
		b = base64.StdEncoding.AppendEncode(nil, m.Data)
	}
	k.write(append(b[:len(b):len(b)], '\n'))
}

func (k *console) write(b []byte) {
	k.mu.Lock()
	editor := k.editor
	k.mu.Unlock()
	if editor != nil {
		editor.Write(b)
		return
	}
	k.out.Write(b)
}

// note tells the user something that is no message.
func (k *console) note(format string, args ...any) {
	fmt.Fprintf(k.notices(), format+"\n", args...)
}

// notices is where the user is told things: standard error, through the editor
// when it is the terminal too.
func (k *console) notices() io.Writer { return noticeWriter{k} }

type noticeWriter struct{ k *console }

func (w noticeWriter) Write(p []byte) (int, error) {
	w.k.mu.Lock()
	editor := w.k.editor
	w.k.mu.Unlock()
	if editor != nil && term.IsTerminal(int(w.k.stderr.Fd())) {
		return editor.Write(p)
	}
	return w.k.stderr.Write(p)
}

// event is a line of JSON.
type event struct {
	Schema      string    `json:"schema"`
	Time        time.Time `json:"time"`
	Event       string    `json:"event"` // "open", "message", "end"
	URL         string    `json:"url,omitempty"`
	Subprotocol string    `json:"subprotocol,omitempty"`
	Compression string    `json:"compression,omitempty"` // the extension as it was agreed on
	Type        string    `json:"type,omitempty"`
	Size        *int      `json:"size,omitempty"` // in bytes
	Text        *string   `json:"text,omitempty"`
	Base64      *string   `json:"base64,omitempty"` // of a binary message
	Code        int       `json:"code,omitempty"`   // of the Close frame
	Reason      string    `json:"reason,omitempty"`
	By          string    `json:"by,omitempty"` // who began to close: "client" or "server"
	Exit        *int      `json:"exit,omitempty"`
	Why         string    `json:"why,omitempty"`
}

// schema names the form of the events; a change that could break a reader gets
// another number.
const schema = "wiretrue.dial.1"

func messageEvent(m websocket.Message) event {
	size := len(m.Data)
	e := event{Event: "message", Type: strings.ToLower(m.Type.String()), Size: &size}
	text := string(m.Data)
	if m.Type == websocket.Text {
		e.Text = &text
	} else {
		text = base64.StdEncoding.EncodeToString(m.Data)
		e.Base64 = &text
	}
	return e
}

// event writes an event, when JSON is asked for.
func (k *console) event(e event) {
	if !k.json {
		return
	}
	e.Schema, e.Time = schema, time.Now()
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.Encode(e)
	k.out.Write(b.Bytes())
}

// printable escapes what would move the terminal's cursor or change its
// colours.
func printable(b []byte) string {
	var s strings.Builder
	for _, r := range string(b) {
		switch {
		case r == '\n':
			s.WriteString("\n  ")
		case r == '\t':
			s.WriteRune(r)
		case r < 0x20 || 0x7f <= r && r < 0xa0:
			fmt.Fprintf(&s, `\x%02x`, r)
		case 0x202a <= r && r <= 0x202e || 0x2066 <= r && r <= 0x2069: // reverse the text's direction
			fmt.Fprintf(&s, `\u%04x`, r)
		default:
			s.WriteRune(r)
		}
	}
	return s.String()
}

func hexOf(b []byte) string {
	const most = 256
	if len(b) <= most {
		return hex.EncodeToString(b)
	}
	return hex.EncodeToString(b[:most]) + "..."
}

func bytesOf(n int) string {
	if n == 1 {
		return "1 byte"
	}
	return fmt.Sprintf("%d bytes", n)
}
