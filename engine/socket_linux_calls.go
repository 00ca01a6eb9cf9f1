//go:build linux && !386

package engine

import "syscall"

// Calls that know sockets alone cost less than those for files of every kind.
const (
	sysRecv       = syscall.SYS_RECVFROM
	sysSend       = syscall.SYS_SENDTO
	sysAccept4    = syscall.SYS_ACCEPT4
	sysGetsockopt = syscall.SYS_GETSOCKOPT
)
