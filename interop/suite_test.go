package interop

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/wiretrue/websocket"
	"github.com/wiretrue/websocket/wire/frame"
)

// The cases of this suite bear the numbers of those of the Autobahn test suite
// that cover the same ground: 1 framing, 2 pings and pongs, 3 reserved bits,
// 4 opcodes, 5 fragmentation, 6 UTF-8, 7 closing, 9 limits, 10 the rest. Each
// case runs against our echo server and against our echo client.

// suiteCase says what is sent and what must come back.
type suiteCase struct {
	name string
	send []piece
	want []piece
	code uint16 // of the Close that must come; 0: 1000, the answer to one that is sent in the end
}

// frames makes a list of single frames and lists of them.
func frames(lists ...any) (all []piece) {
	for _, l := range lists {
		switch l := l.(type) {
		case piece:
			all = append(all, l)
		case []piece:
			all = append(all, l...)
		}
	}
	return all
}

func TestFramingCases(t *testing.T)       { runSuite(t, framingCases()) }
func TestPingCases(t *testing.T)          { runSuite(t, pingCases()) }
func TestReservedBitCases(t *testing.T)   { runSuite(t, reservedBitCases()) }
func TestOpcodeCases(t *testing.T)        { runSuite(t, opcodeCases()) }
func TestFragmentationCases(t *testing.T) { runSuite(t, fragmentationCases()) }
func TestUTF8Cases(t *testing.T)          { runSuite(t, utf8Cases()) }
func TestClosingCases(t *testing.T)       { runSuite(t, closingCases()) }

// rigs are our two roles.
var rigs = map[string]rig{"server": echoServer, "client": echoClient}

// runSuite runs each case in both roles, with its frames in one segment, in one
// each, and byte by byte where they are small.
func runSuite(t *testing.T, cases []suiteCase) {
	for role, start := range rigs {
		t.Run(role, func(t *testing.T) {
			t.Parallel()
			connect := start(t, websocket.Options{})
			for _, c := range cases {
				t.Run(c.name, func(t *testing.T) {
					for _, segment := range []int{0, -1, 1} {
						if segment <= 0 || c.size() < 2000 {
							t.Run(segmentName(segment), func(t *testing.T) { c.run(t, connect(t), segment) })
						}
					}
				})
			}
		})
	}
}

func segmentName(segment int) string {
	switch segment {
	case 0:
		return "at-once"
	case -1:
		return "by-frames"
	}
	return fmt.Sprintf("by-%d-bytes", segment)
}

func (c *suiteCase) size() (n int) {
	for _, p := range c.send {
		n += 14 + len(p.payload)
	}
	return n
}

func (c *suiteCase) run(t *testing.T, r *raw, segment int) {
	t.Helper()
	send, code := c.send, c.code
	if code == 0 {
		send, code = frames(send, closing(1000, "")), 1000
	}
	go r.send(segment, send...)
	r.want(t, c.want...)
	r.wantClose(t, code)
}

func framingCases() (cases []suiteCase) {
	for i, n := range []int{0, 125, 126, 127, 128, 65535, 65536} {
		txt, data := text(textOf(n)), bin(bytesOf(n))
		cases = append(cases,
			suiteCase{name: fmt.Sprintf("1.1.%d", i+1), send: frames(txt), want: frames(txt)},
			suiteCase{name: fmt.Sprintf("1.2.%d", i+1), send: frames(data), want: frames(data)})
	}
	return cases
}

// TestChoppedCases are those of large messages in segments of an odd size.
func TestChoppedCases(t *testing.T) {
	txt, data := text(textOf(65536)), bin(bytesOf(65536))
	for role, start := range rigs {
		connect := start(t, websocket.Options{})
		t.Run(role+"/1.1.8", func(t *testing.T) {
			(&suiteCase{send: frames(txt), want: frames(txt)}).run(t, connect(t), 997)
		})
		t.Run(role+"/1.2.8", func(t *testing.T) {
			(&suiteCase{send: frames(data), want: frames(data)}).run(t, connect(t), 997)
		})
	}
}

