package between_test

import (
	"testing"
	"time"

	"github.com/wiretrue/websocket/internal/between"
)

func TestTrace(t *testing.T) {
	for _, tt := range []struct {
		header map[string][]string
		trace  string
		name   string
	}{
		{nil, "", ""},
		{map[string][]string{"Server": {"Python/3.11 websockets/10.4"}}, "", ""},
		{map[string][]string{"Server": {"Apache-Coyote/1.1"}}, "", ""}, // Tomcat, which needs no proxy
		{map[string][]string{"Server": {"nginx/1.22.1"}}, "Server: nginx/1.22.1", "nginx"},
		{map[string][]string{"Server": {"Cowboy"}, "Via": {"1.1 vegur"}}, "Via: 1.1 vegur", "Heroku's router"},
		{map[string][]string{"Server": {"cloudflare"}, "Cf-Ray": {"8f2"}}, "Server: cloudflare", "Cloudflare"},
		{map[string][]string{"Via": {"1.1 office"}, "X-Forwarded-For": {"192.0.2.1"}}, "Via: 1.1 office", ""},
		{map[string][]string{"X-Forwarded-For": {"192.0.2.1"}, "X-Amzn-Trace-Id": {"Root=1"}}, "X-Amzn-Trace-Id: Root=1", "an AWS load balancer"},
		{map[string][]string{"X-Real-Ip": {""}}, "X-Real-Ip: ", ""},
	} {
		trace := between.Trace(tt.header)
		if name := between.Of(trace).Name; trace != tt.trace || name != tt.name {
			t.Errorf("%v: %q of %q, want %q of %q", tt.header, trace, name, tt.trace, tt.name)
		}
	}
}

func TestFits(t *testing.T) {
	nginx := between.Of("Server: nginx")
	for _, tt := range []struct {
		silence time.Duration
		proxy   between.Proxy
		after   time.Duration // of the best fit; 0: none
		setting string
		least   float64
		most    float64
	}{
		{60 * time.Second, between.Proxy{}, 60 * time.Second, "", 0.9, 0.95},
		{60*time.Second + 50*time.Millisecond, nginx, 60 * time.Second, nginx.Setting, 0.9, 0.95},
		{61 * time.Second, between.Proxy{}, 60 * time.Second, "", 0.2, 0.5},
		{10*time.Second + 10*time.Millisecond, between.Proxy{}, 0, "", 0, 0},
		{10*time.Second + 10*time.Millisecond, nginx, 10 * time.Second, nginx.Setting, 0.7, 0.8},
		{12500 * time.Millisecond, nginx, 0, "", 0, 0},
		{240 * time.Second, between.Proxy{}, 240 * time.Second, "", 0.9, 0.95}, // not what lasts ten seconds less
		{0, nginx, 0, "", 0, 0},
		{55 * time.Second, between.Of("Via: 1.1 vegur"), 55 * time.Second, "", 0.9, 0.95},
		{60 * time.Second, between.Of("Via: 1.1 vegur"), 60 * time.Second, "", 0.9, 0.95}, // something else on the way
	} {
		fits := between.Fits(tt.silence, tt.proxy)
		var best between.Fit
		if len(fits) > 0 {
			best = fits[0]
		}
		if best.After != tt.after || best.Setting != tt.setting || best.Confidence < tt.least || best.Confidence > tt.most {
			t.Errorf("%v behind %q: %+v, want %v", tt.silence, tt.proxy.Name, best, tt.after)
		}
	}
}
