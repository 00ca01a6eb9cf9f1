package main

import (
	"net/http"
	"strconv"

	"github.com/wiretrue/websocket/wire/rfc"
)

// closeCauses are what usually stands behind a close code.
var closeCauses = map[rfc.StatusCode][]string{
	rfc.NormalClosure: {
		"The program called close, or its handler returned.",
	},
	rfc.GoingAway: {
		"The server restarts or is being deployed; connect again after a random wait.",
		"A browser's user closed the tab or went to another page.",
		"A proxy or load balancer takes the server out of service.",
	},
	rfc.ProtocolError: {
		"A frame broke a rule: wiretrue explain lists them, and the trace of the connection shows the frame.",
		"A proxy on the way changed or cut the bytes.",
		"Something that is no WebSocket wrote into the connection, such as a log line or a second HTTP response.",
	},
	rfc.UnsupportedData: {
		"Binary was sent to a service that takes text only, or the reverse.",
	},
	rfc.NoStatusReceived: {
		"The peer closed without giving a code: close() without arguments in a browser, or a Close frame with an empty body.",
	},
	rfc.AbnormalClosure: {
		"An idle timeout of something between the two: nginx (60 s by default), a load balancer (60 s for AWS ALB), a firewall or NAT (from 5 minutes on). Pings more often than that keep the connection open.",
		"The peer's process crashed, was killed, or ended without closing its connections.",
		"The network is gone: another Wi-Fi, a suspended laptop, a VPN that went down.",
		"In a browser: the opening handshake failed too. Its script is not told why; the server's log, or wiretrue dial with the same URL and --origin, is.",
		"A library's own timeout, such as for a Ping without a Pong, that it does not tell apart.",
	},
	rfc.InvalidPayloadData: {
		"Binary data was sent as text.",
		"Text in Latin-1 or another encoding than UTF-8.",
		"A string was cut inside a character.",
		"Compressed data was damaged, or one side's compression window is not what was agreed.",
	},
	rfc.PolicyViolation: {
		"The login failed or expired, where the service does not use 3000 or a code of its own.",
		"Too many messages, or a message that the service does not allow.",
		"The peer reads too slowly, and the sender's queue is full.",
	},
	rfc.MessageTooBig: {
		"The message is larger than the receiver's limit, which is often a default: 32 KiB, 64 KiB, 1 MiB.",
		"A compressed message is larger than the limit once it is inflated.",
	},
	rfc.MandatoryExtension: {
		"The client cannot work without an extension, such as permessage-deflate, that the server did not agree to.",
	},
	rfc.InternalError: {
		"An exception in the server's handler: its log says which.",
		"The server cannot reach something it needs, such as its database.",
	},
	rfc.ServiceRestart: {"A deployment. Connect again after a random wait of 5 to 30 seconds."},
	rfc.TryAgainLater:  {"The server has too many connections, or sheds load."},
	rfc.BadGateway:     {"A gateway or proxy in front of the server got no valid answer from it."},
	rfc.TLSHandshake: {
		"The certificate is expired, self-signed, or for another name.",
		"One side speaks TLS and the other does not: wss to a plain port, or ws to a TLS port.",
		"No version of TLS or no cipher is common to both.",
	},
	rfc.Unauthorized: {"The token or the session is missing, wrong or expired."},
	rfc.Forbidden:    {"The user is known but may not do this."},
	rfc.Timeout:      {"The client did not do in time what the service expected, such as to log in."},
}

// statusInfo is what an HTTP status means as the answer to an upgrade.
type statusInfo struct {
	status  int
	meaning string
	causes  []string

	name string
}

