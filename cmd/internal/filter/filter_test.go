package filter

import (
	"errors"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/wiretrue/websocket/capture"
	"github.com/wiretrue/websocket/cmd/internal/syntax"
	"github.com/wiretrue/websocket/wire/frame"
	"github.com/wiretrue/websocket/wire/rfc"
)

var (
	begin = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	four  = &Conn{Stream: 3, Client: netip.MustParseAddrPort("192.0.2.1:50000"), Server: netip.MustParseAddrPort("[::ffff:198.51.100.7]:80"), Begin: begin}
	six   = &Conn{Client: netip.MustParseAddrPort("[2001:db8::1]:50000"), Server: netip.MustParseAddrPort("[2001:db8::2]:443"), Begin: begin}
)

// record makes a record of a side, half a second behind the beginning.
func record(kind capture.Kind, from capture.Party, fill func(*capture.Record)) *capture.Record {
	r := &capture.Record{V: capture.Version, Kind: kind, At: begin.Add(500 * time.Millisecond), Packet: 12, From: from}
	fill(r)
	return r
}

// oneFrame makes the record of a frame in the notation, without its mask.
func oneFrame(t testing.TB, from capture.Party, line string) *capture.Record {
	t.Helper()
	b, err := frame.AppendNotation(nil, line)
	if err != nil {
		t.Fatal(err)
	}
	h, n := frame.Parse(b)
	if n == 0 {
		t.Fatalf("%q is no frame", line)
	}
	return record(capture.KindFrame, from, func(r *capture.Record) {
		r.Frame = &capture.Frame{Number: 7, Message: 2, Header: capture.Header{Header: h}, Offset: 40, Payload: capture.Excerpt{Bytes: b[n:], Size: h.Length}}
	})
}

func subjects(t testing.TB) map[string]*capture.Record {
	return map[string]*capture.Record{
		"text":   oneFrame(t, capture.Client, `81 85 37fa213d "Hello"`),
		"binary": oneFrame(t, capture.Server, `02 7e0100 00ff`),
		"close":  oneFrame(t, capture.Server, `88 05 03e9 "bye"`),
		"bare":   oneFrame(t, capture.Client, `88 80 00000000`),
		"ping":   oneFrame(t, capture.Server, `f9 02 "hi"`),
		"handshake": record(capture.KindHandshake, capture.Server, func(r *capture.Record) {
			r.Handshake = &capture.Handshake{Exchange: capture.Exchange{
				Method: "GET", Target: "/chat?token=abc", Host: []string{"server.example.com"}, RequestProto: "HTTP/1.1",
				RequestHeader: map[string][]string{"Upgrade": {"websocket"}, "Connection": {"keep-alive, Upgrade"}},
				Status:        101, Reason: "Switching Protocols",
				ResponseHeader: map[string][]string{"Upgrade": {"WebSocket"}, "Sec-Websocket-Accept": {"s3pPLMBiTxaQ9kYGzzhZRbK+xOo="}},
				RequestPacket:  4, ResponsePacket: 6,
			}}
		}),
		"message": record(capture.KindMessage, capture.Server, func(r *capture.Record) {
			r.Message = &capture.Message{Number: 2, Type: "text", Frames: 1, LastFrame: 7, Compressed: true, Size: 11, Payload: capture.Excerpt{Bytes: []byte("hello again"), Size: 11}}
		}),
		"told": record(capture.KindMessage, capture.Client, func(r *capture.Record) {
			r.Message = &capture.Message{Number: 1, Type: "text", Frames: 1, Size: 5, Payload: capture.Excerpt{Bytes: []byte("Hello"), Size: 5}}
		}),
		"finding": record(capture.KindFinding, capture.Client, func(r *capture.Record) {
			r.Finding = &capture.Finding{ID: rfc.ClientMustMask.String(), Name: "ClientMustMask", Severity: capture.Error, Fault: capture.Client, Frame: 7, Offset: 41}
		}),
		"hint": record(capture.KindFinding, capture.Unknown, func(r *capture.Record) {
			r.Finding = &capture.Finding{ID: "capture-idle-timeout", Severity: capture.Warning, Fault: capture.Between, Offset: -1}
		}),
		"reset": record(capture.KindEnd, capture.Client, func(r *capture.Record) { r.End = &capture.End{How: capture.RST} }),
		"tls": record(capture.KindNet, capture.Client, func(r *capture.Record) {
			r.Net = &capture.NetEvent{Kind: capture.NetTLS, TLS: &capture.TLSFacts{ServerName: "a.example"}}
		}),
		"rtt":    record(capture.KindPing, capture.Server, func(r *capture.Record) { r.Ping = &capture.Ping{Frame: 3, Pong: 4, RTT: 2 * time.Millisecond} }),
		"ending": record(capture.KindEnding, capture.Server, func(r *capture.Record) { r.Ending = &capture.Ending{How: capture.Abnormal} }),
	}
}

