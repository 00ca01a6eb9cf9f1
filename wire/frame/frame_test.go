package frame

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
)

// Law 1, round trip: whatever the bytes are, what Parse kept is what Append
// writes.
func TestRoundTripOfEveryFirstPair(t *testing.T) {
	tail := []byte{0xfe, 0xdc, 0xba, 0x98, 0x76, 0x54, 0x32, 0x10, 0x0f, 0x1e, 0x2d, 0x3c, 0x4b}
	for pair := range 65536 {
		b := append([]byte{byte(pair >> 8), byte(pair)}, tail...)
		h, n := Parse(b)
		if n == 0 || n != SizeOf(b[1]) || n != h.Size() {
			t.Fatalf("%x: size %d, SizeOf %d, Size %d", b[:2], n, SizeOf(b[1]), h.Size())
		}
		if got := h.Append(nil); !bytes.Equal(got, b[:n]) {
			t.Fatalf("%x: written %x", b[:n], got)
		}
		for short := range n {
			if h, got := Parse(b[:short]); got != 0 || h != (Header{}) {
				t.Fatalf("%x: %d of %d bytes parse as %v, %d", b[:n], short, n, h, got)
			}
		}
	}
}

func FuzzRoundTrip(f *testing.F) {
	f.Add([]byte("\x81\x05Hello"))
	f.Add([]byte("\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58"))
	f.Add([]byte("\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff1234"))
	f.Add([]byte("\x82\x7e\x00\x05"))
	f.Fuzz(func(t *testing.T, b []byte) {
		h, n := Parse(b)
		if n == 0 {
			if len(b) >= MaxHeaderSize {
				t.Fatalf("%x: no header in %d bytes", b, len(b))
			}
			return
		}
		if got := h.Append(nil); !bytes.Equal(got, b[:n]) {
			t.Fatalf("%x: written %x", b[:n], got)
		}
		if _, m := Parse(b[:n-1]); m != 0 {
			t.Fatalf("%x: whole although a byte is missing", b[:n-1])
		}
		if h.String() == "" {
			t.Fatal("no description")
		}
	})
}

func TestAppendWritesWhatTheStructSays(t *testing.T) {
	key := [4]byte{0x37, 0xfa, 0x21, 0x3d}
	for _, tt := range []struct {
		h     Header
		bytes string
		words string
	}{
		{Header{Fin: true, Opcode: Text, Length: 5}, "\x81\x05", "FIN TEXT length 5, MASK=0"},
		{Header{Fin: true, Opcode: Text, Masked: true, MaskingKey: key, Length: 5}, "\x81\x85\x37\xfa\x21\x3d", "FIN TEXT length 5, MASK=37fa213d"},
		{Header{Opcode: Binary, Length: 256, LengthSize: 2}, "\x02\x7e\x01\x00", "BINARY length 256, MASK=0"},
		{Header{Fin: true, Opcode: Binary, Length: 65536, LengthSize: 8}, "\x82\x7f\x00\x00\x00\x00\x00\x01\x00\x00", "FIN BINARY length 65536, MASK=0"},
		{Header{Fin: true, RSV: RSV1 | RSV3, Opcode: 11, Length: 5, LengthSize: 8}, "\xdb\x7f\x00\x00\x00\x00\x00\x00\x00\x05", "FIN RSV1 RSV3 OPCODE 11 length 5 in 8 bytes, MASK=0"},
		{Header{Length: 1 << 63, LengthSize: 8}, "\x00\x7f\x80\x00\x00\x00\x00\x00\x00\x00", "CONTINUATION length 9223372036854775808, MASK=0"},
		{Header{RSV: 0xff, Opcode: 0xff, Length: 0x1ff}, "\x7f\x7f", "RSV1 RSV2 RSV3 OPCODE 255 length 511 in 0 bytes, MASK=0"},
	} {
		if got := string(tt.h.Append(nil)); got != tt.bytes {
			t.Errorf("%v: written %x, want %x", tt.h, got, tt.bytes)
		}
		if got := tt.h.String(); got != tt.words {
			t.Errorf("String = %q, want %q", got, tt.words)
		}
	}
}

func TestMinimalLengthSize(t *testing.T) {
	for n, want := range map[uint64]uint8{0: 0, 125: 0, 126: 2, 65535: 2, 65536: 8, 1<<64 - 1: 8} {
		if got := MinimalLengthSize(n); got != want {
			t.Errorf("MinimalLengthSize(%d) = %d, want %d", n, got, want)
		}
	}
}

func TestMaskAtEveryPositionAndLength(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	src := make([]byte, 700)
	for i := range src {
		src[i] = byte(r.Uint32())
	}
	for n := range len(src) {
		for pos := range 9 {
			compareWithXOR(t, src[:n], [4]byte{1, 2, 4, 8}, pos)
		}
	}
}

