package capture_test

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/wiretrue/websocket/capture"
	"github.com/wiretrue/websocket/wire/frame"
)

// scene makes steps of lines: when in seconds, who, and what.
//
//	0.5 client http GET / HTTP/1.1 | Host: a || body    a head; | ends a line, in the body ~
//	1.0 server 81 05 "Hello"                            in the debug notation
//	2.0 server gap 12
//	2.5 server net zero-window 3s                       or opened, resent 1400, ...
//	3.0 client fin                                      or rst, timeout, stopped
func scene(t testing.TB, text string) (steps []step) {
	t.Helper()
	for line := range strings.Lines(text) {
		when, rest, ok := strings.Cut(strings.TrimSpace(line), " ")
		if !ok {
			continue
		}
		who, what, _ := strings.Cut(rest, " ")
		seconds, err := strconv.ParseFloat(when, 64)
		if err != nil {
			t.Fatal(err)
		}
		s := step{from: roleOf(who), at: 1 + time.Duration(math.Round(seconds*1e9))}
		word, arg, _ := strings.Cut(what, " ")
		switch word {
		case "http":
			head, body, _ := strings.Cut(arg, " || ")
			s.b = []byte(strings.ReplaceAll(head, " | ", "\r\n") + "\r\n\r\n" + strings.ReplaceAll(body, "~", "\r\n"))
		case "upgrade":
			s.b = []byte(goodRequest)
		case "switch":
			s.b = []byte(goodResponse)
		case "gap":
			if s.gap, err = strconv.ParseInt(arg, 10, 64); err != nil {
				t.Fatal(err)
			}
		case "fin", "rst", "timeout", "stopped":
			s.end = capture.How(word)
		case "net":
			kind, arg, _ := strings.Cut(arg, " ")
			s.net = &capture.NetEvent{Kind: capture.NetKind(kind)}
			bytes, _, _ := strings.Cut(arg, " ")
			s.net.Bytes, _ = strconv.ParseInt(bytes, 10, 64)
			if _, at, ok := strings.Cut(arg, " at "); ok {
				s.net.Stream, _ = strconv.ParseInt(at, 10, 64)
			}
			s.net.Duration, _ = time.ParseDuration(arg)
			if s.net.Kind == capture.NetAlert {
				s.net.Text = arg
			}
			if s.net.Kind == capture.NetTLS {
				s.net.TLS = &capture.TLSFacts{Version: "TLS 1.3", ALPN: arg, Decrypted: true}
			}
		default:
			if s.b, err = frame.AppendNotation(nil, what); err != nil {
				t.Fatal(err)
			}
		}
		steps = append(steps, s)
	}
	return steps
}

const upgraded = "0 client upgrade\n0.01 server switch\n"

const switched = "0.01 server http HTTP/1.1 101 Switching Protocols | Upgrade: websocket | Connection: Upgrade | Sec-WebSocket-Accept: yA9O5xGLp8SbwCV//OepMPw7pEI=\n"

// through opens a connection of which the server's answer has another field.
func through(field string) string {
	return asks + "\n" + strings.Replace(switched, " | Connection", " | "+field+" | Connection", 1)
}

const asks = "0 client http GET /chat?room=1 HTTP/1.1 | Host: a.example | Upgrade: websocket | Connection: Upgrade" +
	" | Sec-WebSocket-Key: c3SkgVxVCDhVCp69PJFf3A== | Sec-WebSocket-Version: 13"

// wanted is a finding as the table has it.
type wanted struct {
	id       string
	severity capture.Severity
	fault    capture.Party
	says     string // in what was seen, in the mistake, or in what to do
}

