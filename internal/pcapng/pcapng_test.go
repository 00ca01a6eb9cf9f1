package pcapng_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/wiretrue/websocket/internal/pcapng"
)

// option is one option of a block.
type option struct {
	code  uint16
	value string
}

// block is one block of a file as the format's description has it.
type block struct {
	typ     uint32
	fixed   []byte // the body without options
	options []option
}

// fixedSize is how many bytes of a body stand before its options.
func fixedSize(t *testing.T, typ uint32, body []byte) int {
	t.Helper()
	switch typ {
	case 0x0a0d0d0a:
		return 16
	case 1:
		return 8
	case 6:
		return 20 + (int(binary.LittleEndian.Uint32(body[12:]))+3)&^3
	case 10:
		return 8 + (int(binary.LittleEndian.Uint32(body[4:]))+3)&^3
	}
	t.Fatalf("a block of type %#x", typ)
	return 0
}

// parse takes a file apart and fails the test where it is not well formed.
func parse(t *testing.T, file []byte) []block {
	t.Helper()
	var blocks []block
	for len(file) > 0 {
		typ, n := binary.LittleEndian.Uint32(file), binary.LittleEndian.Uint32(file[4:])
		if n%4 != 0 || n < 12 || int(n) > len(file) {
			t.Fatalf("block %d of type %#x is %d bytes long, of %d", len(blocks), typ, n, len(file))
		}
		if again := binary.LittleEndian.Uint32(file[n-4:]); again != n {
			t.Fatalf("block %d starts with the length %d and ends with %d", len(blocks), n, again)
		}
		body := file[8 : n-4]
		fixed := fixedSize(t, typ, body)
		b := block{typ: typ, fixed: body[:fixed]}
		for rest, ended := body[fixed:], len(body) == fixed; !ended; {
			code, size := binary.LittleEndian.Uint16(rest), int(binary.LittleEndian.Uint16(rest[2:]))
			if code == 0 {
				if ended = true; size != 0 || len(rest) != 4 {
					t.Fatalf("block %d has %d bytes at its end of options", len(blocks), len(rest))
				}
				continue
			}
			b.options = append(b.options, option{code, string(rest[4 : 4+size])})
			for _, p := range rest[4+size : 4+(size+3)&^3] {
				if p != 0 {
					t.Fatalf("block %d is padded with %#x", len(blocks), p)
				}
			}
			rest = rest[4+(size+3)&^3:]
		}
		blocks = append(blocks, b)
		file = file[n:]
	}
	return blocks
}