const everything = "bare binary close ending finding handshake hint message ping reset rtt text tls told"

func without(names ...string) string {
	return strings.Join(slices.DeleteFunc(strings.Fields(everything), func(s string) bool { return slices.Contains(names, s) }), " ")
}

func TestMatch(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ expression, want string }{
		{"", everything},
		{"websocket", "bare binary close message ping text"},
		{"websocket.opcode == 1", "message text"},
		{"websocket.opcode eq 0x1", "message text"},
		{"websocket.opcode == text", "message text"},
		{`websocket.opcode == "Close"`, "bare close"},
		{"websocket.opcode != 1", "bare binary close ping"},
		{"websocket.opcode ne 1 and websocket.opcode ne 9", "bare binary close"},
		{"!(websocket.opcode == 1)", without("message", "text")},
		{"websocket.opcode >= 8 && websocket.opcode lt 9", "bare close"},
		{"websocket.opcode in {1, 8..9}", "bare close message ping text"},
		{"websocket.opcode in { 1 , ping }", "message ping text"},
		{"websocket.opcode not in {1,2}", "bare close ping"},
		{"websocket.fin == 0", "binary"},
		{"websocket.fin == False", "binary"},
		{"websocket.fin == true and websocket.mask == 1", "bare text"},
		{"websocket.rsv > 0", "ping"},
		{"websocket.rsv == 7", "ping"},
		{"websocket.pmc == 1", "message"},
		{"websocket.masking_key == 37:fa:21:3d", "text"},
		{"websocket.masking_key == 37fa213d", "text"},
		{"websocket.masking_key contains fa:21", "text"},
		{"websocket.masking_key", "bare text"},
		{"websocket.payload_length == 256", "binary"},
		{"websocket.payload_length_ext_16 == 256", "binary"},
		{"websocket.payload_length_ext_64", ""},
		{"websocket.payload_length == 11", "message"},
		{`websocket.payload contains "i"`, "message ping"},
		{"websocket.payload contains 00:ff", "binary"},
		{`websocket.payload.binary == "\x00\xff"`, "binary"},
		{`websocket.payload.ping == "hi"`, "ping"},
		{`websocket.payload.text == "Hello"`, "text"},
		{"websocket.payload.text == Hello", "text"},
		{`websocket.payload.text contains "ell"`, "message text"},
		{`websocket.payload.text matches "^HELLO"`, "message text"},
		{`websocket.payload.text ~ r"\bagain$"`, "message"},
		{`websocket.payload.text matches "a{2}"`, ""},
		{"websocket.payload.close", "close"},
		{"websocket.payload.close.status_code == 1001", "close"},
		{"websocket.payload.close.status_code in {1001,1006}", "close"},
		{`websocket.payload.close.reason == "bye"`, "close"},
		{"not websocket.payload.close.status_code == 1001 and websocket.opcode == 8", "bare"},
		{`http.request.uri contains "token="`, "handshake"},
		{`http.host == server.example.com`, "handshake"},
		{`http.host == "server.example.com" or http.response.code == 404`, "handshake"},
		{"http.response.code == 101", "handshake"},
		{"http.sec_websocket_accept", "handshake"},
		{`http.upgrade == "websocket"`, "handshake"},
		{`http.upgrade === "websocket"`, ""},
		{`http.upgrade !== "websocket"`, "handshake"},
		{`http.upgrade ~= "websocket"`, "handshake"},
		{`http.upgrade any_ne "websocket"`, "handshake"},
		{`http.upgrade any_eq "websocket"`, "handshake"},
		{`http.upgrade all_ne "websocket"`, ""},
		{"websocket.opcode ~= 1", "bare binary close ping"},
		{"http.request and http.response", "handshake"},
		{`http.upgrade != "websocket"`, ""},
		{`http.upgrade matches "^websocket$"`, "handshake"},
		{"http", "handshake"},
		{"frame.number == 4", "handshake"},
		{"frame.number in {5..12}", everything},
		{"frame.number != 12", "handshake"},
		{"frame.time_relative == 0.5", everything},
		{"frame.time_relative > 499.9ms", everything},
		{"frame.time_relative >= 0.500000001", ""},
		{"tcp.stream == 3", everything},
		{"tcp.srcport == 80", "binary close ending handshake message ping rtt"},
		{"tcp.dstport == 80", without("binary", "close", "ending", "handshake", "message", "ping", "rtt")},
		{"tcp.port == 80", everything},
		{"tcp.port != 80", ""},
		{"tcp.port !== 80", everything},
		{"tcp.port === 80", ""},
		{"tcp.flags.reset == 1", "reset"},
		{"tcp.flags.fin == 1", ""},
		{"ip.addr == 192.0.2.1", everything},
		{"ip.addr == 192.0.2.0/24 && ip.addr == 198.51.100.0/24", everything},
		{"ip.addr != 192.0.2.0/24", ""},
		{"ip.src == 192.0.2.0/24", without("binary", "close", "ending", "handshake", "message", "ping", "rtt")},
		{"ip.addr in {10.0.0.0/8, 192.0.2.1..192.0.2.9}", everything},
		{"ip.dst > 192.0.2.1", without("binary", "close", "ending", "handshake", "message", "ping", "rtt")},
		{"ipv6.addr", ""},
		{"tls", "tls"},
		{`tls.handshake.extensions_server_name == "a.example"`, "tls"},
		{`wiretrue.rule == "6455-5.1-client-must-mask"`, "finding"},
		{"wiretrue.rule == 6455-5.1-client-must-mask", "finding"},
		{"wiretrue.rule.name == ClientMustMask", "finding"},
		{"wiretrue.rule contains idle", "hint"},
		{"wiretrue.severity >= warning", "finding hint"},
		{"wiretrue.severity == error", "finding"},
		{"wiretrue.culprit == client", "finding"},
		{`wiretrue.culprit == "in between"`, "hint"},
		{"wiretrue.kind == frame", "bare binary close ping text"},
		{"wiretrue.frame == 7", "bare binary close finding message ping text"},
		{"wiretrue.frame == 4", "rtt"},
		{"wiretrue.message == 1", "told"},
		{"wiretrue.offset == 41", "finding"},
		{"wiretrue.rtt < 0.005", "rtt"},
		{"wiretrue.ending == abnormal", "ending"},
		{"wiretrue.from == server and websocket", "binary close message ping"},
		// What binds tighter.
		{"websocket.opcode == 1 or websocket.opcode == 2 and websocket.fin == 1", "message text"},
		{"(websocket.opcode == 1 or websocket.opcode == 2) and websocket.fin == 0", "binary"},
		{"websocket.opcode == 1 xor websocket.mask == 1", "bare message"},
		{"websocket.opcode == 1 ^^ websocket.mask == 1 || http", "bare handshake message"},
		{"not websocket and not http", "ending finding hint reset rtt tls told"},
		{"! ! websocket.opcode==1", "message text"},
		{"((websocket.opcode==1))", "message text"},
	} {
		f, err := Parse(tt.expression)
		if err != nil {
			t.Errorf("%s: %v", tt.expression, err)
			continue
		}
		var got []string
		for name, r := range subjects(t) {
			if f.Match(four, r) {
				got = append(got, name)
			}
		}
		slices.Sort(got)
		if s := strings.Join(got, " "); s != tt.want {
			t.Errorf("%s matches %q, want %q", tt.expression, s, tt.want)
		}
		if f.String() != tt.expression {
			t.Errorf("String = %q", f)
		}
	}
}

