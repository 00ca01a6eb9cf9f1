package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"syscall"
	"time"
	"unicode/utf8"

	"github.com/wiretrue/websocket"
	"github.com/wiretrue/websocket/internal/between"
	"github.com/wiretrue/websocket/internal/duration"
	"github.com/wiretrue/websocket/wire/handshake"
	"github.com/wiretrue/websocket/wire/rfc"
)

// dialOutcome says why no connection was made.
func dialOutcome(err error, f *dialFlags, u *url.URL, a *attempt) *outcome {
	refused, unresolved := new(websocket.HandshakeError), new(net.DNSError)
	secure := u.Scheme == "wss" || u.Scheme == "https"
	timeout := net.Error(nil)
	switch {
	case errors.Is(err, websocket.ErrInput):
		return &outcome{exitUsage, "wiretrue dial: " + trimmed(err) + "\nTry 'wiretrue dial --help'."}
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		stage := "the TCP connection"
		if a.connected.Load() {
			stage = "the server's answer to the upgrade"
			if secure && !a.secured.Load() {
				stage = "the TLS handshake"
			}
		}
		return &outcome{exitTimeout, fmt.Sprintf("timeout: %s did not come within %v", stage, time.Duration(f.connectTimeout))}
	case errors.As(err, &unresolved):
		return &outcome{exitResolve, fmt.Sprintf("not resolved: %s: %s", unresolved.Name, unresolved.Err)}
	case errors.As(err, &refused):
		return handshakeOutcome(refused, f, u, a)
	case a.connected.Load() && secure && !a.secured.Load():
		return tlsOutcome(err, u)
	case a.connected.Load():
		return &outcome{exitAbnormal, "lost during the handshake: " + trimmed(err)}
	}
	return connectOutcome(err, f, u)
}

func connectOutcome(err error, f *dialFlags, u *url.URL) *outcome {
	where := u.Host
	if f.unixSocket != "" {
		where = f.unixSocket
	}
	op := new(net.OpError)
	if errors.As(err, &op) && op.Addr != nil {
		where = op.Addr.String()
	}
	what := trimmed(err)
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		what = "connection refused: nothing listens there"
	case errors.Is(err, syscall.ENOENT):
		what = "there is no such socket"
	case errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH):
		what = "there is no way to it through the network"
	}
	return &outcome{exitConnect, fmt.Sprintf("not connected: %s: %s", where, what)}
}

func tlsOutcome(err error, u *url.URL) *outcome {
	var (
		unknown  x509.UnknownAuthorityError
		hostname x509.HostnameError
		invalid  x509.CertificateInvalidError
		record   tls.RecordHeaderError
	)
	what := trimmed(err)
	switch {
	case errors.As(err, &record):
		what = "the server does not speak TLS there; ws:// in place of wss:// may be right"
	case errors.As(err, &unknown):
		what = "the certificate is signed by nobody who is trusted; --cacert FILE trusts a signer, -k takes any certificate"
	case errors.As(err, &hostname):
		what = fmt.Sprintf("the certificate is not for %s: %v", u.Hostname(), hostname)
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		what = fmt.Sprintf("the certificate is valid from %s to %s only", invalid.Cert.NotBefore.Format(time.DateOnly), invalid.Cert.NotAfter.Format(time.DateOnly))
	case strings.Contains(what, "certificate required"):
		what = "the server wants a client certificate, which --cert brings"
	case strings.Contains(what, "EOF"):
		what = "the server ended the connection during the TLS handshake"
	}
	return &outcome{exitTLS, "TLS failed: " + what}
}

// trimmed is the error without what everybody knows.
func trimmed(err error) string {
	text := err.Error()
	for _, prefix := range []string{"websocket: ", "dial: "} {
		text = strings.TrimPrefix(text, prefix)
	}
	return text
}

