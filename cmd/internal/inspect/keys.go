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
	keyField = []byte("\nsec-websocket-key:")
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
	at := bytes.Index(bytes.ToLower(head), keyField)
	if at < 0 {
		return false
	}
	line, _, _ := bytes.Cut(head[at+len(keyField):], []byte("\r"))
	if line = bytes.TrimSpace(line); len(line) == 0 || len(line) > 64 {
		return true
	}
	if len(k.keys) < maxKeys {
		k.keys = append(k.keys, string(line))
	} else {
		k.keys[k.next] = string(line)
	}
	k.next = (k.next + 1) % maxKeys
	return true
}

// others returns the keys. The Analyser tries its own connection's first.
func (k *keyRing) others() []string { return slices.Clone(k.keys) }
