package story

import (
	"crypto/sha1"
	"fmt"
	"strings"
	"time"

	"github.com/wiretrue/websocket/capture"
	"github.com/wiretrue/websocket/internal/duration"
	"github.com/wiretrue/websocket/wire/frame"
	"github.com/wiretrue/websocket/wire/handshake"
	"github.com/wiretrue/websocket/wire/rfc"
)

// indent is the width of the time and the sender in front of a line.
const indent = "                     "

// line tells a line at a time, of a party.
func (t *Telling) line(at time.Time, who capture.Party, format string, args ...any) {
	name := fmt.Sprintf("%-6s", who)
	fmt.Fprintf(&t.buf, "%12s  %s %s\n", clock(at.Sub(t.start)), t.p.palette.party(who, name), fmt.Sprintf(format, args...))
}

// more tells a line that belongs to the one before.
func (t *Telling) more(format string, args ...any) {
	fmt.Fprintf(&t.buf, indent+"%s\n", fmt.Sprintf(format, args...))
}

// field tells a name and a value that belong to the line before.
func (t *Telling) field(name, value string) {
	if value != "" {
		t.more("  %-22s %s", name, value)
	}
}

func clock(d time.Duration) string { return fmt.Sprintf("%.6f", d.Seconds()) }

func (t *Telling) title(at time.Time) {
	title := at.UTC().Format("2006-01-02 15:04:05.000000 UTC")
	if t.where != "" {
		title = safe(t.where) + ", " + title
	}
	t.buf.WriteString(t.p.palette.bold(title) + "\n")
}

func (t *Telling) text(r *capture.Record) {
	switch r.Kind {
	case capture.KindStart:
		t.onStart(r)
	case capture.KindNet:
		t.net(r)
	case capture.KindHTTP:
		t.http(r)
	case capture.KindHandshake:
		t.handshake(r)
	case capture.KindFrame:
		t.onFrame(r)
	case capture.KindMessage:
		t.message(r)
	case capture.KindPing:
		t.more("  round trip of the Ping #%d: %s", r.Ping.Frame, duration.Words(r.Ping.RTT))
	case capture.KindClose:
		t.onClose(r)
	case capture.KindGap:
		t.gap(r)
	case capture.KindEnd:
		t.end(r)
	case capture.KindEnding:
		t.ending(r)
	case capture.KindFinding:
		t.finding(r.Finding)
	}
}

func (t *Telling) onStart(r *capture.Record) {
	s := r.Start
	switch s.As {
	case "frames":
		t.line(r.At, r.From, "the handshake is not in the capture: frames from byte %d on, a guess of %.0f%% (%s)", s.Offset, 100*s.Confidence, s.Evidence)
	case "tls":
		t.line(r.At, r.From, "TLS, not decrypted (%s)", s.Evidence)
	case "http2":
		t.line(r.At, r.From, "HTTP/2 (%s); it is not read here", s.Evidence)
	default:
		t.line(r.At, r.From, "not understood: %s", s.Evidence)
	}
}

func (t *Telling) net(r *capture.Record) {
	e := r.Net
	text := safe(e.Text)
	if text != "" {
		text = ": " + text
	}
	switch e.Kind {
	case capture.NetOpened:
		t.line(r.At, r.From, "TCP opens%s", text)
	case capture.NetEstablished:
		t.line(r.At, r.From, "TCP is open, round trip %s%s", duration.Words(e.Duration), text)
	case capture.NetMiddle:
		t.line(r.At, r.From, "TCP was open before the capture began%s", text)
	case capture.NetResent:
		if e.Bytes == 0 && e.Text != "" {
			t.line(r.At, r.From, "sends its %s again", safe(e.Text))
			return
		}
		t.line(r.At, r.From, "sends %d bytes again%s", e.Bytes, text)
	case capture.NetZeroWindow:
		t.line(r.At, r.From, "takes no more bytes: its window is closed%s", text)
	case capture.NetWindowOpen:
		t.line(r.At, r.From, "takes bytes again, after %s%s", duration.Words(e.Duration), text)
	case capture.NetKeepAlive:
		t.line(r.At, r.From, "TCP keep-alive%s", text)
	case capture.NetTLSRecord:
		t.line(r.At, r.From, "TLS record%s, %s", text, plural(int(e.Bytes), "byte"))
	case capture.NetAlert:
		t.line(r.At, r.From, "TLS alert%s", text)
	case capture.NetTLS:
		t.line(r.At, r.From, "%s", tlsLine(e.TLS)+text)
	default:
		t.line(r.At, r.From, "%s%s", e.Kind, text)
	}
}

