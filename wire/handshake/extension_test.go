package handshake_test

import (
	"reflect"
	"testing"

	"github.com/wiretrue/websocket/wire/handshake"
)

type (
	ext   = handshake.Extension
	param = handshake.Param
)

func TestParseExtensions(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		values []string
		want   []ext
		ok     bool
	}{
		{nil, nil, true},
		{[]string{"a"}, []ext{{Name: "a"}}, true},
		{[]string{"a", "b, c"}, []ext{{Name: "a"}, {Name: "b"}, {Name: "c"}}, true},
		{[]string{"a; b"}, []ext{{"a", []param{{Name: "b"}}}}, true},
		{[]string{"a;b=c;d=\"e\""}, []ext{{"a", []param{{"b", "c", true}, {"d", "e", true}}}}, true},
		{[]string{" a\t;  b = c , d "}, []ext{{"a", []param{{"b", "c", true}}}, {Name: "d"}}, true},
		{[]string{`a; b="\c\d"`}, []ext{{"a", []param{{"b", "cd", true}}}}, true},
		{[]string{"a; b; b=1; b"}, []ext{{"a", []param{{Name: "b"}, {"b", "1", true}, {Name: "b"}}}}, true},
		{[]string{"permessage-deflate; client_max_window_bits; server_max_window_bits=10, permessage-deflate"}, []ext{
			{"permessage-deflate", []param{{Name: "client_max_window_bits"}, {"server_max_window_bits", "10", true}}},
			{Name: "permessage-deflate"},
		}, true},

		{[]string{""}, nil, false},
		{[]string{" \t"}, nil, false},
		{[]string{"a", ""}, []ext{{Name: "a"}}, false},
		{[]string{","}, nil, false},
		{[]string{"a,"}, []ext{{Name: "a"}}, false},
		{[]string{"a,,b"}, []ext{{Name: "a"}}, false},
		{[]string{";a"}, nil, false},
		{[]string{"a;"}, nil, false},
		{[]string{"a;,b"}, nil, false},
		{[]string{"a; =b"}, nil, false},
		{[]string{"a; b="}, nil, false},
		{[]string{"a; b=,c"}, nil, false},
		{[]string{"a b"}, nil, false},
		{[]string{"a; b=c d"}, nil, false},
		{[]string{"a=b"}, nil, false},
		{[]string{`a; b="`}, nil, false},
		{[]string{`a; b="c`}, nil, false},
		{[]string{`a; b="c\`}, nil, false},
		{[]string{`a; b=""`}, nil, false},
		{[]string{`a; b="c d"`}, nil, false},
		{[]string{`a; b="c,d"`}, nil, false},
		{[]string{`a; b="c"d`}, nil, false},
		{[]string{`a; b="c\"d"`}, nil, false},
		{[]string{`"a"`}, nil, false},
		{[]string{"a; b/c"}, nil, false},
		{[]string{"\u00e9"}, nil, false},
		{[]string{"a\x00"}, nil, false},
		{[]string{"b, a; c=\x7f"}, []ext{{Name: "b"}}, false},
	} {
		got, ok := handshake.ParseExtensions(tt.values)
		if ok != tt.ok || !reflect.DeepEqual(got, tt.want) {
			t.Errorf("%q: %+v, %v; want %+v, %v", tt.values, got, ok, tt.want, tt.ok)
		}
	}
}

func TestFormatExtensions(t *testing.T) {
	t.Parallel()
	list := []ext{{"a", []param{{Name: "b"}, {"c", "1", true}}}, {Name: "d"}}
	if got := handshake.FormatExtensions(list); got != "a; b; c=1, d" {
		t.Errorf("formatted as %q", got)
	}
	if got := handshake.FormatExtensions(nil); got != "" {
		t.Errorf("nothing is formatted as %q", got)
	}
}

// What is read, once written, reads the same.
func FuzzExtensions(f *testing.F) {
	f.Add("permessage-deflate; client_max_window_bits; server_max_window_bits=10, x-trial")
	f.Add(`a; b="c\d" ,e;f = g`)
	f.Add("a;;b")
	f.Fuzz(func(t *testing.T, value string) {
		list, ok := handshake.ParseExtensions([]string{value})
		written := handshake.FormatExtensions(list)
		if !handshake.IsFieldValue(written) {
			t.Fatalf("%q was read, and is written as %q", value, written)
		}
		if len(list) == 0 {
			if ok {
				t.Fatalf("%q: nothing was read, and is no error", value)
			}
			return
		}
		again, ok := handshake.ParseExtensions([]string{written})
		if !ok || !reflect.DeepEqual(again, list) {
			t.Fatalf("%q reads as %+v, written as %q it reads as %+v, %v", value, list, written, again, ok)
		}
	})
}

func TestTokensAndFieldValues(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		s            string
		token, value bool
	}{
		{"", false, true},
		{"chat", true, true},
		{"v1.chat-x_y~", true, true},
		{"!#$%&'*+-.^_`|~09azAZ", true, true},
		{"a b", false, true},
		{"a\tb", false, true},
		{"a,b", false, true},
		{"a/b", false, true},
		{`a"b`, false, true},
		{"a:b", false, true},
		{"a(b)", false, true},
		{"\xe9", false, true},
		{"chat\r\nSet-Cookie: a=b", false, false},
		{"chat\r", false, false},
		{"chat\n", false, false},
		{"a\x00", false, false},
		{"a\x7f", false, false},
		{"a\x1b", false, false},
	} {
		if got := handshake.IsToken(tt.s); got != tt.token {
			t.Errorf("IsToken(%q) = %v", tt.s, got)
		}
		if got := handshake.IsFieldValue(tt.s); got != tt.value {
			t.Errorf("IsFieldValue(%q) = %v", tt.s, got)
		}
	}
}
