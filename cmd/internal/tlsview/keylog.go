package tlsview

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"sync"
)

// A label names a secret in a key log.
type label uint8

const (
	clientRandom label = iota // the master secret of TLS 1.2 and before
	clientEarly
	clientHandshake
	serverHandshake
	clientTraffic
	serverTraffic
	labels
)

var labelNames = [labels]string{
	clientRandom:    "CLIENT_RANDOM",
	clientEarly:     "CLIENT_EARLY_TRAFFIC_SECRET",
	clientHandshake: "CLIENT_HANDSHAKE_TRAFFIC_SECRET",
	serverHandshake: "SERVER_HANDSHAKE_TRAFFIC_SECRET",
	clientTraffic:   "CLIENT_TRAFFIC_SECRET_0",
	serverTraffic:   "SERVER_TRAFFIC_SECRET_0",
}

const (
	maxLine    = 1024    // longest line that can mean anything
	maxSecrets = 1 << 20 // kept; further ones are counted and dropped
	maxTickets = 1 << 14 // sessions of TLS 1.2 that can be resumed; the oldest go
)

// A KeyLog holds TLS secrets, found by the random of the ClientHello they
// belong to. The zero value is empty and ready. It may be used by several
// goroutines, so that one can add what a browser writes while another reads
// packets.
type KeyLog struct {
	mu      sync.Mutex
	secrets map[secretKey]secret
	stats   KeyLogStats

	// A resumed session of TLS 1.2 has its old master secret, which many
	// programs do not log again. It is known by its ticket or session ID.
	masters map[[32]byte]secret
	order   [][32]byte
}

type secretKey struct {
	random [32]byte
	label  label
}

type secret struct {
	n uint8
	b [64]byte
}

// KeyLogStats count the lines of a key log.
type KeyLogStats struct {
	Secrets int // kept
	Ignored int // comments, empty lines, labels that are of no use here
	Broken  int // lines that have a known label and make no sense
	Dropped int // secrets beyond the limit of a million
}

// Add reads lines in the SSLKEYLOGFILE format until the end of r. Lines that
// make no sense are counted and skipped; the error is the reader's.
func (k *KeyLog) Add(r io.Reader) error {
	in := bufio.NewReaderSize(r, maxLine)
	for {
		line, err := in.ReadSlice('\n')
		if err == bufio.ErrBufferFull {
			for err == bufio.ErrBufferFull {
				_, err = in.ReadSlice('\n')
			}
			line = nil
		}
		if err == nil || err == io.EOF && len(line) > 0 {
			k.AddLine(line)
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// AddLine takes one line, with or without its line end.
func (k *KeyLog) AddLine(line []byte) {
	k.mu.Lock()
	defer k.mu.Unlock()
	f := bytes.Fields(line)
	if len(f) == 0 {
		k.stats.Ignored++
		return
	}
	l := label(0)
	for l < labels && labelNames[l] != string(f[0]) {
		l++
	}
	if l == labels {
		k.stats.Ignored++
		return
	}
	var key secretKey
	var s secret
	if len(f) != 3 || len(f[1]) != 2*len(key.random) || len(f[2]) > 2*len(s.b) || len(f[2]) < 2*32 {
		k.stats.Broken++
		return
	}
	if _, err := hex.Decode(key.random[:], f[1]); err != nil {
		k.stats.Broken++
		return
	}
	n, err := hex.Decode(s.b[:], f[2])
	if err != nil {
		k.stats.Broken++
		return
	}
	s.n, key.label = uint8(n), l
	if k.secrets == nil {
		k.secrets = make(map[secretKey]secret)
	}
	if _, known := k.secrets[key]; !known && len(k.secrets) >= maxSecrets {
		k.stats.Dropped++
		return
	}
	k.secrets[key] = s
	k.stats.Secrets = len(k.secrets)
}

// Stats returns what has been counted so far.
func (k *KeyLog) Stats() KeyLogStats {
	if k == nil {
		return KeyLogStats{}
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.stats
}

// find returns a secret, or nil.
func (k *KeyLog) find(l label, random [32]byte) []byte {
	if k == nil {
		return nil
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	s, ok := k.secrets[secretKey{random, l}]
	if !ok {
		return nil
	}
	return s.b[:s.n]
}

// remember keeps the master secret of a TLS 1.2 session under its ticket or
// session ID.
func (k *KeyLog) remember(session, master []byte) {
	if k == nil || len(session) == 0 || len(master) > len(secret{}.b) {
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	name := sha256.Sum256(session)
	if k.masters == nil {
		k.masters = make(map[[32]byte]secret)
	}
	if _, known := k.masters[name]; !known {
		k.order = append(k.order, name)
	}
	s := secret{n: uint8(len(master))}
	copy(s.b[:], master)
	k.masters[name] = s
	if len(k.order) > maxTickets {
		delete(k.masters, k.order[0])
		k.order = k.order[1:]
	}
}

// recall returns the master secret of a session, or nil.
func (k *KeyLog) recall(session []byte) []byte {
	if k == nil || len(session) == 0 {
		return nil
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	s, ok := k.masters[sha256.Sum256(session)]
	if !ok {
		return nil
	}
	return s.b[:s.n]
}
