package wire_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/wiretrue/websocket/vectors"
	"github.com/wiretrue/websocket/wire"
	"github.com/wiretrue/websocket/wire/deflate"
	"github.com/wiretrue/websocket/wire/frame"
	"github.com/wiretrue/websocket/wire/rfc"
)

// send is one call of a Sender's method.
type send func(s *wire.Sender, dst []byte) ([]byte, error)

var testKey = [4]byte{0x37, 0xfa, 0x21, 0x3d}

func message(op frame.Opcode, payload string) send {
	return func(s *wire.Sender, dst []byte) ([]byte, error) { return s.Message(dst, op, []byte(payload), testKey) }
}

func fragment(op frame.Opcode, payload string, fin bool) send {
	return func(s *wire.Sender, dst []byte) ([]byte, error) {
		return s.Fragment(dst, op, []byte(payload), fin, false, testKey)
	}
}

func control(op frame.Opcode, payload string) send {
	return func(s *wire.Sender, dst []byte) ([]byte, error) { return s.Control(dst, op, []byte(payload), testKey) }
}

func closeWith(code rfc.StatusCode, reason string) send {
	return func(s *wire.Sender, dst []byte) ([]byte, error) { return s.Close(dst, code, reason, testKey) }
}

func TestSenderWrites(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		role  wire.Role
		calls []send
		want  []string // in the notation
	}{
		{wire.Server, []send{message(frame.Text, "Hello")}, []string{`81 05 "Hello"`}},
		{wire.Client, []send{message(frame.Text, "Hello")}, []string{`81 85 37fa213d "Hello"^37fa213d`}},
		{wire.Client, []send{message(frame.Binary, "")}, []string{`82 80 37fa213d`}},
		{wire.Server, []send{message(frame.Binary, strings.Repeat("a", 125))}, []string{`82 7d "a"*125`}},
		{wire.Server, []send{message(frame.Binary, strings.Repeat("a", 126))}, []string{`82 7e 007e "a"*126`}},
		{wire.Server, []send{message(frame.Binary, strings.Repeat("a", 65535))}, []string{`82 7e ffff "a"*65535`}},
		{wire.Server, []send{message(frame.Binary, strings.Repeat("a", 65536))}, []string{`82 7f 0000000000010000 "a"*65536`}},
		{wire.Server, []send{
			fragment(frame.Text, "Hel", false), control(frame.Ping, "?"), fragment(frame.Text, "lo", true), message(frame.Binary, "x"),
		}, []string{`01 03 "Hel"`, `89 01 "?"`, `80 02 "lo"`, `82 01 "x"`}},
		{wire.Server, []send{fragment(frame.Text, "one", true), fragment(frame.Binary, "two", true)}, []string{`81 03 "one"`, `82 03 "two"`}},
		{wire.Server, []send{fragment(frame.Text, "\xc3", false), fragment(frame.Text, "\xa9", true)}, []string{`01 01 c3`, `80 01 a9`}},
		{wire.Server, []send{control(frame.Pong, strings.Repeat("a", 125))}, []string{`8a 7d "a"*125`}},
		{wire.Server, []send{closeWith(1001, "going")}, []string{`88 07 03e9 "going"`}},
		{wire.Client, []send{closeWith(rfc.NoStatusReceived, "")}, []string{`88 80 37fa213d`}},
		{wire.Server, []send{closeWith(4999, strings.Repeat("a", 123))}, []string{`88 7d 1387 "a"*123`}},
	} {
		s := &wire.Sender{Role: tt.role}
		var got []byte
		for i, call := range tt.calls {
			var err error
			if got, err = call(s, got); err != nil {
				t.Errorf("%s: call %d: %v", tt.want, i, err)
			}
		}
		if want := notation(t, tt.want...); !bytes.Equal(got, want) {
			t.Errorf("%.60s: wrote %.60x", tt.want, got)
		}
	}
}

