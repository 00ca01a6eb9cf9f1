package engine_test

import (
	"net"
	"testing"

	"github.com/wiretrue/websocket/engine"
)

// A peer that broke a rule, and goes on sending while it is waited for, is not
// read without end.
func TestLingerIsBounded(t *testing.T) {
	eachMode(t, func(t *testing.T, m mode) {
		t.Parallel()
		addr := m.serve(t, &engine.Server{})
		nc, err := net.Dial("tcp", addr.String())
		if err != nil {
			t.Fatal(err)
		}
		defer nc.Close()
		nc.Write(goodRequest)
		readHead(t, nc)
		nc.Write([]byte{0x83, 0x80, 0, 0, 0, 0}) // an opcode that is not assigned
		b := make([]byte, 64<<10)
		for sent := 0; sent < 64<<20; {
			n, err := nc.Write(b)
			if sent += n; err != nil {
				return
			}
		}
		t.Error("64 MiB were taken behind a broken rule")
	})
}
