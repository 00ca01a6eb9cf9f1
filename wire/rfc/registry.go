package rfc

// The rules, in the order in which a reader of the wire comes upon them: the
// first rule of a Set is the first that was broken. Of two that one defect
// breaks, the one that says more stands first.
const (
	none Rule = iota

	// The request of the opening handshake.
	RequestSyntax
	RequestSize
	MethodGet
	RequestHTTP11
	TargetWithoutFragment
	OneHost
	RequestUpgrade
	RequestConnection
	OneVersion
	Version13
	OneKey
	KeyOf16Bytes
	SubprotocolTokens
	RequestExtensionSyntax
	OfferParameters
	NoRequestBody
	OriginAllowed
	WaitForResponse

	// Its response.
	ResponseSyntax
	ResponseSize
	ResponseHTTP11
	VersionsListed
	SwitchingProtocols
	ResponseUpgrade
	ResponseConnection
	OneAccept
	AcceptMatchesKey
	OneSubprotocol
	SubprotocolOffered
	ResponseExtensionSyntax
	ExtensionOffered
	ResponseParameters
	ResponseWithinOffer
	NoResponseBody

	// The header of a frame.
	ReservedBitsZero
	AssignedOpcode
	ControlNotFragmented
	ClientMustMask
	ServerMustNotMask
	ControlLength
	MinimalLength
	LengthTopBit
	ContinuationNeedsStart
	MessagesNotInterleaved
	NoDataAfterClose
	FreshMaskingKey
	MessageSize
	FragmentCount

	// The payload.
	InflatablePayload
	TextIsUTF8
	CloseBodyLength
	CloseCodeOnWire
	CloseCodeAssigned
	CloseReasonUTF8
	ControlRate

	// What one side owes the other.
	PongMatchesPing
	PongAnswersPing
	PingAnswered
	CloseAnswered
	CloseCodeEchoed
	EndBetweenFrames
	CloseBeforeEnd
	ServerEndsTCP
)

// refused is the Status of a rule about the response: the client fails the
// handshake and sends nothing.
const refused = 101

