//go:build unix

package engine_test

import (
	"context"
	"net"
	"syscall"
	"testing"
)

// listenNarrow returns a listener for whose connections the kernel holds little
// on this side, so that a peer that does not read is soon noticed.
func listenNarrow(t testing.TB) net.Listener {
	t.Helper()
	config := net.ListenConfig{Control: func(_, _ string, raw syscall.RawConn) (err error) {
		control := raw.Control(func(fd uintptr) {
			err = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_SNDBUF, 64<<10)
		})
		if err == nil {
			err = control
		}
		return err
	}}
	ln, err := config.Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return ln
}
