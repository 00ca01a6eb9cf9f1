package tlsview

import (
	"fmt"
	"strings"

	"golang.org/x/crypto/cryptobyte"
)

// MessageType is the type of a handshake message.
type MessageType uint8

const (
	msgClientHello         MessageType = 1
	msgServerHello         MessageType = 2
	msgNewSessionTicket    MessageType = 4
	msgEndOfEarlyData      MessageType = 5
	msgEncryptedExtensions MessageType = 8
	msgCertificate         MessageType = 11
	msgFinished            MessageType = 20
	msgKeyUpdate           MessageType = 24
)

var messageNames = map[MessageType]string{
	0: "HelloRequest", 1: "ClientHello", 2: "ServerHello", 4: "NewSessionTicket", 5: "EndOfEarlyData",
	8: "EncryptedExtensions", 11: "Certificate", 12: "ServerKeyExchange", 13: "CertificateRequest",
	14: "ServerHelloDone", 15: "CertificateVerify", 16: "ClientKeyExchange", 20: "Finished",
	21: "CertificateURL", 22: "CertificateStatus", 24: "KeyUpdate", 25: "CompressedCertificate",
}

// String returns the type's name in the RFC.
func (m MessageType) String() string {
	if s := messageNames[m]; s != "" {
		return s
	}
	return fmt.Sprintf("handshake message %d", uint8(m))
}

// AlertInfo is the content of an alert.
type AlertInfo struct {
	Level       uint8 // 1 warning, 2 fatal
	Description uint8
}

// CloseNotify reports whether the alert is the regular end of a direction.
func (a AlertInfo) CloseNotify() bool { return a.Description == 0 }

var alertNames = map[uint8]string{
	0: "close_notify", 10: "unexpected_message", 20: "bad_record_mac", 21: "decryption_failed", 22: "record_overflow",
	30: "decompression_failure", 40: "handshake_failure", 41: "no_certificate", 42: "bad_certificate",
	43: "unsupported_certificate", 44: "certificate_revoked", 45: "certificate_expired", 46: "certificate_unknown",
	47: "illegal_parameter", 48: "unknown_ca", 49: "access_denied", 50: "decode_error", 51: "decrypt_error",
	60: "export_restriction", 70: "protocol_version", 71: "insufficient_security", 80: "internal_error",
	86: "inappropriate_fallback", 90: "user_canceled", 100: "no_renegotiation", 109: "missing_extension",
	110: "unsupported_extension", 111: "certificate_unobtainable", 112: "unrecognized_name",
	113: "bad_certificate_status_response", 114: "bad_certificate_hash_value", 115: "unknown_psk_identity",
	116: "certificate_required", 120: "no_application_protocol", 121: "ech_required",
}

// String returns the description's name in the RFC.
func (a AlertInfo) String() string {
	if s := alertNames[a.Description]; s != "" {
		return s
	}
	return fmt.Sprintf("alert %d", a.Description)
}

// A ClientHello is what a client offers. Malformed is set when the message
// ends early or contradicts itself; what was understood before that is there.
type ClientHello struct {
	Version    uint16 // the old field: at most TLS 1.2
	Versions   []uint16
	Random     [32]byte
	SessionID  []byte
	Ticket     []byte // TLS 1.2's session ticket
	Suites     []uint16
	ServerName string
	ALPN       []string
	PSK        bool
	EarlyData  bool
	ECH        bool
	Malformed  bool
}

// A ServerHello is what a server chose.
type ServerHello struct {
	Version        uint16 // agreed, from whichever field carries it
	Random         [32]byte
	SessionID      []byte
	Suite          uint16
	Compression    uint8
	Retry          bool // it is a HelloRetryRequest
	PSK            bool // the client's PSK is used: a resumption
	EncryptThenMAC bool
	ALPN           string // TLS 1.2; later versions encrypt it
	Malformed      bool
}

const (
	extServerName        = 0
	extALPN              = 16
	extEncryptThenMAC    = 22
	extSessionTicket     = 35
	extPreSharedKey      = 41
	extEarlyData         = 42
	extSupportedVersions = 43
	extECH               = 0xfe0d
)

// retryRandom marks a HelloRetryRequest: the SHA-256 of those words (RFC
// 8446, 4.1.3).
var retryRandom = [32]byte{
	0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a, 0x61, 0x11, 0xbe, 0x1d, 0x8c, 0x02, 0x1e, 0x65, 0xb8, 0x91,
	0xc2, 0xa2, 0x11, 0x16, 0x7a, 0xbb, 0x8c, 0x5e, 0x07, 0x9e, 0x09, 0xe2, 0xc8, 0xa8, 0x33, 0x9c,
}

