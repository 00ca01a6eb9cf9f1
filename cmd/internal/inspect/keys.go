package inspect

import (
	"bytes"
	"slices"
)

// A keyRing remembers the last Sec-WebSocket-Keys of all connections, since a
// wrong Sec-WebSocket-Accept may be the right one for another connection.
type keyRing struct {
	keys []string
	next int
}

const maxKeys = 1024

var (
	keyField = []byte("Sec-WebSocket-Key:")
	headEnd  = []byte("\r\n\r\n")
)

// look takes the first bytes of a client and reports whether it need not be
// asked again for this client.
func (k *keyRing) look(b []byte) (done bool) {
	if !bytes.HasPrefix(b, []byte("GET ")) {
		return false
	}
	head := b
	if n := bytes.Index(b, headEnd); n >= 0 {
		head = b[:n]
	}
	for line := range bytes.Lines(head) {
		if len(line) < len(keyField) || !bytes.EqualFold(line[:len(keyField)], keyField) {
			continue
		}
		if key := bytes.TrimSpace(line[len(keyField):]); len(key) > 0 && len(key) <= 64 {
			k.keep(string(key))
		}
		return true
	}
	return false
}

func (k *keyRing) keep(key string) {
	if len(k.keys) < maxKeys {
		k.keys = append(k.keys, key)
	} else {
		k.keys[k.next] = key
	}
	k.next = (k.next + 1) % maxKeys
}

// others returns the keys. The Analyser tries its own connection's first.
func (k *keyRing) others() []string { return slices.Clone(k.keys) }