func TestMatchIPv6(t *testing.T) {
	t.Parallel()
	r := subjects(t)["text"]
	for expression, want := range map[string]bool{
		"ipv6.addr == 2001:db8::/32":         true,
		"ipv6.src == 2001:db8::1":            true,
		"ipv6.dst == 2001:db8::1":            false,
		"ipv6.addr != 2001:db8::1":           false,
		"ip.addr":                            false,
		"ipv6.src in {2001:db8::0..2001::f}": false,
		"tcp.port in {443}":                  true,
	} {
		f, err := Parse(expression)
		if err != nil {
			t.Errorf("%s: %v", expression, err)
		} else if got := f.Match(six, r); got != want {
			t.Errorf("%s: %v, want %v", expression, got, want)
		}
	}
}

func TestErrors(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		expression string
		want       string // column, seen; a part of what is expected; suggestion
	}{
		{"websocket.opcod == 1", `1 "websocket.opcod" a field websocket.opcode`},
		{"Websocket.Opcode == 1", `1 "Websocket.Opcode" a field websocket.opcode`},
		{"opcode == 1", `1 "opcode" a field websocket.opcode`},
		{"ws.payload == 1", `1 "ws.payload" a field websocket.payload`},
		{"tcp.scrport == 1", `1 "tcp.scrport" a field tcp.srcport`},
		{"wiretrue.culprti == client", `1 "wiretrue.culprti" a field wiretrue.culprit`},
		{"websocket.opcode = 1", `18 "=" a field, an operator or a value ==`},
		{"websocket.opcode & 1", `18 "&" a field, an operator or a value `},
		{"websocket.opcode == ", `21 the end a number or one of `},
		{"websocket.opcode == x", `21 "x" a number or one of `},
		{"websocket.opcode == -1", `21 "-1" a number or one of `},
		{"websocket.opcode == 99999999999999999999", `21 "99999999999999999999" a number or one of `},
		{"websocket.fin == 2", `18 "2" true or false `},
		{"websocket.fin < 1", `15 "<" before "1" == or != `},
		{"websocket == 1", `14 "1" no value `},
		{`websocket contains "x"`, `11 "contains" behind websocket an operator for a protocol `},
		{"tcp.port contains 8", `10 "contains" behind tcp.port an operator for a number `},
		{`http.host matches "("`, `19 "(" (missing closing )) a regular expression `},
		{"http.host matches", `18 the end a regular expression `},
		{`http.host == "abc`, `18 the end the string's closing " `},
		{`http.host == "é\q"`, `16 "\\q" an escape `},
		{`http.host == "\`, `15 "\\" an escape `},
		{"ip.addr == 300.1.1.1", `12 "300.1.1.1" an IPv4 address `},
		{"ip.addr == 2001:db8::1", `12 "2001:db8::1" an IPv4 address `},
		{"ip.addr == 10.0.0.0/33", `12 "10.0.0.0/33" an IPv4 address `},
		{"ip.addr < 10.0.0.0/8", `9 "<" before "10.0.0.0/8" == or != `},
		{"ipv6.addr == 10.0.0.1", `14 "10.0.0.1" an IPv6 address `},
		{"ip.addr in {10.0.0.0/8..11.0.0.0/8}", `13 "10.0.0.0/8..11.0.0.0/8" two addresses `},
		{"websocket.masking_key == zz", `26 "zz" bytes `},
		{"frame.time_relative > soon", `23 "soon" seconds `},
		{"tcp.port in 80", `13 "80" { `},
		{"tcp.port in {80", `16 the end , or } `},
		{"tcp.port in {80 81}", `17 "81" , or } `},
		{"tcp.port in {80..}", `14 "80.." two values `},
		{"tcp.port in {80..x}", `18 "x" a number `},
		{"tcp.port in {}", `14 "}" a number `},
		{"tcp.port not 80", `14 "80" in `},
		{"(tcp.port == 80", `16 the end a comparison, and, or, or ) `},
		{"tcp.port == 80)", `15 ")" and, or, or the end `},
		{"tcp.port == 80 http", `16 "http" and, or, or the end `},
		{"tcp.port == 80 adn http", `16 "adn" and, or, or the end and`},
		{"tcp.port == 80 and", `19 the end a field, not or ( `},
		{"and", `1 "and" a field `},
		{"== 80", `1 "==" a field, not or ( `},
		{`"x" == http.host`, `1 "x" a field, not or ( `},
		{strings.Repeat("(", 500) + "tcp", `201 "(" an expression with fewer `},
		{strings.Repeat("!", 5000) + "tcp", `201 "!" an expression with fewer `},
	} {
		_, err := Parse(tt.expression)
		var e *syntax.Error
		if !errors.As(err, &e) {
			t.Errorf("%s: %v, want a *syntax.Error", tt.expression, err)
			continue
		}
		got := strings.Join([]string{strconv.Itoa(e.Column), e.Seen, e.Expected}, " ")
		want, suggestion := tt.want, ""
		if i := strings.LastIndexByte(want, ' '); e.Suggestion != "" || !strings.HasSuffix(want, " ") {
			want, suggestion = want[:i], want[i+1:]
		}
		if !strings.HasPrefix(got, strings.TrimSuffix(want, " ")) || e.Suggestion != suggestion {
			t.Errorf("%s:\n%s, suggests %q, want\n%s, %q", tt.expression, got, e.Suggestion, want, suggestion)
		}
		if e.Text != tt.expression || err.Error() == "" {
			t.Errorf("the error is %+v", e)
		}
	}
}

func TestFields(t *testing.T) {
	t.Parallel()
	values := func(name string, c *Conn, r *capture.Record) string {
		f, err := Lookup(name)
		if err != nil {
			t.Fatal(err)
		}
		var all []string
		for _, v := range f.Values(nil, c, r) {
			all = append(all, v.String())
		}
		return strings.Join(all, ",")
	}
	s := subjects(t)
	for _, tt := range []struct {
		field  string
		record string
		want   string
	}{
		{"websocket.fin", "text", "1"},
		{"websocket.opcode", "text", "1"},
		{"websocket.rsv", "ping", "0x07"},
		{"websocket.masking_key", "text", "37fa213d"},
		{"websocket.payload_length", "binary", "256"},
		{"websocket.payload.text", "text", "Hello"},
		{"websocket.payload.close.status_code", "close", "1001"},
		{"websocket.payload.close.reason", "close", "bye"},
		{"websocket", "text", "websocket"},
		{"http.upgrade", "handshake", "websocket,WebSocket"},
		{"frame.number", "handshake", "4,6"},
		{"frame.time_relative", "text", "0.500000000"},
		{"frame.time_epoch", "text", "1767323045.500000000"},
		{"ip.addr", "close", "198.51.100.7,192.0.2.1"},
		{"tcp.srcport", "close", "80"},
		{"wiretrue.severity", "finding", "error"},
		{"wiretrue.rule", "finding", "6455-5.1-client-must-mask"},
		{"wiretrue.rtt", "rtt", "0.002000000"},
		{"wiretrue.rtt", "text", ""},
	} {
		if got := values(tt.field, four, s[tt.record]); got != tt.want {
			t.Errorf("%s of the %s is %q, want %q", tt.field, tt.record, got, tt.want)
		}
	}
	early := record(capture.KindEnd, capture.Client, func(r *capture.Record) { r.At = begin.Add(-1500 * time.Millisecond); r.End = &capture.End{} })
	if got := values("frame.time_relative", four, early); got != "-1.500000000" {
		t.Errorf("a record before the beginning is at %s", got)
	}
	unknown := &Conn{}
	for _, f := range Fields() {
		if f.Help == "" || f.get == nil {
			t.Errorf("%s lacks something", f.Name)
		}
		for name, r := range s { // of what is not known there is no value, and nothing fails
			f.Values(nil, unknown, r)
			for _, v := range f.Values(nil, four, r) {
				if v.kind != f.Type {
					t.Errorf("%s of the %s is a %v, want a %v", f.Name, name, v.kind, f.Type)
				}
			}
		}
	}
	if got := values("ip.addr", unknown, s["text"]) + values("tcp.port", unknown, s["text"]) + values("frame.time_relative", unknown, s["text"]); got != "" {
		t.Errorf("of an unknown connection: %q", got)
	}
	if _, err := Lookup("websocket.opcde"); err == nil || !strings.Contains(err.Error(), "did you mean websocket.opcode") {
		t.Errorf("Lookup: %v", err)
	}
}

// A filter is evaluated for every record of a capture: without allocations.
func TestMatchDoesNotAllocate(t *testing.T) {
	f, err := Parse(`websocket.opcode in {1,2} && ip.addr == 192.0.2.0/24 && websocket.payload.text contains "ell" && !(websocket.payload_length > 100)`)
	if err != nil {
		t.Fatal(err)
	}
	r := subjects(t)["text"]
	if !f.Match(four, r) {
		t.Fatal("no match")
	}
	if n := testing.AllocsPerRun(100, func() { f.Match(four, r) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// Whatever the expression is: a filter that can be evaluated, or an error with
// a place in it.
func FuzzParse(f *testing.F) {
	for _, s := range []string{
		"", "websocket", `websocket.opcode == 1 and not (http.host matches "a+" or tcp.port in {80, 443..8443})`,
		`ip.addr == 10.0.0.0/8 ^^ ipv6.addr != ::1`, `websocket.masking_key == 37:fa:21:3d || frame.time_relative > 1.5`,
		`websocket.payload.text contains "\x00\"\u20ac" && websocket.payload.text ~ r"\d"`, `wiretrue.severity >= warning`, "((", `"`, `"\`, "!", "tcp.port in {1..}",
	} {
		f.Add(s)
	}
	s := subjects(f)
	f.Fuzz(func(t *testing.T, expression string) {
		filter, err := Parse(expression)
		if err != nil {
			var e *syntax.Error
			if !errors.As(err, &e) || e.Column < 1 || e.Column > utf8.RuneCountInString(expression)+1 || e.Seen == "" || e.Expected == "" {
				t.Fatalf("%q: %#v", expression, err)
			}
			return
		}
		for _, c := range []*Conn{four, six, {}} {
			for _, r := range s {
				first := filter.Match(c, r)
				if again := filter.Match(c, r); first != again {
					t.Fatalf("%q matches and does not", expression)
				}
			}
		}
	})
}