func TestSenderRefuses(t *testing.T) {
	t.Parallel()
	open := []send{fragment(frame.Text, "a", false)}
	closed := []send{closeWith(1000, "")}
	for _, tt := range []struct {
		name   string
		before []send
		call   send
		want   error
	}{
		{"text that is not UTF-8", nil, message(frame.Text, "a\xff"), wire.ErrNotUTF8},
		{"text that ends inside a character", nil, message(frame.Text, "a\xc3"), wire.ErrNotUTF8},
		{"a fragment that is not UTF-8", open, fragment(frame.Text, "\xff", false), wire.ErrNotUTF8},
		{"a last fragment that ends inside a character", open, fragment(frame.Text, "\xc3", true), wire.ErrNotUTF8},
		{"a message inside a message", open, message(frame.Binary, "b"), wire.ErrMessageOpen},
		{"a continuation as a message", nil, message(frame.Continuation, "a"), wire.ErrOpcode},
		{"a control frame as a message", nil, message(frame.Ping, "a"), wire.ErrOpcode},
		{"a continuation as a first fragment", nil, fragment(frame.Continuation, "a", true), wire.ErrOpcode},
		{"a text as a control frame", nil, control(frame.Text, "a"), wire.ErrOpcode},
		{"a close as a control frame", nil, control(frame.Close, ""), wire.ErrOpcode},
		{"a ping of 126 bytes", nil, control(frame.Ping, strings.Repeat("a", 126)), wire.ErrControlPayload},
		{"a reason of 124 bytes", nil, closeWith(1000, strings.Repeat("a", 124)), wire.ErrControlPayload},
		{"a reason that is not UTF-8", nil, closeWith(1000, "\xff"), wire.ErrNotUTF8},
		{"code 1004", nil, closeWith(1004, ""), wire.ErrStatusCode},
		{"code 1005 with a reason", nil, closeWith(1005, "a"), wire.ErrStatusCode},
		{"code 1006", nil, closeWith(1006, ""), wire.ErrStatusCode},
		{"code 5000", nil, closeWith(5000, ""), wire.ErrStatusCode},
		{"code 0", nil, closeWith(0, ""), wire.ErrStatusCode},
		{"a message behind a close", closed, message(frame.Text, "a"), wire.ErrClosed},
		{"a fragment behind a close", append(open, closed...), fragment(frame.Text, "a", true), wire.ErrClosed},
		{"a ping behind a close", closed, control(frame.Ping, ""), wire.ErrClosed},
		{"a close behind a close", closed, closeWith(1000, ""), wire.ErrClosed},
	} {
		s := &wire.Sender{Role: wire.Server}
		for _, call := range tt.before {
			if _, err := call(s, nil); err != nil {
				t.Fatalf("%s: %v", tt.name, err)
			}
		}
		before := *s
		got, err := tt.call(s, []byte("kept"))
		if !errors.Is(err, tt.want) || string(got) != "kept" || *s != before {
			t.Errorf("%s: wrote %q, %v", tt.name, got, err)
		}
		if s.Closed() != (tt.want == wire.ErrClosed) {
			t.Errorf("%s: Closed = %v", tt.name, s.Closed())
		}
	}
}

// A fragment that was refused can be sent again, repaired.
func TestSenderGoesOnBehindARefusal(t *testing.T) {
	t.Parallel()
	s := &wire.Sender{Role: wire.Server}
	var out []byte
	for i, step := range []struct {
		call send
		ok   bool
	}{
		{fragment(frame.Text, "caf\xc3", false), true},
		{fragment(frame.Text, "é", true), false},
		{fragment(frame.Text, "\xa9", true), true},
	} {
		var err error
		if out, err = step.call(s, out); (err == nil) != step.ok {
			t.Errorf("call %d: %v", i, err)
		}
	}
	if want := notation(t, `01 04 "caf\xc3"`, `80 01 a9`); !bytes.Equal(out, want) {
		t.Errorf("wrote %x", out)
	}
}

// Without context takeover each message begins with an empty window, however it
// is sent.
func TestSenderForgets(t *testing.T) {
	t.Parallel()
	payload := bytes.Repeat([]byte("the same again and again "), 4)
	for name, send := range map[string]func(s *wire.Sender) ([]byte, error){
		"whole": func(s *wire.Sender) ([]byte, error) {
			return s.CompressedMessage(nil, frame.Text, payload, testKey)
		},
		"in fragments": func(s *wire.Sender) ([]byte, error) {
			b, err := s.Fragment(nil, frame.Text, payload[:50], false, true, testKey)
			if err != nil {
				return nil, err
			}
			return s.Fragment(b, frame.Text, payload[50:], true, true, testKey)
		},
	} {
		s := &wire.Sender{Role: wire.Server, Compressor: deflate.NewCompressor(12, deflate.Default), NoContextTakeover: true}
		first, err := send(s)
		if err != nil {
			t.Fatal(err)
		}
		if again, err := send(s); err != nil || !bytes.Equal(again, first) {
			t.Errorf("%s: %x, and then %x, %v", name, first, again, err)
		}
	}
}

func TestSenderDoesNotTouchThePayload(t *testing.T) {
	t.Parallel()
	payload := []byte("Hello")
	if _, err := new(wire.Sender).Message(nil, frame.Text, payload, testKey); err != nil || string(payload) != "Hello" {
		t.Errorf("%q, %v", payload, err)
	}
}

