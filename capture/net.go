package capture

import (
	"fmt"
	"time"

	"github.com/wiretrue/websocket/internal/duration"
	"github.com/wiretrue/websocket/wire"
)

// netFacts is what Net has told.
type netFacts struct {
	opened      bool // the streams are from the connection's beginning
	established bool // the TCP handshake is done
	middle      bool // they may begin anywhere
	tls         bool
	encrypted   bool   // both sides speak TLS, and it was not decrypted
	alpn        string // what TLS chose by it

	alert   string // of TLS, with which a side failed
	alertBy Party

	resent   [2]int // retransmissions
	again    [2]int // of the same bytes, behind the last new ones of either side
	where    [2]int64
	bytes    [2]int64
	zero     [2]int // zero windows
	reopened [2]int // of these, that have opened again
	stalled  [2]time.Duration
}

func (a *Analyser) learn(e *NetEvent) {
	n := &a.net
	switch e.Kind {
	case NetOpened:
		n.opened = true
	case NetEstablished:
		n.established = true
	case NetMiddle:
		n.middle = true
	case NetTLS:
		n.tls = true
		if e.TLS != nil {
			n.alpn = e.TLS.ALPN
			n.encrypted = n.encrypted || !e.TLS.Decrypted
		}
	case NetTLSRecord:
		n.alert = "" // it was a warning
	case NetAlert:
		if e.Text != "close_notify" && e.Text != "user_canceled" {
			n.alert, n.alertBy = e.Text, partyOf(e.From)
		}
	case NetResent:
		n.resent[e.From]++
		if e.Bytes > 0 {
			if e.Stream != n.where[e.From] {
				n.where[e.From], n.again[e.From] = e.Stream, 0
			}
			n.again[e.From]++
		}
		n.bytes[e.From] += e.Bytes
	case NetZeroWindow:
		n.zero[e.From]++
	case NetWindowOpen:
		n.reopened[e.From]++
		n.stalled[e.From] += e.Duration
	}
	a.emit(KindNet, mark{e.At, e.Packet}, partyOf(e.From), Record{Net: e})
}

// gone says that a side sent the same bytes again and again, and got none; "":
// it did not.
func (n *netFacts) gone() string {
	const enough = 3 // fewer are lost on a bad link
	for _, role := range []wire.Role{wire.Client, wire.Server} {
		if again := n.again[role]; again >= enough {
			return fmt.Sprintf(" %s sent the same bytes again %s, and none came back: %s, or the way to it, may be gone.",
				capital(the(partyOf(role))), count(again, "time"), the(partyOf(role.Peer())))
		}
	}
	return ""
}

// alerts says what a side means by an alert of TLS (RFC 8446 6.2).
var alerts = map[string]string{
	"unknown_ca":              "it does not trust who signed the certificate",
	"bad_certificate":         "it does not accept the certificate",
	"certificate_unknown":     "it does not accept the certificate",
	"certificate_revoked":     "the certificate is revoked",
	"certificate_expired":     "the certificate has expired, or a clock is wrong",
	"certificate_required":    "it wants a certificate of the client",
	"protocol_version":        "it does not speak a version of TLS that the other side does",
	"handshake_failure":       "it has no parameters in common with the other side",
	"insufficient_security":   "what the other side speaks is too weak for it",
	"unrecognized_name":       "it serves no host of the name that was asked for",
	"no_application_protocol": "it speaks none of the protocols that were offered by ALPN",
}

// failedTLS says that TLS ended with an alert; "": it did not.
func (n *netFacts) failedTLS() string {
	if n.alert == "" {
		return ""
	}
	words := fmt.Sprintf("TLS failed: %s sent the alert %s", the(n.alertBy), n.alert)
	if means := alerts[n.alert]; means != "" {
		words += "; " + means
	}
	return words + "."
}

// longStall is how long a side takes no bytes before that is worth a word: a
// program that was only scheduled late reads on within a fraction of it.
const longStall = 100 * time.Millisecond

// watchNet looks at the end for what went on below.
func (a *Analyser) watchNet(m mark) {
	for _, role := range []wire.Role{wire.Client, wire.Server} {
		sent := a.numbers.sides[role].Bytes
		if n := a.net.resent[role]; n >= 3 && (n >= 20 || uint64(a.net.bytes[role])*50 > sent) {
			f := found("capture-retransmissions", Between, "%s of %s, %d bytes of the %d that it sent", count(n, "retransmission"), the(partyOf(role)), a.net.bytes[role], sent)
			f.From = partyOf(role)
			a.find(m, f)
		}
		closed := a.net.zero[role] > a.net.reopened[role]
		if n := a.net.zero[role]; closed || a.net.stalled[role] >= longStall {
			f := found("capture-zero-window", partyOf(role), "%s took no more bytes %s, for %s together", the(partyOf(role)), count(n, "time"), duration.Words(a.net.stalled[role]))
			if closed {
				f.Seen = fmt.Sprintf("%s took no more bytes %s, and not again the last time", the(partyOf(role)), count(n, "time"))
			}
			f.From = partyOf(role)
			a.find(m, f)
		}
	}
}
