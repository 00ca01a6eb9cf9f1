package main

import (
	"bufio"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
	"testing"
	"time"

	"github.com/wiretrue/websocket"
)

// browser is a headless Chromium that is driven by its DevTools protocol, which
// speaks WebSocket.
type browser struct {
	t       *testing.T
	ctx     context.Context
	c       *websocket.Conn
	session string // of the page
	last    int    // the number of the newest call

	complaints []string // exceptions and error messages of the page
}

// startBrowser starts the browser with an empty page.
func startBrowser(t *testing.T) *browser {
	t.Helper()
	if testing.Short() {
		t.Skip("a short run")
	}
	var path string
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if found, err := exec.LookPath(name); err == nil {
			path = found
			break
		}
	}
	if path == "" {
		if os.Getenv("CI") != "" {
			t.Fatal("no chromium, which .ci/run should have installed")
		}
		t.Skip("no chromium")
	}
	profile, err := os.MkdirTemp("", "profile")
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(path,
		"--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
		"--disable-background-networking", "--disable-component-update", "--disable-sync",
		"--disable-dev-shm-usage", "--user-data-dir="+profile, "--remote-debugging-port=0", "about:blank")
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	address := make(chan string, 1)
	drained := make(chan struct{})
	go func() {
		defer close(drained)
		lines := bufio.NewReader(stderr)
		for {
			line, err := lines.ReadString('\n')
			if m := regexp.MustCompile(`DevTools listening on (ws://\S+)`).FindStringSubmatch(line); m != nil {
				address <- m[1]
			}
			if err != nil {
				close(address)
				io.Copy(io.Discard, stderr)
				return
			}
		}
	}()
	t.Cleanup(func() {
		cmd.Process.Kill()
		<-drained
		cmd.Wait()
		os.RemoveAll(profile)
	})

	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute) // nothing waits for it when all is well
	t.Cleanup(cancel)
	var url string
	select {
	case url = <-address:
	case <-ctx.Done():
	}
	if url == "" {
		t.Fatal("the browser does not tell its DevTools address")
	}
	opts := new(websocket.DialOptions)
	opts.ReadLimit = 64 << 20 // for screenshots
	c, err := websocket.Dial(ctx, url, opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.CloseNow() })
	b := &browser{t: t, ctx: ctx, c: c}
	var target struct{ TargetID string }
	b.call("Target.createTarget", map[string]any{"url": "about:blank"}, &target)
	var attached struct{ SessionID string }
	b.call("Target.attachToTarget", map[string]any{"targetId": target.TargetID, "flatten": true}, &attached)
	b.session = attached.SessionID
	for _, domain := range []string{"Page", "Runtime", "Log"} {
		b.call(domain+".enable", nil, nil)
	}
	return b
}

// devtoolsMessage is any message of the protocol.
type devtoolsMessage struct {
	ID      int             `json:"id,omitempty"`
	Session string          `json:"sessionId,omitempty"`
	Method  string          `json:"method,omitempty"`
	Params  any             `json:"params,omitempty"`
	Result  json.RawMessage `json:"result,omitempty"`
	Error   *struct {
		Message string `json:"message"`
	} `json:"error,omitempty"`
}

// call calls a method and decodes its result into the value.
func (b *browser) call(method string, params, result any) {
	b.t.Helper()
	b.last++
	if err := websocket.WriteJSON(b.ctx, b.c, devtoolsMessage{ID: b.last, Session: b.session, Method: method, Params: params}); err != nil {
		b.t.Fatalf("%s: %v", method, err)
	}
	for {
		m, err := websocket.ReadJSON[devtoolsMessage](b.ctx, b.c)
		switch {
		case err != nil:
			b.t.Fatalf("%s: %v", method, err)
		case m.Method == "Runtime.exceptionThrown", m.Method == "Log.entryAdded":
			text, _ := json.Marshal(m.Params)
			b.complaints = append(b.complaints, string(text))
		case m.ID != b.last:
		case m.Error != nil:
			b.t.Fatalf("%s: %s", method, m.Error.Message)
		default:
			if result != nil {
				if err := json.Unmarshal(m.Result, result); err != nil {
					b.t.Fatalf("%s: %v in %s", method, err, m.Result)
				}
			}
			return
		}
	}
}

// open loads a page.
func (b *browser) open(url string) {
	b.t.Helper()
	var loaded struct{ ErrorText string }
	b.call("Page.navigate", map[string]any{"url": url}, &loaded)
	if loaded.ErrorText != "" {
		b.t.Fatalf("%s: %s", url, loaded.ErrorText)
	}
	b.until("document.readyState === 'complete' && location.href !== 'about:blank'")
}

// eval returns the value of a JavaScript expression, a promise's once it has one.
func (b *browser) eval(expression string) any {
	b.t.Helper()
	var answer struct {
		Result           struct{ Value any }
		ExceptionDetails *struct {
			Exception struct{ Description string }
		}
	}
	b.call("Runtime.evaluate", map[string]any{"expression": expression, "awaitPromise": true, "returnByValue": true, "userGesture": true}, &answer)
	if e := answer.ExceptionDetails; e != nil {
		b.t.Fatalf("%s: %s", expression, e.Exception.Description)
	}
	return answer.Result.Value
}

// until waits until an expression is true.
func (b *browser) until(expression string) {
	b.t.Helper()
	state := b.eval(fmt.Sprintf(`(async () => {
		for (let i = 0; i < 1000; i++) {
			if (%s) return "";
			await new Promise((resolve) => setTimeout(resolve, 20));
		}
		return document.body.innerText;
	})()`, expression))
	if state != "" {
		b.t.Fatalf("%s does not come; the page says:\n%v", expression, state)
	}
}

// want compares the value of an expression.
func (b *browser) want(expression string, want any) {
	b.t.Helper()
	if got := b.eval(expression); got != want {
		b.t.Errorf("%s = %#v, want %#v", expression, got, want)
	}
}

// screenshot writes a picture of the page into the directory that
// WIRETRUE_SCREENSHOTS names, for a person to look at.
func (b *browser) screenshot(name string, width, height int, scheme string) {
	b.t.Helper()
	dir := os.Getenv("WIRETRUE_SCREENSHOTS")
	if dir == "" {
		return
	}
	b.call("Emulation.setDeviceMetricsOverride", map[string]any{"width": width, "height": height, "deviceScaleFactor": 1, "mobile": false}, nil)
	b.call("Emulation.setEmulatedMedia", map[string]any{"features": []any{map[string]any{"name": "prefers-color-scheme", "value": scheme}}}, nil)
	var shot struct{ Data string }
	b.call("Page.captureScreenshot", nil, &shot)
	png, err := base64.StdEncoding.DecodeString(shot.Data)
	if err == nil {
		err = os.WriteFile(dir+"/"+name+".png", png, 0o644)
	}
	if err != nil {
		b.t.Error(err)
	}
}
