// Package uring is Linux's io_uring(7) as far as a server needs it: the two
// rings, and buffers from which the kernel chooses where to receive into. On
// other systems it is empty.
package uring
