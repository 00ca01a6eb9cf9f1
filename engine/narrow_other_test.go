//go:build !unix

package engine_test

import (
	"net"
	"testing"
)

func listenNarrow(t testing.TB) net.Listener { return listen(t) }
