package websocket

import "syscall"

// The calls for sockets have numbers of their own since Linux 4.3 only.
const sysRecv, sysSend = syscall.SYS_READ, syscall.SYS_WRITE