func pingCases() []suiteCase {
	var pings, pongs []piece
	for i := range 10 {
		payload := fmt.Sprintf("ping %d", i)
		pings, pongs = append(pings, ping(payload)), append(pongs, pong(payload))
	}
	return []suiteCase{
		{name: "2.1", send: frames(ping("")), want: frames(pong(""))},
		{name: "2.2", send: frames(ping("hello")), want: frames(pong("hello"))},
		{name: "2.3", send: frames(ping("\x00\xff\xfe\xfd\x00")), want: frames(pong("\x00\xff\xfe\xfd\x00"))},
		{name: "2.4", send: frames(ping(bytesOf(125))), want: frames(pong(bytesOf(125)))},
		{name: "2.5", send: frames(ping(bytesOf(126))), code: 1002},
		{name: "2.7", send: frames(pong(""))},
		{name: "2.8", send: frames(pong("nobody asked"))},
		{name: "2.9", send: frames(pong("nobody asked"), ping("asked")), want: frames(pong("asked"))},
		{name: "2.10", send: pings, want: pongs},
	}
}

func reservedBitCases() []suiteCase {
	good := text("hello")
	return []suiteCase{
		{name: "3.1", send: frames(good.rsv(1)), code: 1002},
		{name: "3.2", send: frames(good, good.rsv(2), ping("late")), want: frames(good), code: 1002},
		{name: "3.3", send: frames(good, good.rsv(3), ping("late")), want: frames(good), code: 1002},
		{name: "3.4", send: frames(good, good.rsv(4), ping("late")), want: frames(good), code: 1002},
		{name: "3.5", send: frames(bin("\xff").rsv(5)), code: 1002},
		{name: "3.6", send: frames(ping("hello").rsv(6)), code: 1002},
		{name: "3.7", send: frames(closing(1000, "").rsv(7)), code: 1002},
		{name: "3.8", send: frames(begin(frame.Text, "a"), last("b").rsv(4)), code: 1002},
	}
}

func opcodeCases() (cases []suiteCase) {
	good := text("hello")
	for i := range 5 {
		for j, op := range []frame.Opcode{3, 11} {
			op += frame.Opcode(i)
			cases = append(cases, suiteCase{
				name: fmt.Sprintf("4.%d.%d", j+1, i+1),
				send: frames(good, whole(op, strings.Repeat("x", i)), ping("late")),
				want: frames(good),
				code: 1002,
			})
		}
	}
	return cases
}

func fragmentationCases() []suiteCase {
	const one, two, three, four = "first,", "second,", "third,", "fourth"
	begin := func(p string) piece { return begin(frame.Text, p) }
	return []suiteCase{
		{name: "5.1", send: frames(whole(frame.Ping, "a").open(), last("b")), code: 1002},
		{name: "5.2", send: frames(whole(frame.Pong, "a").open(), last("b")), code: 1002},
		{name: "5.3", send: frames(begin(one), last(two)), want: frames(text(one + two))},
		{name: "5.6", send: frames(begin(one), ping("p"), last(two)), want: frames(pong("p"), text(one+two))},
		{name: "5.9", send: frames(last("orphan"), text("late")), code: 1002},
		{name: "5.12", send: frames(more("orphan"), text("late")), code: 1002},
		{name: "5.15", send: frames(begin(one), last(two), more("orphan"), text("late")), want: frames(text(one + two)), code: 1002},
		{name: "5.16", send: frames(more(one), begin(two), last(three)), code: 1002},
		{name: "5.17", send: frames(last(one), begin(two), last(three)), code: 1002},
		{name: "5.18", send: frames(begin(one), text(two)), code: 1002},
		{name: "5.19", send: frames(begin(one), more(two), ping("p"), more(three), ping("q"), last(four)),
			want: frames(pong("p"), pong("q"), text(one+two+three+four))},
		{name: "5.21-empty-frames", send: frames(begin(""), more(""), more(""), last("")), want: frames(text(""))},
		{name: "5.22-empty-frames-around", send: frames(begin(""), more("a"), more(""), last("")), want: frames(text("a"))},
	}
}