// Each thing that a capture can tell beyond the rules' words: which mistake it
// was, why the upgrade failed, why the connection ended, where it stalled, what
// anybody on the way can read.
func TestFindings(t *testing.T) {
	t.Parallel()
	zeros := new(packer).pack(t, strings.Repeat("\x00", 70000))
	const (
		switching = "6455-4.1-switching-protocols"
		accept    = "6455-4.2.2-accept-matches-key"
		before    = "6455-7.1.2-close-before-end"
	)
	refused := func(status string, more ...string) string {
		return asks + "\n0.1 server http HTTP/1.1 " + strings.Join(append([]string{status, "Content-Length: 0"}, more...), " | ") + "\n0.2 server fin\n0.3 client fin"
	}
	frames := func(n int, line func(i int) string) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, "%d.5 %s\n", 1+i, line(i))
		}
		return b.String()
	}
	for _, tt := range []struct {
		name    string
		options capture.Options
		scene   string
		want    []wanted // all findings
	}{
		{"nothing", capture.Options{}, upgraded + `0.2 client 88 82 01020304 03e8^01020304
			0.3 server 88 02 03e8
			0.4 server fin
			0.5 client fin`, nil},

		// Which mistake the accept value is.
		{"hexadecimal digest", capture.Options{}, asks + "\n0.1 server http HTTP/1.1 101 Switching Protocols | Upgrade: websocket | Connection: Upgrade | Sec-WebSocket-Accept: YzgwZjRlZTcxMThiYTdjNDliYzAyNTdmZmNlN2E5MzBmYzNiYTQ0Mg==",
			[]wanted{{accept, capture.Error, capture.Server, "hexadecimal text of the digest"}}},
		{"another connection's key", capture.Options{OtherKeys: func() []string { return []string{"AAAAAAAAAAAAAAAAAAAAAA==", "AQIDBAUGBwgJCgsMDQ4PEC=="} }},
			asks + "\n0.1 server http HTTP/1.1 101 Switching Protocols | Upgrade: websocket | Connection: Upgrade | Sec-WebSocket-Accept: ICX+Yqv66kxgM0FcWaLWlFLwTAI=",
			[]wanted{{accept, capture.Error, capture.Between, "no cache may give it out again"}}},
		{"letters in another case", capture.Options{}, asks + "\n0.1 server http HTTP/1.1 101 Switching Protocols | Upgrade: websocket | Connection: Upgrade | Sec-WebSocket-Accept: ya9o5xglp8sbwcv//oepmpw7pei=",
			[]wanted{{accept, capture.Error, capture.Between, "rewrites header values"}}},

		// The upgrade that failed.
		{"200", capture.Options{}, refused("200 OK"), []wanted{{switching, capture.Error, capture.Server, "a page was served"}}},
		{"301", capture.Options{}, refused("301 Moved Permanently", "Location: https://a.example/chat/"), []wanted{{switching, capture.Error, capture.Unknown, `Location "https://a.example/chat/"`}}},
		{"400", capture.Options{}, refused("400 Bad Request"), []wanted{{switching, capture.Error, capture.Client, "did not like the request"}}},
		{"400 of a TLS port", capture.Options{}, refused("400 The plain HTTP request was sent to HTTPS port"), []wanted{{switching, capture.Error, capture.Client, "TLS port"}}},
		{"400 of nginx's TLS port", capture.Options{}, asks + `
			0.1 server http HTTP/1.1 400 Bad Request | Server: nginx/1.22.1 | Content-Length: 67 || <h1>400: The plain HTTP request was sent to HTTPS port</h1> nginx~~~
			0.2 server fin
			0.3 client fin`, []wanted{{switching, capture.Error, capture.Client, "Connect with wss://"}}},
		{"400 to a request that a proxy changed", capture.Options{}, refused("400 Bad Request", "Server: nginx/1.22.1"), []wanted{{switching, capture.Error, capture.Between, "proxy_set_header Upgrade"}}},
		{"HTTP/1.0 of a proxy", capture.Options{}, `0 client http GET /chat HTTP/1.0 | Host: a.example | Connection: close | Sec-WebSocket-Key: c3SkgVxVCDhVCp69PJFf3A== | Sec-WebSocket-Version: 13
			0.1 server http HTTP/1.1 400 Bad Request | Content-Length: 0
			0.2 server fin
			0.3 client fin`, []wanted{
			{"6455-4.1-request-http11", capture.Error, capture.Between, "proxy_http_version 1.1"},
			{"6455-4.1-request-upgrade", capture.Error, capture.Between, "the rest of the handshake is there"},
			{"6455-4.1-request-connection", capture.Error, capture.Between, "the rest of the handshake is there"},
			{switching, capture.Error, capture.Between, "proxy_http_version 1.1"},
		}},
		{"no response", capture.Options{}, asks + "\n0.25 server fin\n0.3 client fin", []wanted{{switching, capture.Error, capture.Server, "in place of a response, 250ms after the request"}}},
		{"no response but a reset", capture.Options{}, asks + "\n0.25 server rst", []wanted{{switching, capture.Error, capture.Server, "wants TLS"}}},
		{"no response in time", capture.Options{}, asks + "\n10 client fin\n10.3 server fin", []wanted{{switching, capture.Error, capture.Unknown, "no response for 10s, when the client ended TCP"}}},
		{"no response that the capture has", capture.Options{}, asks + "\n1 server gap 100\n10 client fin\n10.3 server fin", nil},
		{"a capture of the client alone", capture.Options{}, "0 client net opened\n" + asks + `
			0.2 client 81 85 37fa213d "Hello"^37fa213d
			1 client 88 82 01020304 03e8^01020304
			1.1 client fin`, nil},
		{"a capture of the server alone", capture.Options{}, `0 server http HTTP/1.1 101 Switching Protocols | Upgrade: websocket | Connection: Upgrade | Sec-WebSocket-Accept: yA9O5xGLp8SbwCV//OepMPw7pEI=
			0.2 server 81 05 "Hello"
			1 server 88 02 03e8
			1.1 server fin`, nil},
		{"a request that the capture has the beginning of", capture.Options{}, `0 client net opened
			0 server net established
			0 client "GET /chat HTTP/1.1\r\nHost: a"
			0 client gap 100
			0 server switch
			1 client 81 8f 01020304 "Hello, somebody"^01020304
			1.1 client 81 86 a1b2c3d4 "World!"^a1b2c3d4
			1.2 client 88 82 01020305 03e8^01020305
			1.3 server 88 02 03e8
			1.4 server fin`, nil},
		{"no response yet", capture.Options{}, asks, nil},
		{"401", capture.Options{}, refused("401 Unauthorized"), []wanted{{switching, capture.Error, capture.Client, "credentials"}}},
		{"403", capture.Options{}, refused("403 Forbidden"), []wanted{{switching, capture.Error, capture.Unknown, "does not allow this client"}}},
		{"403 for the origin", capture.Options{}, strings.Replace(refused("403 Forbidden"), " | Upgrade:", " | Origin: https://b.example | Upgrade:", 1),
			[]wanted{{"6455-10.2-origin-allowed", capture.Warning, capture.Client, "https://b.example"}, {switching, capture.Error, capture.Unknown, "is not that of the host"}}},
		{"404", capture.Options{}, refused("404 Not Found"), []wanted{{switching, capture.Error, capture.Unknown, "nothing is at this path"}}},
		{"426", capture.Options{}, refused("426 Upgrade Required", "Sec-WebSocket-Version: 13"), []wanted{{switching, capture.Error, capture.Client, "another version"}}},
		{"426 through a proxy that removed Upgrade", capture.Options{}, refused("426 Upgrade Required", "Server: nginx"), []wanted{
			{"6455-4.4-versions-listed", capture.Error, capture.Between, "an Upgrade that the server did not see"},
			{switching, capture.Error, capture.Between, "proxy_set_header Upgrade"}}},
		{"426 for want of an Upgrade", capture.Options{}, strings.Replace(refused("426 Upgrade Required"), " | Upgrade: websocket", "", 1), []wanted{
			{"6455-4.1-request-upgrade", capture.Error, capture.Client, "the client wrote it so, or something between"},
			{switching, capture.Error, capture.Client, "proxy_set_header Upgrade"}}},
		{"502", capture.Options{}, refused("502 Bad Gateway"), []wanted{{switching, capture.Error, capture.Between, "a gateway got no good answer"}}},
		{"503", capture.Options{}, refused("503 Service Unavailable"), []wanted{{switching, capture.Error, capture.Unknown, "no server that is up behind it"}}},
		{"a status that nobody knows", capture.Options{}, refused("599 ?"), []wanted{{switching, capture.Error, capture.Server, "the server failed"}}},
		{"hop-by-hop headers removed", capture.Options{}, `0 client http GET /chat HTTP/1.1 | Host: a.example | Via: 1.1 proxy | Connection: close | Sec-WebSocket-Key: c3SkgVxVCDhVCp69PJFf3A== | Sec-WebSocket-Version: 13
			0.1 server http HTTP/1.1 400 Bad Request | Content-Length: 0
			0.2 server fin
			0.3 client fin`, []wanted{
			{"6455-4.1-request-upgrade", capture.Error, capture.Between, `"Via: 1.1 proxy" shows that a proxy was on the way`},
			{"6455-4.1-request-connection", capture.Error, capture.Between, "removed or changed the hop-by-hop headers"},
			{switching, capture.Error, capture.Between, "proxy_set_header Upgrade"},
		}},
		{"hop-by-hop headers removed without a trace", capture.Options{}, `0 client http GET /chat HTTP/1.1 | Host: a.example | Connection: close | Sec-WebSocket-Key: c3SkgVxVCDhVCp69PJFf3A== | Sec-WebSocket-Version: 13
			0.1 server http HTTP/1.1 400 Bad Request | Content-Length: 0
			0.2 server fin
			0.3 client fin`, []wanted{
			{"6455-4.1-request-upgrade", capture.Error, capture.Between, "removed or changed the hop-by-hop headers"},
			{"6455-4.1-request-connection", capture.Error, capture.Between, "removed or changed the hop-by-hop headers"},
			{switching, capture.Error, capture.Between, "proxy_set_header Upgrade"},
		}},
		{"an extension where none was offered", capture.Options{}, through("Sec-WebSocket-Extensions: permessage-deflate"), []wanted{
			{"6455-9.1-extension-offered", capture.Error, capture.Server, `"permessage-deflate", and none was offered`}}},
		{"TLS to a plain port", capture.Options{}, `0 client 160301 00c8 01 0000c4 0303
			0.1 server http HTTP/1.1 400 Bad Request | Content-Length: 0`, []wanted{{"9112-2.1-request-syntax", capture.Error, capture.Client, "TLS was spoken to a plain port"}}},
		{"TLS that is reset", capture.Options{}, "0 client 160301 00c8 01 0000c4 0303\n0.1 server rst", []wanted{{"9112-2.1-request-syntax", capture.Warning, capture.Client, "refuses the server name"}}},
		{"plain HTTP to a TLS port", capture.Options{}, asks + "\n0.1 server 150303 0002 0246\n0.2 server fin", []wanted{{"9112-2.1-response-syntax", capture.Error, capture.Client, "plain HTTP was spoken to a TLS port"}}},
		{"HTTP/2 by ALPN", capture.Options{TLS: true}, "0 server net tls h2\n" + strings.Replace(asks, "0 ", "0.1 ", 1) + "\n0.2 server http HTTP/1.1 400 Bad Request | Content-Length: 0",
			[]wanted{{switching, capture.Error, capture.Client, ""}, {"capture-http2-by-alpn", capture.Error, capture.Client, "h2"}}},

		// Why it closed.
		{"an idle timeout", capture.Options{}, upgraded + `0.2 client 81 85 37fa213d "Hello"^37fa213d
			60.25 server fin
			60.3 client fin`, []wanted{{before, capture.Warning, capture.Between, "FIN without a Close"}, {"capture-idle-timeout", capture.Warning, capture.Between, "nginx"}}},
		{"an idle timeout of one side alone", capture.Options{}, upgraded + frames(100, func(int) string { return "server 81 02 \"hi\"" }) + `100.2 client rst`,
			[]wanted{{before, capture.Warning, capture.Between, "RST without a Close"}, {"capture-idle-timeout", capture.Warning, capture.Between, "last bytes of the client"}}},
		{"no timeout", capture.Options{}, upgraded + `0.2 client 81 85 37fa213d "Hello"^37fa213d
			13.25 server fin
			13.3 client fin`, []wanted{{before, capture.Warning, capture.Server, ""}}},
		{"pings without answers", capture.Options{}, upgraded + `10 server 89 01 "1"
			20 server 89 01 "2"
			25 server 88 02 03f0
			25.1 client rst`, []wanted{{"6455-5.5.1-close-answered", capture.Warning, capture.Client, "in place of a Close"}, {"capture-unanswered-pings", capture.Warning, capture.Client, "2 Pings of the server had no Pong"}}},
		{"a ping without an answer, and the pinger leaves", capture.Options{}, upgraded + `10 client 89 81 01020304 "1"^01020304
			11 client fin`, []wanted{{before, capture.Warning, capture.Client, "FIN"}, {"capture-unanswered-pings", capture.Warning, capture.Server, "1 Ping of the client had no Pong when the client began to end the connection, 1s after"}}},
		{"a ping that has just left", capture.Options{}, upgraded + `10 client 89 81 01020304 "1"^01020304
			10.001 server 88 02 03e8
			10.002 client 88 82 01020305 03e8^01020305
			10.003 server fin`, nil},
		{"too large a message when it is inflated", capture.Options{}, asks + ` | Sec-WebSocket-Extensions: permessage-deflate
			0.01 server http HTTP/1.1 101 Switching Protocols | Upgrade: websocket | Connection: Upgrade | Sec-WebSocket-Accept: yA9O5xGLp8SbwCV//OepMPw7pEI= | Sec-WebSocket-Extensions: permessage-deflate
			` + fmt.Sprintf("1 client c2 %02x 01020304 %x^01020304", 0x80|len(zeros), zeros) + `
			1.1 server 88 02 03f1
			1.2 client 88 82 01020305 03f1^01020305
			1.3 server fin`, []wanted{{"capture-close-after-large-message", capture.Warning, capture.Unknown, "a compressed message of 70000 bytes from the client"}}},
		{"too large a message while it comes", capture.Options{}, upgraded + `1 client 82 ff 0000000000011170 01020304 "a"*35000
			1.1 server 88 02 03f1
			1.2 client "a"*35000
			1.3 client rst`, []wanted{{"6455-5.5.1-close-answered", capture.Warning, capture.Client, "RST"}, {"capture-close-after-large-message", capture.Warning, capture.Unknown, "still on its way"}}},
		{"an end inside a large frame", capture.Options{}, upgraded + `1 server 82 7f 0000000000011170 "a"*35000
			3 server rst`, []wanted{{"6455-7.1.5-end-between-frames", capture.Error, capture.Server, "after 35000 of the frame's 70000 bytes"}, {before, capture.Warning, capture.Server, "RST"}}},
		{"an answer that the client must refuse", capture.Options{}, asks + `
			0.01 server http HTTP/1.1 101 Switching Protocols | Upgrade: websocket | Connection: Upgrade | Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=
			0.02 client fin
			0.03 server fin`, []wanted{{"6455-4.2.2-accept-matches-key", capture.Error, capture.Server, "s3pPLM"}}},
		{"HTTP/1.0 by a proxy, and answered likewise", capture.Options{}, "0 client http GET / HTTP/1.0 | Host: a.example | Connection: Upgrade | Upgrade: websocket | Via: 1.0 proxy | Sec-WebSocket-Key: c3SkgVxVCDhVCp69PJFf3A== | Sec-WebSocket-Version: 13\n" +
			"0.1 server http HTTP/1.0 400 Bad Request | Content-Length: 0", []wanted{{"6455-4.1-request-http11", capture.Error, capture.Between, "HTTP/1.0"}, {"6455-4.1-switching-protocols", capture.Error, capture.Between, "400"}}},
		{"a character that is cut by the next", capture.Options{}, upgraded + `1 server 81 05 "caf" e9 20`, []wanted{{"6455-8.1-text-is-utf8", capture.Error, capture.Server, "the byte 0x20 inside a character"}}},
		{"too large a message", capture.Options{}, upgraded + `1 client 82 ff 0000000000011170 01020304 "a"*70000
			1.1 server 88 02 03f1
			1.2 client 88 82 01020305 03f1^01020305
			1.3 server fin
			1.4 client fin`, []wanted{{"capture-close-after-large-message", capture.Warning, capture.Unknown, "70000 bytes from the client"}}},
		{"too large a message of some kilobytes", capture.Options{}, upgraded + `1 client 82 fe 1388 01020304 "a"*5000
			1.1 client 81 82 01020309 "ok"^01020309
			1.2 server 88 02 03f1
			1.3 client 88 82 01020305 03f1^01020305
			1.4 server fin
			1.5 client fin`, []wanted{{"capture-close-after-large-message", capture.Warning, capture.Unknown, "frame of 5000 bytes from the client is the largest"}}},
		{"too large a message in fragments", capture.Options{}, upgraded + `1 client 02 fe 03e8 01020304 "a"*1000
			1.1 client 00 fe 03e8 01020305 "a"*1000
			1.2 server 88 02 03f1
			1.3 client 88 82 01020306 03f1^01020306
			1.4 server fin
			1.5 client fin`, []wanted{{"capture-close-after-large-message", capture.Warning, capture.Unknown, "message of 2000 bytes from the client is the largest"}}},
		{"too large a message of which only the header came", capture.Options{}, upgraded + `1 client 82 fe 1388 01020304
			1.2 server 88 02 03f1
			1.3 server fin
			1.4 client rst`, []wanted{{"6455-5.5.1-close-answered", capture.Warning, capture.Client, ""}, {"6455-7.1.5-end-between-frames", capture.Error, capture.Client, ""},
			{"capture-close-after-large-message", capture.Warning, capture.Unknown, "frame of 5000 bytes from the client is the largest"}}},
		{"nothing that could be too large", capture.Options{}, upgraded + `1.2 server 88 02 03f1
			1.3 client 88 82 01020306 03f1^01020306
			1.4 server fin
			1.5 client fin`, nil},

		// What stands in between.
		{"an idle end by nginx", capture.Options{}, through("Server: nginx/1.22.1") + "1 client 82 80 01020304\n1 server 82 00\n61.05 server fin\n61.06 client fin", []wanted{
			{before, capture.Warning, capture.Between, `"Server: nginx/1.22.1" shows that there is a proxy`},
			{"capture-idle-timeout", capture.Warning, capture.Between, "raise the proxy_read_timeout of nginx"}}},
		{"an idle end by nginx with another timeout", capture.Options{}, through("Server: nginx") + "1 client 82 80 01020304\n1 server 82 00\n11.01 server fin\n11.02 client fin", []wanted{
			{before, capture.Warning, capture.Between, "nginx"},
			{"capture-idle-timeout", capture.Warning, capture.Between, "a timeout of 10s would do this: the proxy_read_timeout of nginx may be set to that"}}},
		{"an idle end by HAProxy", capture.Options{}, through("Via: 1.1 haproxy") + "1 client 82 80 01020304\n1 server 82 00\n3601.05 server rst", []wanted{
			{before, capture.Warning, capture.Between, "haproxy"},
			{"capture-idle-timeout", capture.Warning, capture.Between, "raise the timeout tunnel of HAProxy"}}},
		{"an idle end by nobody knows what", capture.Options{}, upgraded + "1 client 82 80 01020304\n1 server 82 00\n61.05 server fin\n61.06 client fin", []wanted{
			{before, capture.Warning, capture.Between, "an idle timeout rather than the end of a program"},
			{"capture-idle-timeout", capture.Warning, capture.Between, "nginx's proxy_read_timeout"}}},
		{"an idle end before a proxy's upstream", capture.Options{}, strings.Replace(asks, " | Upgrade:", " | X-Forwarded-For: 192.0.2.1 | Upgrade:", 1) + "\n" + switched + "1 client 82 80 01020304\n1 server 82 00\n61.05 client rst", []wanted{
			{before, capture.Warning, capture.Between, `"X-Forwarded-For: 192.0.2.1" shows`},
			{"capture-idle-timeout", capture.Warning, capture.Between, ""}}},
		{"a proxy whose upstream is gone", capture.Options{}, through("Server: nginx") + "1 client 82 80 01020304\n1 server 82 00\n3 server fin\n3 client fin", []wanted{
			{before, capture.Warning, capture.Server, "because what is behind it was gone"}}},
		{"an idle end in order through nginx", capture.Options{}, through("Server: nginx") + `1 client 82 80 01020304
			61.01 server 88 02 03e9
			61.02 client 88 82 01020305 03e9^01020305
			61.03 server fin
			61.04 client fin`, []wanted{{"capture-idle-timeout", capture.Warning, capture.Server, "60s"}}},

		{"an end inside a frame", capture.Options{}, upgraded + `1 server 82 05 "ab"
			1.1 server rst`, []wanted{{"6455-7.1.5-end-between-frames", capture.Error, capture.Server, "after 2 of the frame's 5 bytes"}, {before, capture.Warning, capture.Server, "RST"}}},
		{"data behind a Close", capture.Options{}, upgraded + `1 server 88 02 03e8
			1.1 server 81 04 "late"
			1.2 client 88 82 01020304 03e8^01020304
			1.3 server fin
			1.4 client fin`, []wanted{{"6455-5.5.1-no-data-after-close", capture.Error, capture.Server, "TEXT length 4"}}},

		// Stalls.
		{"retransmissions", capture.Options{}, upgraded + strings.Repeat("1 server net retransmission 1400\n", 3), []wanted{{"capture-retransmissions", capture.Note, capture.Between, "3 retransmissions of the server, 4200 bytes"}}},
		{"a closed window", capture.Options{}, upgraded + "1 client net zero-window\n4 client net window-open 3s", []wanted{{"capture-zero-window", capture.Warning, capture.Client, "1 time, for 3s together"}}},
		{"a window that was closed for a moment", capture.Options{}, upgraded + "1 client net zero-window\n1.01 client net window-open 10ms", nil},
		{"a window that stays closed", capture.Options{}, upgraded + "1 client net zero-window\n1.01 client net window-open 10ms\n2 client net zero-window", []wanted{{"capture-zero-window", capture.Warning, capture.Client, "2 times, and not again the last time"}}},
		{"a ping behind a large frame", capture.Options{}, upgraded + `1 client 82 ff 0000000000011170 01020304 "a"*35000
			1.2 server 89 01 "1"
			2 client "a"*35000
			2.1 client 8a 81 01020306 "1"^01020306`, []wanted{{"capture-ping-behind-message", capture.Warning, capture.Client, "took 900ms while a frame of 70000 bytes"}}},
		{"crumbs", capture.Options{}, upgraded + "1 server " + strings.Repeat("81 01 61 ", 1000), []wanted{{"capture-tiny-frames", capture.Note, capture.Server, "1000 data frames with 1.0 bytes"}}},
		{"a flood", capture.Options{ControlRate: 5}, upgraded + "1 server " + strings.Repeat("8a 00 ", 6), append(
			[]wanted{}, wanted{"6455-10.4-control-rate", capture.Warning, capture.Server, "more than 5 control frames"})},

		// What anybody on the way can read.
		{"a token in a URL", capture.Options{}, strings.Replace(asks, "room=1", "access_token=abcdefgh", 1) + "\n0.1 server http HTTP/1.1 101 Switching Protocols | Upgrade: websocket | Connection: Upgrade | Sec-WebSocket-Accept: yA9O5xGLp8SbwCV//OepMPw7pEI=",
			[]wanted{{"capture-secret-in-url", capture.Warning, capture.Client, `"access_token" of the request target, 8 characters`}}},
		{"a token in a URL inside TLS", capture.Options{TLS: true}, strings.Replace(asks, "room=1", "access_token=abcdefgh", 1) + "\n0.1 server http HTTP/1.1 101 Switching Protocols | Upgrade: websocket | Connection: Upgrade | Sec-WebSocket-Accept: yA9O5xGLp8SbwCV//OepMPw7pEI=", nil},
		{"keys that count", capture.Options{}, upgraded + frames(6, func(i int) string { return fmt.Sprintf("client 82 80 %08x", 0x1000+7*i) }),
			[]wanted{{"capture-predictable-masking-keys", capture.Warning, capture.Client, "the one before plus a fixed number"}}},
		{"keys that come again", capture.Options{}, upgraded + frames(8, func(i int) string { return "client 82 80 " + []string{"a1b2c3d4", "99887766", "13243546"}[i%3] }),
			[]wanted{{"capture-predictable-masking-keys", capture.Warning, capture.Client, "again and again"}}},
		{"a key that stays", capture.Options{}, upgraded + "1 client 82 80 00000000 82 80 00000000", []wanted{{"6455-5.3-fresh-masking-key", capture.Error, capture.Client, "all zeros"}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			steps := scene(t, tt.scene)
			all, report := records(tt.options, steps, nil)
			var got []*capture.Finding
			over := slices.IndexFunc(all, func(r capture.Record) bool { return r.Kind == capture.KindEnding })
			if i := slices.IndexFunc(all[over:], func(r capture.Record) bool { return r.Finding != nil }); i > 0 {
				t.Errorf("%s is told behind the end", all[over+i].Finding.ID)
			}
			for _, r := range all {
				if f := r.Finding; f != nil && f.ID != "6455-5.5.3-pong-answers-ping" {
					got = append(got, f)
				}
			}
			for i := range max(len(got), len(tt.want)) {
				switch {
				case i >= len(got):
					t.Errorf("%s is missing", tt.want[i].id)
				case i >= len(tt.want):
					t.Errorf("found %s, too: %+v", got[i].ID, got[i])
				default:
					checkFinding(t, got[i], tt.want[i])
				}
			}
			if report.Errors+report.Warnings+report.Notes < len(got) {
				t.Errorf("the report counts %d, %d and %d", report.Errors, report.Warnings, report.Notes)
			}
			checkBytes(t, steps, all)
			cutEverywhere(t, tt.options, steps)
		})
	}
}

