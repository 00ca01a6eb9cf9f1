package inspect

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/wiretrue/websocket/capture"
)

// Archive writes an HTTP archive (HAR 1.2) with an entry for each attempt to
// open a WebSocket, and its messages in "_webSocketMessages" as browsers'
// developer tools write and read them.
type Archive struct {
	w       *bufio.Writer
	open    map[*Conn]*archived
	spool   spool
	memory  int
	entries int64
	err     error
}

// archived is what is kept of a connection: its entries and the messages of
// the last of them, encoded.
type archived struct {
	entries  []harEntry
	messages []byte // separated by commas
	spooled  spooled
	count    int64
}

// maxEntries are kept of a connection that tries again and again.
const maxEntries = 100

// The parts of a HAR.
type (
	harEntry struct {
		Started  time.Time   `json:"startedDateTime"`
		Time     float64     `json:"time"` // milliseconds
		Request  harRequest  `json:"request"`
		Response harResponse `json:"response"`
		Cache    struct{}    `json:"cache"`
		Timings  harTimings  `json:"timings"`
		Server   string      `json:"serverIPAddress"`
		Port     string      `json:"connection"`
		Type     string      `json:"_resourceType"`
		Comment  string      `json:"comment,omitempty"`
	}
	harRequest struct {
		Method   string    `json:"method"`
		URL      string    `json:"url"`
		Version  string    `json:"httpVersion"`
		Cookies  []harPair `json:"cookies"`
		Headers  []harPair `json:"headers"`
		Query    []harPair `json:"queryString"`
		HeadSize int       `json:"headersSize"`
		BodySize int       `json:"bodySize"`
	}
	harResponse struct {
		Status   int        `json:"status"`
		Text     string     `json:"statusText"`
		Version  string     `json:"httpVersion"`
		Cookies  []harPair  `json:"cookies"`
		Headers  []harPair  `json:"headers"`
		Content  harContent `json:"content"`
		Redirect string     `json:"redirectURL"`
		HeadSize int        `json:"headersSize"`
		BodySize int        `json:"bodySize"`
	}
	harContent struct {
		Size     uint64 `json:"size"`
		Type     string `json:"mimeType"`
		Text     string `json:"text,omitempty"`
		Encoding string `json:"encoding,omitempty"`
	}
	harTimings struct {
		Send    float64 `json:"send"`
		Wait    float64 `json:"wait"`
		Receive float64 `json:"receive"`
	}
	harPair struct {
		Name  string `json:"name"`
		Value string `json:"value"`
	}
	harMessage struct {
		Type    string  `json:"type"` // "send": by the client, or "receive"
		Time    float64 `json:"time"` // seconds since 1970
		Opcode  int     `json:"opcode"`
		Data    string  `json:"data"` // in base64 when the opcode is 2
		Comment string  `json:"comment,omitempty"`
	}
)

// NewArchive returns a sink that writes an archive to w. Payloads are there as
// far as records have them: see the Payload of [capture.Options].
func NewArchive(w io.Writer, version string) *Archive {
	a := &Archive{w: bufio.NewWriterSize(w, 64<<10), open: map[*Conn]*archived{}}
	a.put([]byte(`{"log":{"version":"1.2","creator":`))
	a.encode(struct {
		Name    string `json:"name"`
		Version string `json:"version"`
	}{"wiretrue", version})
	a.put([]byte(`,"entries":[`))
	return a
}

// Begin implements [Sink].
func (a *Archive) Begin(c *Conn) {
	a.open[c] = &archived{}
}

// Record implements [Sink].
func (a *Archive) Record(c *Conn, r *capture.Record, matches bool) {
	k := a.open[c]
	switch {
	case r.Handshake != nil && len(k.entries) < maxEntries:
		k.entries = append(k.entries, entryOf(c, r.Handshake))
	case r.Message != nil && !r.Message.Cut && matches:
		a.message(k, r)
	}
}

func (a *Archive) message(k *archived, r *capture.Record) {
	m := harMessage{Type: "receive", Time: float64(r.At.UnixNano()) / 1e9, Opcode: 1}
	if r.From == capture.Client {
		m.Type = "send"
	}
	payload := r.Message.Payload
	if r.Message.Type == "text" && utf8.Valid(payload.Bytes) {
		m.Data = string(payload.Bytes)
	} else {
		m.Opcode = 2
		m.Data = base64.StdEncoding.EncodeToString(payload.Bytes)
	}
	if payload.Cut() {
		m.Comment = fmt.Sprintf("the first %d bytes of %d", len(payload.Bytes), payload.Size)
	}
	b, err := marshal(m)
	if err != nil {
		a.fail(err)
		return
	}
	if k.count++; k.count > 1 {
		k.messages = append(k.messages, ',')
		a.memory++
	}
	k.messages = append(k.messages, b...)
	if a.memory += len(b); a.memory > maxWaitingMemory {
		a.spill()
	}
}

// spill moves the messages to a temporary file.
func (a *Archive) spill() {
	for _, k := range a.open {
		if len(k.messages) == 0 {
			continue
		}
		if err := a.spool.append(&k.spooled, k.messages); err != nil {
			a.fail(err)
		}
		a.memory -= len(k.messages)
		k.messages = nil
	}
}

