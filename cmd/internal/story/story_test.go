package story

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/wiretrue/websocket/capture"
	"github.com/wiretrue/websocket/wire"
	"github.com/wiretrue/websocket/wire/frame"
)

var update = flag.Bool("update", false, "write the golden transcripts anew")

// A scene is a conversation, a line a call: when, who, and what.
//
//	0.5 client http GET / HTTP/1.1 | Host: a    a head; | ends a line
//	1.0 server 81 05 "Hello"                    frames in the debug notation
//	2.0 server gap 12                           missing bytes
//	3.0 client fin                              or rst, stop
func play(t *testing.T, a *capture.Analyser, scene string) *capture.Report {
	t.Helper()
	packet := int64(0)
	for line := range strings.Lines(scene) {
		line, _, _ = strings.Cut(strings.TrimSpace(line), " # ")
		when, rest, ok := strings.Cut(line, " ")
		if !ok {
			continue
		}
		who, what, _ := strings.Cut(strings.TrimSpace(rest), " ")
		after, err := time.ParseDuration(when + "s")
		if err != nil {
			t.Fatal(err)
		}
		from := wire.Client
		if who == "server" {
			from = wire.Server
		}
		at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC).Add(after)
		packet++
		word, arg, _ := strings.Cut(what, " ")
		switch word {
		case "http":
			head, body, _ := strings.Cut(arg, " || ")
			a.Bytes(from, at, packet, []byte(strings.ReplaceAll(head, " | ", "\r\n")+"\r\n\r\n"+body))
		case "gap":
			n, err := time.ParseDuration(arg + "ns")
			if err != nil {
				t.Fatal(err)
			}
			a.Gap(from, at, packet, int64(n))
		case "fin":
			a.End(from, at, packet, capture.FIN)
		case "rst":
			a.End(from, at, packet, capture.RST)
		case "stop":
			a.End(from, at, packet, capture.Stopped)
		default:
			b, err := frame.AppendNotation(nil, what)
			if err != nil {
				t.Fatal(err)
			}
			a.Bytes(from, at, packet, b)
		}
	}
	return a.Report()
}

const (
	request = "0.000 client http GET /chat HTTP/1.1 | Host: server.example.com | Upgrade: websocket | Connection: Upgrade" +
		" | Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ== | Sec-WebSocket-Version: 13 | Sec-WebSocket-Protocol: chat\n"
	response = "0.0015 server http HTTP/1.1 101 Switching Protocols | Upgrade: websocket | Connection: Upgrade" +
		" | Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo= | Sec-WebSocket-Protocol: chat\n"
)

// compressed adds the extension to a head.
func compressed(head, extension string) string {
	return strings.TrimSuffix(head, "\n") + " | Sec-WebSocket-Extensions: " + extension + "\n"
}