func checkFinding(t *testing.T, f *capture.Finding, want wanted) {
	t.Helper()
	words := f.Seen + "\n" + f.Mistake + "\n" + f.Do
	if f.ID != want.id || f.Severity != want.severity || f.Fault != want.fault || !strings.Contains(words, want.says) {
		t.Errorf("found %s, %s, by %s: %s\nwant %+v", f.ID, f.Severity, f.Fault, words, want)
	}
	if f.Expected == "" || f.Do == "" || f.Name == "" || f.At.IsZero() {
		t.Errorf("%s lacks something: %+v", f.ID, f)
	}
	if f.Offset >= 0 && (f.Stream < f.Offset || f.From == "") {
		t.Errorf("%s has no place: %+v", f.ID, f)
	}
}

// How it ended, as both sides saw it.
func TestEndings(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name  string
		scene string
		want  string // how, who began, the code, what client and server are told
		words string
	}{
		{"clean", `1 client 88 85 01020304 "\x03\xe8bye"^01020304
			1.2 server 88 05 "\x03\xe8bye"
			1.3 server fin
			1.4 client fin`, "clean client 1000 1000 1000", `Closed by the client with 1000 Normal Closure ("bye"), 990ms after the handshake; the other side answered. Both programs are told 1000`},
		{"answered behind other frames", "1 client 88 82 01020304 03e8^01020304\n1.1 server 81 02 6869\n1.2 server 88 02 03e8\n1.3 server fin", "clean client 1000 1000 1000", "990ms after the handshake"},
		{"while a frame was on its way", `1 client 82 ff 0000000000011170 01020304 "a"*35000
			1.1 server 88 02 03f1
			1.2 client rst`, "unanswered server 1009 1009 1006", "The server closed with 1009 Message Too Big, while frame #1 was on its way; its Close"},
		{"both at once", `1 client 88 82 01020304 03e8^01020304
			1 server 88 02 03e9
			1.3 server fin
			1.4 client fin`, "clean client 1000 1001 1000", "The client's program is told 1001"},
		{"no code", "1 server 88 00\n1.1 client 88 80 01020304\n1.2 server fin\n1.3 client fin", "clean server 1005 1005 1005", "1005"},
		{"unanswered", "1 server 88 02 03e9\n1.1 client rst", "unanswered server 1001 1001 1006", "its Close was not answered"},
		{"unmasked", "1 client 81 02 6869\n1.1 server 88 02 03ea\n1.2 client 88 82 01020304 03ea^01020304\n1.3 server fin", "clean server 1002 1002 1002", "Frame #1 of the client called for that: ClientMustMask. Both"},
		{"another code than the fault's", "1 client 81 02 6869\n1.1 server 88 02 03e9\n1.2 client 88 82 01020304 03e9^01020304\n1.3 server fin", "clean server 1001 1001 1001", "the other side answered. Both"},
		{"unanswered for want of bytes", "1 server 88 02 03e9\n1.1 client gap 8\n1.2 client fin", "unanswered server 1001 1001 0", "the capture does not have all that might answer its Close. The client's program is told 1001"},
		{"inside a frame", "1 server 82 05 6162\n3 server rst", "abnormal server 0 1006 1006", "The server reset TCP without a Close, 2s after the last frame"},
		{"abnormal", "1 client 82 80 01020304\n3 server rst", "abnormal server 0 1006 1006", "The server reset TCP without a Close, 2s after the last frame"},
		{"a reason without an answer", "1 server 88 05 \"\\x03\\xf3hmm\"\n1.1 client rst", "unanswered server 1011 1011 1006", `The server closed with 1011 Internal Error ("hmm"), 990ms`},
		{"gone", "1 client 82 80 01020304\n1.2 client net retransmission 6\n1.6 client net retransmission 6\n3 client net retransmission 6\n3 client stopped\n3 server stopped", "going  0 0 0", "stop here. The client sent the same bytes again 3 times, and none came back: the server, or the way to it, may be gone."},
		{"gone, and given up", "1 client 82 80 01020304\n1.2 client net retransmission 6\n1.6 client net retransmission 6\n3 client net retransmission 6\n9 client rst", "abnormal client 0 1006 1006", "8s after the last frame. The client sent the same bytes again 3 times"},
		{"many lost", "1 client 82 80 01020304\n1.2 client net retransmission 6 at 1\n1.6 client net retransmission 6 at 7\n3 client net retransmission 6 at 13\n5 client stopped\n5 server stopped", "going  0 0 0", "may go on"},
		{"heard again", "1 client 82 80 01020304\n1.2 client net retransmission 6\n1.6 client net retransmission 6\n3 client net retransmission 6\n4 server 82 00\n5 client stopped\n5 server stopped", "going  0 0 0", "may go on"},
		{"going", "1 client 82 80 01020304\n2 client stopped\n2 server stopped", "going  0 0 0", "may go on"},
	} {
		_, report := records(capture.Options{}, scene(t, upgraded+tt.scene), nil)
		e := report.Ending
		got := fmt.Sprintf("%s %s %d", e.How, e.Began, e.Code)
		for _, v := range []*capture.View{e.Client, e.Server} {
			if v == nil {
				v = &capture.View{}
			}
			got += fmt.Sprintf(" %d", v.Code)
		}
		if got != tt.want || !strings.Contains(e.String(), tt.words) {
			t.Errorf("%s: %s: %s, want %s: %s", tt.name, got, e.String(), tt.want, tt.words)
		}
	}
	for _, tt := range []struct {
		how   capture.Outcome
		scene string
		words string
	}{
		{capture.Refused, asks + "\n0.1 server http HTTP/1.1 101 Switching Protocols | Upgrade: websocket | Connection: Upgrade\n0.2 client rst", "did not take the server's answer"},
		{capture.Refused, asks + "\n0.1 server http HTTP/1.1 404 Not Found | Content-Length: 0\n0.2 server fin\n0.3 client fin", "not granted: the server answered 404 Not Found."},
		{capture.Going, asks, "stop before there is a response"},
		{capture.Refused, asks + "\n5 client fin\n5.1 server fin", "not granted: there is no response."},
		{capture.Never, "0 client net alert unknown_ca\n0.1 client fin\n0.1 server fin", "the client sent the alert unknown_ca; it does not trust who signed the certificate."},
		{capture.Never, "0 server net alert unrecognized_name\n0 server net tls-record 100\n0.1 client fin\n0.1 server fin", "opened a WebSocket"},
		{capture.Never, "0 client net alert close_notify\n0.1 client fin\n0.1 server fin", "opened a WebSocket"},
		{capture.Never, "0 client net opened\n0.1 server rst", "The server refused the TCP connection"},
		{capture.Never, "0 client net opened\n9 client timeout\n9 server timeout", "was never open"},
		{capture.Never, "0 client http GET / HTTP/1.1 | Host: a\n0.1 server http HTTP/1.1 200 OK | Content-Length: 2 || ok\n0.2 server fin\n0.3 client fin", "opened a WebSocket"},
	} {
		if _, report := records(capture.Options{}, scene(t, tt.scene), nil); report.Ending.How != tt.how || !strings.Contains(report.Ending.String(), tt.words) {
			t.Errorf("ended %s: %s, want %s: %s", report.Ending.How, report.Ending.String(), tt.how, tt.words)
		}
	}
}

