package inspect

import (
	"slices"
	"testing"
)

func TestKeyRing(t *testing.T) {
	for _, tt := range []struct {
		head string
		done bool
		keys []string
	}{
		{"GET / HTTP/1.1\r\nsec-websocket-KEY: abc \r\n\r\n", true, []string{"abc"}},
		{"GET / HTTP/1.1\r\nX: " + string([]byte{0x80, 0x81, 0xff, 0xfe, 0xc3, 0x28}) + "\r\nSec-WebSocket-Key:abc", true, []string{"abc"}},
		{"GET / HTTP/1.1\r\nSec-WebSocket-Key:\r\n\r\n", true, nil},
		{"GET / HTTP/1.1\r\n\r\nSec-WebSocket-Key: abc\r\n", false, nil},
		{"POST / HTTP/1.1\r\nSec-WebSocket-Key: abc\r\n\r\n", false, nil},
	} {
		var k keyRing
		if done := k.look([]byte(tt.head)); done != tt.done || !slices.Equal(k.keys, tt.keys) {
			t.Errorf("%q: done is %v and the keys %q, want %v and %q", tt.head, done, k.keys, tt.done, tt.keys)
		}
	}
}