// open makes a frame one that is to be continued.
func (p piece) open() piece {
	p.Fin = false
	return p
}

// validUTF8 is text that must be taken.
var validUTF8 = []string{
	"",
	"κόσμε, größer, 水, 😀",
	"\x00", "\x7f", // the bounds of each length
	"\u0080", "\u07ff",
	"\u0800", "\uffff",
	"\U00010000", "\U0010ffff",
	"\ud7ff", "\ue000", "\ufffd", // around the surrogates
	"\ufeffbehind a byte order mark",
	"\ufffe", "\ufdd0\ufdef", "\U0001fffe\U0001ffff", "\U0010fffe", // not characters, and valid
}

// invalidUTF8 is text that must not, and how many of its bytes are a beginning
// of valid text.
var invalidUTF8 = []struct {
	text string
	good int
}{
	{"κόσμε\xed\xa0\x80edited", 11},                // a surrogate: the second byte is impossible
	{"\x80", 0}, {"\xbf", 0}, {"a\x80\xbf\x80", 1}, // continuation bytes alone
	{"\xc3 ", 1}, {"\xe2\x82 ", 2}, {"\xf0\x9f\x98 ", 3}, // sequences cut off by a space
	{"\xc3", 1}, {"\xe2\x82", 2}, {"\xf0\x9f\x98", 3}, {"ok\xf4", 3}, // or by the end
	{"\xfe", 0}, {"\xff", 0}, {"\xfe\xfe\xff\xff", 0}, // impossible bytes
	{"\xc0\xaf", 0}, {"\xc1\xbf", 0}, {"\xe0\x80\xaf", 1}, {"\xe0\x9f\xbf", 1}, {"\xf0\x80\x80\xaf", 1}, {"\xf0\x8f\xbf\xbf", 1}, // longer than need be
	{"\xf8\x80\x80\x80\xaf", 0}, {"\xfc\x80\x80\x80\x80\xaf", 0},
	{"\xed\xa0\x80", 1}, {"\xed\xad\xbf", 1}, {"\xed\xbf\xbf", 1}, {"\xed\xa0\xbd\xed\xb8\x80", 1}, // surrogates, and a pair
	{"\xf4\x90\x80\x80", 1}, {"\xf5\x80\x80\x80", 0}, {"\xf7\xbf\xbf\xbf", 0}, // beyond U+10FFFF
}