func TestBlocks(t *testing.T) {
	at := time.Unix(1767323045, 123456789)
	long := strings.Repeat("a", math.MaxUint16-1) + "é" // its last character does not fit
	tests := []struct {
		name  string
		bytes []byte
		want  block
	}{
		{"bare section", pcapng.AppendSection(nil, pcapng.Section{}),
			block{0x0a0d0d0a, []byte("\x4d\x3c\x2b\x1a\x01\x00\x00\x00\xff\xff\xff\xff\xff\xff\xff\xff"), nil}},
		{"section", pcapng.AppendSection(nil, pcapng.Section{Hardware: "h", OS: "os", Application: "app", Comments: []string{"one", "four"}}),
			block{0x0a0d0d0a, []byte("\x4d\x3c\x2b\x1a\x01\x00\x00\x00\xff\xff\xff\xff\xff\xff\xff\xff"),
				[]option{{2, "h"}, {3, "os"}, {4, "app"}, {1, "one"}, {1, "four"}}}},
		{"interface", pcapng.AppendInterface(nil, pcapng.Interface{Link: 276, SnapLen: 0x40000, Name: "eth0", Description: "d", Comments: []string{"c"}}),
			block{1, []byte("\x14\x01\x00\x00\x00\x00\x04\x00"), []option{{2, "eth0"}, {3, "d"}, {9, "\x09"}, {1, "c"}}}},
		{"packet", pcapng.AppendPacket(nil, &pcapng.Packet{Interface: 2, Time: at, Data: []byte("hello")}),
			block{6, []byte("\x02\x00\x00\x00\xf2\xca\x86\x18\x15\xff\xf1\x23\x05\x00\x00\x00\x05\x00\x00\x00hello\x00\x00\x00"), nil}},
		{"cut packet with comments", pcapng.AppendPacket(nil, &pcapng.Packet{Time: time.Unix(0, 1), Data: []byte("cut!"), Length: 300, Comments: []string{"x", "", "yy"}}),
			block{6, []byte("\x00\x00\x00\x00\x00\x00\x00\x00\x01\x00\x00\x00\x04\x00\x00\x00\x2c\x01\x00\x00cut!"), []option{{1, "x"}, {1, "yy"}}}},
		{"secrets", pcapng.AppendSecrets(nil, []byte("CLIENT_RANDOM")),
			block{10, []byte("KSLT\x0d\x00\x00\x00CLIENT_RANDOM\x00\x00\x00"), nil}},
		{"not UTF-8", pcapng.AppendSection(nil, pcapng.Section{Application: "a\xffb"}),
			block{0x0a0d0d0a, []byte("\x4d\x3c\x2b\x1a\x01\x00\x00\x00\xff\xff\xff\xff\xff\xff\xff\xff"), []option{{4, "a\uFFFDb"}}}},
		{"long", pcapng.AppendSection(nil, pcapng.Section{Application: long}),
			block{0x0a0d0d0a, []byte("\x4d\x3c\x2b\x1a\x01\x00\x00\x00\xff\xff\xff\xff\xff\xff\xff\xff"), []option{{4, long[:math.MaxUint16-1]}}}},
		{"zero time", pcapng.AppendPacket(nil, &pcapng.Packet{}), block{6, make([]byte, 20), nil}},
		{"before 1970", pcapng.AppendPacket(nil, &pcapng.Packet{Time: time.Unix(-1, 999)}), block{6, make([]byte, 20), nil}},
		{"last time", pcapng.AppendPacket(nil, &pcapng.Packet{Time: time.Unix(18446744072, 999999999)}),
			block{6, []byte("\x00\x00\x00\x00\xff\xff\xff\xff\xff\x19\xb5\xd5\x00\x00\x00\x00\x00\x00\x00\x00"), nil}},
		{"behind the last time", pcapng.AppendPacket(nil, &pcapng.Packet{Time: time.Unix(1<<40, 0)}),
			block{6, []byte("\x00\x00\x00\x00\xff\xff\xff\xff\xff\xff\xff\xff\x00\x00\x00\x00\x00\x00\x00\x00"), nil}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got := parse(t, test.bytes)
			if len(got) != 1 {
				t.Fatalf("%d blocks; expected 1", len(got))
			}
			if got[0].typ != test.want.typ || !bytes.Equal(got[0].fixed, test.want.fixed) {
				t.Errorf("type %#x % x\nexpected  %#x % x", got[0].typ, got[0].fixed, test.want.typ, test.want.fixed)
			}
			if len(got[0].options) != len(test.want.options) {
				t.Fatalf("options %.100v; expected %.100v", got[0].options, test.want.options)
			}
			for i, o := range got[0].options {
				if o != test.want.options[i] {
					t.Errorf("option %d is %.100v; expected %.100v", i, o, test.want.options[i])
				}
			}
		})
	}
}

func TestAppendKeepsWhatWasThere(t *testing.T) {
	const before = "before"
	p := &pcapng.Packet{Time: time.Unix(1, 2), Data: []byte("abc"), Comments: []string{"c"}}
	got := pcapng.AppendPacket([]byte(before), p)
	if !strings.HasPrefix(string(got), before) || !bytes.Equal(got[len(before):], pcapng.AppendPacket(nil, p)) {
		t.Errorf("got %q", got)
	}
}

func TestPacketAllocatesNothing(t *testing.T) {
	p := &pcapng.Packet{Time: time.Unix(1, 2), Data: make([]byte, 1000), Comments: []string{"comment"}}
	block := make([]byte, 0, 2000)
	if n := testing.AllocsPerRun(100, func() { block = pcapng.AppendPacket(block[:0], p) }); n != 0 {
		t.Errorf("%v allocations a packet", n)
	}
}

// FuzzPacket states that whatever a packet holds, its block is well formed and
// holds it.
func FuzzPacket(f *testing.F) {
	f.Add(uint32(0), int64(1), int64(2), []byte("data"), 4, "comment")
	f.Add(uint32(7), int64(-1), int64(1<<40), []byte{}, -1, "\xff\xfe")
	f.Add(uint32(7), int64(1<<62), int64(0), []byte("abc"), 1<<40, strings.Repeat("é", 40000))
	f.Fuzz(func(t *testing.T, index uint32, sec, nsec int64, data []byte, length int, comment string) {
		b := parse(t, pcapng.AppendPacket(nil, &pcapng.Packet{Interface: index, Time: time.Unix(sec, nsec), Data: data, Length: length, Comments: []string{comment}}))[0]
		if got := b.fixed[20 : 20+binary.LittleEndian.Uint32(b.fixed[12:])]; !bytes.Equal(got, data) {
			t.Errorf("data %q; expected %q", got, data)
		}
		for _, o := range b.options {
			if !utf8.ValidString(o.value) {
				t.Errorf("the comment %q is not UTF-8", o.value)
			}
		}
		if len(b.options) != min(len(comment), 1) {
			t.Errorf("%d comments of %q", len(b.options), comment)
		}
	})
}