var registry = [...]Info{
	none: {Name: "None", Slug: "none"},

	RequestSyntax: {"RequestSyntax", "request-syntax", 9112, "2.1", Must, Client,
		"The request is an HTTP/1.1 message: a request line, header lines of a token, a colon and a value, each ended by CRLF, and an empty line.",
		"A line ended by LF alone, a space before the colon, a folded line, a control character in a value; or bytes that are no HTTP at all, such as TLS sent to a plain port.", 0, 400},
	RequestSize: {"RequestSize", "request-size", 6455, "10.4", Policy, Client,
		"The request head is no larger than the server takes.",
		"Very large cookies or very many header lines; or an attack.", 0, 431},
	MethodGet: {"MethodGet", "method-get", 6455, "4.1", Must, Client,
		"The method of the request is GET.",
		"POST, HEAD, OPTIONS, CONNECT or a lower-case get.", 0, 405},
	RequestHTTP11: {"RequestHTTP11", "request-http11", 6455, "4.1", Must, Client,
		"The request's HTTP version is 1.1 or higher.",
		"HTTP/1.0, usually from a reverse proxy that was not told to speak 1.1 to its upstream.", 0, 400},
	TargetWithoutFragment: {"TargetWithoutFragment", "target-without-fragment", 6455, "3", Must, Client,
		"The request target is an absolute path or an http(s) URI, without a fragment.",
		"A # in the request line, an empty target, a ws: URI as target.", 0, 400},
	OneHost: {"OneHost", "one-host", 6455, "4.1", Must, Client,
		"The request has exactly one Host header, with a host and an optional port.",
		"No Host, two of them, or an empty one.", 0, 400},
	RequestUpgrade: {"RequestUpgrade", "request-upgrade", 6455, "4.1", Must, Client,
		"The request's Upgrade header lists the word websocket.",
		"No Upgrade header: an ordinary HTTP request, or a proxy that removed this hop-by-hop header.", 0, 426},
	RequestConnection: {"RequestConnection", "request-connection", 6455, "4.1", Must, Client,
		"The request's Connection header lists the word Upgrade.",
		"Connection: close or keep-alive, usually set by a proxy that does not pass the upgrade on.", 0, 400},
	OneVersion: {"OneVersion", "one-version", 6455, "11.3.5", Must, Client,
		"The request has no more than one Sec-WebSocket-Version header.",
		"The header twice, or a list in one.", 0, 400},
	Version13: {"Version13", "version-13", 6455, "4.1", Must, Client,
		"The request's Sec-WebSocket-Version is 13.",
		"Another number, a leading zero, or no such header. The server answers 426 and lists 13.", 0, 426},
	OneKey: {"OneKey", "one-key", 6455, "4.1", Must, Client,
		"The request has exactly one Sec-WebSocket-Key.",
		"None, or two of them.", 0, 400},
	KeyOf16Bytes: {"KeyOf16Bytes", "key-of-16-bytes", 6455, "4.1", Must, Client,
		"Sec-WebSocket-Key is the base64 form of 16 bytes: 24 characters, the last two of them equals signs.",
		"A made-up string, a missing padding, base64url, hexadecimal.", 0, 400},
	SubprotocolTokens: {"SubprotocolTokens", "subprotocol-tokens", 6455, "4.1", Must, Client,
		"The values of Sec-WebSocket-Protocol are tokens, each listed once.",
		"A URL or a value with spaces as a subprotocol, the same name twice, an empty element.", 0, 400},
	RequestExtensionSyntax: {"RequestExtensionSyntax", "request-extension-syntax", 6455, "9.1", Must, Client,
		"Sec-WebSocket-Extensions follows the grammar: names with parameters behind semicolons, offers separated by commas, a quoted value being a token once unquoted.",
		"An empty parameter, an unclosed quote, a stray character.", 0, 400},
	OfferParameters: {"OfferParameters", "offer-parameters", 7692, "7.1", Must, Client,
		"An offer of permessage-deflate has only the four parameters of the extension, each once, window bits of 8 to 15 without leading zeros, and no value where there is none.",
		"An unknown parameter, the same one twice, window bits of 7 or 16. The server declines the offer and takes the next one.", 0, 0},
	NoRequestBody: {"NoRequestBody", "no-request-body", 9110, "9.3.1", Should, Client,
		"The request has no body: no Transfer-Encoding, and no Content-Length but 0.",
		"A body on the handshake lets two parsers on the way disagree on where the frames begin.", 0, 400},
	OriginAllowed: {"OriginAllowed", "origin-allowed", 6455, "10.2", Policy, Client,
		"The Origin of the request is one that the server allows.",
		"A page of another site opens the connection with the user's cookies; or the service is reached by a name that its configuration does not list.", 0, 403},
	WaitForResponse: {"WaitForResponse", "wait-for-response", 6455, "4.1", Must, Client,
		"The client sends nothing behind its request before the response has come.",
		"Frames in the same segment as the request. The bytes are kept, but a proxy on the way may read them as a second request.", 0, 0},

	ResponseSyntax: {"ResponseSyntax", "response-syntax", 9112, "2.1", Must, Server,
		"The response is an HTTP/1.1 message: a status line, header lines of a token, a colon and a value, each ended by CRLF, and an empty line.",
		"A line ended by LF alone, a folded line; or bytes that are no HTTP at all, such as a TLS alert from a TLS port.", 0, refused},
	ResponseSize: {"ResponseSize", "response-size", 6455, "10.4", Policy, Server,
		"The response head is no larger than the client takes.",
		"Very many header lines; or an attack.", 0, refused},
	ResponseHTTP11: {"ResponseHTTP11", "response-http11", 6455, "4.2.2", Must, Server,
		"The response's HTTP version is 1.1 or higher.",
		"HTTP/1.0, usually from a proxy in between.", 0, refused},
	VersionsListed: {"VersionsListed", "versions-listed", 6455, "4.4", Must, Server,
		"A 426 answer to a version that the server does not speak lists the versions it does in Sec-WebSocket-Version.",
		"426 without the header: the client cannot know what to try next.", 0, refused},
	SwitchingProtocols: {"SwitchingProtocols", "switching-protocols", 6455, "4.1", Must, Server,
		"The response's status is 101.",
		"Any other status: the upgrade was refused, redirected, or answered by something that does not know WebSocket.", 0, refused},
	ResponseUpgrade: {"ResponseUpgrade", "response-upgrade", 6455, "4.1", Must, Server,
		"The response's Upgrade header is the word websocket.",
		"No Upgrade header or another value, usually a proxy in between.", 0, refused},
	ResponseConnection: {"ResponseConnection", "response-connection", 6455, "4.1", Must, Server,
		"The response's Connection header lists the word Upgrade.",
		"Connection: close or keep-alive on a 101, usually a proxy in between.", 0, refused},
	OneAccept: {"OneAccept", "one-accept", 6455, "4.2.2", Must, Server,
		"The response has exactly one Sec-WebSocket-Accept.",
		"None, or two of them.", 0, refused},
	AcceptMatchesKey: {"AcceptMatchesKey", "accept-matches-key", 6455, "4.2.2", Must, Server,
		"Sec-WebSocket-Accept is the base64 form of the 20 bytes of SHA-1 over the request's key followed by 258EAFA5-E914-47DA-95CA-C5AB0DC85B11.",
		"Base64 of the hexadecimal digest, the key decoded first, the GUID in lower case, an answer cached for another key.", 0, refused},
	OneSubprotocol: {"OneSubprotocol", "one-subprotocol", 6455, "11.3.4", Must, Server,
		"The response names no more than one subprotocol.",
		"The server repeated the client's list.", 0, refused},
	SubprotocolOffered: {"SubprotocolOffered", "subprotocol-offered", 6455, "4.1", Must, Server,
		"The subprotocol of the response is one that the request offered, in the same case.",
		"The server names its only subprotocol whatever the client asked for.", 0, refused},
	ResponseExtensionSyntax: {"ResponseExtensionSyntax", "response-extension-syntax", 6455, "9.1", Must, Server,
		"Sec-WebSocket-Extensions of the response follows the grammar.",
		"An empty parameter, an unclosed quote, a stray character.", 0, refused},
	ExtensionOffered: {"ExtensionOffered", "extension-offered", 6455, "9.1", Must, Server,
		"Every extension of the response is one that the request offered.",
		"The server turns on compression without being asked.", 0, refused},
	ResponseParameters: {"ResponseParameters", "response-parameters", 7692, "7.1", Must, Server,
		"A response of permessage-deflate has only the four parameters of the extension, each once, and window bits of 8 to 15 with a value.",
		"An unknown parameter, the same one twice, client_max_window_bits without a value, two responses.", 0, refused},
	ResponseWithinOffer: {"ResponseWithinOffer", "response-within-offer", 7692, "7.1", Must, Server,
		"A response of permessage-deflate grants what the offer asked of the server, and asks for a client window only when the offer had client_max_window_bits.",
		"server_no_context_takeover left out, a server window larger than the offer's or none, client_max_window_bits that was not offered.", 0, refused},
	NoResponseBody: {"NoResponseBody", "no-response-body", 9110, "8.6", Must, Server,
		"A 101 response has no body: no Transfer-Encoding, and no Content-Length but 0.",
		"A framework's default headers left on the 101; the two sides may disagree on where the frames begin.", 0, refused},

	ReservedBitsZero: {"ReservedBitsZero", "reserved-bits-zero", 6455, "5.2", Must, Endpoint,
		"RSV1, RSV2 and RSV3 are 0 unless an extension that was agreed on gives them a meaning in this frame.",
		"Compressed frames without an agreement, RSV1 on a control frame or on a continuation; or the reader has lost the frame boundaries.", ProtocolError, 0},
	AssignedOpcode: {"AssignedOpcode", "assigned-opcode", 6455, "5.2", Must, Endpoint,
		"The opcode is one of 0, 1, 2, 8, 9 and 10.",
		"3 to 7 or 11 to 15; usually the reader has lost the frame boundaries.", ProtocolError, 0},
	ControlNotFragmented: {"ControlNotFragmented", "control-not-fragmented", 6455, "5.5", Must, Endpoint,
		"A control frame has FIN set.",
		"A Close, Ping or Pong with FIN 0.", ProtocolError, 0},
	ClientMustMask: {"ClientMustMask", "client-must-mask", 6455, "5.1", Must, Client,
		"Every frame from the client is masked.",
		"MASK 0 on a frame towards the server.", ProtocolError, 0},
	ServerMustNotMask: {"ServerMustNotMask", "server-must-not-mask", 6455, "5.1", Must, Server,
		"No frame from the server is masked.",
		"MASK 1 on a frame towards the client.", ProtocolError, 0},
	ControlLength: {"ControlLength", "control-length", 6455, "5.5", Must, Endpoint,
		"The payload of a control frame is 125 bytes or less.",
		"A Close with a long reason, a Ping with a large payload.", ProtocolError, 0},
	MinimalLength: {"MinimalLength", "minimal-length", 6455, "5.2", Must, Endpoint,
		"The payload length is written in the shortest of its three forms.",
		"A length below 126 in the 16-bit form, or below 65536 in the 64-bit form.", ProtocolError, 0},
	LengthTopBit: {"LengthTopBit", "length-top-bit", 6455, "5.2", Must, Endpoint,
		"The top bit of a 64-bit payload length is 0.",
		"A length of 2^63 or more; a negative number in the sender's arithmetic, or an attack.", ProtocolError, 0},
	ContinuationNeedsStart: {"ContinuationNeedsStart", "continuation-needs-start", 6455, "5.4", Must, Endpoint,
		"A continuation frame follows a text or binary frame whose message is not finished.",
		"Opcode 0 where no message is open.", ProtocolError, 0},
	MessagesNotInterleaved: {"MessagesNotInterleaved", "messages-not-interleaved", 6455, "5.4", Must, Endpoint,
		"A new message begins only when the one before it is finished.",
		"Opcode 1 or 2 inside a fragmented message, usually two writers on one connection.", ProtocolError, 0},
	NoDataAfterClose: {"NoDataAfterClose", "no-data-after-close", 6455, "5.5.1", Must, Endpoint,
		"After its Close frame an endpoint sends no data frame.",
		"A text, binary or continuation frame behind the Close; the receiver ignores it.", 0, 0},
	FreshMaskingKey: {"FreshMaskingKey", "fresh-masking-key", 6455, "5.3", Must, Client,
		"Each frame's masking key is new and cannot be predicted.",
		"The same key on consecutive frames, often 00000000: the sender does not draw keys at random, and a script can choose the bytes that proxies see.", 0, 0},
	MessageSize: {"MessageSize", "message-size", 6455, "10.4", Policy, Endpoint,
		"A message is no larger than the receiver takes.",
		"A frame whose length passes the limit, or fragments that pass it together. The limit counts bytes after inflation.", MessageTooBig, 0},
	FragmentCount: {"FragmentCount", "fragment-count", 6455, "10.4", Policy, Endpoint,
		"A message has no more fragments than the receiver takes; empty ones count.",
		"Very many tiny or empty fragments.", PolicyViolation, 0},

	InflatablePayload: {"InflatablePayload", "inflatable-payload", 7692, "7.2.2", Must, Endpoint,
		"The payload of a compressed message, its fragments joined and 00 00 ff ff put behind it, is DEFLATE data that refers to no byte outside the agreed window.",
		"A window that is larger than agreed, or that another message's bytes got into; a payload that was cut; data that was not compressed under RSV1.", InvalidPayloadData, 0},
	TextIsUTF8: {"TextIsUTF8", "text-is-utf8", 6455, "8.1", Must, Endpoint,
		"The payload of a text message, its fragments joined, is UTF-8.",
		"Binary data sent as text, Latin-1, a character cut off at the end of the message, an encoded surrogate.", InvalidPayloadData, 0},
	CloseBodyLength: {"CloseBodyLength", "close-body-length", 6455, "5.5.1", Must, Endpoint,
		"The body of a Close frame is empty or begins with a status code of two bytes.",
		"A body of one byte.", ProtocolError, 0},
	CloseCodeOnWire: {"CloseCodeOnWire", "close-code-on-wire", 6455, "7.4.1", Must, Endpoint,
		"The codes 1005, 1006 and 1015 are never sent: they are local values.",
		"An implementation sent on the code that it had noted for itself.", ProtocolError, 0},
	CloseCodeAssigned: {"CloseCodeAssigned", "close-code-assigned", 6455, "7.4.2", Must, Endpoint,
		"The status code is 1000 to 1003, 1007 to 1014, or 3000 to 4999.",
		"A code below 1000, 1004, 1016 to 2999, or 5000 and above.", ProtocolError, 0},
	CloseReasonUTF8: {"CloseReasonUTF8", "close-reason-utf8", 6455, "5.5.1", Must, Endpoint,
		"The reason behind the status code is UTF-8.",
		"A reason cut at 123 bytes inside a character.", InvalidPayloadData, 0},
	ControlRate: {"ControlRate", "control-rate", 6455, "10.4", Policy, Endpoint,
		"Control frames come no faster than the receiver takes.",
		"A flood of Pings or Pongs.", PolicyViolation, 0},

	PongMatchesPing: {"PongMatchesPing", "pong-matches-ping", 6455, "5.5.3", Must, Endpoint,
		"A Pong that answers a Ping has the Ping's payload.",
		"A Pong with other bytes while a Ping waits for its answer.", 0, 0},
	PongAnswersPing: {"PongAnswersPing", "pong-answers-ping", 6455, "5.5.3", Note, Endpoint,
		"A Pong answers a Ping. One that answers none is allowed, as a heartbeat in one direction, and ignored.",
		"A Pong while no Ping waits for an answer.", 0, 0},
	PingAnswered: {"PingAnswered", "ping-answered", 6455, "5.5.2", Must, Endpoint,
		"A Ping is answered by a Pong, unless a Close has come. One Pong may answer several Pings, with the payload of the newest.",
		"The connection ends and the newest Ping has no Pong: the other side is gone, busy, or does not read.", 0, 0},
	CloseAnswered: {"CloseAnswered", "close-answered", 6455, "5.5.1", Must, Endpoint,
		"A Close frame is answered by a Close frame.",
		"The connection ends after one side's Close.", 0, 0},
	CloseCodeEchoed: {"CloseCodeEchoed", "close-code-echoed", 6455, "5.5.1", Note, Endpoint,
		"The answer to a Close carries the status code that it answers. Most endpoints do so; the RFC calls it typical.",
		"Another code in the answer; often both sides began at the same time.", 0, 0},
	EndBetweenFrames: {"EndBetweenFrames", "end-between-frames", 6455, "7.1.5", Must, Endpoint,
		"The bytes end after a whole frame and a whole message.",
		"FIN or RST inside a frame, or with a fragmented message unfinished.", 0, 0},
	CloseBeforeEnd: {"CloseBeforeEnd", "close-before-end", 6455, "7.1.2", Should, Endpoint,
		"An endpoint ends an open connection by the closing handshake.",
		"FIN or RST without a Close frame: each side reports 1006. A crash, a killed process, or an idle timeout on the way.", 0, 0},
	ServerEndsTCP: {"ServerEndsTCP", "server-ends-tcp", 6455, "7.1.1", Should, Client,
		"After the closing handshake the server ends the TCP connection first.",
		"The client's FIN comes first, which leaves the port in TIME_WAIT on its side.", 0, 0},
}
