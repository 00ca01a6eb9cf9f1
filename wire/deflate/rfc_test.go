package deflate

import (
	"bytes"
	"encoding/hex"
	"strings"
	"testing"
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestExamples has the examples of RFC 7692, section 7.2.3.
func TestExamples(t *testing.T) {
	for _, tc := range []struct {
		section  string
		messages []string // in hexadecimal, all with one Decompressor
		want     string   // of each
	}{
		{"7.2.3.1", []string{"f2 48 cd c9 c9 07 00"}, "Hello"},
		{"7.2.3.2", []string{"f2 48 cd c9 c9 07 00", "f2 00 11 00 00"}, "Hello"},
		{"7.2.3.3", []string{"00 05 00 fa ff 48 65 6c 6c 6f 00"}, "Hello"},
		{"7.2.3.4", []string{"f3 48 cd c9 c9 07 00 00"}, "Hello"},
		{"7.2.3.4, more after it", []string{"f3 48 cd c9 c9 07 00 00", "f2 00 11 00 00", "f3 48 cd c9 c9 07 00 00"}, "Hello"},
		{"7.2.3.4, nothing after the final block", []string{"f3 48 cd c9 c9 07 00", "f2 00 11 00 00"}, "Hello"},
		{"7.2.3.5", []string{"f2 48 05 00 00 00 ff ff ca c9 c9 07 00"}, "Hello"},
		{"7.2.3.6", []string{"00", "00"}, ""},
	} {
		t.Run(tc.section, func(t *testing.T) {
			d := NewDecompressor(15)
			for _, m := range tc.messages {
				if out := inflateAll(t, d, unhex(t, m)); string(out) != tc.want {
					t.Errorf("%s gives %q, want %q", m, out, tc.want)
				}
			}
		})
	}
}

func TestCompressorWritesTheExamples(t *testing.T) {
	for _, l := range levels {
		c := NewCompressor(15, l.level)
		if got, want := c.Append(nil, []byte("Hello"), true), unhex(t, "f2 48 cd c9 c9 07 00"); !bytes.Equal(got, want) {
			t.Errorf("%s: Hello gives % x, want % x", l.name, got, want)
		}
		// One byte less than the RFC's f2 00 11 00 00: a match of five.
		if got, want := c.Append(nil, []byte("Hello"), true), unhex(t, "02 13 00 00"); !bytes.Equal(got, want) {
			t.Errorf("%s: a second Hello gives % x, want % x", l.name, got, want)
		}
		if got := c.Append(nil, nil, true); !bytes.Equal(got, []byte{0}) {
			t.Errorf("%s: the empty message gives % x, want 00", l.name, got)
		}
	}
}

// TestSeenMessage has the use that all this is for.
func TestSeenMessage(t *testing.T) {
	message := []byte(`{"type":"message","room":"general","user":"amara","text":"hello, everybody!","ts":1763800000000,"ok":1}`)
	for _, l := range levels {
		for bits := 8; bits <= 15; bits++ {
			c := NewCompressor(bits, l.level)
			c.Append(nil, message, true)
			if n := len(c.Append(nil, message, true)); n > 9 {
				t.Errorf("%s, %d bits: a message of %d bytes already seen takes %d, want at most 9", l.name, bits, len(message), n)
			}
		}
	}
}