func utf8Cases() []suiteCase {
	cases := []suiteCase{
		{name: "6.1.1", send: frames(text("")), want: frames(text(""))},
		{name: "6.1.2", send: frames(begin(frame.Text, ""), more(""), last("")), want: frames(text(""))},
		{name: "6.1.3", send: frames(begin(frame.Text, ""), more("middle"), last("")), want: frames(text("middle"))},
		// Without the end of the message, and then of the frame.
		{name: "6.4.1", send: frames(begin(frame.Text, "κόσμε"), more("\xf4\x90\x80\x80")), code: 1007},
		{name: "6.4.2", send: frames(begin(frame.Text, "κόσμε\xf4"), more("\x90")), code: 1007},
		{name: "6.4.3", send: frames(piece{Header: frame.Header{Fin: true, Opcode: frame.Text}, payload: []byte("κόσμε\xf4\x90\x80\x80 and more"), send: 13}), code: 1007},
		{name: "6.4.4", send: frames(piece{Header: frame.Header{Fin: true, Opcode: frame.Text}, payload: append([]byte("\xff"), bytesOf(1<<20)...), send: 1}), code: 1007},
		{name: "6-binary-is-anything", send: frames(bin("\xff\xfe\xed\xa0\x80")), want: frames(bin("\xff\xfe\xed\xa0\x80"))},
		{name: "6-ping-is-anything", send: frames(ping("\xff\xfe")), want: frames(pong("\xff\xfe"))},
	}
	for i, s := range validUTF8 {
		cases = append(cases,
			suiteCase{name: fmt.Sprintf("6-valid-%d", i), send: frames(text(s)), want: frames(text(s))},
			suiteCase{name: fmt.Sprintf("6-valid-%d-byte-frames", i), send: inPieces(frame.Text, []byte(s), 1), want: frames(text(s))})
	}
	for i, c := range invalidUTF8 {
		bytewise := inPieces(frame.Text, []byte(c.text), 1)
		cases = append(cases,
			suiteCase{name: fmt.Sprintf("6-invalid-%d", i), send: frames(text(c.text)), code: 1007},
			suiteCase{name: fmt.Sprintf("6-invalid-%d-byte-frames", i), send: bytewise, code: 1007})
		if c.good < len(c.text) { // the first impossible byte is enough
			cases = append(cases, suiteCase{
				name: fmt.Sprintf("6-invalid-%d-at-once", i),
				send: frames(begin(frame.Text, c.text[:c.good]), more(c.text[c.good:c.good+1])),
				code: 1007,
			})
		}
	}
	return cases
}

func closingCases() []suiteCase {
	good := text("hello")
	reason := strings.Repeat("ö", 61) + "." // 123 bytes
	cases := []suiteCase{
		{name: "7.1.1", send: frames(good), want: frames(good)},
		{name: "7.1.2", send: frames(closing(1000, ""), closing(1000, "again")), code: 1000},
		{name: "7.1.3", send: frames(closing(1000, ""), ping("late")), code: 1000},
		{name: "7.1.4", send: frames(closing(1000, ""), text("late")), code: 1000},
		{name: "7.1.5", send: frames(begin(frame.Text, "a"), closing(1000, ""), last("b")), code: 1000},
		{name: "7.1.6", send: frames(text(textOf(256<<10)), closing(1000, ""), ping("late")), want: frames(text(textOf(256 << 10))), code: 1000},
		{name: "7.3.1", send: frames(closingWith("")), code: 1005},
		{name: "7.3.2", send: frames(closingWith("a")), code: 1002},
		{name: "7.3.3", send: frames(closing(1000, "")), code: 1000},
		{name: "7.3.4", send: frames(closing(1000, "a reason")), code: 1000},
		{name: "7.3.5", send: frames(closing(1000, reason)), code: 1000},
		{name: "7.3.6", send: frames(closing(1000, reason+".")), code: 1002},
		{name: "7.5.1", send: frames(closing(1000, "κόσμε\xed\xa0\x80edited")), code: 1007},
	}
	for _, code := range []uint16{1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999} {
		cases = append(cases, suiteCase{name: fmt.Sprintf("7.7-%d", code), send: frames(closing(code, "")), code: code})
	}
	for _, code := range []uint16{0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535} {
		cases = append(cases,
			suiteCase{name: fmt.Sprintf("7.9-%d", code), send: frames(closing(code, "")), code: 1002},
			suiteCase{name: fmt.Sprintf("7.9-%d-reason", code), send: frames(closing(code, "why")), code: 1002})
	}
	return cases
}

