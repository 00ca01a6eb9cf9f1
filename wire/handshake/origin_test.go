package handshake_test

import (
	"fmt"
	"testing"

	"github.com/wiretrue/websocket/wire/handshake"
)

func TestOriginAllowed(t *testing.T) {
	t.Parallel()
	const yes, no = true, false
	for _, tt := range []struct {
		host    string
		origin  string // "": none
		site    string // of Sec-Fetch-Site; "": none
		tls     bool
		allowed string // one pattern; "": none
		want    bool
	}{
		// No browser.
		{"a.example", "", "", false, "", yes},
		{"a.example", "", "same-origin", false, "", yes},
		{"a.example", "", "none", false, "", yes},
		{"a.example", "", "cross-site", false, "", no},

		// The own host.
		{"a.example", "http://a.example", "", false, "", yes},
		{"a.example", "http://a.example", "same-origin", false, "", yes},
		{"a.example", "HTTP://A.Example", "", false, "", yes},
		{"A.EXAMPLE", "http://a.example", "", false, "", yes},
		{"a.example:80", "http://a.example", "", false, "", yes},
		{"a.example", "http://a.example:80", "", false, "", yes},
		{"a.example:8080", "http://a.example:8080", "", false, "", yes},
		{"a.example", "https://a.example", "", true, "", yes},
		{"a.example:443", "https://a.example", "", true, "", yes},
		{"a.example", "https://a.example", "", false, "", yes}, // a proxy ends TLS
		{"a.example", "http://a.example", "", true, "", no},
		{"a.example:443", "http://a.example:443", "", true, "", no},
		{"[::1]:8080", "http://[::1]:8080", "", false, "", yes},
		{"[::1]", "http://[::1]", "", false, "", yes},
		{"[::1]:80", "http://[::1]", "", false, "", yes},
		{"[::1]", "http://[::2]", "", false, "", no},
		{"127.0.0.1:8080", "http://127.0.0.1:8080", "", false, "", yes},
		{"127.0.0.1:8080", "http://localhost:8080", "", false, "", no},
		{"a.example", "http://a.example", "cross-site", false, "", no},

		// Others.
		{"a.example", "http://b.example", "", false, "", no},
		{"a.example", "http://b.a.example", "", false, "", no},
		{"b.a.example", "http://a.example", "", false, "", no},
		{"a.example", "http://a.example.evil", "", false, "", no},
		{"a.example", "http://evila.example", "", false, "", no},
		{"a.example", "http://a.example:8080", "", false, "", no},
		{"a.example:8080", "http://a.example", "", false, "", no},
		{"a.example:80", "https://a.example", "", false, "", no},
		{"a.example", "http://a.example@evil.example", "", false, "", no},
		{"a.example", "http://evil.example#a.example", "", false, "", no},
		{"a.example", "http://a.example/", "", false, "", no}, // an origin has no path
		{"a.example", "http://a.example:", "", false, "", no},
		{"a.example", "http://a.example:8x", "", false, "", no},
		{"a.example", "http://", "", false, "", no},
		{"a.example", "a.example", "", false, "", no},
		{"a.example", "//a.example", "", false, "", no},
		{"a.example", "ws://a.example", "", false, "", no},
		{"a.example", "file://a.example", "", false, "", no},
		{"a.example", "null", "", false, "", no},
		{"null", "null", "", false, "", no},
		{"a.example", "NULL", "", false, "", no},
		{"a.example", " ", "", false, "", no},
		{"a.example", "http://a.example http://b.example", "", false, "", no},
		{"", "http://a.example", "", false, "", no},
		{"", "http://", "", false, "", no},

		// Listed ones.
		{"a.example", "http://b.example", "", false, "http://b.example", yes},
		{"a.example", "http://b.example", "cross-site", false, "http://b.example", yes},
		{"a.example", "http://B.example:80", "", false, "http://b.EXAMPLE", yes},
		{"a.example", "https://b.example", "", false, "http://b.example", no},
		{"a.example", "http://b.example", "", true, "http://b.example", yes}, // whoever lists it wants it
		{"a.example", "http://b.example:8080", "", false, "http://b.example", no},
		{"a.example", "http://b.example:8080", "", false, "http://b.example:8080", yes},
		{"a.example", "http://[::1]:8080", "", false, "http://[::1]:8080", yes},
		{"a.example", "https://x.b.example", "", false, "https://*.b.example", yes},
		{"a.example", "https://y.x.b.example", "", false, "https://*.b.example", yes},
		{"a.example", "https://b.example", "", false, "https://*.b.example", no},
		{"a.example", "https://.b.example", "", false, "https://*.b.example", no},
		{"a.example", "https://xb.example", "", false, "https://*.b.example", no},
		{"a.example", "https://x.b.example.evil", "", false, "https://*.b.example", no},
		{"a.example", "https://x.b.example:444", "", false, "https://*.b.example", no},
		{"a.example", "http://x.b.example", "", false, "https://*.b.example", no},
		{"a.example", "chrome-extension://abcdef", "", false, "chrome-extension://abcdef", yes},
		{"a.example", "chrome-extension://abcdef", "", false, "", no},
		{"a.example", "null", "", false, "null", yes},
		{"a.example", "null", "cross-site", false, "null", yes},
		{"a.example", "null", "", false, "http://null", no},
		{"a.example", "http://null", "", false, "null", no},
		{"a.example", "http://b.example", "", false, "*", no}, // no pattern
		{"a.example", "http://b.example", "", false, "https://*", no},
		{"a.example", "http://b.example", "", false, "http://*", no},
		{"a.example", "http://b.example.", "", false, "http://*.", no},
		{"a.example", "http://b.example", "", false, "b.example", no},
		{"a.example", "http://a.example", "", false, "http://b.example", yes}, // the own one stays
	} {
		r := handshake.Request{Host: []string{tt.host}, Header: map[string][]string{}}
		if tt.origin != "" {
			r.Header["Origin"] = []string{tt.origin}
		}
		if tt.site != "" {
			r.Header["Sec-Fetch-Site"] = []string{tt.site}
		}
		var allowed []string
		if tt.allowed != "" {
			allowed = []string{tt.allowed}
		}
		if got := r.OriginAllowed(tt.tls, allowed); got != tt.want {
			t.Errorf("%+v: allowed %v", tt, got)
		}
	}
}