func tlsLine(f *capture.TLSFacts) string {
	if f == nil {
		return "TLS"
	}
	parts := []string{"TLS"}
	if f.Version != "" {
		parts[0] = f.Version
	}
	add := func(format, s string) {
		if s != "" {
			parts = append(parts, fmt.Sprintf(format, safe(s)))
		}
	}
	add("%s", f.Suite)
	add("for %s", f.ServerName)
	add("ALPN %s", f.ALPN)
	if f.Resumed {
		parts = append(parts, "resumed")
	}
	if f.Decrypted {
		parts = append(parts, "decrypted")
	} else {
		parts = append(parts, "not decrypted")
	}
	return strings.Join(parts, ", ")
}

func requestLine(x *capture.Exchange) string {
	switch {
	case x.GotTLS:
		return "(TLS in place of a request)"
	case x.Method == "":
		return "(the request is not in the capture)"
	}
	return short(strings.TrimSpace(x.Method+" "+x.Target+" "+x.RequestProto), 160)
}

func statusLine(x *capture.Exchange) string {
	if x.Status == 0 {
		return "no response"
	}
	return short(strings.TrimSpace(fmt.Sprintf("%d %s", x.Status, x.Reason)), 80)
}

func (t *Telling) http(r *capture.Record) {
	x := r.HTTP
	line := requestLine(x) + ": " + statusLine(x)
	if x.ResponseBody != nil {
		line += fmt.Sprintf(", %d bytes", x.ResponseBody.Size)
	}
	if !x.Responded.IsZero() && !x.Requested.IsZero() {
		line += fmt.Sprintf(", after %s", duration.Words(x.Responded.Sub(x.Requested)))
	}
	if x.Cut {
		line += ", not whole"
	}
	t.line(firstOf(x.Requested, r.At), capture.Client, "%s", line)
}

func firstOf(t, u time.Time) time.Time {
	if t.IsZero() {
		return u
	}
	return t
}

func (t *Telling) handshake(r *capture.Record) {
	h := r.Handshake
	t.line(firstOf(h.Requested, r.At), capture.Client, "%s, asks for a WebSocket%s", t.p.palette.bold(requestLine(&h.Exchange)), packet(h.RequestPacket))
	t.field("Host", safe(strings.Join(h.Host, ", ")))
	t.field("Origin", short(h.Origin, 100))
	t.field("Sec-WebSocket-Key", short(h.Key, 60))
	t.field("Sec-WebSocket-Version", short(h.Version, 40))
	t.field("subprotocols offered", short(strings.Join(h.Subprotocols, ", "), 100))
	t.field("extensions offered", short(strings.Join(h.Offered, ", "), 100))
	if h.Status == 0 {
		t.more("no response in the capture")
		return
	}
	took := ""
	if h.Responded.After(h.Requested) && !h.Requested.IsZero() {
		took = fmt.Sprintf(", after %s", duration.Words(h.Responded.Sub(h.Requested)))
	}
	status := statusLine(&h.Exchange)
	if h.Opened {
		status = t.p.palette.bold(status)
	} else {
		status = t.p.palette.err(status)
	}
	t.line(h.Responded, capture.Server, "%s%s%s", status, took, packet(h.ResponsePacket))
	if !h.Opened {
		t.refusal(h)
		return
	}
	for _, name := range []string{"Server", "Via"} { // what there may be in between
		t.field(name, short(strings.Join(h.ResponseHeader[name], ", "), 100))
	}
	t.proof(h)
	t.field("subprotocol", short(h.Subprotocol, 100))
	t.field("extensions", short(strings.Join(h.Agreed, ", "), 100))
}

