package record_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wiretrue/websocket"
	"github.com/wiretrue/websocket/capture"
	"github.com/wiretrue/websocket/record"
	"github.com/wiretrue/websocket/wire/frame"
	"github.com/wiretrue/websocket/wstest"
)

// syncBuffer may be read while it is written to.
type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// conversation opens a connection over a pipe whose client is recorded, has an
// echo said and closes it.
func conversation(t *testing.T, r *record.Recorder, o websocket.Options, header map[string][]string, messages ...string) {
	t.Helper()
	o.Trace = r.Trace()
	server, client := wstest.Pipe(t, &websocket.AcceptOptions{Options: websocket.Options{Compression: o.Compression}}, &websocket.DialOptions{Options: o, Header: header})
	go func() {
		for m, err := range server.Messages(t.Context()) {
			if err != nil || server.Write(t.Context(), m.Type, m.Data) != nil {
				return
			}
		}
	}()
	for _, m := range messages {
		if err := client.Write(t.Context(), websocket.Text, []byte(m)); err != nil {
			t.Fatal(err)
		}
		if _, got, err := client.Read(t.Context()); err != nil || string(got) != m {
			t.Fatalf("read %q, %v", got, err)
		}
	}
	if err := client.Close(t.Context(), 1000, "so long"); err != nil {
		t.Fatal(err)
	}
}

// jsonLine is what the tests look at in a line.
type jsonLine struct {
	Conn   int64
	Report *capture.Report
	capture.Record
}

func parseLines(t *testing.T, s string) (all []jsonLine) {
	t.Helper()
	for line := range strings.Lines(s) {
		var l jsonLine
		var raw struct {
			Conn   int64           `json:"conn"`
			Kind   capture.Kind    `json:"kind"`
			From   capture.Party   `json:"from"`
			V      int             `json:"v"`
			Report json.RawMessage `json:"report"`
			Msg    *struct {
				Payload capture.Excerpt `json:"payload"`
			} `json:"message"`
			Handshake *capture.Handshake `json:"handshake"`
			End       *capture.End       `json:"end"`
		}
		if err := json.Unmarshal([]byte(line), &raw); err != nil {
			t.Fatalf("%v in %s", err, line)
		}
		l.Conn, l.Kind, l.From, l.V, l.Handshake, l.End = raw.Conn, raw.Kind, raw.From, raw.V, raw.Handshake, raw.End
		if raw.Msg != nil {
			l.Message = &capture.Message{Payload: raw.Msg.Payload}
		}
		if raw.Report != nil {
			l.Report = new(capture.Report)
		}
		all = append(all, l)
	}
	return all
}

func TestJSONLines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out syncBuffer
		r, err := record.New(&out, &record.Options{Format: record.JSONLines})
		if err != nil {
			t.Fatal(err)
		}
		conversation(t, r, websocket.Options{Compression: &websocket.Compression{}}, nil, "Hello", strings.Repeat("again ", 100))
		conversation(t, r, websocket.Options{}, map[string][]string{"Authorization": {"Bearer abc"}, "Cookie": {"a=b"}, "X-A": {"b"}}, "second")
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
		var texts []string
		ends, reports := 0, 0
		for _, l := range parseLines(t, out.String()) {
			if l.V != capture.Version || l.Conn < 1 || l.Conn > 2 {
				t.Errorf("a line of connection %d, version %d", l.Conn, l.V)
			}
			if l.Message != nil {
				text, _ := l.Message.Payload.Text()
				texts = append(texts, string(l.From)+" "+text)
			}
			if l.End != nil && l.End.How == capture.FIN {
				ends++
			}
			if l.Report != nil {
				reports++
			}
			if l.Handshake != nil && l.Conn == 2 {
				h := l.Handshake.RequestHeader
				if h["Authorization"][0] != "Bearer [hidden]" || h["Cookie"][0] != "[hidden]" || h["X-A"][0] != "b" {
					t.Errorf("header %v", h)
				}
			}
		}
		again := strings.Repeat("again ", 100)
		want := []string{"client Hello", "server Hello", "client " + again, "server " + again, "client second", "server second"}
		if strings.Join(texts, "|") != strings.Join(want, "|") {
			t.Errorf("messages %q", texts)
		}
		if ends != 4 || reports != 2 {
			t.Errorf("%d ends and %d reports; expected 4 and 2:\n%s", ends, reports, out.String())
		}
	})
}