func FuzzMask(f *testing.F) {
	f.Add([]byte("Hello"), uint32(0x37fa213d), 0, uint16(0))
	f.Add([]byte("a long one, with a block behind it"), uint32(0x01020304), 3, uint16(500))
	f.Fuzz(func(t *testing.T, p []byte, key uint32, pos int, more uint16) {
		p = append(p, bytes.Repeat([]byte("0123456789"), int(more%1000))...)
		compareWithXOR(t, p, [4]byte(binary.BigEndian.AppendUint32(nil, key)), pos)
	})
}

// compareWithXOR masks each byte by itself, and as Mask and MaskTo do it.
func compareWithXOR(t *testing.T, src []byte, key [4]byte, pos int) {
	t.Helper()
	n := len(src)
	want := make([]byte, n)
	for i := range want {
		want[i] = src[i] ^ key[(pos&3+i)%4]
	}
	dst := make([]byte, n+1)
	MaskTo(dst, src, key, pos)
	if !bytes.Equal(dst[:n], want) || dst[n] != 0 {
		t.Fatalf("MaskTo of %d bytes at %d is wrong", n, pos)
	}
	got := bytes.Clone(src)
	Mask(got, key, pos)
	if !bytes.Equal(got, want) {
		t.Fatalf("Mask of %d bytes at %d is wrong", n, pos)
	}
}

func TestClose(t *testing.T) {
	body := AppendClose(nil, 1001, "going")
	if code, reason, ok := ParseClose(body); code != 1001 || string(reason) != "going" || !ok {
		t.Errorf("ParseClose = %d %q %v", code, reason, ok)
	}
	for _, short := range []string{"", "\x03"} {
		if _, _, ok := ParseClose([]byte(short)); ok {
			t.Errorf("ParseClose(%q) found a code", short)
		}
	}
}

func TestOpcodes(t *testing.T) {
	var names []string
	for o := range Opcode(16) {
		names = append(names, fmt.Sprint(o))
		if o.Control() != (o >= 8) {
			t.Errorf("Control(%d) = %v", o, o.Control())
		}
		if o.Assigned() != !strings.HasPrefix(o.String(), "OPCODE") {
			t.Errorf("Assigned(%d) = %v", o, o.Assigned())
		}
	}
	want := "CONTINUATION,TEXT,BINARY,OPCODE 3,OPCODE 4,OPCODE 5,OPCODE 6,OPCODE 7,CLOSE,PING,PONG,OPCODE 11,OPCODE 12,OPCODE 13,OPCODE 14,OPCODE 15"
	if got := strings.Join(names, ","); got != want {
		t.Errorf("names are %s", got)
	}
}

func TestNotation(t *testing.T) {
	for _, tt := range []struct{ line, want string }{
		{``, ""},
		{`  # a comment`, ""},
		{`81 05 "Hello"   # FIN TEXT`, "\x81\x05Hello"},
		{`8105 "a # b\x00\n"`, "\x81\x05a # b\x00\n"},
		{`"Hello"^37fa213d`, "\x7f\x9f\x4d\x51\x58"},
		{`"ab"*3 00*2`, "ababab\x00\x00"},
		{`00*5^01020304#`, "\x01\x02\x03\x04\x01"},
	} {
		got, err := AppendNotation(nil, tt.line)
		if err != nil || string(got) != tt.want {
			t.Errorf("%s: %q, %v; want %q", tt.line, got, err, tt.want)
		}
	}
	for _, bad := range []string{`8`, `xy`, `"open`, `00*x`, `00*-1`, `00*99999999`, `00000000*4611686018427387904`, `0000*9223372036854775807`, `00^12`, `00^1234567z`, `00"a"`, `"a"*2*3`, `0g`} {
		if got, err := AppendNotation(nil, bad); err == nil {
			t.Errorf("%s: no error, %x", bad, got)
		}
	}
}

func FuzzNotation(f *testing.F) {
	f.Add(`81 85 37fa213d "Hello"^37fa213d # FIN TEXT`)
	f.Add(`"ab"*3 00*2^01020304`)
	f.Fuzz(func(t *testing.T, line string) {
		b, err := AppendNotation(nil, line)
		if err != nil || len(b) > 1<<16 { // a count makes much of little, which only takes time
			return
		}
		again, err := AppendNotation(nil, fmt.Sprintf("%x", b))
		if err != nil || !bytes.Equal(again, b) {
			t.Fatalf("%q stands for %x, which reads as %x, %v", line, b, again, err)
		}
	})
}

func BenchmarkMask(b *testing.B) {
	for _, size := range []int{20, 1024, 1 << 16, 1 << 20} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			buf := make([]byte, size)
			b.SetBytes(int64(size))
			b.ReportAllocs()
			for b.Loop() {
				Mask(buf, [4]byte{1, 2, 3, 4}, 1)
			}
		})
	}
}

func BenchmarkParse(b *testing.B) {
	in := []byte("\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58")
	b.ReportAllocs()
	for b.Loop() {
		Parse(in)
	}
}