// inOrder checks that what a scene tells of is in the order of its time.
func inOrder(t *testing.T, text string) {
	t.Helper()
	steps := scene(t, text)
	all, _ := records(capture.Options{}, steps, nil)
	var last time.Time
	for _, r := range all {
		at := r.At
		if r.Handshake != nil {
			at = r.Handshake.Requested
		}
		if at.Before(last) && r.Kind != capture.KindNet {
			t.Errorf("%s at %v is told behind %v, of\n%s", r.Kind, at.Sub(start), last.Sub(start), text)
		}
		last = at
	}
	cutEverywhere(t, capture.Options{}, steps)
}

// A client that gives up before there is a response is told behind its
// request, and the silence before an end is one.
func TestOrderOfAnEarlyEnd(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		asks + "\n5 client fin\n5.1 server fin",
		asks + "\n0.1 client fin\n" + strings.Replace(switched, "0.01", "0.2", 1) + "0.3 server fin",
		"0 client net opened\n" + asks + "\n0.2 client 81 85 37fa213d \"Hello\"^37fa213d\n1.1 client fin\n1.1 server stopped",
	} {
		inOrder(t, text)
	}
	all, report := records(capture.Options{}, scene(t, asks+"\n5 client fin\n5.1 server fin"), nil)
	if report.LongestGap != 5*time.Second || report.Client.LongestIdle != 5*time.Second {
		t.Errorf("the longest silences are %v and %v", report.LongestGap, report.Client.LongestIdle)
	}
	if kinds := len(all); kinds != 5 { // the handshake, its finding, two ends, the ending
		t.Errorf("%d records", kinds)
	}
}

