package capture

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/wiretrue/websocket/internal/between"
	"github.com/wiretrue/websocket/wire"
	"github.com/wiretrue/websocket/wire/frame"
	"github.com/wiretrue/websocket/wire/handshake"
	"github.com/wiretrue/websocket/wire/rfc"
)

// fieldOfRequest returns the header field of a request that a rule is about;
// "" stands for the first line.
func fieldOfRequest(r rfc.Rule) string {
	switch r {
	case rfc.OneHost:
		return "Host"
	case rfc.RequestUpgrade:
		return "Upgrade"
	case rfc.RequestConnection:
		return "Connection"
	case rfc.OneVersion, rfc.Version13:
		return "Sec-WebSocket-Version"
	case rfc.OneKey, rfc.KeyOf16Bytes:
		return "Sec-WebSocket-Key"
	case rfc.SubprotocolTokens:
		return "Sec-WebSocket-Protocol"
	case rfc.RequestExtensionSyntax, rfc.OfferParameters:
		return "Sec-WebSocket-Extensions"
	case rfc.OriginAllowed:
		return "Origin"
	}
	return ""
}

func fieldOfResponse(r rfc.Rule) string {
	switch r {
	case rfc.ResponseUpgrade:
		return "Upgrade"
	case rfc.ResponseConnection:
		return "Connection"
	case rfc.OneAccept, rfc.AcceptMatchesKey:
		return "Sec-WebSocket-Accept"
	case rfc.ResponseParameters, rfc.ResponseWithinOffer:
		return "Sec-WebSocket-Extensions"
	case rfc.OneSubprotocol, rfc.SubprotocolOffered:
		return "Sec-WebSocket-Protocol"
	case rfc.ResponseExtensionSyntax, rfc.ExtensionOffered:
		return "Sec-WebSocket-Extensions"
	case rfc.VersionsListed:
		return "Sec-WebSocket-Version"
	}
	return ""
}

// valuesOf shows the values of a field.
func valuesOf(header map[string][]string, field string) string {
	values := header[handshake.CanonicalName(field)]
	if len(values) == 0 {
		return "no " + field
	}
	quoted := make([]string, 0, len(values))
	for _, v := range values[:min(len(values), 3)] {
		quoted = append(quoted, quoteShort(v))
	}
	return field + " " + strings.Join(quoted, " and ")
}

func seenInRequest(rule rfc.Rule, r *handshake.Request) string {
	switch rule {
	case rfc.RequestSyntax:
		return "a line that breaks the syntax of HTTP"
	case rfc.RequestSize:
		return "a head larger than the limit"
	case rfc.MethodGet:
		return "the method " + quoteShort(r.Method)
	case rfc.RequestHTTP11:
		return "the version " + quoteShort(r.Proto)
	case rfc.TargetWithoutFragment:
		return "the target " + quoteShort(r.Target)
	case rfc.OneHost:
		return valuesOf(map[string][]string{"Host": r.Host}, "Host")
	case rfc.NoRequestBody:
		if len(r.Header["Transfer-Encoding"]) > 0 {
			return valuesOf(r.Header, "Transfer-Encoding")
		}
		return valuesOf(r.Header, "Content-Length")
	}
	if field := fieldOfRequest(rule); field != "" {
		return valuesOf(r.Header, field)
	}
	return rule.Info().Seen
}

func seenInResponse(rule rfc.Rule, r *handshake.Response, ex *exchange) string {
	switch rule {
	case rfc.ResponseSyntax:
		return "a line that breaks the syntax of HTTP"
	case rfc.ResponseSize:
		return "a head larger than the limit"
	case rfc.ResponseHTTP11:
		return "the version " + quoteShort(r.Proto)
	case rfc.SwitchingProtocols:
		return fmt.Sprintf("the status %d %s", r.Status, excerptOf([]byte(r.Reason), 80))
	case rfc.NoResponseBody:
		if len(r.Header["Transfer-Encoding"]) > 0 {
			return valuesOf(r.Header, "Transfer-Encoding")
		}
		return valuesOf(r.Header, "Content-Length")
	case rfc.SubprotocolOffered:
		if len(ex.offer.Subprotocols) == 0 {
			return valuesOf(r.Header, "Sec-WebSocket-Protocol") + ", and none was offered"
		}
		return valuesOf(r.Header, "Sec-WebSocket-Protocol") + ", where " + quoteShort(strings.Join(ex.offer.Subprotocols, ", ")) + " were offered"
	case rfc.ExtensionOffered, rfc.ResponseWithinOffer:
		if len(ex.offer.Extensions) == 0 {
			return valuesOf(r.Header, "Sec-WebSocket-Extensions") + ", and none was offered"
		}
		return valuesOf(r.Header, "Sec-WebSocket-Extensions") + ", where " + quoteShort(handshake.FormatExtensions(ex.offer.Extensions)) + " were offered"
	}
	if field := fieldOfResponse(rule); field != "" {
		return valuesOf(r.Header, field)
	}
	return rule.Info().Seen
}