// TestPayload looks at the bytes of a recording: what was said is not in it.
func TestPayload(t *testing.T) {
	const secret = "a secret that is long enough to be compressed, a secret, a secret, a secret"
	for _, compression := range []*websocket.Compression{nil, {}} {
		for _, format := range []record.Format{record.Pcapng, record.JSONLines} {
			synctest.Test(t, func(t *testing.T) {
				var out syncBuffer
				r, err := record.New(&out, &record.Options{Format: format, Payload: record.HidePayload})
				if err != nil {
					t.Fatal(err)
				}
				conversation(t, r, websocket.Options{Compression: compression}, nil, secret, secret)
				if err := r.Close(); err != nil {
					t.Fatal(err)
				}
				got := out.String()
				if strings.Contains(got, "secret") || !strings.Contains(got, "xxxxxxx") || !strings.Contains(got, "so long") && format == record.JSONLines {
					t.Errorf("compressed %v, format %v: %q", compression != nil, format, got)
				}
				if format == record.JSONLines && strings.Contains(got, `"error"`) {
					t.Errorf("compressed %v: what is hidden breaks a rule:\n%s", compression != nil, got)
				}
			})
		}
	}
}

func TestHideSecrets(t *testing.T) {
	for _, tt := range []struct{ name, value, want string }{
		{"Authorization", "Bearer abc", "Bearer [hidden]"},
		{"authorization", "abc", "[hidden]"},
		{"Proxy-Authorization", "Basic a b", "Basic [hidden]"},
		{"Cookie", "a=b", "[hidden]"},
		{"set-cookie", "a=b", "[hidden]"},
		{"Origin", "https://a", "https://a"},
		{":path", "/chat", "/chat"},
		{":path", "/chat?room=1", "/chat?room=1"},
		{":path", "/chat?room=1&access_token=abc&x=y", "/chat?room=1&access_token=[hidden]&x=y"},
		{":path", "/?Token=a=b", "/?Token=[hidden]"},
		{":path", "/?a;sid=1", "/?a&sid=[hidden]"},
	} {
		if got := record.HideSecrets(tt.name, tt.value); got != tt.want {
			t.Errorf("%s: %q becomes %q; expected %q", tt.name, tt.value, got, tt.want)
		}
	}
}

func TestHeaderHook(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out syncBuffer
		r, err := record.New(&out, &record.Options{Header: func(name, value string) string {
			switch name {
			case ":path":
				return "/hidden"
			case "X-Id":
				return "one\r\nX-Evil: two"
			}
			return value
		}})
		if err != nil {
			t.Fatal(err)
		}
		conversation(t, r, websocket.Options{}, map[string][]string{"X-Id": {"42"}, "Authorization": {"seen"}})
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
		got := out.String()
		for _, want := range []string{"GET /hidden HTTP/1.1\r\n", "\r\nX-Id: one  X-Evil: two\r\n", "\r\nAuthorization: seen\r\n", "HTTP/1.1 101 "} {
			if !strings.Contains(got, want) {
				t.Errorf("%q is not in %q", want, got)
			}
		}
	})
}

var errFull = errors.New("no space left")

// brokenWriter takes so many writes.
type brokenWriter struct{ left int }

func (w *brokenWriter) Write(p []byte) (int, error) {
	if w.left--; w.left < 0 {
		return 0, errFull
	}
	return len(p), nil
}

func TestAnErrorEndsTheRecordingAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var failed []error
		r, err := record.New(&brokenWriter{left: 1}, &record.Options{Failed: func(err error) { failed = append(failed, err) }})
		if err != nil {
			t.Fatal(err)
		}
		for range 3 {
			conversation(t, r, websocket.Options{}, nil, "Hello")
			if err := r.Flush(); len(failed) == 1 && !errors.Is(err, errFull) {
				t.Errorf("Flush: %v", err)
			}
		}
		if len(failed) != 1 || !errors.Is(failed[0], errFull) {
			t.Errorf("told of %v", failed)
		}
		if err := r.Close(); !errors.Is(err, errFull) {
			t.Errorf("Close: %v", err)
		}
	})
}

