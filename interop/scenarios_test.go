package interop

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/wiretrue/websocket"
	"github.com/wiretrue/websocket/wire/frame"
	"github.com/wiretrue/websocket/wire/rfc"
)

// scenario is something that the two ends do with each other. Each has a
// connection of its own, or several.
type scenario struct {
	name  string
	needs func(m *meeting) bool // nil: nothing
	run   func(t *testing.T, m *meeting)
}

var scenarios = []scenario{
	{"messages", nil, messages},
	{"fragments from them", func(m *meeting) bool { return !m.them.lacks.fragments }, fragmentsFromThem},
	{"fragments from us", nil, fragmentsFromUs},
	{"pings from them", func(m *meeting) bool { return !m.them.lacks.pings }, pingsFromThem},
	{"pings from us", nil, pingsFromUs},
	{"close by them", nil, closeByThem},
	{"close by them without a code", func(m *meeting) bool { return !m.them.lacks.emptyClose }, emptyCloseByThem},
	{"close by us", nil, closeByUs},
	{"close by us without a code", nil, emptyCloseByUs},
	{"cut by us", nil, cutByUs},
	{"subprotocol agreed", nil, subprotocolAgreed},
	{"subprotocol not spoken", nil, subprotocolNotSpoken},
	{"subprotocol refused", func(m *meeting) bool { return m.server }, subprotocolRefused},
	{"origin", func(m *meeting) bool { return m.server && !m.them.lacks.raw }, origins},
	{"broken rules", func(m *meeting) bool { return !m.them.lacks.raw }, brokenRules},
	{"killed", nil, killed}, // the last: the peer is gone
}

// converse runs every scenario that the peer is able to play.
func converse(t *testing.T, m *meeting) {
	for _, s := range scenarios {
		t.Run(strings.ReplaceAll(s.name, " ", "-"), func(t *testing.T) {
			if s.needs != nil && !s.needs(m) {
				t.Skip("the peer cannot do that")
			}
			s.run(t, m)
		})
	}
}

// textOf returns text of n bytes, most of them in characters of several bytes.
func textOf(n int) []byte {
	const characters = "aé€😀\u0000"
	b := bytes.Repeat([]byte(characters), n/len(characters))
	return append(b, strings.Repeat("z", n-len(b))...)
}

// bytesOf returns n bytes of all values.
func bytesOf(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i ^ i>>8)
	}
	return b
}

func messages(t *testing.T, m *meeting) {
	p := m.open(t)
	for _, n := range []int{0, 1, 20, 125, 126, 127, 65535, 65536, 1 << 20} {
		p.echo(t, websocket.Text, textOf(n))
		p.echo(t, websocket.Binary, bytesOf(n))
	}
	p.echo(t, websocket.Text, []byte("\ufeffafter a byte order mark"))
	p.close(t)
}

// echo lets them send a message, and sends it back to them.
func (p *pair) echo(t *testing.T, typ websocket.MessageType, data []byte) {
	t.Helper()
	p.do(command{Do: "send", Binary: typ == websocket.Binary, Data: data})
	p.wantOurs(t, typ, data)
	if err := p.us.Write(safe(t), typ, data); err != nil {
		t.Fatal(err)
	}
	p.wantTheirs(t, typ, data)
}

// wantOurs reads a message at our end.
func (p *pair) wantOurs(t *testing.T, typ websocket.MessageType, data []byte) {
	t.Helper()
	gotType, got, err := p.us.Read(safe(t))
	if err != nil || gotType != typ || !bytes.Equal(got, data) {
		t.Fatalf("we got %v of %d bytes, %v; want %v of %d", gotType, len(got), err, typ, len(data))
	}
}

// wantTheirs lets them tell of a message.
func (p *pair) wantTheirs(t *testing.T, typ websocket.MessageType, data []byte) {
	t.Helper()
	ev := p.await(t, "message")
	if ev.Binary != (typ == websocket.Binary) || !bytes.Equal(ev.Data, data) {
		t.Fatalf("they got %d bytes (binary: %v), want %v of %d", len(ev.Data), ev.Binary, typ, len(data))
	}
}

