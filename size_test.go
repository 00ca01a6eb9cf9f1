package websocket

import (
	"context"
	"net/http"
	"net/http/httptest"
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