// refusal tells what a response other than 101 says.
func (t *Telling) refusal(h *capture.Handshake) {
	for _, name := range []string{"Location", "WWW-Authenticate", "Sec-WebSocket-Version", "Retry-After", "Server", "Via"} {
		if v := h.ResponseHeader[handshake.CanonicalName(name)]; len(v) > 0 {
			t.field(name, short(strings.Join(v, ", "), 100))
		}
	}
	if h.ResponseBody != nil {
		t.field("body", excerpt(*h.ResponseBody, true))
	}
}

// proof shows how the accept value comes from the key.
func (t *Telling) proof(h *capture.Handshake) {
	if h.Accept != "" {
		t.field("Sec-WebSocket-Accept", short(h.Accept, 100))
	}
	if h.Key == "" {
		t.field("proof", "unknown: the key is not in the capture")
		return
	}
	sum := sha1.Sum([]byte(h.Key + handshake.GUID))
	t.field("proof: SHA-1 of", short(h.Key, 60)+handshake.GUID)
	t.more("  %-22s %x", "  is", sum)
	verdict := t.p.palette.good("right")
	switch h.Proof {
	case "wrong":
		verdict = t.p.palette.err("wrong")
	case "missing":
		verdict = t.p.palette.err("missing")
	}
	t.more("  %-22s %s: the Accept is %s", "  in base64", h.AcceptExpected, verdict)
}

func packet(n int64) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprintf(" (packet %d)", n)
}

// opcodeWord is the name of a frame's opcode in Options.Hide.
func opcodeWord(f *capture.Frame) string { return strings.ToLower(f.Header.Opcode.String()) }

func (t *Telling) onFrame(r *capture.Record) {
	f := r.Frame
	h := &f.Header.Header
	words := h.String()
	if f.Header.Opcode == frame.Close {
		if code, reason, ok := frame.ParseClose(f.Payload.Bytes); ok {
			words += "  " + rfc.StatusCode(code).String()
			if len(reason) > 0 {
				words += " " + quote(string(reason), lineText)
			}
		}
	} else if f.Compressed {
		words += "  compressed " + spaced(f.Payload.Bytes, lineBytes, f.Payload.Size)
	} else if s := excerpt(f.Payload, f.Header.Opcode == frame.Text); s != "" {
		words += "  " + s
	}
	if f.Cut {
		words += t.p.palette.warning(fmt.Sprintf("  cut: %d of %d bytes came", f.Seen, f.Header.Length))
	}
	if f.Last.Sub(f.First) >= 10*time.Millisecond {
		words += t.p.palette.faint(fmt.Sprintf("  (in %s)", duration.Words(f.Last.Sub(f.First))))
	}
	t.line(f.First, r.From, "%s %s", t.p.palette.faint(fmt.Sprintf("#%-3d", f.Number)), words)
	if t.p.o.Bits {
		t.buf.WriteString(drawHeader(h, f.Offset, indent))
	}
	if t.p.o.Hex {
		t.hex(f)
	}
}

// hex dumps the header as it was on the wire and the payload unmasked.
func (t *Telling) hex(f *capture.Frame) {
	b := f.Header.Append(nil)
	t.buf.WriteString(dump(b, f.Offset, indent))
	if len(f.Payload.Bytes) == 0 {
		return
	}
	how := "payload"
	if f.Header.Masked {
		how = "payload, unmasked"
	}
	if f.Payload.Cut() {
		how += fmt.Sprintf(", the first %d of %d bytes", len(f.Payload.Bytes), f.Payload.Size)
	}
	t.more("%s", t.p.palette.faint(how))
	t.buf.WriteString(dump(f.Payload.Bytes, f.Offset+int64(len(b)), indent))
}

