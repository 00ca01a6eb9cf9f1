package engine

import "syscall"

// The calls for sockets have numbers of their own since Linux 4.3; those that each
// kernel has are as good where there are such.
const (
	sysRecv       = syscall.SYS_READ
	sysSend       = syscall.SYS_WRITE
	sysAccept4    = 364
	sysGetsockopt = 365
)
