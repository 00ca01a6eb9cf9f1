package filter

import (
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/wiretrue/websocket/capture"
	"github.com/wiretrue/websocket/wire/frame"
	"github.com/wiretrue/websocket/wire/handshake"
)

// NOTE. What a record has of Wireshark's fields: a frame has those of its
// header and its payload; a message that says more than its only frame, being
// compressed or in fragments, has websocket.opcode, its whole size as
// websocket.payload_length, and its payload; an exchange of HTTP has the fields
// of both heads; everything has those of TCP and IP, with its sender as the
// source. Payloads are as long as the record's excerpt.

// fields is the table, ordered by name.
var fields = sorted([]*Field{
	{Name: "frame.number", Type: Number, Help: "the packet in which it was complete; of HTTP, the packets of both heads", get: packets},
	{Name: "frame.time_relative", Type: Seconds, Help: "since the capture began", get: func(dst []Value, s subject) []Value {
		if s.c.Begin.IsZero() {
			return dst
		}
		return append(dst, secondsOf(s.r.At.Sub(s.c.Begin)))
	}},
	{Name: "frame.time_epoch", Type: Seconds, Help: "since 1970, in UTC", get: func(dst []Value, s subject) []Value {
		return append(dst, secondsOf(time.Duration(s.r.At.UnixNano())))
	}},

	{Name: "ip.src", Type: Address, Help: "the sender, when it has an IPv4 address", get: addresses(netip.Addr.Is4, true, false)},
	{Name: "ip.dst", Type: Address, Help: "the other side, likewise", get: addresses(netip.Addr.Is4, false, true)},
	{Name: "ip.addr", Type: Address, Help: "both", get: addresses(netip.Addr.Is4, true, true)},
	{Name: "ipv6.src", Type: Address, Help: "the sender, when it has an IPv6 address", get: addresses(netip.Addr.Is6, true, false)},
	{Name: "ipv6.dst", Type: Address, Help: "the other side, likewise", get: addresses(netip.Addr.Is6, false, true)},
	{Name: "ipv6.addr", Type: Address, Help: "both", get: addresses(netip.Addr.Is6, true, true)},
	{Name: "tcp", Type: Protocol, Help: "every record", get: func(dst []Value, s subject) []Value { return append(dst, name("tcp")) }},
	{Name: "tcp.stream", Type: Number, Help: "the connection, counted from 0", get: func(dst []Value, s subject) []Value {
		return append(dst, numberOf(s.c.Stream))
	}},
	{Name: "tcp.srcport", Type: Number, Help: "the port of the sender", get: ports(true, false)},
	{Name: "tcp.dstport", Type: Number, Help: "the port of the other side", get: ports(false, true)},
	{Name: "tcp.port", Type: Number, Help: "both", get: ports(true, true)},
	{Name: "tcp.flags.fin", Type: Bool, Help: "how a side ended: by FIN", get: ended(capture.FIN)},
	{Name: "tcp.flags.reset", Type: Bool, Help: "how a side ended: by RST", get: ended(capture.RST)},
	{Name: "tcp.analysis.retransmission", Type: Protocol, Help: "bytes were sent again", get: below(capture.NetResent)},
	{Name: "tcp.analysis.zero_window", Type: Protocol, Help: "a side takes no more bytes", get: below(capture.NetZeroWindow)},
	{Name: "tcp.analysis.keep_alive", Type: Protocol, Help: "a keep-alive probe", get: below(capture.NetKeepAlive)},
	{Name: "tls", Type: Protocol, Help: "what TLS agreed on, or an alert", get: below(capture.NetTLS, capture.NetAlert)},
	{Name: "tls.handshake.extensions_server_name", Type: Text, Help: "the name that the client asked for", get: func(dst []Value, s subject) []Value {
		if s.r.Net == nil || s.r.Net.TLS == nil || s.r.Net.TLS.ServerName == "" {
			return dst
		}
		return append(dst, textOf(s.r.Net.TLS.ServerName))
	}},

	{Name: "http", Type: Protocol, Help: "an HTTP exchange, the opening handshake among them", get: http(func(dst []Value, x *capture.Exchange) []Value {
		return append(dst, name("http"))
	})},
	{Name: "http.request", Type: Protocol, Help: "an exchange of which the request was seen", get: http(func(dst []Value, x *capture.Exchange) []Value {
		if x.Method == "" {
			return dst
		}
		return append(dst, name("http.request"))
	})},
	{Name: "http.response", Type: Protocol, Help: "an exchange of which the response was seen", get: http(func(dst []Value, x *capture.Exchange) []Value {
		if x.Status == 0 {
			return dst
		}
		return append(dst, name("http.response"))
	})},
	{Name: "http.request.method", Type: Text, Help: "GET, POST, ...", get: http(func(dst []Value, x *capture.Exchange) []Value { return appendText(dst, x.Method) })},
	{Name: "http.request.uri", Type: Text, Help: "the target of the request, as it was sent", get: http(func(dst []Value, x *capture.Exchange) []Value { return appendText(dst, x.Target) })},
	{Name: "http.request.version", Type: Text, Help: "HTTP/1.1, ...", get: http(func(dst []Value, x *capture.Exchange) []Value { return appendText(dst, x.RequestProto) })},
	{Name: "http.host", Type: Text, Help: "the Host", get: http(func(dst []Value, x *capture.Exchange) []Value { return appendText(dst, x.Host...) })},
	{Name: "http.response.code", Type: Number, Help: "101, 403, ...", get: http(func(dst []Value, x *capture.Exchange) []Value {
		if x.Status == 0 {
			return dst
		}
		return append(dst, numberOf(x.Status))
	})},
	{Name: "http.response.phrase", Type: Text, Help: "the words behind the code", get: http(func(dst []Value, x *capture.Exchange) []Value { return appendText(dst, x.Reason) })},
	header("http.connection", "Connection"),
	header("http.cookie", "Cookie"),
	header("http.location", "Location"),
	header("http.server", "Server"),
	header("http.upgrade", "Upgrade"),
	header("http.user_agent", "User-Agent"),
	header("http.sec_websocket_accept", "Sec-WebSocket-Accept"),
	header("http.sec_websocket_extensions", "Sec-WebSocket-Extensions"),
	header("http.sec_websocket_key", "Sec-WebSocket-Key"),
	header("http.sec_websocket_protocol", "Sec-WebSocket-Protocol"),
	header("http.sec_websocket_version", "Sec-WebSocket-Version"),

	{Name: "websocket", Type: Protocol, Help: "a frame, or a message that says more than its frame", get: func(dst []Value, s subject) []Value {
		if s.r.Frame == nil && !tells(s.r.Message) {
			return dst
		}
		return append(dst, name("websocket"))
	}},
	{Name: "websocket.fin", Type: Bool, Help: "the last frame of its message", get: frames(func(dst []Value, f *capture.Frame) []Value { return append(dst, boolOf(f.Header.Fin)) })},
	{Name: "websocket.rsv", Type: Number, Help: "the three reserved bits; RSV1 is 4", get: frames(func(dst []Value, f *capture.Frame) []Value {
		v := numberOf(f.Header.RSV)
		v.hex = true
		return append(dst, v)
	})},
	{Name: "websocket.pmc", Type: Bool, Help: "it is compressed", get: func(dst []Value, s subject) []Value {
		switch {
		case s.r.Frame != nil:
			return append(dst, boolOf(s.r.Frame.Compressed))
		case tells(s.r.Message):
			return append(dst, boolOf(s.r.Message.Compressed))
		}
		return dst
	}},
	{Name: "websocket.opcode", Type: Number, Help: "continuation 0, text 1, binary 2, close 8, ping 9, pong 10; of a message, that of its first frame", names: opcodes, get: opcode},
	{Name: "websocket.mask", Type: Bool, Help: "it is masked", get: frames(func(dst []Value, f *capture.Frame) []Value { return append(dst, boolOf(f.Header.Masked)) })},
	{Name: "websocket.masking_key", Type: Bytes, Help: "four bytes", get: frames(func(dst []Value, f *capture.Frame) []Value {
		if !f.Header.Masked {
			return dst
		}
		return append(dst, bytesOf(f.Header.MaskingKey[:]))
	})},
	{Name: "websocket.payload_length", Type: Number, Help: "the length of the payload in whichever form; of a message, what it came to (Wireshark: the form's seven bits)", get: func(dst []Value, s subject) []Value {
		switch {
		case s.r.Frame != nil:
			return append(dst, numberOf(s.r.Frame.Header.Length))
		case tells(s.r.Message):
			return append(dst, numberOf(s.r.Message.Size))
		}
		return dst
	}},
	{Name: "websocket.payload_length_ext_16", Type: Number, Help: "the length, when it is in two bytes", get: extended(2)},
	{Name: "websocket.payload_length_ext_64", Type: Number, Help: "the length, when it is in eight bytes", get: extended(8)},
	{Name: "websocket.payload", Type: Bytes, Help: "the payload, unmasked; of a message, inflated", get: func(dst []Value, s subject) []Value {
		switch {
		case s.r.Frame != nil:
			return append(dst, bytesOf(s.r.Frame.Payload.Bytes))
		case tells(s.r.Message):
			return append(dst, bytesOf(s.r.Message.Payload.Bytes))
		}
		return dst
	}},
	{Name: "websocket.payload.text", Type: Text, Help: "the payload of a text frame or message", get: func(dst []Value, s subject) []Value {
		switch {
		case s.r.Frame != nil && s.r.Frame.Header.Opcode == frame.Text && !s.r.Frame.Compressed:
			return append(dst, textIn(s.r.Frame.Payload.Bytes))
		case tells(s.r.Message) && s.r.Message.Type == "text":
			return append(dst, textIn(s.r.Message.Payload.Bytes))
		}
		return dst
	}},
	payload("websocket.payload.continue", frame.Continuation),
	payload("websocket.payload.binary", frame.Binary),
	payload("websocket.payload.ping", frame.Ping),
	payload("websocket.payload.pong", frame.Pong),
	{Name: "websocket.payload.close", Type: Protocol, Help: "a Close with a body", get: closes(func(dst []Value, _ uint16, _ []byte) []Value { return append(dst, name("close")) })},
	{Name: "websocket.payload.close.status_code", Type: Number, Help: "the code of a Close", get: closes(func(dst []Value, code uint16, _ []byte) []Value { return append(dst, numberOf(code)) })},
	{Name: "websocket.payload.close.reason", Type: Text, Help: "the reason of a Close", get: closes(func(dst []Value, _ uint16, reason []byte) []Value {
		if len(reason) == 0 {
			return dst
		}
		return append(dst, textIn(reason))
	})},

	{Name: "wiretrue.kind", Type: Text, Help: "the kind of the record: frame, message, handshake, finding, ending, ...", get: func(dst []Value, s subject) []Value {
		return append(dst, textOf(string(s.r.Kind)))
	}},
	{Name: "wiretrue.from", Type: Text, Help: "client or server: who sent it", get: func(dst []Value, s subject) []Value { return appendText(dst, string(s.r.From)) }},
	{Name: "wiretrue.frame", Type: Number, Help: "the number of the frame that it is, or is about", get: func(dst []Value, s subject) []Value {
		r := s.r
		switch {
		case r.Frame != nil:
			return append(dst, numberOf(r.Frame.Number))
		case r.Message != nil:
			return append(dst, numberOf(r.Message.LastFrame))
		case r.Ping != nil:
			return append(dst, numberOf(r.Ping.Frame), numberOf(r.Ping.Pong))
		case r.Close != nil:
			return append(dst, numberOf(r.Close.Frame))
		case r.Finding != nil && r.Finding.Frame != 0:
			return append(dst, numberOf(r.Finding.Frame))
		}
		return dst
	}},
	{Name: "wiretrue.message", Type: Number, Help: "the number of the message that it is, or is a frame of", get: func(dst []Value, s subject) []Value {
		switch {
		case s.r.Message != nil:
			return append(dst, numberOf(s.r.Message.Number))
		case s.r.Frame != nil && s.r.Frame.Message != 0:
			return append(dst, numberOf(s.r.Frame.Message))
		}
		return dst
	}},
	{Name: "wiretrue.offset", Type: Number, Help: "of a frame or a finding, in its sender's bytes behind the handshake", get: func(dst []Value, s subject) []Value {
		switch {
		case s.r.Frame != nil:
			return append(dst, numberOf(s.r.Frame.Offset))
		case s.r.Finding != nil && s.r.Finding.Offset >= 0:
			return append(dst, numberOf(s.r.Finding.Offset))
		}
		return dst
	}},
	{Name: "wiretrue.rtt", Type: Seconds, Help: "the round trip of a Ping that was answered", get: func(dst []Value, s subject) []Value {
		if s.r.Ping == nil {
			return dst
		}
		return append(dst, secondsOf(s.r.Ping.RTT))
	}},
	{Name: "wiretrue.ending", Type: Text, Help: "how the connection ended: clean, unanswered, abnormal, refused, never or going", get: func(dst []Value, s subject) []Value {
		if s.r.Ending == nil {
			return dst
		}
		return append(dst, textOf(string(s.r.Ending.How)))
	}},
	{Name: "wiretrue.rule", Type: Text, Help: "the id of a finding: of the rule that was broken, or of a diagnosis", get: findings(func(dst []Value, f *capture.Finding) []Value { return append(dst, textOf(f.ID)) })},
	{Name: "wiretrue.rule.name", Type: Text, Help: "the same as a name: ClientMustMask", get: findings(func(dst []Value, f *capture.Finding) []Value { return append(dst, textOf(f.Name)) })},
	{Name: "wiretrue.severity", Type: Number, Help: "of a finding: note < warning < error", names: severities, get: findings(func(dst []Value, f *capture.Finding) []Value {
		v := numberOf(severities[string(f.Severity)])
		v.s = string(f.Severity)
		return append(dst, v)
	})},
	{Name: "wiretrue.culprit", Type: Text, Help: "of a finding: client, server, in between or unknown", get: findings(func(dst []Value, f *capture.Finding) []Value { return append(dst, textOf(string(f.Fault))) })},
})