// handshakeOutcome says why the upgrade came to nothing.
func handshakeOutcome(e *websocket.HandshakeError, f *dialFlags, u *url.URL, a *attempt) *outcome {
	alert := new(net.OpError)
	switch {
	case errors.As(e.Err, &alert) && alert.Op == "remote error": // how crypto/tls marks an alert of the peer
		return tlsOutcome(alert, u)
	case e.Err != nil && e.Rule == 0 && a.answered.Load() == 0:
		how := "the server ended the connection without an answer"
		if errors.Is(e.Err, syscall.ECONNRESET) {
			how = "the server reset the connection without an answer"
		}
		if u.Scheme == "ws" || u.Scheme == "http" {
			how += "; it may want TLS (wss), or be no HTTP server"
		}
		return &outcome{exitEmpty, "empty reply: " + how}
	case e.Err != nil && e.Rule == 0:
		return &outcome{exitAbnormal, "lost during the handshake: " + trimmed(e.Err)}
	case e.Rule == rfc.SwitchingProtocols || e.Status != 0 && e.Status != http.StatusSwitchingProtocols:
		return &outcome{exitRefused, fmt.Sprintf("refused: HTTP %d, %s", e.Status, refusal(e, f, u))}
	case e.Rule == rfc.ResponseSyntax:
		return &outcome{exitRefused, "refused: what came is no answer of an HTTP server; is this the right port, and does it want TLS?"}
	case e.Mistake == handshake.UnknownReason:
		return &outcome{exitRefused, fmt.Sprintf("refused here: Sec-WebSocket-Accept is wrong, and no usual mistake gives this value; %s (%v)", e.Detail, e.Rule)}
	case e.Mistake != handshake.NoMistake:
		return &outcome{exitRefused, fmt.Sprintf("refused here: Sec-WebSocket-Accept is wrong: %s; %s (%v)", e.Mistake, e.Detail, e.Rule)}
	}
	why := strings.TrimSuffix(e.Rule.Info().Duty, ".")
	if e.Detail != "" {
		why += "; " + e.Detail
	}
	return &outcome{exitRefused, fmt.Sprintf("refused here: the server's answer broke a rule: %s (%v)", why, e.Rule)}
}

// refusal says what the server's refusal is about: its own words, if there are
// any, or what the status usually means.
func refusal(e *websocket.HandshakeError, f *dialFlags, u *url.URL) string {
	words := firstLine(e)
	switch {
	case e.Status == http.StatusBadRequest && (u.Scheme == "ws" || u.Scheme == "http") && bytes.Contains(e.Body, []byte("HTTPS")):
		return "the server speaks TLS there; wss:// in place of ws:// may be right"
	case e.Status == http.StatusForbidden && f.origin != "" && (words == "" || strings.Contains(strings.ToLower(words), "origin")):
		return fmt.Sprintf("Origin %s not allowed", f.origin)
	case e.Header.Get("Location") != "":
		text := "redirected to " + printable([]byte(e.Header.Get("Location")))
		if !f.location {
			text += "; -L follows"
		}
		return text
	case e.Status == http.StatusUnauthorized:
		text := "credentials are missing or wrong"
		if scheme := e.Header.Get("Www-Authenticate"); scheme != "" {
			text += "; the server wants " + scheme
		}
		return text
	case e.Status == http.StatusNotFound:
		return fmt.Sprintf("nothing is at %s", u.RequestURI())
	case e.Status == http.StatusUpgradeRequired && e.Header.Get("Sec-Websocket-Version") != "" && words == "":
		return fmt.Sprintf("the server speaks the versions %s", e.Header.Get("Sec-Websocket-Version"))
	case words != "":
		return words
	}
	text := statusOf(e.Status).meaning
	first, size := utf8.DecodeRuneInString(text)
	return strings.ToLower(string(first)) + strings.TrimSuffix(text[size:], ".")
}

