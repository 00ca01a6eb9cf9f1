package websocket

import (
	"crypto/rand"
	"sync"
)

// keyBatch holds random bytes for masking keys: a cryptographic source is
// asked for many at once (RFC 6455 5.3, 10.3).
type keyBatch struct {
	b    [512]byte
	used int
}

var keyBatches = sync.Pool{New: func() any { return &keyBatch{used: len(keyBatch{}.b)} }}

// maskingKey returns a fresh unpredictable key.
func maskingKey() (key [4]byte) {
	batch := keyBatches.Get().(*keyBatch)
	if batch.used == len(batch.b) {
		rand.Read(batch.b[:]) // never fails
		batch.used = 0
	}
	key = [4]byte(batch.b[batch.used:])
	clear(batch.b[batch.used : batch.used+4])
	batch.used += 4
	keyBatches.Put(batch)
	return key
}
