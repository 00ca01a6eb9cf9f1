package capture

import "github.com/wiretrue/websocket/wire/rfc"

// diagnoses are the kinds of findings that no RFC's rule covers.
var diagnoses = []Diagnosis{
	{"capture-idle-timeout", "IdleTimeout", 0, "", Warning,
		"Something is sent, if only a Ping, more often than the shortest idle timeout on the way.",
		"The connection ends a round time after the last bytes; load balancers, proxies, firewalls and the endpoints themselves have such timeouts.",
		"Send a Ping in half that time from one side, or raise the timeout of what stands in between (nginx: proxy_read_timeout; HAProxy: timeout tunnel; AWS: the load balancer's idle timeout)."},
	{"capture-unanswered-pings", "UnansweredPings", 6455, "5.5.2", Warning,
		"Each Ping is answered by a Pong within its sender's patience.",
		"The side that pings closes while its Pings wait: the other side hangs, reads too slowly, or its bytes no longer arrive.",
		"Look at what the silent side did at that time: a blocked read loop answers no Ping. Raise the ping timeout if it was only slow."},
	{"capture-close-after-large-message", "CloseAfterLargeMessage", 6455, "10.4", Warning,
		"Messages are no larger than the receiver and what stands in between take.",
		"The connection ends right after an unusually large frame, or with 1009.",
		"Compare the size with the receiver's limit (its program is told 1009 if it says so) and with the limits of proxies; send large data in pieces."},
	{"capture-ping-behind-message", "PingBehindMessage", 6455, "5.4", Warning,
		"A Ping is answered soon, because large messages are sent in fragments that control frames can stand between.",
		"A Pong waits until a large frame before it has been sent, and heartbeats time out on a healthy connection.",
		"Send large messages in fragments of some kilobytes, or allow for their time in the ping timeout."},
	{"capture-tiny-frames", "TinyFrames", 6455, "5.4", Note,
		"Data that belongs together is in one message of one frame.",
		"Very many frames of a few bytes each: headers, packets and system calls cost more than the data.",
		"Collect small pieces for some milliseconds before sending, or join them in one message."},
	{"capture-predictable-masking-keys", "PredictableMaskingKeys", 6455, "10.3", Warning,
		"Masking keys come from a strong source of random numbers.",
		"Keys that return, or that follow one another by a rule: a script that knows the next key can choose the bytes that proxies see.",
		"Draw each key from the system's random source."},
	{"capture-compression-guessed", "CompressionGuessed", 7692, "6", Note,
		"The capture has the opening handshake, which says whether messages may be compressed and how.",
		"The handshake is not in the capture, a frame has RSV1 set, and its payload can be inflated: permessage-deflate is taken for granted.",
		"Begin the capture before the connection opens to be sure."},
	{"capture-window-unknown", "WindowUnknown", 7692, "7.1.1", Note,
		"All bytes of the connection are in the capture: a compressed message may refer to those before it.",
		"The capture begins in the middle of a compressed connection, or has a gap. Messages that refer to what is missing cannot be read, until enough of those that do not have come.",
		"Begin the capture before the connection opens, and avoid losses; or agree on no context takeover while looking for the fault."},
	{"capture-inflation-limit", "InflationLimit", 6455, "10.4", Warning,
		"A compressed message comes to a sensible size.",
		"A small message inflates to very much: a bomb, which fills the memory of a receiver that does not limit what comes out, or very repetitive data.",
		"Limit the inflated size at the receiver, and let it fail the connection with 1009."},
	{"capture-secret-in-url", "SecretInURL", 6455, "10.6", Warning,
		"Secrets travel over TLS, and not in URLs, which logs and proxies keep.",
		"A token as a parameter of a ws:// URL: anybody on the way can read and use it.",
		"Use wss://, and send the token in the first message or in a header; where only a URL is possible, make it valid once and for a short time."},
	{"capture-http2-by-alpn", "HTTP2ByALPN", 8441, "4", Error,
		"After ALPN has chosen h2, both sides speak HTTP/2; a WebSocket then opens by extended CONNECT.",
		"The client offers h2, the server takes it, and the client sends an upgrade of HTTP/1.1 all the same.",
		"Offer only http/1.1 by ALPN for a WebSocket client that does not speak RFC 8441."},
	{"capture-retransmissions", "Retransmissions", 9293, "3.8", Note,
		"Few packets are lost.",
		"Bytes had to be sent again: a bad link, a full queue, or a path that drops large packets.",
		"Look at the path; when large packets only are lost, at its MTU."},
	{"capture-zero-window", "ZeroWindow", 9293, "3.8.6", Warning,
		"Each side reads as fast as the other sends.",
		"A side closes its receive window: its program does not read, and everything behind waits, Pings and Closes included.",
		"Look at what the program did in place of reading; bound what is sent to a slow reader."},
}

