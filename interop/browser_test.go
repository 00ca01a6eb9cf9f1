package interop

import (
	_ "embed"
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/wiretrue/websocket"
)

//go:embed testdata/page.html
var page []byte

// TestBrowser runs our server with a page in a browser as its client. The page
// comes from the same server by the same route, so that its origin is the
// server's own: an https one where TLS ends at a proxy.
func TestBrowser(t *testing.T) {
	chosen := []string{"direct", "tls", "haproxy-tls", "nginx-tls", "refragment"} // a browser takes seconds to start
	for _, r := range routes {
		if !slices.Contains(chosen, r.name) {
			continue
		}
		t.Run(r.name, func(t *testing.T) {
			full(t)
			t.Parallel()
			chromium := tool(t, "chromium", "chromium-browser", "google-chrome")
			p := newRemote()
			var opts websocket.Options
			if r.name != "refragment" { // which may not be done to an extension's frames
				opts.Compression = &websocket.Compression{Threshold: 1}
			}
			m := asServer(t, &p.peer, r, opts)
			m.mux.Handle("/", p)
			p.browse(t, chromium, m.origin()+"/")
			if c := m.open(t).us; opts.Compression != nil && c.Compression() != "permessage-deflate; server_max_window_bits=12; client_max_window_bits=12" {
				t.Errorf("agreed on %q", c.Compression())
			}
			converse(t, m)
		})
	}
}

// remote is a peer that fetches its commands by HTTP.
type remote struct {
	peer
	http.ServeMux
	commands chan command
	told     chan event
}

func newRemote() *remote {
	r := &remote{commands: make(chan command, 16), told: make(chan event, 1024)}
	r.peer = peer{
		lacks:  abilities{listening: true, fragments: true, pings: true, raw: true, codes: true, refusals: true, missing: true},
		do:     func(c command) { r.commands <- c },
		events: r.told,
	}
	r.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.Write(page)
	})
	r.HandleFunc("POST /command", func(w http.ResponseWriter, req *http.Request) {
		select {
		case c := <-r.commands:
			json.NewEncoder(w).Encode(c)
		case <-req.Context().Done():
		}
	})
	r.HandleFunc("POST /event", func(w http.ResponseWriter, req *http.Request) {
		var ev event
		if err := json.NewDecoder(req.Body).Decode(&ev); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		r.told <- ev
	})
	return r
}

// browse starts a browser with the page.
func (r *remote) browse(t testing.TB, chromium, url string) {
	t.Helper()
	profile, err := os.MkdirTemp("", "profile")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(profile) }) // after the browser was killed
	cmd := exec.Command(chromium,
		"--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
		"--disable-background-networking", "--disable-component-update", "--disable-sync",
		"--disable-dev-shm-usage", "--ignore-certificate-errors", "--user-data-dir="+profile, url)
	stderr, kill := startProcess(t, cmd)
	r.kill = kill
	r.stderr = func() string { // without its complaints about the desktop that is not there
		lines := slices.DeleteFunc(strings.SplitAfter(stderr(), "\n"), func(line string) bool {
			return strings.Contains(line, "dbus")
		})
		return strings.Join(lines, "")
	}
	r.await(t, 0, "ready")
}
