package handshake

import (
	"slices"
	"strings"

	"github.com/wiretrue/websocket/wire/rfc"
)

// Agreement is what both sides hold to after the handshake.
type Agreement struct {
	Subprotocol string // empty: none
	Extensions  []Extension
	Accept      Mistake // how a wrong Sec-WebSocket-Accept came to be
}

// Agreement reads what the response agrees to and judges it against the offer
// that it answers (RFC 6455 4.1). The parameters of extensions are for the
// extensions to judge.
func (r *Response) Agreement(o Offer) (a Agreement, broken rfc.Set) {
	broken = r.Broken
	judge := func(rule rfc.Rule, kept bool) {
		if !kept {
			broken.Add(rule)
		}
	}
	if r.Proto == "" {
		return a, broken // nothing to read
	}
	judge(rfc.ResponseHTTP11, atLeastHTTP11(r.Proto))
	if r.Status != 101 {
		broken.Add(rfc.SwitchingProtocols)
		// Upgrade: websocket on a 426 says that it was the version.
		judge(rfc.VersionsListed, r.Status != 426 || len(r.Header[fieldVersion]) > 0)
		return a, broken
	}
	judge(rfc.ResponseUpgrade, len(r.Header[fieldUpgrade]) == 1 && strings.EqualFold(r.Header[fieldUpgrade][0], "websocket"))
	judge(rfc.ResponseConnection, listed(r.Header[fieldConnection], "upgrade"))
	judge(rfc.NoResponseBody, !r.Body)

	accepts := r.Header[fieldAccept]
	judge(rfc.OneAccept, len(accepts) == 1)
	if len(accepts) > 0 {
		a.Accept = Diagnose(o.Key, accepts[0])
		judge(rfc.AcceptMatchesKey, a.Accept == NoMistake)
	}

	if names := r.Header[fieldProtocol]; len(names) > 0 {
		a.Subprotocol = names[0]
		one := len(names) == 1 && !strings.Contains(a.Subprotocol, ",")
		judge(rfc.OneSubprotocol, one)
		judge(rfc.SubprotocolOffered, !one || slices.Contains(o.Subprotocols, a.Subprotocol))
	}

	var ok bool
	a.Extensions, ok = ParseExtensions(r.Header[fieldExtensions])
	judge(rfc.ResponseExtensionSyntax, ok)
	for _, e := range a.Extensions {
		judge(rfc.ExtensionOffered, slices.ContainsFunc(o.Extensions, func(offered Extension) bool { return offered.Name == e.Name }))
	}
	return a, broken
}

// Interim reports whether the response announces another one, as 103 Early
// Hints does. A client reads on behind it (RFC 9110 15.2).
func (r *Response) Interim() bool { return 100 <= r.Status && r.Status < 200 && r.Status != 101 }

// AppendSwitching appends the head of the 101 response that accepts key.
func AppendSwitching(dst []byte, key string, a Agreement, header map[string][]string) []byte {
	dst = append(dst, "HTTP/1.1 101 Switching Protocols\r\n"...)
	dst = appendField(dst, "Upgrade", "websocket")
	dst = appendField(dst, "Connection", "Upgrade")
	dst = appendField(dst, "Sec-WebSocket-Accept", Accept(key))
	if a.Subprotocol != "" {
		dst = appendField(dst, "Sec-WebSocket-Protocol", a.Subprotocol)
	}
	if len(a.Extensions) > 0 {
		dst = appendField(dst, "Sec-WebSocket-Extensions", FormatExtensions(a.Extensions))
	}
	return appendHeader(dst, header)
}

// RefusalHeader returns the header fields that a refusal for the rule must
// carry, beside Connection: close (RFC 6455 4.2.2, RFC 9110 15.5.6, 15.5.22).
func RefusalHeader(rule rfc.Rule) map[string][]string {
	switch rule {
	case rfc.Version13:
		return map[string][]string{fieldVersion: {"13"}, fieldUpgrade: {"websocket"}}
	case rfc.RequestUpgrade:
		return map[string][]string{fieldUpgrade: {"websocket"}, fieldVersion: {"13"}}
	case rfc.MethodGet:
		return map[string][]string{"Allow": {"GET"}}
	}
	return nil
}
