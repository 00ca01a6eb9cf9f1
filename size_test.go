package websocket

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"time"
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

// What a handler may ask of the request is small, too, unless somebody has given
// it more than it had on the wire.
func TestSizeOfARequest(t *testing.T) {
	if got := unsafe.Sizeof(connContext{}); got > 64 {
		t.Errorf("connContext has %d bytes", got)
	}
	var kept keptRequest
	keep := func(_ http.ResponseWriter, r *http.Request) {
		kept = keptRequest{}
		kept.keep(r)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/hall", keep)
	mux.HandleFunc("/rooms/{room}", keep)
	mux.Handle("/app/", http.StripPrefix("/app", http.HandlerFunc(keep)))
	mux.HandleFunc("/form", func(w http.ResponseWriter, r *http.Request) {
		r.ParseForm()
		keep(w, r)
	})
	for path, whole := range map[string]bool{"/hall": false, "/rooms/blue": true, "/app/hall": true, "/form": true} {
		mux.ServeHTTP(nil, httptest.NewRequest("GET", path, nil))
		if (kept.whole != nil) != whole || len(kept.text) != cap(kept.text) {
			t.Errorf("%s: kept whole: %v, and %d of %d bytes", path, kept.whole != nil, len(kept.text), cap(kept.text))
		}
	}
}

// Of the contexts of a request a handler's keeps those with values.
func TestSizeOfAContext(t *testing.T) {
	type key struct{}
	values := context.WithValue(t.Context(), key{}, "a value")
	ctx, cancel := context.WithCancel(values)
	defer cancel()
	ctx, end := context.WithCancelCause(ctx)
	defer end(nil)
	if got := beneathCancel(ctx); got != values {
		t.Errorf("beneath %v is %v", ctx, got)
	}
	timed, stop := context.WithTimeout(values, time.Hour)
	defer stop()
	if got := beneathCancel(timed); got != timed {
		t.Errorf("beneath %v is %v", timed, got)
	}
}

// A transport that must be read to be waited for, as TLS, costs a small buffer
// while nothing comes. More of it is there behind bytes that fill it.
func TestSizeOfABufferThatWaits(t *testing.T) {
	nc := &scriptedReads{come: []int{10, 1 << 10, 5000, 20, 10}}
	tr := new(transport)
	tr.init(nc)
	for range nc.come {
		if _, err := tr.read(); err != nil {
			t.Fatal(err)
		}
	}
	tr.release()
	nc.come = []int{10}
	tr.read()
	if want := []int{1 << 10, 1 << 10, 4 << 10, 4 << 10, 4 << 10, 1 << 10}; !slices.Equal(nc.rooms, want) {
		t.Errorf("read into %d bytes, want %d", nc.rooms, want)
	}
}

// scriptedReads is a transport on which so many bytes come, read by read.
type scriptedReads struct {
	net.Conn
	come, rooms []int
}

func (s *scriptedReads) Read(p []byte) (int, error) {
	n := min(s.come[0], len(p))
	s.come, s.rooms = s.come[1:], append(s.rooms, len(p))
	return n, nil
}
