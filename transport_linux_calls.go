//go:build linux && !386

package websocket

import "syscall"

// A call that knows sockets alone costs less than one for files of every kind.
const sysRecv, sysSend = syscall.SYS_RECVFROM, syscall.SYS_SENDTO
