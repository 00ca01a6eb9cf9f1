package uring

import (
	"fmt"
	"runtime"
	"syscall"
	"testing"
	"time"
	"unsafe"
)

// open returns a ring for four submissions, which belongs to the test's thread.
func open(t *testing.T) *Ring {
	t.Helper()
	runtime.LockOSThread()
	t.Cleanup(runtime.UnlockOSThread)
	r, err := New(4)
	if err != nil {
		t.Skip(err)
	}
	t.Cleanup(r.Close)
	return r
}

func pair(t *testing.T) (a, b int) {
	t.Helper()
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { syscall.Close(fds[0]); syscall.Close(fds[1]) })
	return fds[0], fds[1]
}

// More is prepared than there is room for: all of it is done, in order.
func TestMoreThanFits(t *testing.T) {
	r := open(t)
	from, to := pair(t)
	const sends = 100
	text := []byte("0123456789")
	for i := range sends {
		e := r.Prepare()
		e.Opcode, e.FD, e.UserData = OpSend, int32(from), uint64(i)
		e.Addr, e.Len = uint64(uintptr(unsafe.Pointer(&text[i%10]))), 1
	}
	for done := 0; done < sends; {
		if err := r.Enter(-1); err != nil {
			t.Fatal(err)
		}
		for c := r.Next(); c != nil; c = r.Next() {
			if c.UserData != uint64(done) || c.Res != 1 {
				t.Fatalf("completion %d is of %d: %d", done, c.UserData, c.Res)
			}
			r.Done()
			done++
		}
	}
	got := make([]byte, sends+1)
	n, err := syscall.Read(to, got)
	if err != nil || n != sends {
		t.Fatalf("read %d, %v", n, err)
	}
	for i, b := range got[:n] {
		if b != text[i%10] {
			t.Fatalf("byte %d is %q", i, b)
		}
	}
	runtime.KeepAlive(text)
}

// One receive goes on as long as there are buffers, which go round.
func TestReceiveIntoBuffers(t *testing.T) {
	r := open(t)
	b, err := NewBuffers(r, 4, 16)
	if err != nil {
		t.Skip(err)
	}
	t.Cleanup(b.Close)
	from, to := pair(t)
	receive := func() {
		e := r.Prepare()
		e.Opcode, e.Flags, e.IOPrio, e.FD, e.BufGroup = OpRecv, SQEBufferSelect, RecvMultishot, int32(to), BufGroup
	}
	receive()
	for i := range 50 {
		want := fmt.Sprint("message ", i)
		if _, err := syscall.Write(from, []byte(want)); err != nil {
			t.Fatal(err)
		}
		if err := r.Enter(-1); err != nil {
			t.Fatal(err)
		}
		c := r.Next()
		if c == nil || c.Res < 0 || c.Flags&CQEBuffer == 0 {
			t.Fatalf("message %d: %+v", i, c)
		}
		id, more := uint16(c.Flags>>CQEBufferShift), c.Flags&CQEMore != 0
		if got := string(b.Get(id, int(c.Res))); got != want {
			t.Fatalf("received %q, want %q", got, want)
		}
		r.Done()
		b.Put(id)
		b.Publish()
		if !more {
			receive()
		}
	}
}

// What nothing comes for ends by its time.
func TestEnterEnds(t *testing.T) {
	r := open(t)
	for _, d := range []time.Duration{0, time.Millisecond} {
		if err := r.Enter(d); err != nil {
			t.Fatal(err)
		}
		if c := r.Next(); c != nil {
			t.Fatalf("a completion of nothing: %+v", c)
		}
	}
}
