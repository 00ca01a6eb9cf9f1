// Package tlsview looks into TLS connections from the outside: with a key log
// it decrypts them, without one it tells what can be seen.
//
// A [Session] takes the two byte streams of a TCP connection, as package flow
// delivers them, and hands a [Handler] the plaintext and events: hellos,
// handshake messages, alerts, key updates, record sizes. A stream that is not
// TLS is passed through unchanged, so that every connection can be sent
// through a Session.
//
// TLS 1.3 and TLS 1.2 are decrypted, with AES-GCM, ChaCha20-Poly1305 and (1.2)
// AES-CBC. Bytes missing in the capture cost the records they belong to; the
// records after them are found again by their authentication tags.
//
// Everything here is read-only and bounded: a Session keeps a record or two
// per direction, one handshake message, and at most Options.Hold bytes that
// wait for keys.
package tlsview

import (
	"fmt"
	"time"

	"github.com/wiretrue/websocket/cmd/internal/flow"
)

// A Handler learns what a Session finds, during the session's methods.
type Handler interface {
	// Plain is called with the application's bytes in stream order. Data is
	// borrowed. Offset counts plaintext bytes of the direction, including
	// those estimated missing (see Lost). Packet and Time are those of the
	// packet that completed the record.
	Plain(dir flow.Dir, run flow.Run)

	// TLS is called with events. Pointers and slices are borrowed.
	TLS(ev Event)
}

// A Kind says what an Event is. Each kind's comment tells which fields it sets
// beside Kind, Dir, Packet, Time and Offset.
type Kind uint8

const (
	// NotTLS: the direction's bytes are not TLS and are passed through.
	NotTLS Kind = iota + 1

	// MidStream: the direction's first bytes are a TLS record, but not the
	// start of a handshake. Nothing of the direction can be decrypted.
	MidStream

	// Record: a record. Content, Version, Length; Encrypted tells whether it
	// was protected, Decrypted whether its content is known. Plain is the
	// size of the content: exact when decrypted, else an estimate, or -1.
	Record

	// Handshake: a handshake message. Message, Length, and for those types
	// ClientHello, ServerHello, Certificates, ALPN.
	Handshake

	// Alert: Alert.
	Alert

	// KeysFound: the key log has this connection.
	KeysFound

	// NoKeys: the connection cannot be decrypted; Reason says why. From here
	// on there are Record events only.
	NoKeys

	// KeysChanged: the sender began to use new keys (a KeyUpdate, or
	// ChangeCipherSpec in TLS 1.2).
	KeysChanged

	// EarlyData: a record of 0-RTT data. Length; Data is its content when the
	// key log has its secret. It is not part of the plaintext stream, since
	// the server may have refused it.
	EarlyData

	// Undecryptable: a record, or several in a row, that should have opened
	// and did not; reported once until one opens again. Length is that of
	// the record.
	Undecryptable

	// Lost: bytes are missing in the capture. Length is the estimated number
	// of plaintext bytes lost with them: -1 when nothing is known, and then
	// Plain's offset goes on without a jump. For a direction in the clear the
	// number is exact.
	Lost

	// OutOfStep: the bytes at Offset are no record; the direction is searched
	// for the next one. Length is the number of bytes passed over, when one
	// was found or the direction ended.
	OutOfStep

	kinds
)

// String names the kind.
func (k Kind) String() string {
	names := [kinds]string{"", "not tls", "mid-stream", "record", "handshake", "alert", "keys found",
		"no keys", "keys changed", "early data", "undecryptable", "lost", "out of step"}
	if k >= kinds {
		return "?"
	}
	return names[k]
}

// Reason says why there are no keys.
type Reason uint8

const (
	NoKeyLog         Reason = iota + 1 // no key log was given
	NotInKeyLog                        // the key log does not have this connection
	NoHandshake                        // the capture does not have the hellos
	UnknownSuite                       // the cipher suite is not decrypted here
	UnknownVersion                     // the protocol version is not decrypted here
	UnusableSecret                     // the key log's secret does not fit the cipher suite
	UnknownExtension                   // compression, or something else that changes records
)

// String words the reason.
func (r Reason) String() string {
	return [...]string{"", "no key log was given", "the key log does not have this connection",
		"the handshake is not in the capture", "the cipher suite is not supported", "the protocol version is not supported",
		"the secret in the key log does not fit the cipher suite", "records are compressed"}[min(r, UnknownExtension)]
}

// An Event is something seen in a connection. Offset is where it starts in
// the direction's TCP stream.
type Event struct {
	Kind   Kind
	Dir    flow.Dir
	Packet int64
	Time   time.Time
	Offset int64
	Length int64

	Content   ContentType
	Version   uint16 // of the record
	Encrypted bool
	Decrypted bool
	Plain     int

	Message      MessageType
	ClientHello  *ClientHello
	ServerHello  *ServerHello
	ALPN         string   // chosen by the server
	Certificates [][]byte // DER, the sender's own first
	Alert        AlertInfo
	Reason       Reason
	Data         []byte
}

// ContentType is a record's content type.
type ContentType uint8

const (
	ChangeCipherSpec ContentType = 20
	AlertContent     ContentType = 21
	HandshakeContent ContentType = 22
	ApplicationData  ContentType = 23
	Heartbeat        ContentType = 24
)

// String returns the type's name in the RFC.
func (c ContentType) String() string {
	if c >= 20 && c <= 24 {
		return [...]string{"change_cipher_spec", "alert", "handshake", "application_data", "heartbeat"}[c-20]
	}
	return fmt.Sprintf("content type %d", uint8(c))
}

// Info sums up what is known of a connection so far.
type Info struct {
	TLS        [2]bool // directions that speak TLS
	ServerName string
	Offered    []string // ALPN, by the client
	ALPN       string   // chosen by the server; empty when none, or not to be seen
	Version    uint16   // agreed; 0 before the ServerHello
	Suite      uint16   // agreed
	Resumed    bool     // by session ticket, session ID or PSK
	Retried    bool     // there was a HelloRetryRequest
	EarlyData  bool     // the client sent, or announced, 0-RTT data
	ECH        bool     // Encrypted ClientHello was offered: ServerName may be a cover
	Keys       bool     // the key log has this connection
	NoKeys     Reason   // why not; 0 while it is open
}

// Options control a Session. The zero value suits a capture that was read
// after the key log.
type Options struct {
	// Hold is how many bytes of each direction wait for keys that are not in
	// the key log yet: for live captures, where the first encrypted records
	// are captured before the client writes their secrets. 0: none. See
	// [Session.Retry].
	Hold int
}
