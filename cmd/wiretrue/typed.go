package main

import (
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/wiretrue/websocket"
	"github.com/wiretrue/websocket/wire/frame"
)

// typed is what a line of standard input asks for.
type typed struct {
	do      string // "send", "ping", "pong", "close", "help" or "nothing"
	message websocket.Message
	payload string // of a pong
	code    websocket.StatusCode
	reason  string
}

const commandHelp = `/ping                   send a ping and tell the round-trip time
/pong [TEXT]            send a pong that answers no ping
/close [CODE [REASON]]  close the connection, with 1000 if no code is given
/text TEXT              send a text message
/hex DIGITS             send a binary message, its bytes in hexadecimal
/help                   this list
//...                   send the line, with one slash
Ctrl-D closes with 1000, Ctrl-C with 1001.`

// indented is a text as a part of another one.
func indented(text string) string { return "  " + strings.ReplaceAll(text, "\n", "\n  ") }

// parse reads a line. commands says that one that begins with a slash is a
// command.
func (f *dialFlags) parse(text []byte, commands bool) (typed, error) {
	if commands && len(text) == 0 {
		return typed{do: "nothing"}, nil
	}
	if commands && text[0] == '/' {
		if !strings.HasPrefix(string(text), "//") {
			return parseCommand(string(text))
		}
		text = text[1:]
	}
	switch {
	case f.base64:
		b, err := base64.StdEncoding.DecodeString(string(text))
		if err != nil {
			return typed{}, fmt.Errorf("not sent, since it is no base64: %.40q", text)
		}
		return send(websocket.Binary, b), nil
	case f.binary:
		return send(websocket.Binary, text), nil
	case !utf8.Valid(text):
		return typed{}, fmt.Errorf("not sent, since text must be UTF-8; -b sends binary messages: %.40q", text)
	}
	return send(websocket.Text, text), nil
}

func send(typ websocket.MessageType, b []byte) typed {
	return typed{do: "send", message: websocket.Message{Type: typ, Data: b}}
}

func parseCommand(text string) (typed, error) {
	command, rest, _ := strings.Cut(text, " ")
	switch command {
	case "/ping":
		if rest != "" {
			return typed{}, fmt.Errorf("/ping: %.40q; expected nothing, since the payload tells which ping a pong answers", rest)
		}
		return typed{do: "ping"}, nil
	case "/pong":
		if len(rest) > frame.MaxControlPayload {
			return typed{}, fmt.Errorf("/pong: the payload has %d bytes; expected %d at most", len(rest), frame.MaxControlPayload)
		}
		return typed{do: "pong", payload: rest}, nil
	case "/close":
		return parseClose(rest)
	case "/text":
		if !utf8.ValidString(rest) {
			return typed{}, fmt.Errorf("/text: not sent, since text must be UTF-8")
		}
		return send(websocket.Text, []byte(rest)), nil
	case "/hex":
		b, err := hex.DecodeString(strings.NewReplacer(" ", "", ":", "", ",", "", "0x", "").Replace(rest))
		if err != nil {
			return typed{}, fmt.Errorf("/hex: %.40q; expected pairs of hexadecimal digits, such as de ad be ef", rest)
		}
		return send(websocket.Binary, b), nil
	case "/help", "/?":
		return typed{do: "help"}, nil
	}
	return typed{}, fmt.Errorf("%s is no command; /help lists them, and //... sends a line that begins with a slash", command)
}

func parseClose(rest string) (typed, error) {
	t := typed{do: "close", code: websocket.StatusNormalClosure}
	number, reason, _ := strings.Cut(strings.TrimSpace(rest), " ")
	if number == "" {
		return t, nil
	}
	n, err := strconv.ParseUint(number, 10, 16)
	t.code, t.reason = websocket.StatusCode(n), strings.TrimSpace(reason)
	if err != nil || !t.code.Sendable() {
		return typed{}, fmt.Errorf("/close: %q; expected a code of 1000 to 1003, 1007 to 1014 or 3000 to 4999", number)
	}
	if len(t.reason) > 123 || !utf8.ValidString(t.reason) {
		return typed{}, fmt.Errorf("/close: the reason has %d bytes; expected 123 bytes of UTF-8 at most", len(t.reason))
	}
	return t, nil
}
