package engine

import "sync"

// Memory of large messages goes round: to be allocated anew for each is dearer
// than all that is done with it.
type large struct{ b []byte }

var larges = sync.Pool{New: func() any { return new(large) }}

// getLarge returns memory for a large message, or none.
func getLarge() []byte {
	l := larges.Get().(*large)
	b := l.b
	l.b = nil
	holders.Put(l)
	return b[:0]
}

// putLarge takes memory that is larger than what small things keep. What it
// does not take it returns, emptied.
func putLarge(b []byte) []byte {
	if cap(b) <= keepSize {
		return b[:0]
	}
	if cap(b) <= largestKept {
		l := holders.Get().(*large)
		l.b = b
		larges.Put(l)
	}
	return nil
}

// largestKept is the size of the largest memory that goes round.
const largestKept = 8 << 20

// holders are empty ones.
var holders = sync.Pool{New: func() any { return new(large) }}

// grow returns message with room for n bytes more.
func grow(message []byte, n int) []byte {
	if len(message)+n <= keepSize {
		return append(make([]byte, 0, len(message)+n), message...)
	}
	b := getLarge()
	if cap(b) < len(message)+n {
		putLarge(b)
		b = make([]byte, 0, len(message)+n)
	}
	b = append(b, message...)
	putLarge(message)
	return b
}