func (t *Telling) message(r *capture.Record) {
	m := r.Message
	defer t.answer(m)
	if m.Frames <= 1 && !m.Cut && !m.Compressed {
		return // its frame has told it
	}
	frames := fmt.Sprintf("%d frames, #%d to #%d", m.Frames, m.FirstFrame, m.LastFrame)
	if m.Frames == 1 {
		frames = fmt.Sprintf("frame #%d", m.FirstFrame)
	}
	line := fmt.Sprintf("%s message (%s), %s", m.Type, frames, plural(int(m.Size), "byte"))
	if m.Compressed {
		line += fmt.Sprintf(" inflated from %d", m.WireSize)
	}
	if s := excerpt(m.Payload, m.Type == "text"); s != "" && (m.Compressed || !m.Cut) {
		line += "  " + s
	}
	if m.NotInflated != "" {
		line += t.p.palette.warning(", no further: " + m.NotInflated)
	}
	if m.Cut {
		line += t.p.palette.warning(", not whole")
	}
	t.more("  %s", line)
}

func (t *Telling) answer(m *capture.Message) {
	if m.Answers != 0 {
		t.more("  answers the message with the id %s after %s", quote(m.ID, 40), duration.Words(m.After))
	}
}

func (t *Telling) onClose(r *capture.Record) {
	c := r.Close
	switch {
	case c.Repeat:
		t.more("  %s had closed before", r.From)
	case c.Began:
		when := duration.Words(c.After) + " after the last frame"
		switch {
		case c.During != 0:
			when = fmt.Sprintf("while frame #%d is on its way", c.During)
		case c.Frame == 1:
			when = duration.Words(c.After) + " after the handshake"
		}
		t.more("  the %s begins the closing handshake, %s", r.From, when)
	default:
		t.more("  the %s answers the Close, after %s", r.From, duration.Words(c.Answer))
	}
}

func (t *Telling) gap(r *capture.Record) {
	g := r.Gap
	var line string
	switch {
	case g.Missing < 0:
		line = fmt.Sprintf("bytes are missing from byte %d on, nobody knows how many", g.Stream)
	case g.Missing > 0:
		line = fmt.Sprintf("%s from byte %d on are missing", plural(int(g.Missing), "byte"), g.Stream)
	default:
		line = fmt.Sprintf("%s from byte %d on are not understood", plural(int(g.Skipped), "byte"), g.Stream)
	}
	if g.Missing != 0 && g.Skipped > 0 {
		line += fmt.Sprintf(", %d more are not understood", g.Skipped)
	}
	switch g.Resumed {
	case "frame":
		line += ", inside a frame; it goes on behind them"
	case "found":
		line += fmt.Sprintf("; a frame is found at byte %d (%s)", g.ResumedAt, g.Evidence)
	case "http":
		line += fmt.Sprintf("; HTTP goes on at byte %d", g.ResumedAt)
	default:
		line += "; nothing is found behind them"
	}
	t.line(r.At, r.From, "%s", t.p.palette.warning(line))
}

func (t *Telling) end(r *capture.Record) {
	what := map[capture.How]string{
		capture.FIN:      "FIN: sends no more",
		capture.RST:      t.p.palette.err("RST: aborts the connection"),
		capture.TimedOut: "gives up",
		capture.Stopped:  "the capture stops",
	}[r.End.How]
	t.line(r.At, r.From, "%s, after %s", what, plural(int(r.End.Stream), "byte"))
}

func (t *Telling) ending(r *capture.Record) {
	e := r.Ending
	words := safe(e.String())
	switch e.How {
	case capture.Clean, capture.Going, capture.Never:
		words = t.p.palette.bold(words)
	default:
		words = t.p.palette.err(words)
	}
	t.more("%s", words)
}

// detailed is how many findings of one kind are told in full.
const detailed = 2

func (t *Telling) finding(f *capture.Finding) {
	t.told[f.ID]++
	n := t.told[f.ID]
	head := fmt.Sprintf("%s %s", t.p.palette.severity(f.Severity, strings.ToUpper(string(f.Severity))), t.p.palette.bold(f.Name))
	if f.RFC != 0 {
		head += fmt.Sprintf(", RFC %d %s", f.RFC, f.Section)
	}
	head += ", " + faultOf(f)
	if n > detailed {
		t.more("! %s: %s, %s", head, short(f.Seen, 160), placeOf(f))
		return
	}
	t.more("! %s", head)
	t.item("seen", short(f.Seen, 240))
	if at := placeOf(f); at != "" {
		t.item("at", at)
	}
	t.item("why", safe(f.Mistake))
	t.item("expected", safe(f.Expected))
	t.item("do", safe(f.Do))
	if f.Confidence > 0 {
		t.item("confidence", fmt.Sprintf("%.0f%%: this is a hint", 100*f.Confidence))
	}
}