// heldWriter does not take anything before it is let go.
type heldWriter struct {
	syncBuffer
	go_ chan struct{}
}

func (w *heldWriter) Write(p []byte) (int, error) {
	<-w.go_
	return w.syncBuffer.Write(p)
}

func TestASlowWriterHoldsNobodyUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		out := &heldWriter{go_: make(chan struct{})}
		r, err := record.New(out, nil)
		if err != nil {
			t.Fatal(err)
		}
		large := strings.Repeat("x", 1<<20)
		server, client := wstest.Pipe(t, nil, &websocket.DialOptions{Options: websocket.Options{Trace: r.Trace()}})
		server.CloseRead(t.Context())
		for range 20 {
			go server.Write(t.Context(), websocket.Binary, []byte(large))
			if _, _, err := client.Read(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		if s := r.Stats(); s.Lost < 5<<20 || s.Lost > 19<<20 {
			t.Errorf("of 20 MiB %d bytes are lost", s.Lost)
		}
		close(out.go_)
		r.Flush()
		go server.Write(t.Context(), websocket.Binary, []byte("the last"))
		client.Read(t.Context())
		client.CloseNow()
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
		if s := out.String(); !strings.Contains(s, "the last") || !strings.Contains(s, "bytes in front of this packet are left out") || len(s) > 12<<20 {
			t.Errorf("%d bytes were written, the last message is in them: %v", len(s), strings.Contains(s, "the last"))
		}
	})
}

func TestFlushDelay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out syncBuffer
		r, err := record.New(&out, nil)
		if err != nil {
			t.Fatal(err)
		}
		conversation(t, r, websocket.Options{}, nil, "soon there")
		<-time.After(time.Second)
		synctest.Wait()
		if s := out.String(); !strings.Contains(s, "soon there") {
			t.Errorf("after a second the file is %q", s)
		}
		if s := r.Stats(); s.Connections != 1 || s.Bytes != int64(len(out.String())) {
			t.Errorf("stats %+v", s)
		}
		r.Close()
	})
}

func TestMaxBytes(t *testing.T) {
	if _, err := record.New(io.Discard, &record.Options{MaxBytes: 1<<20 - 1}); err == nil {
		t.Error("a recording of less than 1 MiB was accepted")
	}
	if _, err := record.Create(filepath.Join(t.TempDir(), "a"), &record.Options{Files: 2}); err == nil {
		t.Error("a ring without a size was accepted")
	}
	const limit = 1 << 20
	for _, format := range []record.Format{record.Pcapng, record.JSONLines} {
		synctest.Test(t, func(t *testing.T) {
			var out syncBuffer
			r, err := record.New(&out, &record.Options{Format: format, MaxBytes: limit})
			if err != nil {
				t.Fatal(err)
			}
			for range 500 {
				conversation(t, r, websocket.Options{}, nil, strings.Repeat("x", 4000))
			}
			if err := r.Close(); err != nil {
				t.Fatal(err)
			}
			if n := len(out.String()); n > limit || n < limit*9/10 || !r.Stats().Full {
				t.Errorf("format %v: %d bytes, stats %+v", format, n, r.Stats())
			}
		})
	}
}

func TestRing(t *testing.T) {
	dir := t.TempDir()
	name := filepath.Join(dir, "ring.pcapng")
	if err := os.WriteFile(filepath.Join(dir, "ring.2.pcapng"), []byte("of an earlier run"), 0o600); err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		r, err := record.Create(name, &record.Options{MaxBytes: 3 << 20, Files: 3})
		if err != nil {
			t.Fatal(err)
		}
		server, client := wstest.Pipe(t, nil, &websocket.DialOptions{Options: websocket.Options{Trace: r.Trace()}})
		server.CloseRead(t.Context())
		for i := range 100 {
			go server.Write(t.Context(), websocket.Binary, bytes.Repeat([]byte{byte(i)}, 50_000))
			if _, _, err := client.Read(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		client.CloseNow()
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
	})
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 3 {
		t.Fatalf("files %v, %v", entries, err)
	}
	for i, file := range []string{"ring.pcapng", "ring.1.pcapng", "ring.2.pcapng"} {
		b, err := os.ReadFile(filepath.Join(dir, file))
		if err != nil {
			t.Fatal(err)
		}
		if len(b) > 1<<20 || i > 0 && len(b) < 9<<20/10 {
			t.Errorf("%s has %d bytes", file, len(b))
		}
		for _, want := range []string{"Recorded by an end", "goes on from an earlier file", "HTTP/1.1 101 "} {
			if !strings.Contains(string(b), want) {
				t.Errorf("%q is not in %s", want, file)
			}
		}
		if newest := bytes.Contains(b, bytes.Repeat([]byte{99}, 1000)); newest != (i == 0) {
			t.Errorf("%s has the newest message: %v", file, newest)
		}
	}
}

