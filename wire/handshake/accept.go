package handshake

import (
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"strings"
)

// GUID is what the server appends to the key before it hashes (RFC 6455 1.3).
const GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

// Key returns the Sec-WebSocket-Key for 16 random bytes (RFC 6455 4.1).
func Key(nonce [16]byte) string { return base64.StdEncoding.EncodeToString(nonce[:]) }

// ValidKey reports whether key is the base64 form of 16 bytes.
func ValidKey(key string) bool {
	nonce, err := base64.StdEncoding.Strict().DecodeString(key)
	return err == nil && len(nonce) == 16 && len(key) == 24 // the decoder skips line ends
}

// Accept returns the Sec-WebSocket-Accept that answers key: the base64 form of
// the 20 bytes of SHA-1 over key and GUID (RFC 6455 4.2.2).
func Accept(key string) string {
	sum := sha1.Sum([]byte(key + GUID))
	return base64.StdEncoding.EncodeToString(sum[:])
}

// Mistake says how a wrong Sec-WebSocket-Accept came to be. The zero value is
// no mistake. A Mistake is text to show: compare it with the constants only.
type Mistake string

// The usual mistakes.
const (
	NoMistake     Mistake = ""
	HexDigest     Mistake = "base64 of the hexadecimal text of the digest, where it must be of the digest's 20 bytes"
	BareHex       Mistake = "the digest in hexadecimal, where it must be in base64"
	BareKey       Mistake = "the key itself, where it must be a digest of it"
	NotHashed     Mistake = "base64 of the key and the GUID, which were not hashed"
	DecodedKey    Mistake = "the key was base64-decoded before hashing; it must be hashed as text"
	NoGUID        Mistake = "the GUID was not appended to the key"
	GUIDFirst     Mistake = "the GUID was put before the key, where it must follow it"
	LowerGUID     Mistake = "the GUID was hashed in lower case"
	KeyWithCR     Mistake = "the key was hashed with the carriage return behind it"
	KeyWithLF     Mistake = "the key was hashed with the line feed behind it"
	KeyWithCRLF   Mistake = "the key was hashed with the line end behind it"
	KeyWithSpace  Mistake = "the key was hashed with the space beside it"
	EmptyKey      Mistake = "an empty key was hashed; the server did not find the request's header"
	URLAlphabet   Mistake = "base64 in its URL form, where it must be the standard one"
	NoPadding     Mistake = "base64 without its padding"
	Quoted        Mistake = "the right value, but in quotes"
	FoldedCase    Mistake = "the right letters in the wrong case; something on the way changed them"
	SHA256        Mistake = "a SHA-256 digest, where it must be SHA-1"
	MD5           Mistake = "an MD5 digest, where it must be SHA-1"
	SampleValue   Mistake = "the value of the RFC's example, which answers only the example's key"
	OtherKey      Mistake = "the right value for another connection's key; an answer was cached or mixed up"
	UnknownReason Mistake = "no usual mistake gives this value"
)

const sampleKey = "dGhlIHNhbXBsZSBub25jZQ==" // RFC 6455 1.3

// Diagnose says which mistake turned key into the accept value got. others are
// keys of other connections, which an answer may have been meant for.
func Diagnose(key, got string, others ...string) Mistake {
	right := Accept(key)
	if got == right {
		return NoMistake
	}
	for _, c := range []struct {
		value   string
		mistake Mistake
	}{
		{key, BareKey},
		{base64.StdEncoding.EncodeToString([]byte(key + GUID)), NotHashed},
		{strings.TrimRight(right, "="), NoPadding},
		{`"` + right + `"`, Quoted},
		{Accept(sampleKey), SampleValue},
	} {
		if got == c.value {
			return c.mistake
		}
	}
	if sum := sha256.Sum256([]byte(key + GUID)); isFormOf(got, sum[:]) {
		return SHA256
	}
	if sum := md5.Sum([]byte(key + GUID)); isFormOf(got, sum[:]) {
		return MD5
	}
	sum := sha1.Sum([]byte(key + GUID))
	switch digits := hex.EncodeToString(sum[:]); {
	case strings.EqualFold(got, digits):
		return BareHex
	case got == base64.StdEncoding.EncodeToString([]byte(digits)),
		got == base64.StdEncoding.EncodeToString([]byte(strings.ToUpper(digits))):
		return HexDigest
	case got == base64.URLEncoding.EncodeToString(sum[:]), got == base64.RawURLEncoding.EncodeToString(sum[:]):
		return URLAlphabet
	case strings.EqualFold(got, right):
		return FoldedCase
	}
	for _, c := range hashedTexts(key) {
		sum := sha1.Sum([]byte(c.text))
		if isFormOf(got, sum[:]) {
			return c.mistake
		}
	}
	for _, other := range others {
		if got == Accept(other) {
			return OtherKey
		}
	}
	return UnknownReason
}

type hashedText struct {
	text    string
	mistake Mistake
}

// hashedTexts lists what servers have hashed in place of key and GUID.
func hashedTexts(key string) []hashedText {
	texts := []hashedText{
		{key, NoGUID},
		{GUID + key, GUIDFirst},
		{key + strings.ToLower(GUID), LowerGUID},
		{key + "\r" + GUID, KeyWithCR},
		{key + "\n" + GUID, KeyWithLF},
		{key + "\r\n" + GUID, KeyWithCRLF},
		{key + " " + GUID, KeyWithSpace},
		{" " + key + GUID, KeyWithSpace},
		{GUID, EmptyKey},
	}
	if nonce, err := base64.StdEncoding.DecodeString(key); err == nil {
		texts = append(texts, hashedText{string(nonce) + GUID, DecodedKey}, hashedText{string(nonce), DecodedKey})
	}
	return texts
}

// isFormOf reports whether got is sum in base64 or, as a second mistake, in
// base64 of hexadecimal.
func isFormOf(got string, sum []byte) bool {
	return got == base64.StdEncoding.EncodeToString(sum) ||
		got == base64.StdEncoding.EncodeToString([]byte(hex.EncodeToString(sum)))
}