// advice says what to do about a broken rule.
var advice = map[rfc.Rule]string{
	rfc.RequestSyntax:           "Compare the head with RFC 9112 line by line; let a library write it.",
	rfc.RequestSize:             "Send fewer or smaller cookies and headers, or raise the server's limit.",
	rfc.MethodGet:               "Send GET. A WebSocket over HTTP/2 uses CONNECT, over HTTP/1.1 never.",
	rfc.RequestHTTP11:           "Tell the proxy to speak HTTP/1.1 to its upstream.",
	rfc.TargetWithoutFragment:   "Send the path and the query only; the scheme, the host and the fragment stay with the client.",
	rfc.OneHost:                 "Send one Host with the name and port of the URL.",
	rfc.RequestUpgrade:          "Send Upgrade: websocket; let proxies on the way pass it on.",
	rfc.RequestConnection:       "Send Connection: Upgrade; let proxies on the way pass it on.",
	rfc.OneVersion:              "Send Sec-WebSocket-Version: 13 once.",
	rfc.Version13:               "Send Sec-WebSocket-Version: 13. Older drafts are not spoken any more.",
	rfc.OneKey:                  "Send one Sec-WebSocket-Key.",
	rfc.KeyOf16Bytes:            "Draw 16 random bytes for each connection and send them in standard base64, with padding.",
	rfc.SubprotocolTokens:       "Use a token, such as chat.example.org, as the name of a subprotocol, and list each once.",
	rfc.RequestExtensionSyntax:  "Write the offer as permessage-deflate; client_max_window_bits, or leave the header out.",
	rfc.OfferParameters:         "Use the four parameters of RFC 7692 7.1, each at most once, with window bits from 8 to 15; a server declines any other offer.",
	rfc.NoRequestBody:           "Send the upgrade without Content-Length and Transfer-Encoding.",
	rfc.OriginAllowed:           "When the page is yours, add its origin to those that the server allows. When it is not, the refusal is right.",
	rfc.WaitForResponse:         "Send the first frame when the 101 has come.",
	rfc.ResponseSyntax:          "Look at what listens on this port: it may not be an HTTP server.",
	rfc.ResponseSize:            "Send fewer or smaller headers, or raise the client's limit.",
	rfc.ResponseHTTP11:          "Let the server, or the proxy before it, speak HTTP/1.1.",
	rfc.VersionsListed:          "List the versions that are spoken in Sec-WebSocket-Version of the 426.",
	rfc.SwitchingProtocols:      "Look at why the server refused.",
	rfc.ResponseUpgrade:         "Answer with Upgrade: websocket; let proxies on the way pass it on.",
	rfc.ResponseConnection:      "Answer with Connection: Upgrade; let proxies on the way pass it on.",
	rfc.OneAccept:               "Answer with one Sec-WebSocket-Accept.",
	rfc.AcceptMatchesKey:        "Hash the text of the key followed by the GUID with SHA-1, and send base64 of the 20 bytes, not of their hexadecimal form.",
	rfc.OneSubprotocol:          "Answer with the one subprotocol that was chosen.",
	rfc.SubprotocolOffered:      "Answer with a subprotocol from the request, or without the header when none fits.",
	rfc.ResponseExtensionSyntax: "Write the agreement in the grammar of RFC 6455 9.1.",
	rfc.ExtensionOffered:        "Answer only with extensions that the request offered.",
	rfc.ResponseParameters:      "Answer once, with the four parameters of RFC 7692 7.1, each at most once, and window bits from 8 to 15.",
	rfc.ResponseWithinOffer:     "Agree to what the offer asks for, and ask for no more than it allows; or decline by leaving the header out.",
	rfc.NoResponseBody:          "Send the 101 without Content-Length and Transfer-Encoding.",
	rfc.ReservedBitsZero:        "Set no reserved bit without an extension. When many rules break at once from here on, the reader has lost the frame boundaries: look at the length of the frame before.",
	rfc.AssignedOpcode:          "Use the opcodes of RFC 6455 11.8 only. When many rules break at once from here on, look at the length of the frame before.",
	rfc.ControlNotFragmented:    "Send control frames whole, with FIN set.",
	rfc.ClientMustMask:          "Mask each frame with a new random key; a browser and every client library do.",
	rfc.ServerMustNotMask:       "Send frames unmasked from the server; code written for clients was probably reused.",
	rfc.ControlLength:           "Keep control frames to 125 bytes; send more as a message.",
	rfc.MinimalLength:           "Write lengths below 126 in seven bits and lengths below 65536 in two bytes.",
	rfc.LengthTopBit:            "Write the length as an unsigned number below 2^63; look for a negative one.",
	rfc.ContinuationNeedsStart:  "Begin each message with opcode 1 or 2; look for two writers that share the connection.",
	rfc.MessagesNotInterleaved:  "Finish a message before the next begins; guard the connection against two writers.",
	rfc.NoDataAfterClose:        "Stop sending when the Close has been sent; what comes after it is lost.",
	rfc.FreshMaskingKey:         "Draw a new key for each frame from the system's random source.",
	rfc.MessageSize:             "Send less in a message, or raise the receiver's limit.",
	rfc.FragmentCount:           "Send larger fragments.",
	rfc.InflatablePayload:       "Compress with raw DEFLATE, flush, and remove the last four bytes 00 00 ff ff; keep to the window and the context takeover that were agreed on.",
	rfc.TextIsUTF8:              "Send bytes that are not text as binary, and text in UTF-8; never cut text inside a character.",
	rfc.CloseBodyLength:         "Send a Close with no body, or with two bytes of code and a reason.",
	rfc.CloseCodeOnWire:         "Send 1000 or no code in place of a local value.",
	rfc.CloseCodeAssigned:       "Use a code of RFC 6455 7.4, or one from 4000 to 4999 of your own.",
	rfc.CloseReasonUTF8:         "Cut the reason at a whole character when it must fit 123 bytes.",
	rfc.ControlRate:             "Send a Ping every some seconds at most.",
	rfc.PongMatchesPing:         "Send the Ping's payload back in the Pong.",
	rfc.PongAnswersPing:         "Nothing, when a heartbeat in one direction is meant.",
	rfc.PingAnswered:            "Read the connection all the time: a Pong is sent only by a program that reads.",
	rfc.CloseAnswered:           "Answer a Close with a Close before ending TCP.",
	rfc.CloseCodeEchoed:         "Nothing; send the code back if you write the endpoint.",
	rfc.EndBetweenFrames:        "Look at what ended the side that was sending: a crash, a kill, a timeout on the way.",
	rfc.CloseBeforeEnd:          "Look at what ended the side that ended TCP: a crash, a kill, a call that drops the connection. A program that means to end sends a Close with a code and waits for the answer, so that the other side knows why.",
	rfc.ServerEndsTCP:           "Let the client wait a moment for the server's FIN.",
}