// End implements [Sink].
func (a *Archive) End(c *Conn) {
	k := a.open[c]
	delete(a.open, c)
	a.memory -= len(k.messages)
	if !c.Shown {
		return
	}
	if len(k.entries) == 0 && k.count > 0 {
		k.entries = append(k.entries, entryOf(c, &capture.Handshake{})) // the handshake is not in the capture
	}
	for n := range k.entries {
		e := &k.entries[n]
		last := n == len(k.entries)-1
		if last {
			report := c.Report()
			e.Time = float64(report.Stop.Sub(e.Started)) / 1e6
			e.Timings.Receive = max(0, e.Time-e.Timings.Wait)
			e.Comment = summary(report)
		}
		a.entry(e, k, last)
	}
}

// entry writes an entry and, behind the last one, the messages.
func (a *Archive) entry(e *harEntry, k *archived, last bool) {
	if a.entries++; a.entries > 1 {
		a.put([]byte(","))
	}
	b, err := marshal(e)
	if err != nil {
		a.fail(err)
		return
	}
	a.put([]byte("\n"))
	a.put(b[:len(b)-1])
	a.put([]byte(`,"_webSocketMessages":[`))
	if last {
		if err := a.spool.copy(&k.spooled, a.put); err != nil {
			a.fail(err)
		}
		a.put(k.messages)
	}
	a.put([]byte("]}"))
}

func summary(report *capture.Report) string {
	text := ""
	if report.Ending != nil {
		text = report.Ending.String()
	}
	var told []string
	for i := range report.Findings {
		if f := &report.Findings[i]; f.Severity != capture.Note && !slices.Contains(told, f.ID) {
			told = append(told, f.ID)
			text += "\n" + string(f.Severity) + " " + f.ID + ": " + f.Seen
		}
	}
	return text
}

func entryOf(c *Conn, h *capture.Handshake) harEntry {
	scheme := "ws"
	if c.TLS != nil {
		scheme = "wss"
	}
	host := c.Server().String()
	if len(h.Host) > 0 && h.Host[0] != "" {
		host = h.Host[0]
	}
	started := h.Requested
	if started.IsZero() {
		started = c.First.Time()
	}
	e := harEntry{
		Started: started,
		Server:  c.Server().Addr().Unmap().String(),
		Port:    c.Client().String(),
		Type:    "websocket",
		Request: harRequest{
			Method: h.Method, URL: scheme + "://" + host + h.Target, Version: h.RequestProto,
			Cookies: cookiesOf(h.RequestHeader["Cookie"]), Headers: headersOf(h.RequestHeader), Query: []harPair{},
			HeadSize: -1,
		},
		Response: harResponse{
			Status: h.Status, Text: h.Reason, Version: h.ResponseProto,
			Cookies: []harPair{}, Headers: headersOf(h.ResponseHeader),
			HeadSize: -1,
		},
	}
	for _, v := range h.Host {
		e.Request.Headers = append([]harPair{{"Host", v}}, e.Request.Headers...)
	}
	if u, err := url.ParseRequestURI(h.Target); err == nil {
		for name, values := range u.Query() {
			for _, v := range values {
				e.Request.Query = append(e.Request.Query, harPair{name, v})
			}
		}
		slices.SortFunc(e.Request.Query, byName)
	}
	if v := h.ResponseHeader["Location"]; len(v) > 0 {
		e.Response.Redirect = v[0]
	}
	if v := h.ResponseHeader["Content-Type"]; len(v) > 0 {
		e.Response.Content.Type = v[0]
	}
	if body := h.ResponseBody; body != nil {
		e.Response.Content.Size, e.Response.BodySize = body.Size, int(min(body.Size, 1<<31-1))
		if text, ok := body.Text(); ok {
			e.Response.Content.Text = text
		} else {
			e.Response.Content.Text = base64.StdEncoding.EncodeToString(body.Bytes)
			e.Response.Content.Encoding = "base64"
		}
	}
	if !h.Responded.IsZero() && !h.Requested.IsZero() {
		e.Timings.Wait = float64(h.Responded.Sub(h.Requested)) / 1e6
		e.Time = e.Timings.Wait
	}
	return e
}

func byName(a, b harPair) int { return strings.Compare(a.Name, b.Name) }

// cookiesOf splits Cookie headers into their pairs.
func cookiesOf(headers []string) []harPair {
	all := []harPair{}
	for _, h := range headers {
		for part := range strings.SplitSeq(h, ";") {
			if name, value, ok := strings.Cut(strings.TrimSpace(part), "="); ok {
				all = append(all, harPair{name, value})
			}
		}
	}
	return all
}

func headersOf(h map[string][]string) []harPair {
	all := []harPair{}
	for name, values := range h {
		for _, v := range values {
			all = append(all, harPair{name, v})
		}
	}
	slices.SortStableFunc(all, byName)
	return all
}

func (a *Archive) put(b []byte) {
	if a.err == nil {
		_, a.err = a.w.Write(b)
	}
}

func (a *Archive) encode(v any) {
	b, err := marshal(v)
	if err != nil {
		a.fail(err)
		return
	}
	a.put(b)
}

func (a *Archive) fail(err error) {
	if a.err == nil {
		a.err = err
	}
}

// marshal is json.Marshal that leaves < and > as they are.
func marshal(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

// Close ends the archive. The error is the first one of its writer.
func (a *Archive) Close() error {
	a.put([]byte("\n]}}\n"))
	a.spool.close()
	if err := a.w.Flush(); a.err == nil {
		a.err = err
	}
	return a.err
}