// firstLine is the first line of a refusal's text.
func firstLine(e *websocket.HandshakeError) string {
	kind, _, _ := strings.Cut(e.Header.Get("Content-Type"), ";")
	if kind = strings.TrimSpace(kind); kind != "text/plain" && kind != "application/json" && kind != "application/problem+json" {
		return ""
	}
	line, _, _ := strings.Cut(strings.TrimSpace(string(e.Body)), "\n")
	line = strings.TrimPrefix(line, "websocket: handshake refused: ") // as this library's servers begin
	line = strings.TrimPrefix(line, fmt.Sprintf("HTTP %s: ", statusLine(e.Status)))
	if strings.EqualFold(line, http.StatusText(e.Status)) {
		return ""
	}
	const most = 200
	if len(line) > most {
		line = strings.ToValidUTF8(line[:most], "") + "..."
	}
	return printable([]byte(line))
}

// endOutcome says why a connection ended.
func endOutcome(cause error, a *attempt) *outcome {
	closed, broken, lost := new(websocket.CloseError), new(websocket.RuleError), new(websocket.LostError)
	switch {
	case errors.As(cause, &closed):
		return closeOutcome(closed)
	case errors.As(cause, &broken):
		i := broken.Rule.Info()
		hint := ""
		if broken.Rule == rfc.MessageSize {
			hint = "; --max-message takes larger ones"
		}
		return &outcome{exitAbnormal, fmt.Sprintf("closed %d by us: the server broke the rule %v at byte %d, %s%s",
			i.Code, broken.Rule, broken.Offset, broken.Seen, hint)}
	case errors.As(cause, &lost):
		return lostOutcome(lost, a.lastByte(lost.LastHeard))
	}
	return &outcome{exitAbnormal, "lost: " + trimmed(cause)}
}

func closeOutcome(e *websocket.CloseError) *outcome {
	o := &outcome{code: exitAbnormal}
	switch e.Code {
	case websocket.StatusNormalClosure, websocket.StatusGoingAway, websocket.StatusNoStatusReceived:
		o.code = exitOK
	}
	if !e.ByPeer { // as the user wanted
		o.code = exitOK
		return o
	}
	if e.Code == websocket.StatusNoStatusReceived {
		o.text = "closed by the server without a code"
		return o
	}
	o.text = fmt.Sprintf("closed %d by the server: %s", e.Code, strings.ToLower(e.Code.Info().Name))
	if e.Reason != "" {
		o.text += fmt.Sprintf(", %q", e.Reason)
	}
	return o
}

// lostOutcome says how a connection without a closing handshake ended. last is
// when the last byte of either direction was on its way.
func lostOutcome(e *websocket.LostError, last time.Time) *outcome {
	idle := e.Ended.Sub(last)
	after := duration.Words(max(idle, 0)) + " after the last byte"
	switch {
	case errors.Is(e.Err, websocket.ErrPingTimeout):
		return &outcome{exitTimeout, fmt.Sprintf("lost: no answer to a ping; nothing came for %s", duration.Words(e.Ended.Sub(e.LastHeard)))}
	case errors.Is(e.Err, websocket.ErrCloseTimeout):
		return &outcome{exitTimeout, "lost: the server did not answer the Close frame"}
	case errors.Is(e.Err, websocket.ErrWriteTimeout):
		return &outcome{exitTimeout, "lost: the server took no more bytes"}
	case errors.Is(e.Err, websocket.ErrPeerReset):
		return &outcome{exitAbnormal, "lost: TCP reset " + after + idleHint(idle)}
	case errors.Is(e.Err, websocket.ErrPeerGone):
		return &outcome{exitAbnormal, "lost: the server ended TCP without a Close frame, " + after + idleHint(idle)}
	case errors.Is(e.Err, websocket.ErrClosedHere):
		return &outcome{exitAbnormal, "cut before the server answered the Close frame"}
	}
	return &outcome{exitAbnormal, fmt.Sprintf("lost: %v, %s", e.Err, after)}
}

// idleHint names the idle timeout that would end a connection after so long a
// silence.
func idleHint(idle time.Duration) string {
	const least = 0.2 // of confidence
	fits := between.Fits(idle, between.Proxy{})
	if len(fits) == 0 || fits[0].Confidence < least {
		return ""
	}
	after := fits[0].After
	return fmt.Sprintf("; an idle timeout of %s between you and the server would do this (%s): --ping-interval %s",
		duration.Words(after), fits[0].Whose, duration.Words(after/2))
}