// What a Sender writes, a Receiver at the other end reads clean and equal.
// Each call is made of four bytes of the script and the payload behind them.
func FuzzSender(f *testing.F) {
	f.Add(true, []byte("\x00\x01\x05\x00Hello\x02\x02\x01\x00?\x04\xe8\x03\x03bye"))
	f.Add(false, []byte("\x01\x01\x02\x00caf\x01\x01\x01\x01\xff\x01\x02\x01\x01!"))
	f.Add(false, []byte("\x00\x02\x00\x7f\x00\x01\x00\x80"))
	f.Fuzz(func(t *testing.T, client bool, script []byte) {
		s := &wire.Sender{Role: wire.Server}
		if client {
			s.Role = wire.Client
		}
		var out []byte
		var want []vectors.Message
		var open vectors.Message
		for i := uint32(0); len(script) >= 4; i++ {
			call, arg, size := script[0]%5, script[1], int(binary.LittleEndian.Uint16(script[2:]))
			script = script[4:]
			payload := script[:min(len(script), size%512)]
			script = script[len(payload):]
			if size >= 0xfff0 && len(out) < 1<<17 { // around 65,536
				payload = bytes.Repeat([]byte("a"), size+0x10-int(arg))
			}
			key := [4]byte{0xff, byte(i >> 16), byte(i >> 8), byte(i)}
			op := frame.Opcode(arg % 16)
			before, length := *s, len(out)
			var err error
			switch call {
			case 0:
				if out, err = s.Message(out, op, payload, key); err == nil {
					want = append(want, vectors.Message{Kind: kindOf(op), Payload: append([]byte{}, payload...)})
				}
			case 1, 2:
				if out, err = s.Fragment(out, op, payload, call == 2, false, key); err == nil {
					if open.Kind == "" {
						open = vectors.Message{Kind: kindOf(op), Payload: []byte{}}
					}
					open.Payload = append(open.Payload, payload...)
					if call == 2 {
						want = append(want, open)
						open = vectors.Message{}
					}
				}
			case 3:
				if out, err = s.Control(out, op, payload, key); err == nil {
					want = append(want, vectors.Message{Kind: kindOf(op), Payload: append([]byte{}, payload...)})
				}
			case 4:
				code := rfc.StatusCode(1000 + int(arg)*16)
				if out, err = s.Close(out, code, string(payload), key); err == nil {
					want = append(want, vectors.Message{Kind: "close", Payload: append([]byte{}, payload...), Code: int(code)})
				}
			}
			if err != nil && (len(out) != length || *s != before) {
				t.Fatalf("%v, and yet something has changed", err)
			}
		}
		r := &wire.Receiver{Role: s.Role.Peer()}
		events := readAll(t, r.Next, out)
		for _, ev := range events {
			if !ev.Broken.Clean() {
				t.Fatalf("%v at %d broke %v", ev.Kind, ev.At, ev.Broken)
			}
		}
		if r.InFrame() || r.InMessage() != (open.Kind != "") && !s.Closed() {
			t.Fatalf("InFrame %v, InMessage %v", r.InFrame(), r.InMessage())
		}
		if got := messages(events); !reflect.DeepEqual(got, append([]vectors.Message{}, want...)) {
			t.Fatalf("read %.500v, want %.500v", got, want)
		}
	})
}

func kindOf(op frame.Opcode) string { return strings.ToLower(op.String()) }

func TestRoles(t *testing.T) {
	t.Parallel()
	if wire.Client.Peer() != wire.Server || wire.Server.Peer() != wire.Client || wire.Client.String() != "client" || wire.Server.String() != "server" {
		t.Error("a role's peer or name is wrong")
	}
	var kinds []string
	for k := wire.NeedMore; k <= wire.Close; k++ {
		kinds = append(kinds, k.String())
	}
	if want := []string{"need more", "header", "data", "message end", "ping", "pong", "close"}; !reflect.DeepEqual(kinds, want) {
		t.Errorf("kinds %q", kinds)
	}
}

func BenchmarkSender(b *testing.B) {
	for _, role := range []wire.Role{wire.Client, wire.Server} {
		for _, size := range []int{20, 1024} {
			b.Run(fmt.Sprintf("%v, text of %d", role, size), func(b *testing.B) {
				s := &wire.Sender{Role: role}
				payload := bytes.Repeat([]byte("a"), size)
				buf := make([]byte, 0, size+frame.MaxHeaderSize)
				b.SetBytes(int64(size))
				b.ReportAllocs()
				for b.Loop() {
					if _, err := s.Message(buf, frame.Text, payload, testKey); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