// A Close that is read late, because bytes before it were waited for, began the
// end all the same.
func TestCloseReadLate(t *testing.T) {
	t.Parallel()
	steps := scene(t, upgraded+"1 client 88 82 01020304 03e8^01020304\n1.1 server 88 02 03e8\n1.2 server fin\n1.3 client fin")
	a := capture.New(capture.Options{}, nil)
	for _, i := range []int{0, 1, 3, 2, 4, 5} {
		if s := steps[i]; s.end != "" {
			a.End(s.from, start.Add(s.at), int64(i+1), s.end)
		} else {
			a.Bytes(s.from, start.Add(s.at), int64(i+1), s.b)
		}
	}
	if e := a.Report().Ending; e.How != capture.Clean || e.Began != capture.Client || e.Silence != 990*time.Millisecond {
		t.Errorf("%s, by the %s, after %v: %s", e.How, e.Began, e.Silence, e.String())
	}
}

// What breaks a rule soon behind a gap is told once frames have gone on behind
// it, and until then it is not known whether the peer or the guess is wrong.
func TestFaultsBehindGaps(t *testing.T) {
	t.Parallel()
	const mask = "6455-5.1-client-must-mask"
	for _, tt := range []struct {
		name   string
		scene  string
		want   []string // errors
		frames int64
	}{
		{"one", `1 client gap 50
			1.1 client 81 8f 01020304 "Hello, somebody"^01020304
			1.2 client 81 03 "bad"
			1.3 client 81 86 a1b2c3d4 "World!"^a1b2c3d4
			1.4 client 81 87 99887766 "Goodbye"^99887766`, []string{mask + " #2"}, 4},
		{"several, of all sizes", `1 client gap 50
			1.1 client 81 8f 01020304 "Hello, somebody"^01020304
			1.2 client 81 00
			1.3 client 82 7e 1000 "a"*4096
			1.4 client 81 86 a1b2c3d4 "World!"^a1b2c3d4
			1.5 client 81 87 99887766 "Goodbye"^99887766`, []string{mask + " #2", mask + " #3"}, 5},
		{"inside a message", `1 client gap 50
			1.1 client 81 8f 01020304 "Hello, somebody"^01020304
			1.2 client 01 85 01020305 "World"^01020305
			1.3 client 09 84 a1b2c3d4 "ping"^a1b2c3d4
			1.4 client 80 87 99887766 "Goodbye"^99887766
			1.5 client 81 87 12345678 "Goodbye"^12345678`, []string{"6455-5.5-control-not-fragmented #3"}, 5},
		{"one that is too large to be held", `1 client gap 50
			1.1 client 81 8f 01020304 "Hello, somebody"^01020304
			1.2 client 82 7e a000 "a"*40960
			1.3 client 81 86 a1b2c3d4 "World!"^a1b2c3d4`, []string{mask + " #2"}, 3},
		{"all, as before it", `0.9 client 81 05 "Hello"
			1 client gap 50
			1.1 client 81 0f "Hello, somebody"
			1.2 client 81 03 "bad"
			1.3 client 81 86 a1b2c3d4 "World!"^a1b2c3d4
			1.4 client 81 87 99887766 "Goodbye"^99887766`, []string{mask + " #1", mask + " #2", mask + " #3"}, 5},
		{"the last bytes", `1 client gap 50
			1.1 client 81 8f 01020304 "Hello, somebody"^01020304
			1.2 client 81 03 "bad"
			1.3 client fin`, []string{mask + " #2"}, 2},
		{"the last bytes, without a payload", `1 client gap 50
			1.1 client 81 8f 01020304 "Hello, somebody"^01020304
			1.2 client 89 00
			1.3 client fin`, []string{mask + " #2"}, 2},
		{"nothing goes on behind it", `1 client gap 50
			1.1 client 81 8f 01020304 "Hello, somebody"^01020304
			1.2 client 81 05 "bad"
			1.3 client fin`, nil, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			steps := scene(t, upgraded+"0.5 server 81 02 \"hi\"\n"+tt.scene)
			all, report := records(capture.Options{}, steps, nil)
			var got []string
			for _, r := range all {
				if f := r.Finding; f != nil && f.Severity == capture.Error && f.ID != "6455-7.1.5-end-between-frames" {
					got = append(got, fmt.Sprintf("%s #%d", f.ID, f.Frame-1)) // behind that of the server
				}
			}
			if !slices.Equal(got, tt.want) {
				t.Errorf("found %q, want %q", got, tt.want)
			}
			if n := int64(report.Client.Frames); n != tt.frames {
				t.Errorf("%d frames, want %d", n, tt.frames)
			}
			cutEverywhere(t, capture.Options{}, steps)
		})
	}
}

