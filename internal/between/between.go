// Package between knows what usually stands between a client and a server: by
// which header fields of the opening handshake it shows itself, and after which
// silence it ends a connection.
package between

import (
	"cmp"
	"math"
	"slices"
	"strings"
	"time"
)

// A Proxy is a kind of proxy or load balancer.
type Proxy struct {
	Name    string        // "nginx"; "": one whose kind is not known
	Timeout time.Duration // after which silence it ends a connection by default; 0: none
	Setting string        // what sets that; "": nothing that its users can set
}

// proxies are the kinds that show themselves, each by a word that one of its
// fields contains. Those that also serve WebSockets by themselves are not here.
var proxies = []struct {
	field, word string
	Proxy
}{
	{"Server", "nginx", nginx},
	{"Server", "openresty", nginx},
	{"Server", "tengine", nginx},
	{"Server", "haproxy", haproxy},
	{"Via", "haproxy", haproxy},
	{"Server", "envoy", Proxy{"Envoy", 300 * time.Second, "the stream_idle_timeout of Envoy"}},
	{"Server", "cloudflare", Proxy{Name: "Cloudflare", Timeout: 100 * time.Second}},
	{"Via", "cloudfront", Proxy{Name: "CloudFront", Timeout: 600 * time.Second}},
	{"Via", "vegur", Proxy{Name: "Heroku's router", Timeout: 55 * time.Second}},
	{"Via", "1.1 google", Proxy{"Google's load balancer", 30 * time.Second, "the timeout of the backend service"}},
	{"Via", "varnish", Proxy{"Varnish", 60 * time.Second, "the pipe_timeout of Varnish"}},
	{"Server", "apache/", Proxy{"Apache httpd", 60 * time.Second, "the ProxyTimeout of Apache httpd"}},
	{"Via", "caddy", caddy},
	{"Server", "caddy", caddy},
	{"X-Amzn-Trace-Id", "", Proxy{"an AWS load balancer", 60 * time.Second, "the idle timeout of the load balancer"}},
}

var (
	nginx   = Proxy{"nginx", 60 * time.Second, "the proxy_read_timeout of nginx"}
	haproxy = Proxy{"HAProxy", 0, "the timeout tunnel of HAProxy"}
	caddy   = Proxy{"Caddy", 0, "the stream_timeout of Caddy"}
)

// traces are fields that proxies of any kind add.
var traces = []string{"Via", "Forwarded", "X-Forwarded-For", "X-Forwarded-Proto", "X-Real-Ip", "Cf-Ray", "X-Amzn-Trace-Id"}

// Trace returns the field of a head, "Server: nginx/1.22.1", that shows that it
// passed through a proxy, or "". One that names the kind is preferred. The names
// in the header are canonical.
func Trace(header map[string][]string) string {
	var field string
	var values []string
	for i := range proxies {
		if proxies[i].field != field {
			field = proxies[i].field
			values = header[field]
		}
		for _, v := range values {
			if line := field + ": " + v; Of(line) != (Proxy{}) {
				return line
			}
		}
	}
	for _, field := range traces {
		if values := header[field]; len(values) > 0 {
			return field + ": " + values[0]
		}
	}
	return ""
}

// Of returns the kind of proxy that a field names.
func Of(line string) Proxy {
	field, value, _ := strings.Cut(line, ": ")
	value = strings.ToLower(value)
	for i := range proxies {
		if p := &proxies[i]; p.field == field && strings.Contains(value, p.word) {
			return p.Proxy
		}
	}
	return Proxy{}
}

// A Timeout is one that ends a connection on which nothing is sent.
type Timeout struct {
	After   time.Duration
	Whose   string // what has it
	Setting string // what sets it; "": not known, or nothing
}

// timeouts are the ones that are met most often.
var timeouts = []Timeout{
	{After: 30 * time.Second, Whose: "the default of several cloud load balancers and of many servers' read timeouts"},
	{After: 50 * time.Second, Whose: "HAProxy's timeouts for clients and servers, as its packages configure them"},
	{After: 55 * time.Second, Whose: "Heroku's router"},
	{After: 60 * time.Second, Whose: "the default of nginx's proxy_read_timeout and of AWS application load balancers"},
	{After: 90 * time.Second, Whose: "the idle timeout of several reverse proxies"},
	{After: 100 * time.Second, Whose: "the default of Cloudflare's proxy"},
	{After: 120 * time.Second, Whose: "the default of IIS and of many servers' idle timeouts"},
	{After: 230 * time.Second, Whose: "the front end of Azure App Service"},
	{After: 240 * time.Second, Whose: "the default of Azure's load balancer"},
	{After: 300 * time.Second, Whose: "the default of Envoy's stream idle timeout, and of some firewalls"},
	{After: 350 * time.Second, Whose: "AWS network load balancers and NAT gateways"},
	{After: 600 * time.Second, Whose: "CloudFront, and the connection tracking of Google Cloud"},
	{After: 1800 * time.Second, Whose: "firewalls and address translation with a limit of half an hour"},
	{After: 3600 * time.Second, Whose: "firewalls and address translation with a limit of an hour, and HAProxy's timeout tunnel as it is often set"},
}

// A Fit is a timeout that a silence would fit.
type Fit struct {
	Timeout
	Confidence float64 // above 0, below 1
}

// Fits returns the timeouts that a silence before an end would fit, the best
// first. p is the proxy that is known to be on the way; the zero Proxy: none.
func Fits(silence time.Duration, p Proxy) (list []Fit) {
	add := func(t Timeout, doubt float64) {
		if c := confidence(silence, t.After) * doubt; c > 0 {
			list = append(list, Fit{t, c})
		}
	}
	if p.Timeout > 0 {
		add(Timeout{p.Timeout, "what " + p.Name + " allows by default", p.Setting}, 1)
	}
	const step = 5 * time.Second // most timeouts that people set are whole ones of these
	if set := silence.Round(step); p.Setting != "" && set > 0 && set != p.Timeout {
		add(Timeout{set, p.Setting + " may be set to that", p.Setting}, 0.8)
	}
	if len(list) == 0 {
		for _, t := range timeouts {
			add(t, 1)
		}
	}
	slices.SortStableFunc(list, func(a, b Fit) int { return cmp.Compare(b.Confidence, a.Confidence) })
	return list
}

// confidence says how well a silence fits a timeout. Timers fire late rather
// than early, and the last byte was seen a little before or after the one who
// holds the timer saw it.
func confidence(silence, timeout time.Duration) float64 {
	if silence < timeout-250*time.Millisecond {
		return 0
	}
	off := (silence - timeout).Seconds()
	room := 0.3 + 0.01*timeout.Seconds()
	if off > 3*room {
		return 0
	}
	return 0.95 * math.Exp(-math.Max(0, off-0.1)/room)
}
