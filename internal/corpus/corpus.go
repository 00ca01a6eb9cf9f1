// Package corpus is what the tests of both endpoints do with package vectors:
// they judge how one took a vector, and damage its bytes.
package corpus

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/wiretrue/websocket"
	"github.com/wiretrue/websocket/vectors"
	"github.com/wiretrue/websocket/wire/handshake"
)

// CheckEnd compares why the connection ended with the vector.
func CheckEnd(t *testing.T, v vectors.Vector, end error) {
	t.Helper()
	broken, closed, lost := new(websocket.RuleError), new(websocket.CloseError), new(websocket.LostError)
	switch {
	case v.Expect == "close":
		if !errors.As(end, &broken) || broken.Rule != v.Rule || v.At >= 0 && broken.Offset != v.At {
			t.Errorf("ended with %v, want %v at %d", end, v.Rule, v.At)
		}
	case slices.ContainsFunc(v.Messages, func(m vectors.Message) bool { return m.Kind == "close" }):
		if !errors.As(end, &closed) || !closed.ByPeer {
			t.Errorf("ended with %v, want the peer's close", end)
		}
	case !errors.As(end, &lost) && !errors.As(end, &closed):
		t.Errorf("ended with %v, want the peer's end", end)
	}
}

// CheckRead compares the data messages with the vector's.
func CheckRead(t *testing.T, v vectors.Vector, got []vectors.Message) {
	t.Helper()
	if v.Messages == nil {
		return
	}
	var want []vectors.Message
	for _, m := range v.Messages {
		if m.Kind == "close" {
			break
		}
		if m.Kind == "text" || m.Kind == "binary" {
			want = append(want, m)
		}
	}
	if !slices.EqualFunc(got, want, SameMessage) {
		t.Errorf("read %v, want %v", got, want)
	}
}

// SameMessage reports whether two messages are alike.
func SameMessage(a, b vectors.Message) bool {
	return a.Kind == b.Kind && a.Code == b.Code && bytes.Equal(a.Payload, b.Payload)
}

// CheckSent looks at what the endpoint has answered: a Close with the right
// code, and nothing behind it.
func CheckSent(t *testing.T, v vectors.Vector, sent []vectors.Message) {
	t.Helper()
	if i := slices.IndexFunc(sent, func(m vectors.Message) bool { return m.Kind == "close" }); i >= 0 && i != len(sent)-1 {
		t.Errorf("sent %v: more behind its Close", sent)
	}
	if v.Expect == "close" && (len(sent) == 0 || sent[len(sent)-1].Kind != "close" || sent[len(sent)-1].Code != v.Code) {
		t.Errorf("sent %v, want a Close with %d at its end", sent, v.Code)
	}
}

// Streams are the vectors's streams to a server, each behind a good
// handshake or its own.
func Streams(t *testing.T) (seeds [][]byte) {
	all, err := vectors.All()
	if err != nil {
		t.Fatal(err)
	}
	good := handshake.AppendRequest(nil, "/", "wstest.invalid", handshake.Offer{Key: "dGhlIHNhbXBsZSBub25jZQ=="}, nil)
	for _, v := range all {
		head, frames := v.Head("client"), v.Frames("client")
		if v.To != "server" || len(frames) > 1<<12 || len(head) > 1<<12 {
			continue
		}
		if head == nil {
			head = good
		}
		seeds = append(seeds, append(bytes.Clone(head), frames...))
	}
	return seeds
}

// Mutate returns one of the seeds with some damage, or noise.
func Mutate(seeds [][]byte, r *rand.Rand) []byte {
	b := bytes.Clone(seeds[r.IntN(len(seeds))])
	for range r.IntN(8) {
		if len(b) == 0 {
			break
		}
		i := r.IntN(len(b))
		if r.IntN(2) == 0 { // near the end, where the frames are
			i = len(b) - 1 - r.IntN(min(len(b), 40))
		}
		switch r.IntN(4) {
		case 0:
			b[i] ^= 1 << r.IntN(8)
		case 1:
			b = append(b[:i], b[min(len(b), i+1+r.IntN(8)):]...)
		case 2:
			b = append(b[:i], append(bytes.Clone(b[i:min(len(b), i+r.IntN(32))]), b[i:]...)...)
		case 3:
			noise := make([]byte, r.IntN(64))
			for j := range noise {
				noise[j] = byte(r.Uint32())
			}
			b = append(b, noise...)
		}
	}
	return b
}