// Behind bytes that are missing a request may be found when its answer has come
// already, as that of TLS records that are opened again. The frames behind it
// are told as they come.
func TestRequestBehindItsAnswer(t *testing.T) {
	t.Parallel()
	steps := scene(t, `0 server http HTTP/1.1 101 Switching Protocols | Upgrade: websocket | Connection: Upgrade
		0.1 client gap 64
		0.1 client http GET /chat HTTP/1.1 | Host: a | Upgrade: websocket | Connection: Upgrade
		0.2 client 81 85 01020304 "Hello"^01020304
		0.3 server 81 05 "Hello"
		0.4 client fin
		0.5 server fin`)
	all, report := records(capture.Options{}, steps, nil)
	var got []string
	for _, r := range all {
		if r.Kind != capture.KindFinding {
			got = append(got, fmt.Sprintf("%s %s", r.Kind, r.From))
		}
	}
	want := []string{"handshake server", "gap client", "handshake client", "frame client", "message client",
		"frame server", "message server", "end client", "end server", "ending client"}
	if !slices.Equal(got, want) {
		t.Errorf("told %q\nwant %q", got, want)
	}
	if report.Client.Frames != 1 || report.Ending.How != capture.Abnormal {
		t.Errorf("%d frames of the client, ended %s", report.Client.Frames, report.Ending.How)
	}
	cutEverywhere(t, capture.Options{}, steps)
}