func sorted(list []*Field) []*Field {
	slices.SortFunc(list, func(a, b *Field) int { return strings.Compare(a.Name, b.Name) })
	return list
}

var (
	severities = map[string]uint64{"note": 1, "warning": 2, "error": 3}
	opcodes    = map[string]uint64{"continuation": 0, "text": 1, "binary": 2, "close": 8, "ping": 9, "pong": 10}
)

func name(s string) Value { return Value{kind: Protocol, s: s} }

func appendText(dst []Value, texts ...string) []Value {
	for _, s := range texts {
		if s != "" {
			dst = append(dst, textOf(s))
		}
	}
	return dst
}

func packets(dst []Value, s subject) []Value {
	add := func(n int64) {
		if v := numberOf(n); n != 0 && (len(dst) == 0 || dst[len(dst)-1].n != v.n) {
			dst = append(dst, v)
		}
	}
	if x := exchange(s.r); x != nil {
		add(x.RequestPacket)
		add(x.ResponsePacket)
		return dst
	}
	add(s.r.Packet)
	return dst
}

// ends are the sender and the other side. Of a record that nobody sent, they
// are the client and the server.
func ends(s subject) (from, to netip.AddrPort) {
	if s.r.From == capture.Server {
		return s.c.Server, s.c.Client
	}
	return s.c.Client, s.c.Server
}