func (t *Telling) item(name, value string) {
	if value != "" {
		t.more("    %-10s %s", name, value)
	}
}

func faultOf(f *capture.Finding) string {
	switch f.Fault {
	case capture.Client, capture.Server:
		return "by the " + string(f.Fault)
	case capture.Between:
		return "by something in between"
	}
	return "by whom is not known"
}

func placeOf(f *capture.Finding) string {
	var parts []string
	if f.Frame != 0 {
		parts = append(parts, fmt.Sprintf("frame #%d", f.Frame))
	}
	if f.Packet != 0 {
		parts = append(parts, fmt.Sprintf("packet %d", f.Packet))
	}
	if f.Offset >= 0 {
		where := fmt.Sprintf("byte %d of the %s's %s", f.Offset, f.From, partOf(f))
		if len(f.Bytes) > 0 {
			where += ": " + bytesOf(f)
		}
		parts = append(parts, where)
	}
	return strings.Join(parts, ", ")
}

// partOf is what the offset of a finding is counted in.
func partOf(f *capture.Finding) string {
	switch {
	case f.Frame != 0 || len(f.Bytes) == 0 || f.Rule == rfc.WaitForResponse:
		return "frames"
	case f.From == capture.Client:
		return "request"
	}
	return "response"
}

// bytesOf shows the bytes of a finding: a line of HTTP as text, others in
// hexadecimal.
func bytesOf(f *capture.Finding) string {
	if s := strings.TrimRight(string(f.Bytes), "\r\n"); f.Frame == 0 && printable(s) {
		return quote(s, 100)
	}
	return spaced(f.Bytes, 32, uint64(len(f.Bytes)))
}

func (t *Telling) findings(r *capture.Report) {
	if len(r.Findings) == 0 {
		if !t.p.o.Quiet {
			fmt.Fprintf(&t.buf, "%s\n", t.p.palette.good("no findings"))
		}
		return
	}
	fmt.Fprintf(&t.buf, "%s %s, %s, %s\n", t.p.palette.bold("findings:"), plural(r.Errors, "error"), plural(r.Warnings, "warning"), plural(r.Notes, "note"))
	type kind struct {
		id    string
		fault capture.Party
	}
	// r.Counts does not tell the culprits apart, and has those that r.Findings is too short for.
	times, culprits, listed := map[kind]int{}, map[string]int{}, map[string]int{}
	for i := range r.Findings {
		k := kind{r.Findings[i].ID, r.Findings[i].Fault}
		listed[k.id]++
		if times[k]++; times[k] == 1 {
			culprits[k.id]++
		}
	}
	told := map[kind]bool{}
	for _, severity := range []capture.Severity{capture.Error, capture.Warning, capture.Note} {
		for i := range r.Findings {
			f := &r.Findings[i]
			k := kind{f.ID, f.Fault}
			if f.Severity != severity || told[k] {
				continue
			}
			told[k] = true
			n, atLeast := times[k], ""
			if culprits[k.id] == 1 {
				n = r.Counts[k.id]
			} else if listed[k.id] < r.Counts[k.id] {
				atLeast = "at least "
			}
			often := ""
			if n > 1 {
				often = fmt.Sprintf(", %s%d times", atLeast, n)
			}
			at := placeOf(f)
			if at != "" {
				at = ", " + at
			}
			fmt.Fprintf(&t.buf, "  %s %s (%s) %s%s%s\n", t.p.palette.severity(f.Severity, fmt.Sprintf("%-7s", f.Severity)), f.Name, f.ID, faultOf(f), often, at)
		}
	}
}