// The hint names the timeout that fits best, and how well it does.
func TestHints(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		silence float64
		timeout time.Duration // 0: none
		least   float64
		most    float64
	}{
		{60.05, 60 * time.Second, 0.9, 1},
		{59.9, 60 * time.Second, 0.9, 1},
		{61, 60 * time.Second, 0.2, 0.9},
		{63.5, 0, 0, 0},
		{59.5, 0, 0, 0},
		{30.02, 30 * time.Second, 0.9, 1},
		{350.1, 350 * time.Second, 0.9, 1},
		{45, 0, 0, 0},
	} {
		_, report := records(capture.Options{}, scene(t, upgraded+fmt.Sprintf("1 client 82 80 01020304\n1 server 82 00\n%f server fin\n", 1+tt.silence)), nil)
		var best capture.Hint
		if hints := report.Ending.Hints; len(hints) > 0 {
			best = hints[0]
		}
		if best.Timeout != tt.timeout || best.Confidence < tt.least || best.Confidence > tt.most {
			t.Errorf("a silence of %vs: %+v, want %v", tt.silence, best, tt.timeout)
		}
	}
}

// Plain exchanges before the upgrade, bodies of all forms, interim responses,
// and frames in the same segment as the 101.
func TestExchanges(t *testing.T) {
	t.Parallel()
	steps := scene(t, `0 client http GET /login HTTP/1.1 | Host: a
		0.1 server http HTTP/1.1 200 OK | Content-Length: 5 || hello
		0.2 client http POST /api HTTP/1.1 | Host: a | Transfer-Encoding: chunked || 3;x=y~abc~2~de~0~T: 1~~GET /next HTTP/1.1~Host: a~~
		0.3 server http HTTP/1.1 103 Early Hints | Link: x
		0.4 server http HTTP/1.1 200 OK | Transfer-Encoding: chunked || 4~wiki~0~~HTTP/1.1 304 Not Modified~Content-Length: 99~~
		0.5 client http HEAD / HTTP/1.1 | Host: a
		0.6 server http HTTP/1.1 200 OK | Content-Length: 12345`)
	open := opening("")
	open[1].b = append(open[1].b, 0x81, 2, 'h', 'i')
	for i := range open {
		open[i].at = time.Second + time.Duration(i)*10*time.Millisecond
	}
	steps = append(steps, open...)
	all, report := records(capture.Options{}, steps, nil)
	var got []string
	for _, r := range all {
		switch {
		case r.HTTP != nil:
			s := fmt.Sprintf("%s %s %d", r.HTTP.Method, r.HTTP.Target, r.HTTP.Status)
			for _, b := range []*capture.Excerpt{r.HTTP.RequestBody, r.HTTP.ResponseBody} {
				if b != nil {
					s += " " + string(b.Bytes)
				}
			}
			got = append(got, s)
		case r.Handshake != nil:
			got = append(got, fmt.Sprintf("upgrade %v %s", r.Handshake.Opened, r.Handshake.Proof))
		case r.Message != nil:
			got = append(got, string(r.Message.Payload.Bytes))
		case r.Finding != nil:
			got = append(got, r.Finding.ID)
		}
	}
	want := "GET /login 200 hello; POST /api 200 abcde wiki; GET /next 304; HEAD / 200; upgrade true right; hi"
	if s := strings.Join(got, "; "); s != want {
		t.Errorf("told %s\nwant %s", s, want)
	}
	if report.Exchanges != 4 || report.Handshakes != 1 || report.Opening != 10*time.Millisecond {
		t.Errorf("%d exchanges, %d handshakes, opened in %v", report.Exchanges, report.Handshakes, report.Opening)
	}
	cutEverywhere(t, capture.Options{}, steps)
}