func adviceFor(r rfc.Rule) string { return advice[r] }

// refusal explains a status with which an upgrade is refused.
type refusal struct {
	fault Party
	means string
	do    string
}

var refusals = map[int]refusal{
	200: {Server, "a page was served: this path knows no WebSocket, or a proxy removed Upgrade before the server saw it", "Check the path; behind a proxy, check that it passes Upgrade and Connection on."},
	301: {Unknown, "the resource has moved; a WebSocket client does not follow unless it is told to", "Use the new address; often it is the same with wss:// or with a slash at the end."},
	302: {Unknown, "a redirect, often to a page for logging in; a WebSocket client does not follow unless it is told to", "Log in first and send the cookie, or use the new address."},
	307: {Unknown, "a redirect; a WebSocket client does not follow unless it is told to", "Use the new address."},
	308: {Unknown, "the resource has moved; a WebSocket client does not follow unless it is told to", "Use the new address."},
	400: {Client, "the server did not like the request: a header of the handshake is missing or changed, or it was plain HTTP to a TLS port", "Compare the request's headers with RFC 6455 4.1; behind a proxy, those that reach the server."},
	401: {Client, "the server wants credentials", "Send Authorization or the cookie with the handshake; a browser can send only cookies and what is in the URL or the subprotocol."},
	403: {Unknown, "the server does not allow this client: its Origin, its address or its user", "Check that the Origin is in the server's list, and the user's rights."},
	404: {Unknown, "nothing is at this path, or a proxy sends it elsewhere", "Check the path of the URL, and that the proxy passes this path to the right server."},
	405: {Client, "the path does not take this method", "Send GET; check the path."},
	407: {Between, "a proxy wants credentials", "Give the proxy's credentials to the client."},
	408: {Unknown, "the request did not come whole in time", "Look for a slow or a broken connection before the server."},
	413: {Client, "the request has a body", "Send the upgrade without a body."},
	426: {Client, "the server wants another version of the protocol, or an upgrade where it saw none", "Send Sec-WebSocket-Version: 13 and Upgrade: websocket; behind a proxy, let it pass them on."},
	429: {Client, "too many connections or attempts in a short time", "Wait before trying again, longer each time."},
	431: {Client, "the head is too large, usually by its cookies", "Send fewer cookies."},
	500: {Server, "the server failed while it answered", "Look at the server's log."},
	501: {Server, "the server does not know WebSocket", "Check that this is the right server."},
	502: {Between, "a gateway got no good answer from the server behind it", "Check that the server runs, and that the gateway speaks HTTP/1.1 to it."},
	503: {Unknown, "the service is overloaded or down for maintenance, or a proxy has no server that is up behind it", "Check that the server behind the proxy is up; else try again later."},
	504: {Between, "a gateway got no answer in time from the server behind it", "Check that the server runs and is not overloaded."},
}

func refusalFor(status int) refusal {
	if r, ok := refusals[status]; ok {
		return r
	}
	switch status / 100 {
	case 2:
		return refusals[200]
	case 3:
		return refusals[307]
	case 4:
		return refusal{Client, "the server refused the request", "Look at the response's body and at the server's log."}
	}
	return refusal{Server, "the server failed", "Look at the server's log."}
}