// proxyTrace is the field by which a proxy shows itself in a head, short enough to
// be kept as long as the connection; "": none does.
func proxyTrace(header map[string][]string) string {
	const most = 80
	trace := between.Trace(header)
	return strings.Clone(trace[:min(len(trace), most)])
}

// explainRequest adds what is known of how a request came to break a rule.
func (a *Analyser) explainRequest(f *Finding, r *handshake.Request, broken rfc.Set) {
	switch f.Rule {
	case rfc.RequestUpgrade, rfc.RequestConnection, rfc.RequestHTTP11:
		trace := proxyTrace(r.Header)
		rest := len(r.Header["Sec-Websocket-Key"]) > 0 && len(r.Header["Sec-Websocket-Version"]) > 0
		if trace == "" && !rest {
			return
		}
		const removed = "something between client and server removed or changed the hop-by-hop headers"
		f.Mistake = "the rest of the handshake is there: " + removed
		switch {
		case trace != "":
			f.Fault = Between
			f.Mistake += "; " + quoteShort(trace) + " shows that a proxy was on the way"
		case len(r.Header["Upgrade"]) == 0 && (broken.Has(rfc.RequestConnection) || r.Proto == "HTTP/1.0"):
			f.Fault = Between // no client asks so, and nginx does if it is not told otherwise
		default:
			f.Mistake = "the rest of the handshake is there: the client wrote it so, or " + removed
		}
		f.Do = passOn
	}
}

// explainResponse adds what is known of how a response came to break a rule.
func (a *Analyser) explainResponse(f *Finding, r *handshake.Response, ex *exchange, agreed handshake.Agreement) {
	switch f.Rule {
	case rfc.AcceptMatchesKey:
		f.Mistake = string(agreed.Accept)
		f.Expected = fmt.Sprintf("%q for the key %q. %s", ex.AcceptExpected, ex.Key, f.Expected)
		switch agreed.Accept {
		case handshake.OtherKey:
			f.Fault, f.Do = Between, "Look for what keeps or mixes up answers between client and server: that to an upgrade belongs to one connection, and no cache may give it out again."
		case handshake.FoldedCase:
			f.Fault, f.Do = Between, "Look for what rewrites header values between client and server: a proxy, a rule of it, or a layer before the program."
		}
	case rfc.ResponseUpgrade, rfc.ResponseConnection:
		if trace := proxyTrace(r.Header); trace != "" {
			f.Fault = Between
			f.Mistake = "a proxy removed or changed the hop-by-hop headers; " + quoteShort(trace) + " shows that one was on the way"
		}
	case rfc.VersionsListed:
		if ex.broken.Has(rfc.Version13) {
			return
		}
		f.Mistake = "13 was asked for, which every server speaks: this 426 is rather about an Upgrade that the server did not see"
		if trace := proxyTrace(r.Header); trace != "" {
			f.Fault, f.Do = Between, passOn
			f.Mistake += "; " + quoteShort(trace) + " shows that a proxy was on the way"
		}
	case rfc.SwitchingProtocols:
		x := refusalFor(r.Status)
		f.Fault, f.Do = x.fault, x.do
		f.Mistake = x.means
		f.Severity = Error
		if where := r.Header["Location"]; len(where) > 0 && r.Status/100 == 3 {
			f.Seen += ", Location " + quoteShort(where[0])
		}
		a.explainRefusal(f, r, ex)
	}
}

// explainBody looks for the reason of a refusal in what the response says, when
// all of it has come.
func explainBody(ex *exchange) {
	if ex.ResponseBody == nil || ex.Status != 400 || !bytes.Contains(bytes.ToLower(ex.ResponseBody.Bytes), []byte("to https port")) && !bytes.Contains(bytes.ToLower(ex.ResponseBody.Bytes), []byte("to an https server")) {
		return
	}
	for i := range ex.findings {
		if f := &ex.findings[i]; f.Rule == rfc.SwitchingProtocols {
			plainToTLS(f)
		}
	}
}

// plainToTLS says that a client spoke in the clear to a server that wants TLS.
func plainToTLS(f *Finding) {
	f.Fault = Client
	f.Mistake = "plain HTTP was spoken to a TLS port"
	f.Do = "Connect with wss:// instead of ws://, or to the port on which the server takes plain connections."
}

// explainRefusal looks for the reason of a refusal in what else is known.
func (a *Analyser) explainRefusal(f *Finding, r *handshake.Response, ex *exchange) {
	reason := strings.ToLower(r.Reason)
	switch {
	case (r.Status == 400 || r.Status == 497) && strings.Contains(reason, "https"):
		plainToTLS(f)
	case ex.broken.Fatal() != 0 && ex.broken.Fatal().Info().Binds == rfc.Client && ex.broken.Fatal() != rfc.OriginAllowed:
		rule := ex.broken.Fatal()
		f.Mistake = "the request breaks a rule (" + rule.Info().Name + "), for which a server refuses it"
		f.Fault, f.Do = Client, adviceFor(rule)
		if m := requestMistake(ex); m.Rule == rule {
			f.Fault, f.Do = m.Fault, m.Do
		}
	case r.Status == 403 && ex.broken.Has(rfc.OriginAllowed):
		f.Mistake = fmt.Sprintf("the Origin %q is not that of the host, and this is what a server says that does not allow it", ex.Origin)
		f.Do = adviceFor(rfc.OriginAllowed)
		for i := range ex.findings {
			if ex.findings[i].Rule == rfc.OriginAllowed {
				ex.findings[i].Severity = Warning
			}
		}
	case (r.Status == 200 || r.Status == 400 || r.Status == 426) && proxyTrace(r.Header) != "": // to a request that is right
		f.Fault = Between
		f.Mistake += "; " + quoteShort(proxyTrace(r.Header)) + " shows that a proxy was on the way, and the request was right when it came to it"
		f.Do = passOn
	}
}