var scenes = []struct {
	name    string
	options Options
	scene   string
}{
	{"healthy", Options{}, request + response + `
		0.2 client 81 85 37fa213d "Hello"^37fa213d
		0.21 server 01 03 "Hel"
		0.22 server 89 04 "ping"
		0.23 server 80 02 "lo"
		0.241234567 client 8a 84 11223344 "ping"^11223344
		0.5 server 82 05 0001020304
		1.504417056 client 88 85 a1b2c3d4 "\x03\xe8bye"^a1b2c3d4
		1.506 server 88 02 03e8
		1.507 server fin
		1.508 client fin`},
	{"plain http first", Options{}, `0 client http GET /login HTTP/1.1 | Host: a
		0.01 server http HTTP/1.1 200 OK | Content-Length: 5 || hello
		` + strings.Replace(request, "0.000", "0.100", 1) + strings.Replace(response, "0.0015", "0.1015", 1) + `0.2 server 81 02 "hi"`},
	{"hex and bits", Options{Hex: true, Bits: true}, request + response + `
		0.2 client 81 85 37fa213d "Hello"^37fa213d
		0.3 server 82 7e 0100 00010203*64
		0.4 client c2 ff 0000000000010000 01020304 "a"*65536^01020304
		0.5 server 8b 00`},
	{"article", Options{}, `0 client http GET / HTTP/1.1 | Host: localhost:8080 | Upgrade: websocket | Connection: Upgrade | Sec-WebSocket-Key: c3SkgVxVCDhVCp69PJFf3A== | Sec-WebSocket-Version: 13
		0.004 server http HTTP/1.1 101 Switching Protocols | Upgrade: websocket | Connection: Upgrade | Sec-WebSocket-Accept: YzgwZjRlZTcxMThiYTdjNDliYzAyNTdmZmNlN2E5MzBmYzNiYTQ0Mg==
		0.005 client fin
		0.006 server fin`},
	{"refused", Options{}, `0 client http GET / HTTP/1.1 | Host: a.example | Upgrade: websocket | Connection: Upgrade | Origin: https://b.example | Sec-WebSocket-Key: c3SkgVxVCDhVCp69PJFf3A== | Sec-WebSocket-Version: 13
		0.004 server http HTTP/1.1 403 Forbidden | Content-Length: 18 || origin not allowed
		0.005 server fin
		0.006 client fin`},
	{"stripped", Options{}, `0 client http GET / HTTP/1.0 | Host: a.example | Connection: close | X-Forwarded-For: 10.0.0.1 | Sec-WebSocket-Key: c3SkgVxVCDhVCp69PJFf3A== | Sec-WebSocket-Version: 13
		0.004 server http HTTP/1.1 400 Bad Request | Content-Length: 0
		0.005 server fin
		0.006 client fin`},
	{"idle timeout", Options{}, request + response + `
		0.2 client 81 85 37fa213d "Hello"^37fa213d
		0.3 server 81 02 "hi"
		60.35 server fin
		60.36 client fin`},
	{"unanswered pings", Options{}, request + response + `
		10 server 8904 "p001"
		20 server 8904 "p002"
		30 server 8904 "p003"
		35 server 88 02 03e9
		35.1 client rst`},
	{"twelve", Options{}, request + strings.Replace(response, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=", "YjM3YTRmMmNjMDYyNGYxNjkwZjY0NjA2Y2YzODU5NDViMmJlYzRlYQ==", 1) + `
		0.10 client 81 05 "naked"
		0.11 server 81 85 01020304 "cover"^01020304
		0.12 server a1 03 "two"
		0.13 server 89 7e00c8 "p"*200
		0.14 client 8a fd 11111111 "p"*125^11111111
		0.15 client 09 81 22222222 "f"^22222222
		0.16 server 8a 01 "f"
		0.17 server 81 07 "abc" ff "def"
		0.18 client 82 fe 0003 33333333 010203^33333333
		0.19 server 89 04 "tick"
		0.20 client 8a 84 44444444 "tock"^44444444
		0.21 client 8a 84 55555555 "tick"^55555555
		0.22 server 80 06 "orphan"
		0.23 server 88 02 03ed
		0.24 server 81 04 "late"
		0.25 client 88 80 66666666
		0.26 server fin
		0.27 client fin`},
	{"from the middle, with gaps", Options{}, `
		0 server 81 10 "{\"price\": 12345}"
		0.1 client 81 85 37fa213d "Hello"^37fa213d
		0.2 server 81 10 "{\"price\": 12346}"
		0.3 client 81 85 01020304 "again"^01020304
		0.4 server gap 18
		0.5 server 82 20 "01234567"
		0.6 server gap 8
		0.7 server "0123456789abcdef"
		0.8 server 81 10 "{\"price\": 12347}"
		0.9 server gap -1
		1.0 server "price\": 12348}" 81 10 "{\"price\": 12349}" 81 10 "{\"price\": 12350}" 81 10 "{\"price\": 12351}"
		1.1 client stop`},
	{"hostile text", Options{}, strings.Replace(request, "Host: server.example.com", "Host: a\x1b[2Jb", 1) + response +
		`0.2 server 81 14 "\x1b]0;owned\x07\u202e\r\n\t\x00 ok"
		0.3 server 88 0a 03e8 "\x1b[31mx\u009b"`},
	{"tls on a plain port", Options{}, `0 client 160301 00c8 01 0000c4 0303
		0.01 server http HTTP/1.1 400 Bad Request | Content-Length: 0`},
	{"json", Options{Format: "json", Hide: []string{"ping"}}, request + response + `
		0.2 client 81 85 37fa213d "Hello"^37fa213d
		0.22 server 89 04 "ping"
		0.24 client 8a 84 11223344 "ping"^11223344
		0.5 server c1 05 f248cdc9c9
		1.5 client 88 85 a1b2c3d4 "\x03\xe8bye"^a1b2c3d4`},
	{"requests and responses", Options{}, request + response + `
		0.1 client 81 99 01010101 "{\"id\":1,\"method\":\"price\"}"^01010101
		0.1 server 81 19 "{\"method\":\"hello\",\"id\":1}"
		0.1123 server 81 10 "{\"id\":1, \"ok\":1}"
		0.2 client 81 90 02020202 "{\"id\":1, \"ok\":1}"^02020202
		0.3 client 81 96 03030303 "{\"id\":\"a2\",\"get\":true}"^03030303
		0.45 server 01 04 "{\"id"
		0.46 server 80 07 "\":\"a2\"}"`},
	{"compressed", Options{}, compressed(request, "permessage-deflate; client_max_window_bits") + compressed(response, "permessage-deflate") + `
		0.2 client c1 87 37fa213d f248cdc9c90700^37fa213d
		0.21 server c1 07 f248cdc9c90700
		0.22 server c1 05 f200110000
		0.23 server 41 03 f248cd 80 04 c9c90700
		0.24 client c1 85 01020304 "Hello"^01020304`},
	{"compressed, from the middle", Options{}, `
		0.1 server c1 05 f200110000
		0.2 server c1 05 f200110000
		0.3 server c1 07 f248cdc9c90700
		0.4 server c1 05 f200110000`},
	{"quiet", Options{Quiet: true}, request + response + `
		0.2 client 81 85 37fa213d "Hello"^37fa213d
		0.3 server 83 00`},
	{"hidden", Options{Hide: []string{"ping", "pong", "handshake"}}, request + response + `
		0.2 client 81 85 37fa213d "Hello"^37fa213d
		0.22 server 89 04 "ping"
		0.24 client 8a 84 11223344 "ping"^11223344`},
	{"colours", Options{Colour: true}, request + response + `
		0.2 client 81 85 37fa213d "Hello"^37fa213d
		0.3 server 83 00`},
}

// The transcripts stand in testdata, to be read; -update writes them anew.
func TestGolden(t *testing.T) {
	for _, s := range scenes {
		t.Run(s.name, func(t *testing.T) {
			var out bytes.Buffer
			p := New(&out, s.options)
			telling := p.Conn(0, "192.0.2.1:50000 to 192.0.2.2:80")
			telling.Report(play(t, capture.New(capture.Options{Payload: 100}, telling.Record), s.scene))
			if err := p.Err(); err != nil {
				t.Fatal(err)
			}
			golden(t, strings.ReplaceAll(s.name, " ", "-")+".golden", out.Bytes())
		})
	}
}

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	file := filepath.Join("testdata", strings.ReplaceAll(name, ",", ""))
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s differs (-update writes it anew); got\n%s", file, got)
	}
}

// The sum tells culprits apart, and counts what it has no room to list.
func TestFindingsByCulprit(t *testing.T) {
	var out bytes.Buffer
	r := &capture.Report{Errors: 7, Counts: map[string]int{"a": 2, "b": 5}}
	for _, f := range []struct {
		id    string
		fault capture.Party
	}{{"a", capture.Server}, {"a", capture.Client}, {"b", capture.Client}} {
		r.Findings = append(r.Findings, capture.Finding{ID: f.id, Name: "N", Severity: capture.Error, Fault: f.fault, Offset: -1})
	}
	New(&out, Options{Quiet: true}).Conn(0, "").Report(r)
	want := "findings: 7 errors, 0 warnings, 0 notes\n  error   N (a) by the server\n  error   N (a) by the client\n  error   N (b) by the client, 5 times\n"
	if out.String() != want {
		t.Errorf("told\n%s\nwant\n%s", out.String(), want)
	}
}

// A compressed message that could not be inflated has no ratio.
func TestNoRatio(t *testing.T) {
	var out bytes.Buffer
	r := &capture.Report{Client: capture.Numbers{Compressed: 1}, Server: capture.Numbers{Compressed: 2, Compression: 3.5}}
	New(&out, Options{}).Conn(0, "").Report(r)
	for line := range strings.Lines(out.String()) {
		if name := "compression, times smaller"; strings.Contains(line, name) {
			if got := strings.Fields(line)[3:]; got[0] != "-" || got[1] != "3.50" {
				t.Errorf("told %q", line)
			}
			return
		}
	}
	t.Errorf("no ratio is told:\n%s", out.String())
}