func parseClientHello(b []byte) *ClientHello {
	m := new(ClientHello)
	s := cryptobyte.String(b)
	var id, suites, compression, exts cryptobyte.String
	if !s.ReadUint16(&m.Version) || !s.CopyBytes(m.Random[:]) ||
		!s.ReadUint8LengthPrefixed(&id) || !s.ReadUint16LengthPrefixed(&suites) || !s.ReadUint8LengthPrefixed(&compression) {
		m.Malformed = true
		return m
	}
	m.SessionID = id
	for !suites.Empty() && readUint16(&suites, &m.Suites) {
	}
	m.Malformed = !suites.Empty()
	if s.Empty() {
		return m
	}
	ok := s.ReadUint16LengthPrefixed(&exts) && extensions(exts, func(typ uint16, v cryptobyte.String) bool {
		switch typ {
		case extServerName:
			var names, name cryptobyte.String
			var kind uint8
			if !v.ReadUint16LengthPrefixed(&names) || !names.ReadUint8(&kind) || !names.ReadUint16LengthPrefixed(&name) {
				return false
			}
			if kind == 0 {
				m.ServerName = printable(name)
			}
		case extALPN:
			var ok bool
			m.ALPN, ok = protocols(v)
			return ok
		case extSupportedVersions:
			var list cryptobyte.String
			if !v.ReadUint8LengthPrefixed(&list) {
				return false
			}
			for !list.Empty() {
				if !readUint16(&list, &m.Versions) {
					return false
				}
			}
		case extSessionTicket:
			m.Ticket = v
		case extPreSharedKey:
			m.PSK = true
		case extEarlyData:
			m.EarlyData = true
		case extECH:
			m.ECH = true
		}
		return true
	})
	m.Malformed = m.Malformed || !ok
	return m
}

func parseServerHello(b []byte) *ServerHello {
	m := new(ServerHello)
	s := cryptobyte.String(b)
	var id, exts cryptobyte.String
	if !s.ReadUint16(&m.Version) || !s.CopyBytes(m.Random[:]) || !s.ReadUint8LengthPrefixed(&id) ||
		!s.ReadUint16(&m.Suite) || !s.ReadUint8(&m.Compression) {
		m.Malformed = true
		return m
	}
	m.SessionID = id
	m.Retry = m.Random == retryRandom
	if s.Empty() {
		return m
	}
	m.Malformed = !(s.ReadUint16LengthPrefixed(&exts) && extensions(exts, func(typ uint16, v cryptobyte.String) bool {
		switch typ {
		case extALPN:
			list, ok := protocols(v)
			if len(list) > 0 {
				m.ALPN = list[0]
			}
			return ok
		case extSupportedVersions:
			return v.ReadUint16(&m.Version)
		case extPreSharedKey:
			m.PSK = true
		case extEncryptThenMAC:
			m.EncryptThenMAC = true
		}
		return true
	}))
	return m
}

// parseEncryptedExtensions returns the protocol that the server chose.
func parseEncryptedExtensions(b []byte) (alpn string) {
	s := cryptobyte.String(b)
	var exts cryptobyte.String
	if !s.ReadUint16LengthPrefixed(&exts) {
		return ""
	}
	extensions(exts, func(typ uint16, v cryptobyte.String) bool {
		if typ == extALPN {
			if list, _ := protocols(v); len(list) > 0 {
				alpn = list[0]
			}
		}
		return true
	})
	return alpn
}

// parseCertificates returns the certificates of a Certificate message. In TLS
// 1.3 each has extensions behind it, and a context stands before all.
func parseCertificates(b []byte, tls13 bool) (certs [][]byte) {
	s := cryptobyte.String(b)
	var skipped, list cryptobyte.String
	if tls13 && !s.ReadUint8LengthPrefixed(&skipped) || !s.ReadUint24LengthPrefixed(&list) {
		return nil
	}
	for !list.Empty() {
		var cert cryptobyte.String
		if !list.ReadUint24LengthPrefixed(&cert) {
			return certs
		}
		certs = append(certs, cert)
		if tls13 && !list.ReadUint16LengthPrefixed(&skipped) {
			return certs
		}
	}
	return certs
}

// extensions calls each for every extension until one is not understood.
func extensions(s cryptobyte.String, each func(typ uint16, v cryptobyte.String) bool) bool {
	for !s.Empty() {
		var typ uint16
		var v cryptobyte.String
		if !s.ReadUint16(&typ) || !s.ReadUint16LengthPrefixed(&v) || !each(typ, v) {
			return false
		}
	}
	return true
}

func protocols(v cryptobyte.String) (names []string, ok bool) {
	var list cryptobyte.String
	if !v.ReadUint16LengthPrefixed(&list) {
		return nil, false
	}
	for !list.Empty() {
		var name cryptobyte.String
		if !list.ReadUint8LengthPrefixed(&name) {
			return names, false
		}
		names = append(names, printable(name))
	}
	return names, true
}

func readUint16(s *cryptobyte.String, into *[]uint16) bool {
	var v uint16
	if !s.ReadUint16(&v) {
		return false
	}
	*into = append(*into, v)
	return true
}

// printable keeps what a name may hold, so that a terminal can show it.
func printable(b []byte) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return '?'
		}
		return r
	}, string(b))
}
