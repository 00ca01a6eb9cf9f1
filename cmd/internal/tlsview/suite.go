package tlsview

import (
	"crypto"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	_ "crypto/sha1"
	_ "crypto/sha256"
	_ "crypto/sha512"
	"crypto/tls"
	"encoding/binary"

	"golang.org/x/crypto/chacha20poly1305"
)

// A suite is a cipher suite as far as records are concerned.
type suite struct {
	kind kind
	key  int         // bytes
	hash crypto.Hash // of the key derivation
	mac  crypto.Hash // CBC only
}

type kind uint8

const (
	gcm kind = iota
	chacha
	cbc
)

// suites lists the suites that can be decrypted, by record protection: the
// key exchange in their names makes no difference here.
var suites = func() map[uint16]*suite {
	m := make(map[uint16]*suite)
	add := func(s suite, ids ...uint16) {
		for _, id := range ids {
			m[id] = &s
		}
	}
	add(suite{kind: gcm, key: 16, hash: crypto.SHA256}, 0x1301, // TLS 1.3
		0x009c, 0x009e, 0x00a0, 0x00a2, 0x00a4, 0x00a6, 0x00a8, 0x00aa, 0x00ac, 0xc02b, 0xc02d, 0xc02f, 0xc031, 0xd001)
	add(suite{kind: gcm, key: 32, hash: crypto.SHA384}, 0x1302,
		0x009d, 0x009f, 0x00a1, 0x00a3, 0x00a5, 0x00a7, 0x00a9, 0x00ab, 0x00ad, 0xc02c, 0xc02e, 0xc030, 0xc032, 0xd002)
	add(suite{kind: chacha, key: 32, hash: crypto.SHA256}, 0x1303,
		0xcca8, 0xcca9, 0xccaa, 0xccab, 0xccac, 0xccad, 0xccae)
	add(suite{kind: cbc, key: 16, hash: crypto.SHA256, mac: crypto.SHA1},
		0x002f, 0x0030, 0x0031, 0x0032, 0x0033, 0x0034, 0x008c, 0x0090, 0x0094, 0xc004, 0xc009, 0xc00e, 0xc013, 0xc018, 0xc035)
	add(suite{kind: cbc, key: 32, hash: crypto.SHA256, mac: crypto.SHA1},
		0x0035, 0x0036, 0x0037, 0x0038, 0x0039, 0x003a, 0x008d, 0x0091, 0x0095, 0xc005, 0xc00a, 0xc00f, 0xc014, 0xc019, 0xc036)
	add(suite{kind: cbc, key: 16, hash: crypto.SHA256, mac: crypto.SHA256},
		0x003c, 0x003e, 0x003f, 0x0040, 0x0067, 0x006c, 0x00ae, 0x00b2, 0x00b6, 0xc023, 0xc025, 0xc027, 0xc029, 0xc037)
	add(suite{kind: cbc, key: 32, hash: crypto.SHA256, mac: crypto.SHA256},
		0x003d, 0x0068, 0x0069, 0x006a, 0x006b, 0x006d)
	add(suite{kind: cbc, key: 32, hash: crypto.SHA384, mac: crypto.SHA384},
		0x00af, 0x00b3, 0x00b7, 0xc024, 0xc026, 0xc028, 0xc02a, 0xc038)
	return m
}()

// CipherName returns the IANA name of a cipher suite, or its number.
func CipherName(id uint16) string { return tls.CipherSuiteName(id) }

// VersionName returns the name of a protocol version, such as "TLS 1.3".
func VersionName(v uint16) string { return tls.VersionName(v) }

// A protection opens the records of one direction under one set of keys.
type protection struct {
	suite *suite
	tls13 bool
	etm   bool // the MAC is over the ciphertext (RFC 7366)

	secret []byte // of TLS 1.3, for the next one
	aead   cipher.AEAD
	iv     [12]byte // TLS 1.2 GCM: only 4 bytes

	block  cipher.Block
	macKey []byte
}

// newProtection13 derives the keys of a TLS 1.3 traffic secret (RFC 8446,
// 7.3). It returns nil when the secret's size does not fit the suite.
func newProtection13(s *suite, secret []byte) *protection {
	if s.kind == cbc || len(secret) != s.hash.Size() {
		return nil
	}
	p := &protection{suite: s, tls13: true, secret: append([]byte(nil), secret...)}
	p.aead = s.newAEAD(expandLabel(s.hash, secret, "key", s.key))
	copy(p.iv[:], expandLabel(s.hash, secret, "iv", 12))
	return p
}

// update returns the protection after a KeyUpdate (RFC 8446, 7.2), nil for
// one that is not of TLS 1.3.
func (p *protection) update() *protection {
	if !p.tls13 {
		return nil
	}
	return newProtection13(p.suite, expandLabel(p.suite.hash, p.secret, "traffic upd", p.suite.hash.Size()))
}

// newProtections12 derives both directions' keys from a master secret
// (RFC 5246, 6.3), the client's first.
func newProtections12(s *suite, master, clientRandom, serverRandom []byte, etm bool) [2]*protection {
	ivLen, macLen := 4, 0
	switch s.kind {
	case chacha:
		ivLen = 12
	case cbc:
		ivLen, macLen = 0, s.mac.Size() // every record brings its own IV
	}
	seed := append(append([]byte("key expansion"), serverRandom...), clientRandom...)
	b := prf(s.hash, master, seed, 2*(macLen+s.key+ivLen))
	next := func(n int) []byte {
		v := b[:n:n]
		b = b[n:]
		return v
	}
	ps := [2]*protection{{suite: s, etm: etm}, {suite: s, etm: etm}}
	for _, p := range ps {
		p.macKey = next(macLen)
	}
	for _, p := range ps {
		if key := next(s.key); s.kind == cbc {
			p.block, _ = aes.NewCipher(key)
		} else {
			p.aead = s.newAEAD(key)
		}
	}
	for _, p := range ps {
		copy(p.iv[:], next(ivLen))
	}
	return ps
}

