package main

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/wiretrue/websocket"
)

func TestPage(t *testing.T) {
	server := httptest.NewServer(newServices(websocket.AcceptOptions{}, false))
	t.Cleanup(server.Close)
	b := startBrowser(t)
	b.open(server.URL + "/")
	ws := strings.Replace(server.URL, "http", "ws", 1)
	b.want(`document.getElementById("url").value`, ws+"/echo")
	b.want(`document.getElementById("send-text").disabled`, true)

	// Text and binary go there and come back.
	b.eval(`document.getElementById("connect").click()`)
	b.until(`document.getElementById("state").textContent === "connected"`)
	b.eval(`text.value = "grüße, 😀\n<b>not bold</b>"; document.getElementById("send-text").click()`)
	b.until(`document.querySelector("#log .received[data-type=text] .content")?.textContent === "grüße, 😀\n<b>not bold</b>"`)
	b.eval(`hex.value = "DE:ad be,0xEF"; document.getElementById("send-binary").click()`)
	b.until(`document.querySelector("#log .received[data-type=binary] .content")?.textContent === "de ad be ef"`)
	b.want(`counts.sent`, 2.0)
	b.want(`counts.received`, 2.0)
	b.screenshot("light", 1000, 800, "light")
	b.screenshot("dark", 1000, 800, "dark")
	b.screenshot("narrow", 380, 800, "light")
	b.eval(`hex.value = "abc"; document.getElementById("send-binary").click()`)
	b.want(`document.getElementById("hex-error").textContent`, "A byte has two digits; one is missing.")
	b.eval(`text.value = "x".repeat(100000); document.getElementById("send-text").click()`)
	b.until(`[...document.querySelectorAll("#log .received .size")].at(-1)?.textContent === "100000 B"`)

	b.want(`document.documentElement.scrollWidth <= innerWidth`, true)

	// The page says how it ended.
	b.eval(`document.getElementById("code").value = 1006; document.getElementById("close").click()`)
	b.until(`document.getElementById("close-error").textContent !== ""`)
	b.eval(`document.getElementById("code").value = 3001; document.getElementById("reason").value = "enough"; document.getElementById("close").click()`)
	b.until(`document.getElementById("state").textContent === "closed 3001"`)
	b.want(`[...document.querySelectorAll("#log [data-type=end] .content")].at(-1).textContent`, "3001")

	// The other services, by URI and by subprotocol.
	for _, service := range []struct{ button, state string }{
		{"chat", "connected, chat.wiretrue"}, {"time", "connected, time.wiretrue"}, {"time by subprotocol", "connected, time.wiretrue"},
	} {
		b.eval(`[...document.querySelectorAll("[data-path]")].find((e) => e.textContent === "` + service.button + `").click(); document.getElementById("connect").click()`)
		b.until(`document.getElementById("state").textContent === "` + service.state + `"`)
		b.eval(`document.getElementById("connect").click()`)
		b.until(`document.getElementById("state").textContent === "closed 1000"`)
	}

	// Everything has a name for those who do not see it.
	b.want(`[...document.querySelectorAll("input, textarea, button")].filter((e) => !(e.labels?.length || e.textContent.trim())).map((e) => e.id).join()`, "")
	if len(b.complaints) > 0 {
		t.Errorf("the browser complains:\n%s", strings.Join(b.complaints, "\n"))
	}

	// A refused upgrade is told as far as a page is told.
	b.eval(`document.getElementById("url").value = "` + ws + `/nothing"; document.getElementById("connect").click()`)
	b.until(`[...document.querySelectorAll("#log .failed .content")].at(-1)?.textContent.includes("the handshake failed")`)
}

// The page can load nothing from elsewhere, and stays out of frames.
func TestPageHeaders(t *testing.T) {
	server := httptest.NewServer(newServices(websocket.AcceptOptions{}, false))
	t.Cleanup(server.Close)
	for path, kind := range map[string]string{"/": "text/html", "/page/page.css": "text/css", "/page/page.js": "text/javascript"} {
		r, err := http.Get(server.URL + path)
		if err != nil {
			t.Fatal(err)
		}
		r.Body.Close()
		if r.StatusCode != 200 || !strings.HasPrefix(r.Header.Get("Content-Type"), kind) {
			t.Errorf("%s: %s, %s", path, r.Status, r.Header.Get("Content-Type"))
		}
		if csp := r.Header.Get("Content-Security-Policy"); !strings.Contains(csp, "default-src 'none'") || !strings.Contains(csp, "frame-ancestors 'none'") {
			t.Errorf("%s: policy %q", path, csp)
		}
	}
}