// close ends a connection that has done its service.
func (p *pair) close(t *testing.T) {
	t.Helper()
	if err := p.us.Close(safe(t), websocket.StatusNormalClosure, ""); err != nil {
		t.Fatal(err)
	}
	p.wantClosed(t, 1000, "")
}

// wantClosed lets them tell of the connection's end.
func (p *pair) wantClosed(t *testing.T, code int, reason string) {
	t.Helper()
	ev := p.await(t, "closed")
	if ev.Code != code || ev.Reason != reason {
		t.Errorf("they saw the end with %d %q, want %d %q", ev.Code, ev.Reason, code, reason)
	}
}

// wantCloseError waits for our end of the connection.
func (p *pair) wantCloseError(t *testing.T, want websocket.CloseError) {
	t.Helper()
	var got *websocket.CloseError
	if err := p.end(t); !errors.As(err, &got) || *got != want {
		t.Errorf("we saw the end as %v, want %v", err, &want)
	}
}

// end reads until the connection has ended, and returns the cause.
func (p *pair) end(t *testing.T) error {
	t.Helper()
	_, _, err := p.us.Read(safe(t))
	if err == nil {
		t.Fatal("a message came where the connection should have ended")
	}
	if cause := p.us.Cause(); !errors.Is(err, cause) {
		t.Errorf("Read returns %v, Cause %v", err, cause)
	}
	return err
}

// reading reads in the background until stop is called, which leaves the
// connection open.
func (p *pair) reading(t *testing.T) (stop func()) {
	ctx, cancel := context.WithCancel(safe(t))
	done := make(chan error)
	go func() {
		_, _, err := p.us.Read(ctx)
		done <- err
	}()
	return func() {
		t.Helper()
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("Read = %v, want its context's end", err)
		}
	}
}

func fragmentsFromThem(t *testing.T, m *meeting) {
	p := m.open(t)
	for _, parts := range [][][]byte{
		{[]byte("Hel"), []byte("lo")},
		{[]byte("ä"), {}, []byte("€"), {}},
		{textOf(126), textOf(65536), textOf(1)},
	} {
		p.do(command{Do: "fragments", Parts: parts, Data: []byte("between")})
		p.wantOurs(t, websocket.Text, bytes.Join(parts, nil))
		p.await(t, "pong")
	}
	parts := make([][]byte, 100)
	for i := range parts {
		parts[i] = bytesOf(i * 100)
	}
	p.do(command{Do: "fragments", Binary: true, Parts: parts, Data: bytesOf(100)})
	p.wantOurs(t, websocket.Binary, bytes.Join(parts, nil))
	p.await(t, "pong")
	p.close(t)
}