// write writes a file with everything in it.
func write(t *testing.T, out io.Writer) *pcapng.Writer {
	t.Helper()
	w, err := pcapng.NewWriter(out, pcapng.Section{Application: "wiretrue test", Comments: []string{"a section"}})
	if err != nil {
		t.Fatal(err)
	}
	var raw, cooked uint32
	steps := []func() error{
		func() (err error) {
			raw, err = w.Interface(pcapng.Interface{Link: pcapng.LinkRaw, Name: "raw0"})
			return
		},
		func() (err error) { cooked, err = w.Interface(pcapng.Interface{Link: 276, Name: "any"}); return },
		func() error { return w.Secrets([]byte("CLIENT_RANDOM 00 00\n")) },
		func() error {
			return w.Packet(&pcapng.Packet{Interface: raw, Time: time.Unix(1767323045, 123456789), Data: []byte("\x45abc"), Comments: []string{"first", "second"}})
		},
		func() error {
			return w.Packet(&pcapng.Packet{Interface: cooked, Time: time.Unix(1767323046, 1), Data: make([]byte, 20), Length: 1500})
		},
	}
	for i, step := range steps {
		if err := step(); err != nil {
			t.Fatalf("step %d: %v", i, err)
		}
	}
	return w
}

func TestWriter(t *testing.T) {
	var file bytes.Buffer
	w := write(t, &file)
	if w.Written() != int64(file.Len()) {
		t.Errorf("Written is %d; expected %d", w.Written(), file.Len())
	}
	var types []uint32
	for _, b := range parse(t, file.Bytes()) {
		types = append(types, b.typ)
	}
	if want := []uint32{0x0a0d0d0a, 1, 1, 10, 6, 6}; len(types) != len(want) {
		t.Errorf("blocks of the types %#x; expected %#x", types, want)
	}
	before := file.Len()
	if err := w.Packet(&pcapng.Packet{Interface: 2}); err == nil || file.Len() != before {
		t.Errorf("a packet of an interface that is not there: %v, %d bytes written", err, file.Len()-before)
	}
}

var errFull = errors.New("full")

// limited takes so many bytes.
type limited struct{ left int }

func (l *limited) Write(p []byte) (int, error) {
	if len(p) > l.left {
		n := l.left
		l.left = 0
		return n, errFull
	}
	l.left -= len(p)
	return len(p), nil
}

func TestWriterKeepsItsError(t *testing.T) {
	w, err := pcapng.NewWriter(&limited{left: 50}, pcapng.Section{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Interface(pcapng.Interface{Link: pcapng.LinkRaw}); !errors.Is(err, errFull) {
		t.Errorf("error %v; expected %v", err, errFull)
	}
	if err := w.Secrets(nil); !errors.Is(err, errFull) {
		t.Errorf("error %v behind the first; expected %v", err, errFull)
	}
	if w.Written() != 50 {
		t.Errorf("Written is %d; expected 50", w.Written())
	}
}

func TestReadByOthers(t *testing.T) {
	tshark, err := exec.LookPath("tshark")
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("no tshark, which .ci/run should have installed")
		}
		t.Skip("no tshark")
	}
	name := filepath.Join(t.TempDir(), "file.pcapng")
	file, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	write(t, file)
	if err := file.Close(); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(tshark, "-n", "-r", name, "-T", "fields", "-E", "aggregator=|", "-e", "frame.time_epoch", "-e", "frame.cap_len", "-e", "frame.len",
		"-e", "frame.interface_name", "-e", "frame.encap_type", "-e", "frame.comment").Output()
	if err != nil {
		t.Fatal(err)
	}
	want := "1767323045.123456789\t4\t4\traw0\t7\tfirst|second\n1767323046.000000001\t20\t1500\tany\t210\t\n"
	if string(out) != want {
		t.Errorf("tshark reads\n%sexpected\n%s", out, want)
	}
}