func addresses(is func(netip.Addr) bool, src, dst bool) func([]Value, subject) []Value {
	return func(list []Value, s subject) []Value {
		from, to := ends(s)
		if a := from.Addr().Unmap(); src && is(a) {
			list = append(list, addressOf(a))
		}
		if a := to.Addr().Unmap(); dst && is(a) {
			list = append(list, addressOf(a))
		}
		return list
	}
}

func ports(src, dst bool) func([]Value, subject) []Value {
	return func(list []Value, s subject) []Value {
		from, to := ends(s)
		if src && from.IsValid() {
			list = append(list, numberOf(from.Port()))
		}
		if dst && to.IsValid() {
			list = append(list, numberOf(to.Port()))
		}
		return list
	}
}

func ended(how capture.How) func([]Value, subject) []Value {
	return func(dst []Value, s subject) []Value {
		if s.r.End == nil {
			return dst
		}
		return append(dst, boolOf(s.r.End.How == how))
	}
}

func below(kinds ...capture.NetKind) func([]Value, subject) []Value {
	return func(dst []Value, s subject) []Value {
		if s.r.Net == nil || !slices.Contains(kinds, s.r.Net.Kind) {
			return dst
		}
		return append(dst, name(string(s.r.Net.Kind)))
	}
}

func exchange(r *capture.Record) *capture.Exchange {
	if r.Handshake != nil {
		return &r.Handshake.Exchange
	}
	return r.HTTP
}