func fragmentsFromUs(t *testing.T, m *meeting) {
	p := m.open(t)
	for _, typ := range []websocket.MessageType{websocket.Text, websocket.Binary} {
		w, err := p.us.Writer(safe(t), typ)
		if err != nil {
			t.Fatal(err)
		}
		text := textOf(100_000)
		for part := range bytes.SplitSeq(text, []byte("\u0000")) {
			if _, err := w.Write(part); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		p.wantTheirs(t, typ, bytes.ReplaceAll(text, []byte("\u0000"), nil))
	}
	p.close(t)
}

func pingsFromThem(t *testing.T, m *meeting) {
	p := m.open(t)
	stop := p.reading(t)
	for _, payload := range []string{"", "a payload", string(bytesOf(125))} {
		p.do(command{Do: "ping", Data: []byte(payload)})
		ev := p.await(t, "pong")
		if len(payload) > 0 && string(ev.Data) != payload {
			t.Errorf("the pong has %q, want %q", ev.Data, payload)
		}
	}
	stop()
	p.echo(t, websocket.Text, []byte("still here"))
	p.close(t)
}

func pingsFromUs(t *testing.T, m *meeting) {
	p := m.open(t)
	stop := p.reading(t)
	for range 3 {
		if _, err := p.us.Ping(safe(t)); err != nil {
			t.Fatal(err)
		}
	}
	stop()
	if s := p.us.Stats(); s.Sent.Pings != 3 || s.Received.Pongs != 3 {
		t.Errorf("%d pings, %d pongs; want 3 of each", s.Sent.Pings, s.Received.Pongs)
	}
	p.echo(t, websocket.Text, []byte("still here"))
	p.close(t)
}

func closeByThem(t *testing.T, m *meeting) {
	for _, c := range []struct {
		code   int
		reason string
	}{
		{1000, "done"},
		{1001, ""},
		{1011, "a failure"},
		{3000, strings.Repeat("r", 123)},
		{4999, "größer als 4000: ✓"},
	} {
		if m.them.lacks.codes && c.code != 1000 && c.code < 3000 {
			continue
		}
		p := m.open(t)
		p.do(command{Do: "close", Code: c.code, Reason: c.reason})
		p.wantCloseError(t, websocket.CloseError{Code: websocket.StatusCode(c.code), Reason: c.reason, ByPeer: true})
		if ev := p.await(t, "closed"); ev.Code != c.code {
			t.Errorf("they saw the end with %d, want %d", ev.Code, c.code)
		}
	}
}

func emptyCloseByThem(t *testing.T, m *meeting) {
	p := m.open(t)
	p.do(command{Do: "close"})
	p.wantCloseError(t, websocket.CloseError{Code: websocket.StatusNoStatusReceived, ByPeer: true})
	p.wantClosed(t, 1005, "")
}

func closeByUs(t *testing.T, m *meeting) {
	for _, c := range []struct {
		code   int
		reason string
	}{
		{1000, "done"},
		{1001, ""},
		{1011, "a failure"},
		{3000, strings.Repeat("r", 123)},
		{4999, "größer als 4000: ✓"},
	} {
		p := m.open(t)
		if err := p.us.Close(safe(t), websocket.StatusCode(c.code), c.reason); err != nil {
			t.Errorf("Close with %d: %v", c.code, err)
		}
		p.wantCloseError(t, websocket.CloseError{Code: websocket.StatusCode(c.code), Reason: c.reason})
		p.wantClosed(t, c.code, c.reason)
	}
}

func emptyCloseByUs(t *testing.T, m *meeting) {
	p := m.open(t)
	if err := p.us.Close(safe(t), websocket.StatusNoStatusReceived, ""); err != nil {
		t.Error(err)
	}
	p.wantCloseError(t, websocket.CloseError{Code: websocket.StatusNoStatusReceived})
	p.wantClosed(t, 1005, "")
}

func cutByUs(t *testing.T, m *meeting) {
	p := m.open(t)
	p.us.CloseNow()
	if err := p.end(t); !errors.Is(err, websocket.ErrClosedHere) {
		t.Errorf("we saw the end as %v", err)
	}
	p.wantClosed(t, 1006, "")
}

func subprotocolAgreed(t *testing.T, m *meeting) {
	for _, c := range []struct {
		offer []string
		want  string
	}{
		{[]string{"chat"}, "chat"},
		{[]string{"nonesuch", "v2.chat"}, "v2.chat"},
	} {
		p := m.open(t, c.offer...)
		if p.us.Subprotocol() != c.want || p.subprotocol != c.want {
			t.Errorf("of %q we agreed on %q, they on %q; want %q", c.offer, p.us.Subprotocol(), p.subprotocol, c.want)
		}
		p.echo(t, websocket.Text, []byte("hello"))
		p.close(t)
	}
}

// subprotocolNotSpoken: the server chooses none, and the client decides.
func subprotocolNotSpoken(t *testing.T, m *meeting) {
	if m.server && m.them.lacks.missing {
		m.dial("/hand", "", "nonesuch")
		m.them.await(t, 0, "error")
		m.take(t).CloseNow()
		return
	}
	p := m.open(t, "nonesuch")
	if p.us.Subprotocol() != "" || p.subprotocol != "" {
		t.Errorf("we agreed on %q, they on %q; want none", p.us.Subprotocol(), p.subprotocol)
	}
	p.close(t)
}

func subprotocolRefused(t *testing.T, m *meeting) {
	m.dial("/services", "", "nonesuch")
	m.wantRefused(t, 400)
}

func origins(t *testing.T, m *meeting) {
	own := m.origin()
	for origin, allowed := range map[string]bool{
		own:                       true,
		"https://foreign.example": false,
		own + "0":                 false, // another port
		"null":                    false,
	} {
		if allowed {
			m.openFrom(t, origin).close(t)
			continue
		}
		m.dial("/hand", origin)
		m.wantRefused(t, 403)
	}
}

func (m *meeting) wantRefused(t *testing.T, status int) {
	t.Helper()
	if m.them.lacks.refusals {
		m.them.await(t, 0, "error")
		return
	}
	if ev := m.them.await(t, 0, "refused"); ev.Code != status {
		t.Errorf("they were refused with %d, want %d", ev.Code, status)
	}
}

// frameOf returns a frame as the peer has to send it, or not.
func (m *meeting) frameOf(h frame.Header, payload string) []byte {
	h.Masked = m.server
	return rawFrame(h, payload)
}

func rawFrame(h frame.Header, payload string) []byte {
	if h.Length == 0 {
		h.Length = uint64(len(payload))
	}
	if h.LengthSize == 0 {
		h.LengthSize = frame.MinimalLengthSize(h.Length)
	}
	if h.Masked {
		h.MaskingKey = [4]byte{0x37, 0xfa, 0x21, 0x3d}
	}
	b := h.Append(nil)
	start := len(b)
	b = append(b, payload...)
	if h.Masked {
		frame.Mask(b[start:], h.MaskingKey, 0)
	}
	return b
}

func brokenRules(t *testing.T, m *meeting) {
	text := func(payload string) []byte { return m.frameOf(frame.Header{Fin: true, Opcode: frame.Text}, payload) }
	for _, c := range []struct {
		name string
		raw  []byte
		rule rfc.Rule
		code int
	}{
		{"not UTF-8", text("\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5\xed\xa0\x80"), rfc.TextIsUTF8, 1007},
		{"UTF-8 cut off", text("caf\xc3"), rfc.TextIsUTF8, 1007},
		{"reserved bit", m.frameOf(frame.Header{Fin: true, RSV: frame.RSV3, Opcode: frame.Text}, "a"), rfc.ReservedBitsZero, 1002},
		{"opcode 3", m.frameOf(frame.Header{Fin: true, Opcode: 3}, "a"), rfc.AssignedOpcode, 1002},
		{"opcode 11", m.frameOf(frame.Header{Fin: true, Opcode: 11}, ""), rfc.AssignedOpcode, 1002},
		{"orphan", m.frameOf(frame.Header{Fin: true, Opcode: frame.Continuation}, "a"), rfc.ContinuationNeedsStart, 1002},
		{"fragmented ping", m.frameOf(frame.Header{Opcode: frame.Ping}, "a"), rfc.ControlNotFragmented, 1002},
		{"ping of 126 bytes", m.frameOf(frame.Header{Fin: true, Opcode: frame.Ping}, strings.Repeat("p", 126)), rfc.ControlLength, 1002},
	} {
		p := m.open(t)
		p.do(command{Do: "raw", Data: c.raw})
		var broken *websocket.RuleError
		if err := p.end(t); !errors.As(err, &broken) || broken.Rule != c.rule {
			t.Errorf("%s: we saw the end as %v, want %v", c.name, err, c.rule)
		}
		if ev := p.await(t, "closed"); ev.Code != c.code {
			t.Errorf("%s: they saw the end with %d %q, want %d", c.name, ev.Code, ev.Reason, c.code)
		}
	}
}

func killed(t *testing.T, m *meeting) {
	p := m.open(t)
	p.echo(t, websocket.Text, []byte("hello"))
	p.them.kill()
	err := p.end(t)
	var lost *websocket.LostError
	if !errors.As(err, &lost) || !errors.Is(err, websocket.ErrPeerGone) && !errors.Is(err, websocket.ErrPeerReset) {
		t.Errorf("we saw the end as %v", err)
	}
	if s := fmt.Sprint(err); strings.Contains(s, "EOF") {
		t.Errorf("the cause says nothing: %s", s)
	}
}