func (s *suite) newAEAD(key []byte) cipher.AEAD {
	if s.kind == chacha {
		a, _ := chacha20poly1305.New(key)
		return a
	}
	b, _ := aes.NewCipher(key)
	a, _ := cipher.NewGCM(b)
	return a
}

// open decrypts a record with sequence number seq. header is its five bytes,
// body the rest; neither is changed. The plaintext is appended to dst. For
// TLS 1.3 typ is the inner content type.
func (p *protection) open(dst, header, body []byte, seq uint64) (typ byte, plain []byte, ok bool) {
	typ = header[0]
	switch {
	case p.tls13:
		nonce := p.nonce(seq)
		plain, err := p.aead.Open(dst, nonce[:], body, header)
		if err != nil {
			return 0, nil, false
		}
		n := len(plain)
		for n > len(dst) && plain[n-1] == 0 { // padding
			n--
		}
		if n == len(dst) {
			return 0, nil, false
		}
		return plain[n-1], plain[:n-1], true
	case p.suite.kind == cbc:
		plain, ok = p.openCBC(dst, header, body, seq)
		return typ, plain, ok
	}
	nonce := p.nonce(seq)
	if p.suite.kind == gcm {
		if len(body) < 8 {
			return 0, nil, false
		}
		nonce = p.iv
		copy(nonce[4:], body[:8])
		body = body[8:]
	}
	if len(body) < p.aead.Overhead() {
		return 0, nil, false
	}
	aad := pseudoHeader(header, seq, len(body)-p.aead.Overhead())
	plain, err := p.aead.Open(dst, nonce[:], body, aad[:])
	return typ, plain, err == nil
}

func (p *protection) nonce(seq uint64) [12]byte {
	nonce := p.iv
	for i := range 8 {
		nonce[4+i] ^= byte(seq >> (56 - 8*i))
	}
	return nonce
}

// pseudoHeader is what TLS 1.2 authenticates beside the content.
func pseudoHeader(header []byte, seq uint64, n int) (b [13]byte) {
	binary.BigEndian.PutUint64(b[:], seq)
	copy(b[8:], header[:3])
	binary.BigEndian.PutUint16(b[11:], uint16(n))
	return b
}

func (p *protection) openCBC(dst, header, body []byte, seq uint64) ([]byte, bool) {
	size := p.suite.mac.Size()
	sum := func(content []byte) []byte {
		h := hmac.New(p.suite.mac.New, p.macKey)
		ph := pseudoHeader(header, seq, len(content))
		h.Write(ph[:])
		h.Write(content)
		return h.Sum(nil)
	}
	if p.etm {
		if len(body) < size {
			return nil, false
		}
		mac := body[len(body)-size:]
		body = body[:len(body)-size]
		if !hmac.Equal(mac, sum(body)) {
			return nil, false
		}
	}
	if len(body) < 2*aes.BlockSize || len(body)%aes.BlockSize != 0 {
		return nil, false
	}
	start := len(dst)
	plain := append(dst, body[aes.BlockSize:]...)
	content := plain[start:]
	cipher.NewCBCDecrypter(p.block, body[:aes.BlockSize]).CryptBlocks(content, content)
	pad := int(content[len(content)-1]) + 1
	if pad > len(content) {
		return nil, false
	}
	content = content[:len(content)-pad]
	if !p.etm {
		if len(content) < size {
			return nil, false
		}
		mac := content[len(content)-size:]
		content = content[:len(content)-size]
		if !hmac.Equal(mac, sum(content)) {
			return nil, false
		}
	}
	return plain[:start+len(content)], true
}

// overhead is how many bytes a record is longer than its content, header
// aside. Padding comes on top: for CBC it is a guess.
func (p *protection) overhead() int {
	switch {
	case p.tls13:
		return 17 // tag and inner content type
	case p.suite.kind == gcm:
		return 24
	case p.suite.kind == chacha:
		return 16
	}
	return 16 + p.suite.mac.Size() + 8
}

// expandLabel is HKDF-Expand-Label with an empty context (RFC 8446, 7.1).
func expandLabel(h crypto.Hash, secret []byte, label string, n int) []byte {
	label = "tls13 " + label
	info := append([]byte{byte(n >> 8), byte(n), byte(len(label))}, label...)
	out, err := hkdf.Expand(h.New, secret, string(append(info, 0)), n)
	if err != nil {
		return make([]byte, n) // not for any n asked here
	}
	return out
}

// prf is P_hash of RFC 5246, 5.
func prf(h crypto.Hash, secret, seed []byte, n int) []byte {
	mac := hmac.New(h.New, secret)
	sum := func(parts ...[]byte) []byte {
		mac.Reset()
		for _, p := range parts {
			mac.Write(p)
		}
		return mac.Sum(nil)
	}
	var out []byte
	for a := sum(seed); len(out) < n; a = sum(a) {
		out = append(out, sum(a, seed)...)
	}
	return out[:n]
}