func (t *Telling) numbers(r *capture.Report) {
	c, s := &r.Client, &r.Server
	fmt.Fprintf(&t.buf, "%s%s%s\n", t.p.palette.bold(fmt.Sprintf("%-34s", "numbers")), t.p.palette.client(fmt.Sprintf("%16s", "client")), t.p.palette.server(fmt.Sprintf("%16s", "server")))
	row := func(name string, a, b any) {
		x, y := fmt.Sprint(a), fmt.Sprint(b)
		if (x == "0" || x == "-" || x == "0s") && x == y {
			return
		}
		fmt.Fprintf(&t.buf, "  %-34s%14s%16s\n", name, x, y)
	}
	row("bytes", c.Bytes, s.Bytes)
	row("frames", c.Frames, s.Frames)
	row("text messages", c.Text, s.Text)
	row("binary messages", c.Binary, s.Binary)
	row("fragmented messages", c.Fragmented, s.Fragmented)
	row("compressed messages", c.Compressed, s.Compressed)
	row("compression, times smaller", ratio(c), ratio(s))
	row("payload of messages", c.DataPayload, s.DataPayload)
	row("frame headers, bytes", c.HeaderBytes, s.HeaderBytes)
	row("message size, least", least(c.Sizes), least(s.Sizes))
	row("message size, median", median(c.Sizes), median(s.Sizes))
	row("message size, most", most(c.Sizes), most(s.Sizes))
	row("pings", c.Pings, s.Pings)
	row("pongs", c.Pongs, s.Pongs)
	row("round trip of its pings, least", trip(c.RTT, c.RTT.Min), trip(s.RTT, s.RTT.Min))
	row("round trip of its pings, median", trip(c.RTT, c.RTT.Median), trip(s.RTT, s.RTT.Median))
	row("round trip of its pings, most", trip(c.RTT, c.RTT.Max), trip(s.RTT, s.RTT.Max))
	if r.Stop.Sub(r.Start) >= time.Second { // no rate comes of less
		row("messages a second", rate(c), rate(s))
	}
	row("header bytes for one of payload", overhead(c), overhead(s))
	row("response to its requests, least", trip(c.Response, c.Response.Min), trip(s.Response, s.Response.Min))
	row("response to its requests, median", trip(c.Response, c.Response.Median), trip(s.Response, s.Response.Median))
	row("response to its requests, most", trip(c.Response, c.Response.Max), trip(s.Response, s.Response.Max))
	row("longest silence", duration.Words(c.LongestIdle), duration.Words(s.LongestIdle))
	row("gaps", c.Gaps, s.Gaps)
	row("bytes missing", c.Missing, s.Missing)
	row("bytes not understood", c.Skipped, s.Skipped)
	if r.Handshake != nil {
		fmt.Fprintf(&t.buf, "  %-34s%14s\n", "opening handshake", duration.Words(r.Opening))
	}
	fmt.Fprintf(&t.buf, "  %-34s%14s\n", "from the first byte to the last", duration.Words(r.Stop.Sub(r.Start)))
}

// ratio is how many bytes of a message one on the wire stands for.
func ratio(n *capture.Numbers) string {
	if n.Compression == 0 {
		return "-"
	}
	return fmt.Sprintf("%.2f", n.Compression)
}

func overhead(n *capture.Numbers) string {
	if n.Overhead == 0 {
		return "-"
	}
	return fmt.Sprintf("%.3f", n.Overhead)
}

func rate(n *capture.Numbers) string {
	if n.MessageRate == 0 {
		return "-"
	}
	if n.MessageRate >= 100 {
		return fmt.Sprintf("%.0f", n.MessageRate)
	}
	return fmt.Sprintf("%.3g", n.MessageRate)
}

func least(s capture.Spread) string  { return some(s, fmt.Sprint(s.Min)) }
func median(s capture.Spread) string { return some(s, fmt.Sprint(s.Median)) }
func most(s capture.Spread) string   { return some(s, fmt.Sprint(s.Max)) }

func trip(s capture.Spread, ns int64) string { return some(s, duration.Words(time.Duration(ns))) }

func some(s capture.Spread, text string) string {
	if s.Count == 0 {
		return "-"
	}
	return text
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