func TestByName(t *testing.T) {
	for file, want := range map[string]string{"a.jsonl": `{"`, "a.NDJSON": `{"`, "a.pcapng": "\x0a\x0d\x0d\x0a", "a": "\x0a\x0d\x0d\x0a"} {
		name := filepath.Join(t.TempDir(), file)
		synctest.Test(t, func(t *testing.T) {
			r, err := record.Create(name, nil)
			if err != nil {
				t.Fatal(err)
			}
			conversation(t, r, websocket.Options{}, nil)
			if err := r.Close(); err != nil {
				t.Fatal(err)
			}
		})
		b, err := os.ReadFile(name)
		if err != nil || !strings.HasPrefix(string(b), want) {
			t.Errorf("%s begins with %q, %v", file, b[:min(len(b), 4)], err)
		}
		if i, err := os.Stat(name); err != nil || i.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s can be read by others: %v, %v", file, i.Mode(), err)
		}
	}
	if _, err := record.Create(filepath.Join(t.TempDir(), "no", "such", "folder"), nil); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("Create: %v", err)
	}
}

// FuzzPayload states that however the bytes are cut, payloads are changed alike
// and everything else stays, but for the bit of compression.
func FuzzPayload(f *testing.F) {
	f.Add([]byte("\x81\x85\x01\x02\x03\x04abcde\x88\x02\x03\xe8"), uint8(3))
	f.Add([]byte("\xc1\x7e\x00\x05abcde\x00\x80\x01\x02\x03\x04\x80\x01x"), uint8(1))
	f.Add([]byte("\x81\xff\xff\xff\xff\xff\xff\xff\xff\xff\x00\x00\x00\x00abcde"), uint8(7))
	f.Fuzz(func(t *testing.T, b []byte, step uint8) {
		written := func(step int) string {
			var out bytes.Buffer
			r, err := record.New(&out, &record.Options{Payload: func(h frame.Header, offset uint64, b []byte) {
				for i := range b {
					b[i] = byte(offset) + byte(i)
				}
			}})
			if err != nil {
				t.Fatal(err)
			}
			c := new(websocket.Conn)
			r.Trace().Handshake(c, &websocket.HandshakeTrace{Local: &net.UnixAddr{}, Remote: &net.UnixAddr{}})
			for rest := bytes.Clone(b); len(rest) > 0; {
				n := min(step, len(rest))
				r.Trace().Received(c, rest[:n])
				rest = rest[n:]
			}
			if err := r.Close(); err != nil {
				t.Fatal(err)
			}
			return payloads(t, out.Bytes())
		}
		if len(b) > 1000 {
			b = b[:1000]
		}
		whole, cut := written(len(b)+1), written(int(step)+1)
		if whole != cut {
			t.Errorf("in one piece %x, in pieces of %d %x", whole, int(step)+1, cut)
		}
		if len(whole) != len(b) {
			t.Errorf("%d bytes of %d", len(whole), len(b))
		}
	})
}

// payloads joins what the TCP packets of a recording over IPv4 carry.
func payloads(t *testing.T, file []byte) string {
	t.Helper()
	var all []byte
	for len(file) > 0 {
		n := int(file[4]) | int(file[5])<<8 | int(file[6])<<16
		if file[0] == 6 { // an enhanced packet block
			size := int(file[20]) | int(file[21])<<8
			packet := file[28 : 28+size]
			all = append(all, packet[20+int(packet[32]>>4)*4:]...)
		}
		file = file[n:]
	}
	return string(all)
}
