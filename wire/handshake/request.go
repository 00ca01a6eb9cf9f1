package handshake

import (
	"slices"
	"strings"

	"github.com/wiretrue/websocket/wire/rfc"
)

// The header fields of the handshake, by canonical name.
const (
	fieldUpgrade    = "Upgrade"
	fieldConnection = "Connection"
	fieldKey        = "Sec-Websocket-Key"
	fieldVersion    = "Sec-Websocket-Version"
	fieldProtocol   = "Sec-Websocket-Protocol"
	fieldExtensions = "Sec-Websocket-Extensions"
	fieldAccept     = "Sec-Websocket-Accept"
	fieldOrigin     = "Origin"
	fieldFetchSite  = "Sec-Fetch-Site"
)

// Offer is what a request asks of the server.
type Offer struct {
	Key          string
	Subprotocols []string    // in the client's order of preference
	Extensions   []Extension // likewise
}

// Offer reads what the request asks for and judges the whole request but its
// origin (RFC 6455 4.1, 4.2.1). The offer holds what could be read, even of a
// broken request. Refuse the request when broken.Fatal() is a rule: a set that
// is not clean may hold no more than a note.
func (r *Request) Offer() (o Offer, broken rfc.Set) {
	broken = r.Broken
	judge := func(rule rfc.Rule, kept bool) {
		if !kept {
			broken.Add(rule)
		}
	}
	if broken.Has(rfc.RequestSize) || r.Method == "" {
		return o, broken // nothing to read
	}
	judge(rfc.MethodGet, r.Method == "GET")
	judge(rfc.RequestHTTP11, atLeastHTTP11(r.Proto))
	judge(rfc.TargetWithoutFragment, validTarget(r.Target))
	judge(rfc.OneHost, len(r.Host) == 1 && validHost(r.Host[0]))
	judge(rfc.RequestUpgrade, listed(r.Header[fieldUpgrade], "websocket"))
	judge(rfc.RequestConnection, listed(r.Header[fieldConnection], "upgrade"))
	judge(rfc.NoRequestBody, !r.Body)
	judge(rfc.WaitForResponse, !r.Pipelined)

	versions := r.Header[fieldVersion]
	judge(rfc.OneVersion, len(versions) == 0 || len(versions) == 1 && !strings.Contains(versions[0], ","))
	judge(rfc.Version13, slices.Contains(versions, "13"))

	keys := r.Header[fieldKey]
	judge(rfc.OneKey, len(keys) == 1)
	if len(keys) > 0 {
		o.Key = keys[0]
		judge(rfc.KeyOf16Bytes, ValidKey(o.Key))
	}

	var ok bool
	o.Subprotocols, ok = parseTokens(r.Header[fieldProtocol])
	judge(rfc.SubprotocolTokens, ok)
	o.Extensions, ok = ParseExtensions(r.Header[fieldExtensions])
	judge(rfc.RequestExtensionSyntax, ok)
	return o, broken
}

// IsUpgrade reports whether the request asks for a WebSocket at all, however
// badly. A server that serves pages on the same path asks this first.
func (r *Request) IsUpgrade() bool {
	return listed(r.Header[fieldUpgrade], "websocket") || len(r.Header[fieldKey]) > 0
}

func validTarget(target string) bool {
	if strings.ContainsAny(target, "# \t") || !IsFieldValue(target) {
		return false
	}
	return strings.HasPrefix(target, "/") || strings.HasPrefix(target, "http://") || strings.HasPrefix(target, "https://")
}

func validHost(host string) bool {
	return host != "" && !strings.ContainsAny(host, " \t,/?#@\\") && IsFieldValue(host)
}

// parseTokens reads the elements of a header that lists tokens, each once.
func parseTokens(values []string) (tokens []string, ok bool) {
	if len(values) == 0 {
		return nil, true
	}
	ok = true
	seen := map[string]bool{}
	for _, v := range values {
		for element := range strings.SplitSeq(v, ",") {
			t := strings.Trim(element, " \t")
			if !IsToken(t) || seen[t] {
				ok = false
				continue
			}
			tokens = append(tokens, t)
			seen[t] = true
		}
	}
	return tokens, ok
}

// AppendRequest appends the head of a request for the target at the host, with
// the offer and further header fields, in sorted order. The shell has checked
// the names and values with IsToken and IsFieldValue.
func AppendRequest(dst []byte, target, host string, o Offer, header map[string][]string) []byte {
	dst = append(dst, "GET "+target+" HTTP/1.1\r\n"...)
	dst = appendField(dst, "Host", host)
	dst = appendField(dst, "Upgrade", "websocket")
	dst = appendField(dst, "Connection", "Upgrade")
	dst = appendField(dst, "Sec-WebSocket-Key", o.Key)
	dst = appendField(dst, "Sec-WebSocket-Version", "13")
	if len(o.Subprotocols) > 0 {
		dst = appendField(dst, "Sec-WebSocket-Protocol", strings.Join(o.Subprotocols, ", "))
	}
	if len(o.Extensions) > 0 {
		dst = appendField(dst, "Sec-WebSocket-Extensions", FormatExtensions(o.Extensions))
	}
	return appendHeader(dst, header)
}

func appendField(dst []byte, name, value string) []byte {
	dst = append(append(dst, name...), ": "...)
	return append(append(dst, value...), "\r\n"...)
}

// appendHeader ends a head with the fields of header.
func appendHeader(dst []byte, header map[string][]string) []byte {
	names := make([]string, 0, len(header))
	for name := range header {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		for _, v := range header[name] {
			dst = appendField(dst, name, v)
		}
	}
	return append(dst, "\r\n"...)
}
