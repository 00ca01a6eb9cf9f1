package websocket

import (
	"testing"
	"unsafe"
)

// An idle connection is little more than its struct and its goroutine, so a
// field is not added unseen. The limit is the allocator's size class, less the
// word that it puts before objects with pointers.
func TestSizeOfAConnection(t *testing.T) {
	if got := unsafe.Sizeof(Conn{}); got > 576-8 {
		t.Errorf("Conn has %d bytes", got)
	}
	t.Logf("Conn %d: transport %d, sender %d, queue %d, counters %d", unsafe.Sizeof(Conn{}), unsafe.Sizeof(transport{}),
		unsafe.Sizeof(Conn{}.sender), unsafe.Sizeof(queue{}), unsafe.Sizeof(counters{}))
}