// The numbers of a conversation that can be counted by hand.
func TestNumbers(t *testing.T) {
	t.Parallel()
	_, r := records(capture.Options{}, scene(t, upgraded+`1 client 01 83 01020304 "abc"
		1.5 client 80 82 01020305 "de"
		2 server 82 7e0080 "x"*128
		2.25 server 89 02 "hi"
		2.35 client 8a 82 01020306 "hi"^01020306
		3 client 81 80 01020307
		5.01 server 82 00`), nil)
	c, s := r.Client, r.Server
	for _, tt := range []struct {
		what      string
		got, want any
	}{
		{"client bytes", c.Bytes, uint64(len(goodRequest) + 9 + 8 + 8 + 6)},
		{"server bytes", s.Bytes, uint64(len(goodResponse) + 132 + 4 + 2)},
		{"client headers", c.HeaderBytes, uint64(24)},
		{"client overhead", c.Overhead, 24.0 / 7},
		{"client payload", c.DataPayload, uint64(5)},
		{"client frames", c.Frames, uint64(4)},
		{"client data frames", c.DataFrames, uint64(3)},
		{"client texts", c.Text, uint64(2)},
		{"client fragmented", c.Fragmented, uint64(1)},
		{"client pongs", c.Pongs, uint64(1)},
		{"client sizes", c.Sizes, capture.Spread{Count: 2, Min: 0, Median: 0, Max: 5, Sum: 5}},
		{"client rate", c.MessageRate, 2.0 / 5},
		{"server binaries", s.Binary, uint64(2)},
		{"server pings", s.Pings, uint64(1)},
		{"server rtt", s.RTT, capture.Spread{Count: 1, Min: 1e8, Median: 1e8, Max: 1e8, Sum: 1e8}},
		{"server rate of bytes", s.ByteRate, 138.0 / 5},
		{"server idle", s.LongestIdle, 2760 * time.Millisecond},
		{"idle", r.LongestGap, 2010 * time.Millisecond},
		{"opening", r.Opening, 10 * time.Millisecond},
	} {
		if fmt.Sprint(tt.got) != fmt.Sprint(tt.want) {
			t.Errorf("%s: %v, want %v", tt.what, tt.got, tt.want)
		}
	}
}