// TestLimitCases sends large messages under the default limits, and larger ones
// under a raised limit.
func TestLimitCases(t *testing.T) {
	const mib = 1 << 20
	for role, start := range rigs {
		t.Run(role, func(t *testing.T) {
			connect := start(t, websocket.Options{})
			one := func(t *testing.T, connect func(*testing.T) *raw, message piece, fragment, segment int) {
				sent := frames(message)
				if fragment > 0 {
					sent = inPieces(message.Opcode, message.payload, fragment)
				}
				(&suiteCase{send: sent, want: frames(message)}).run(t, connect(t), segment)
			}
			all := func(sizes ...int) []int {
				if testing.Short() {
					return sizes[:1]
				}
				return sizes
			}
			for i, message := range []piece{text(textOf(4 * mib)), bin(bytesOf(4 * mib))} {
				small := message
				for _, n := range all(64<<10, 256<<10, mib, 4*mib) {
					small.payload = message.payload[:n]
					if message.Opcode == frame.Text {
						small.payload = textOf(n)
					}
					t.Run(fmt.Sprintf("9.%d-%d", i+1, n), func(t *testing.T) { one(t, connect, small, 0, 0) })
				}
				for _, n := range all(64, 256, 1<<10, 4<<10, 16<<10, 64<<10, 256<<10, mib, 4*mib) {
					t.Run(fmt.Sprintf("9.%d-4M-in-%d", i+3, n), func(t *testing.T) { one(t, connect, message, n, 0) })
				}
				small.payload = message.payload[:mib]
				if message.Opcode == frame.Text {
					small.payload = textOf(mib)
				}
				for _, n := range all(64, 128, 256, 512, 1024, 2048) {
					t.Run(fmt.Sprintf("9.%d-1M-by-%d", i+5, n), func(t *testing.T) { one(t, connect, small, 0, n) })
				}
				for _, n := range all(0, 16, 64, 256, 1024, 4096) {
					t.Run(fmt.Sprintf("9.%d-1000-of-%d", i+7, n), func(t *testing.T) { pingPong(t, connect(t), message.Opcode, n) })
				}
			}
			t.Run("9-too-large", func(t *testing.T) {
				(&suiteCase{send: frames(bin(bytesOf(4*mib + 1))), code: 1009}).run(t, connect(t), 0)
			})
			t.Run("9-too-large-in-fragments", func(t *testing.T) {
				(&suiteCase{send: inPieces(frame.Binary, bytesOf(4*mib+1), 64<<10), code: 1009}).run(t, connect(t), 0)
			})
			raised := start(t, websocket.Options{ReadLimit: 16 * mib})
			t.Run("9.1-16M", func(t *testing.T) { one(t, raised, text(textOf(16*mib)), 0, 0) })
			t.Run("9.2-16M", func(t *testing.T) { one(t, raised, bin(bytesOf(16*mib)), 0, 0) })
			t.Run("9.4-16M-in-4K", func(t *testing.T) { one(t, raised, bin(bytesOf(16*mib)), 4<<10, 0) })
		})
	}
}

// pingPong sends a thousand messages, each when the one before has come back.
func pingPong(t *testing.T, r *raw, op frame.Opcode, n int) {
	message := whole(op, bytes.Repeat([]byte("m"), n))
	for range 1000 {
		r.send(0, message)
		r.want(t, message)
	}
	r.send(0, closing(1000, ""))
	r.wantClose(t, 1000)
}

// TestManyMessages sends a thousand messages without waiting for any.
func TestManyMessages(t *testing.T) {
	for role, start := range rigs {
		t.Run(role, func(t *testing.T) {
			var all []piece
			for i := range 1000 {
				all = append(all, text(textOf(i)), bin(bytesOf(i)))
			}
			(&suiteCase{send: all, want: all}).run(t, start(t, websocket.Options{})(t), 0)
		})
	}
}

// TestFragmentedByTheSender is case 10.1.1: a message in frames of 1,300 bytes.
func TestFragmentedByTheSender(t *testing.T) {
	for role, start := range rigs {
		t.Run(role, func(t *testing.T) {
			message := text(textOf(65536))
			(&suiteCase{send: inPieces(frame.Text, message.payload, 1300), want: frames(message)}).run(t, start(t, websocket.Options{})(t), 0)
		})
	}
}