// passOn is what makes a proxy let an upgrade through.
const passOn = "Tell the reverse proxy to speak HTTP/1.1 to its upstream and to pass Upgrade and Connection on (nginx: proxy_http_version 1.1; proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection \"upgrade\")."

// requestMistake returns the first finding about the request.
func requestMistake(ex *exchange) Finding {
	for _, f := range ex.findings {
		if f.Rule == ex.broken.Fatal() {
			return f
		}
	}
	return Finding{}
}

// seenInFrame tells in words what a frame has in place of what it should have.
func seenInFrame(rule rfc.Rule, ev *wire.Event) string {
	h := &ev.Header
	switch rule {
	case rfc.TextIsUTF8:
		if ev.Kind == wire.MessageEnd {
			return "the text ends inside a character"
		}
		if b := ev.Data[0]; b < 0x80 {
			return fmt.Sprintf("the byte 0x%02x inside a character that the bytes before it began", b)
		}
		return fmt.Sprintf("the byte 0x%02x, where no UTF-8 text can have it", ev.Data[0])
	case rfc.CloseCodeOnWire, rfc.CloseCodeAssigned:
		code, _, _ := frame.ParseClose(ev.Data)
		return fmt.Sprintf("the status code %v", rfc.StatusCode(code))
	case rfc.CloseReasonUTF8:
		_, reason, _ := frame.ParseClose(ev.Data)
		return "the reason " + quoteShort(string(reason))
	case rfc.CloseBodyLength:
		return "a body of one byte"
	case rfc.CloseCodeEchoed:
		if code, _, ok := frame.ParseClose(ev.Data); ok {
			return fmt.Sprintf("%v, in answer to another code", rfc.StatusCode(code))
		}
		return "no status code, in answer to one"
	case rfc.PongMatchesPing, rfc.PongAnswersPing:
		return fmt.Sprintf("a Pong with the payload %s", quoteShort(string(ev.Data)))
	case rfc.LengthTopBit:
		return fmt.Sprintf("the length 0x%016x", h.Length)
	}
	return h.String()
}

// explainFrame adds what is known of how a frame came to break a rule.
func (a *Analyser) explainFrame(f *Finding, s *side, ev *wire.Event) {
	if s.frame.Compressed && ev.Kind == wire.Data && len(ev.Data) > 0 { // they stand nowhere on the wire
		f.Bytes = nil
		f.Seen += fmt.Sprintf(", at byte %d of the inflated message", s.message.Size)
	}
	switch f.Rule {
	case rfc.ReservedBitsZero:
		if a.deflate && ev.Header.RSV == frame.RSV1 {
			f.Mistake = "with permessage-deflate, RSV1 is set in the first frame of a data message only"
		}
	case rfc.InflatablePayload:
		a.explainInflation(f, s)
	case rfc.FreshMaskingKey:
		if ev.Header.MaskingKey == [4]byte{} {
			f.Mistake = "the key is all zeros: the payload stands on the wire as it is"
		}
	case rfc.MessagesNotInterleaved, rfc.ContinuationNeedsStart:
		f.Mistake = ""
	case rfc.CloseCodeOnWire:
		f.Mistake = "a local value was sent on"
	}
}

func (a *Analyser) seenAtEnd(rule rfc.Rule, s *side, how How) string {
	what := map[How]string{FIN: "a FIN", RST: "a RST", TimedOut: "an end"}[how]
	if what == "" {
		what = "an end"
	}
	switch rule {
	case rfc.EndBetweenFrames:
		switch r := a.witness.Receiver(s.role); {
		case s.reading != nil && s.frame.Cut:
			return fmt.Sprintf("%s after %d of the frame's %d bytes of payload", what, s.frame.Seen, s.frame.Header.Length)
		case r.InFrame():
			return what + " inside a frame's header"
		}
		return what + " before the last fragment of a message"
	case rfc.PingAnswered:
		return fmt.Sprintf("%s, and %s without a Pong", what, count(a.peer(s).pings.Waiting(), "Ping"))
	case rfc.CloseAnswered:
		return what + " in place of a Close"
	case rfc.CloseBeforeEnd:
		return what + " without a Close before it"
	case rfc.ServerEndsTCP:
		return what + " of the client before one of the server"
	}
	return what
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

func capital(s string) string { return strings.ToUpper(s[:1]) + s[1:] }

func excerptOf(b []byte, most int) string {
	return strings.TrimRight(string(b[:min(len(b), most)]), "\r\n")
}