var httpStatuses = []statusInfo{
	{101, "The upgrade is accepted: what follows on the connection are frames.", []string{
		"If a client fails nevertheless: Sec-WebSocket-Accept does not answer the key, or a subprotocol or an extension was chosen that was not offered.",
	}, ""},
	{200, "The answer of a plain web page: the upgrade was not understood.", []string{
		"The path is one of plain HTTP; the WebSocket service has another.",
		"A proxy removed the headers Upgrade and Connection, which it passes on only when told to.",
		"A single-page application's server answers every path with its page.",
	}, ""},
	{301, "A redirect, which WebSocket clients need not follow, and browsers do not.", []string{
		"The service wants wss where ws was asked for.",
		"The path lacks a final slash, or has one too many.",
		"A login page, when the session is missing.",
	}, ""},
	{302, "A redirect, which WebSocket clients need not follow, and browsers do not.", []string{
		"A login page, because the session's cookie is missing or was not sent.",
		"The service wants wss where ws was asked for.",
	}, ""},
	{307, "A redirect, which WebSocket clients need not follow, and browsers do not.", []string{
		"The service wants wss where ws was asked for.",
	}, ""},
	{308, "A redirect, which WebSocket clients need not follow, and browsers do not.", []string{
		"The service wants wss where ws was asked for, or another spelling of the path.",
	}, ""},
	{400, "The request is no opening handshake, or the service does not take it as it is.", []string{
		"A proxy did not pass on Upgrade or Connection, or speaks HTTP/1.0 to the server.",
		"The service wants a subprotocol that was not offered.",
		"Plain HTTP was sent to a TLS port.",
		"The library that serves (socket.io among them) wants parameters of its own in the URL.",
	}, ""},
	{401, "The client must authenticate.", []string{
		"The header Authorization, a cookie or a token in the URL is missing or wrong. A browser's script cannot set headers on a WebSocket.",
	}, ""},
	{403, "The server understood and does not allow it.", []string{
		"The Origin is not one that the server allows: compare scheme, host and port with its configuration.",
		"A firewall or a bot protection in front of the server.",
		"The user may not use this service.",
	}, ""},
	{404, "Nothing is at this path.", []string{
		"The path differs by a slash, a prefix or the case.",
		"A proxy passes this path to another server, or strips a prefix from it.",
	}, ""},
	{405, "The path exists and does not take GET, which every opening handshake is.", []string{
		"The path is one of an HTTP API.",
	}, ""},
	{407, "The proxy wants credentials.", []string{"The proxy's user and password are missing in its URL."}, ""},
	{408, "The request took too long to arrive.", []string{"The connection was opened early and the request sent late."}, ""},
	{410, "What was at this path is gone for good.", nil, ""},
	{421, "The server does not serve this host.", []string{"The host of the URL, or the Host header, is not among its names."}, ""},
	{426, "The server wants another protocol or version than was asked for.", []string{
		"The request came without Upgrade: websocket, as from a browser's address bar or through a proxy that removed it.",
		"Sec-WebSocket-Version is not 13; the answer lists in the same header those that the server speaks.",
		"The request came over a version of HTTP whose upgrade the server does not do.",
	}, ""},
	{429, "Too many requests or connections from this client.", []string{"The client connects again and again without a wait that grows."}, ""},
	{431, "The request's header is too large.", []string{"Very large cookies."}, ""},
	{500, "The server failed before the upgrade.", []string{"An exception in its handler or in what runs before it: its log says which."}, ""},
	{501, "The server does not do this.", []string{"A web server or proxy without support for WebSocket."}, ""},
	{502, "A proxy got no valid answer from the server behind it.", []string{
		"The server behind the proxy is down, or its port is wrong.",
		"The server ended the connection during the handshake.",
	}, ""},
	{503, "The server, or a proxy for want of one, takes no connections now.", []string{
		"It starts, shuts down or is overloaded.",
		"The load balancer has no healthy server behind it.",
	}, ""},
	{504, "A proxy waited for the server behind it in vain.", []string{"The server behind it accepts the connection and does not answer the handshake."}, ""},
	{505, "The server does not take this version of HTTP.", []string{"The upgrade of RFC 6455 is one of HTTP/1.1."}, ""},
}

// statusOf describes any HTTP status.
func statusOf(status int) statusInfo {
	i := statusInfo{status: status, meaning: "Not what an upgrade is usually answered with."}
	for _, known := range httpStatuses {
		if known.status == status {
			i = known
		}
	}
	switch {
	case len(i.causes) > 0:
	case status < 200:
		i.meaning = "An interim answer; another one follows."
	case status < 300:
		i.causes = statusOf(200).causes
	case status < 400:
		i.causes = statusOf(302).causes
	}
	i.name = http.StatusText(status)
	return i
}

// statusLine is the number and the name.
func statusLine(status int) string {
	if name := http.StatusText(status); name != "" {
		return strconv.Itoa(status) + " " + name
	}
	return strconv.Itoa(status)
}