func TestOriginOrHostThatIsNotOne(t *testing.T) {
	t.Parallel()
	for _, r := range []handshake.Request{
		{Host: []string{"a.example"}, Header: map[string][]string{"Origin": {"http://a.example", "http://a.example"}}},
		{Host: []string{"a.example", "a.example"}, Header: map[string][]string{"Origin": {"http://a.example"}}},
		{Header: map[string][]string{"Origin": {"http://a.example"}}},
		{Host: []string{"a.example"}, Header: map[string][]string{"Origin": {""}}},
	} {
		if r.OriginAllowed(false, nil) {
			t.Errorf("allowed: %+v", r)
		}
	}
}

func TestValidOriginPattern(t *testing.T) {
	t.Parallel()
	for pattern, want := range map[string]bool{
		"http://a.example":         true,
		"https://a.example:8443":   true,
		"https://*.a.example":      true,
		"https://*.a.example:8443": true,
		"http://[::1]:8080":        true,
		"app://x":                  true,
		"null":                     true,
		"":                         false,
		"*":                        false,
		"a.example":                false,
		"http://":                  false,
		"http://*":                 false,
		"http://*.":                false,
		"http://*:80":              false,
		"http://a.*.example":       false,
		"http://*a.example":        false,
		"http://*.*.example":       false,
		"http://a.example/":        false,
		"http://a.example:x":       false,
		"http://a.example:":        false,
		"http://u@a.example":       false,
		"http://a.example?":        false,
		"http://a b":               false,
		"http://a\r\n":             false,
	} {
		if got := handshake.ValidOriginPattern(pattern); got != want {
			t.Errorf("ValidOriginPattern(%q) = %v", pattern, got)
		}
	}
}

// No origin is allowed that is not the own host's or listed.
func FuzzOrigin(f *testing.F) {
	f.Add("a.example", "http://a.example", "http://*.b.example", true)
	f.Add("[::1]:8080", "https://[::1]:8080", "null", false)
	f.Fuzz(func(t *testing.T, host, origin, pattern string, tls bool) {
		r := handshake.Request{Host: []string{host}, Header: map[string][]string{"Origin": {origin}}}
		byHost, listed := r.OriginAllowed(tls, nil), r.OriginAllowed(tls, []string{pattern})
		if byHost && !listed {
			t.Fatal("a list takes the own host away")
		}
		if listed && !byHost && !handshake.ValidOriginPattern(pattern) {
			t.Fatalf("%q, which is no pattern, allows %q", pattern, origin)
		}
		if handshake.ValidOriginPattern(origin) && !r.OriginAllowed(tls, []string{origin}) && origin != "null" {
			t.Fatalf("%q does not allow itself", origin)
		}
		r.Header["Sec-Fetch-Site"] = []string{"cross-site"}
		if r.OriginAllowed(false, nil) {
			t.Fatal("a foreign site is allowed")
		}
	})
}

func ExampleRequest_OriginAllowed() {
	r := handshake.Request{
		Host:   []string{"chat.example.com"},
		Header: map[string][]string{"Origin": {"https://www.example.com"}},
	}
	fmt.Println(r.OriginAllowed(true, nil))
	fmt.Println(r.OriginAllowed(true, []string{"https://*.example.com"}))
	// Output:
	// false
	// true
}
