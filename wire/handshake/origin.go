package handshake

import "strings"

// OriginAllowed reports whether the request may come from where it says it
// comes from (RFC 6455 10.2). A request without Origin is not from a browser
// and allowed. A browser's is allowed when its origin is the request's own
// host and port, or one of the allowed ones. "null", which sandboxed pages and
// files send, is allowed only when it is listed.
//
// tls says that the request came over TLS; an http page is then foreign. The
// reverse, an https page on a request without TLS, is what a server sees
// behind a proxy that ends TLS, and not foreign.
//
// An allowed origin is written as browsers send it, scheme://host[:port]; the
// host may begin with "*." for any subdomain.
func (r *Request) OriginAllowed(tls bool, allowed []string) bool {
	origins := r.Header[fieldOrigin]
	crossSite := listed(r.Header[fieldFetchSite], "cross-site")
	switch {
	case len(origins) == 0:
		return !crossSite
	case len(origins) > 1:
		return false
	}
	for _, pattern := range allowed {
		if matchOrigin(pattern, origins[0]) {
			return true
		}
	}
	o, ok := parseOrigin(origins[0])
	if !ok || crossSite || len(r.Host) != 1 || o.scheme != "http" && o.scheme != "https" || tls && o.scheme != "https" {
		return false
	}
	host, ok := parseOrigin(o.scheme + "://" + r.Host[0])
	return ok && host == o
}

// ValidOriginPattern reports whether pattern can match an origin.
func ValidOriginPattern(pattern string) bool {
	if pattern == "null" {
		return true
	}
	_, _, ok := parsePattern(pattern)
	return ok
}

type origin struct{ scheme, host, port string }

func parseOrigin(s string) (o origin, ok bool) {
	scheme, rest, ok := strings.Cut(strings.ToLower(s), "://")
	if !ok || scheme == "" || rest == "" || strings.ContainsAny(rest, "/?#@\\ \t") || !IsFieldValue(rest) {
		return origin{}, false
	}
	o = origin{scheme, rest, defaultPort(scheme)}
	if i := strings.LastIndexByte(rest, ':'); i > strings.LastIndexByte(rest, ']') {
		o.host, o.port = rest[:i], rest[i+1:]
		if o.port == "" || strings.Trim(o.port, "0123456789") != "" {
			return origin{}, false
		}
	}
	return o, o.host != ""
}

func defaultPort(scheme string) string {
	switch scheme {
	case "http", "ws":
		return "80"
	case "https", "wss":
		return "443"
	}
	return ""
}

func matchOrigin(pattern, got string) bool {
	if pattern == "null" || got == "null" {
		return pattern == got
	}
	p, wild, ok1 := parsePattern(pattern)
	o, ok2 := parseOrigin(got)
	if !ok1 || !ok2 || p.scheme != o.scheme || p.port != o.port {
		return false
	}
	if wild {
		return strings.HasSuffix(o.host, p.host) && len(o.host) > len(p.host)
	}
	return p.host == o.host
}

// parsePattern reads an origin whose host may begin with a star and a dot. It
// is then wild, and o.host begins with the dot.
func parsePattern(s string) (o origin, wild, ok bool) {
	o, ok = parseOrigin(s)
	if o.host, wild = strings.CutPrefix(o.host, "*"); wild && (len(o.host) < 2 || o.host[0] != '.') {
		return origin{}, false, false
	}
	return o, wild, ok && !strings.Contains(o.host, "*")
}