func http(get func([]Value, *capture.Exchange) []Value) func([]Value, subject) []Value {
	return func(dst []Value, s subject) []Value {
		if x := exchange(s.r); x != nil {
			dst = get(dst, x)
		}
		return dst
	}
}

// header is the field of a header, of the request and of the response.
func header(field, name string) *Field {
	key := handshake.CanonicalName(name)
	return &Field{Name: field, Type: Text, Help: "the header " + name + " of either head", get: http(func(dst []Value, x *capture.Exchange) []Value {
		return appendText(appendText(dst, x.RequestHeader[key]...), x.ResponseHeader[key]...)
	})}
}

// tells reports whether a message is more than its only frame.
func tells(m *capture.Message) bool { return m != nil && (m.Frames > 1 || m.Compressed) }

func frames(get func([]Value, *capture.Frame) []Value) func([]Value, subject) []Value {
	return func(dst []Value, s subject) []Value {
		if s.r.Frame != nil {
			dst = get(dst, s.r.Frame)
		}
		return dst
	}
}

func opcode(dst []Value, s subject) []Value {
	switch {
	case s.r.Frame != nil:
		return append(dst, numberOf(s.r.Frame.Header.Opcode))
	case tells(s.r.Message):
		if n, ok := opcodes[s.r.Message.Type]; ok {
			return append(dst, numberOf(n))
		}
	}
	return dst
}

func extended(size uint8) func([]Value, subject) []Value {
	return frames(func(dst []Value, f *capture.Frame) []Value {
		if f.Header.LengthSize != size {
			return dst
		}
		return append(dst, numberOf(f.Header.Length))
	})
}

func payload(field string, op frame.Opcode) *Field {
	return &Field{Name: field, Type: Bytes, Help: "the payload of a frame of this opcode", get: frames(func(dst []Value, f *capture.Frame) []Value {
		if f.Header.Opcode != op {
			return dst
		}
		return append(dst, bytesOf(f.Payload.Bytes))
	})}
}

func closes(get func(dst []Value, code uint16, reason []byte) []Value) func([]Value, subject) []Value {
	return frames(func(dst []Value, f *capture.Frame) []Value {
		if f.Header.Opcode != frame.Close {
			return dst
		}
		code, reason, ok := frame.ParseClose(f.Payload.Bytes)
		if !ok {
			return dst
		}
		return get(dst, code, reason)
	})
}

func findings(get func([]Value, *capture.Finding) []Value) func([]Value, subject) []Value {
	return func(dst []Value, s subject) []Value {
		if s.r.Finding != nil {
			dst = get(dst, s.r.Finding)
		}
		return dst
	}
}
