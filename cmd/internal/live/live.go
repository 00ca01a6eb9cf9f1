// Package live captures packets from network interfaces. It works on Linux,
// without cgo; elsewhere [Open] says so.
package live

import (
	"errors"

	"github.com/wiretrue/websocket/cmd/internal/capfilter"
)

// Any is the name that stands for all interfaces that are up.
const Any = "any"

// ErrUnsupported is wrapped by Open's error on systems without live capture.
var ErrUnsupported = errors.New("live capture is only supported on Linux; capture with tcpdump and pipe the file in")

// ErrPermission is wrapped by Open's error when the privilege to capture is
// missing.
var ErrPermission = errors.New("no permission to capture: it needs root or the capability CAP_NET_RAW (setcap cap_net_raw+ep on the program's file)")

// Options control a capture. The zero value captures everything that the
// interface sees of its own traffic.
type Options struct {
	Filter      *capfilter.Filter // nil: everything. On a busy interface packets may pass it that came before it was set
	Promiscuous bool              // also what is not addressed to this machine
}

// Stats count what the kernel did.
type Stats struct {
	Received int64 // packets that passed the filter
	Dropped  int64 // of these, packets lost because they were not read in time
}
