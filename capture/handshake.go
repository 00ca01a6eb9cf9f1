package capture

import (
	"fmt"
	"slices"
	"strings"

	"github.com/wiretrue/websocket/wire"
	"github.com/wiretrue/websocket/wire/deflate"
	"github.com/wiretrue/websocket/wire/frame"
	"github.com/wiretrue/websocket/wire/handshake"
	"github.com/wiretrue/websocket/wire/rfc"
)

// onRequest takes a whole head of a request.
func (a *Analyser) onRequest(s *side, m mark, r handshake.Request, head []byte) {
	if r.Method == "" && r.Broken.Has(rfc.RequestSyntax) {
		s.state = stateOpaque
		s.offset -= int64(len(head))
		a.foreignRequest(s, m, head)
		s.offset += int64(len(head))
		return
	}
	if r.Method == "PRI" && r.Proto == "HTTP/2.0" {
		s.state, a.peer(s).state = stateOpaque, stateOpaque
		a.emit(KindStart, m, Client, Record{Start: &Start{As: "http2", Confidence: 1, Evidence: "the connection preface of HTTP/2", Offset: s.headAt}})
		return
	}
	ex := a.newExchange()
	ex.request, ex.sentAt, ex.requestLen = r, m, int64(len(head))
	ex.Method, ex.Target, ex.Host, ex.RequestProto, ex.RequestHeader = r.Method, r.Target, r.Host, r.Proto, r.Header
	ex.Requested, ex.RequestPacket = s.headFirst.at, s.headFirst.packet
	ex.Proof = "unknown"
	r.Pipelined = false // that is judged when the bytes come
	ex.broken = r.Broken
	if ex.upgrade = r.IsUpgrade(); ex.upgrade {
		ex.offer, ex.broken = r.Offer()
		a.readOffer(ex)
	}
	for rule := range ex.broken.All() {
		f := a.inHead(broke(rule, Client, seenInRequest(rule, &r)), Client, fieldOfRequest(rule), head, s.headAt)
		a.explainRequest(&f, &r, ex.broken)
		ex.findings = append(ex.findings, f)
	}
	if ex.upgrade {
		a.lookAtTarget(ex, head, s.headAt)
	}
	for i := range ex.findings {
		ex.findings[i].At, ex.findings[i].Packet = m.at, m.packet
	}
	if len(a.exchanges) == maxExchanges {
		a.exchanges[0].Cut = true
		a.tellExchange(a.exchanges[0], m, Client)
		a.exchanges = a.exchanges[1:]
	}
	a.exchanges = append(a.exchanges, ex)
	a.numbers.heads[wire.Client] += int64(len(head))
	if ex.broken.Has(rfc.RequestSize) {
		s.state = stateOpaque
		return
	}
	a.startBody(s, m, ex, bodyOf(r.Header, false))
}

// readOffer fills what the record tells of the client's offer.
func (a *Analyser) readOffer(ex *exchange) {
	r := &ex.request
	h := &ex.Handshake
	h.Origin = strings.Join(r.Header["Origin"], ", ")
	h.Version = strings.Join(r.Header["Sec-Websocket-Version"], ", ")
	h.Key = ex.offer.Key
	if h.Key != "" {
		h.AcceptExpected = handshake.Accept(h.Key)
	}
	h.Subprotocols = ex.offer.Subprotocols
	for _, e := range ex.offer.Extensions {
		h.Offered = append(h.Offered, e.String())
	}
	if !r.OriginAllowed(a.o.TLS, a.o.Origins) {
		ex.broken.Add(rfc.OriginAllowed)
	}
	_, _, brokenOffer := deflate.Choose(ex.offer.Extensions, deflate.Params{})
	ex.broken = ex.broken.Union(brokenOffer)
}

// onResponse takes a whole head of a response.
func (a *Analyser) onResponse(s *side, m mark, r handshake.Response, head []byte) {
	ex := a.awaiting(m)
	ex.last, ex.responseLen = m, int64(len(head))
	if r.Proto == "" { // too large, or no HTTP
		f := a.inHead(broke(r.Broken.First(), Server, seenInResponse(r.Broken.First(), &r, ex)), Server, "", head, s.headAt)
		if r.Broken.Has(rfc.ResponseSyntax) {
			f.Offset, f.Stream, f.Bytes = 0, s.headAt, append(Hex(nil), notHTTP(wire.Server, head)...)
		}
		s.state = stateOpaque
		a.failExchanges(m, &f)
		return
	}
	a.numbers.heads[wire.Server] += int64(len(head))
	if r.Status >= 100 && r.Status < 200 && r.Status != 101 {
		return // an interim response; another follows
	}
	ex.responded = true
	ex.Status, ex.Reason, ex.ResponseProto, ex.ResponseHeader = r.Status, r.Reason, r.Proto, r.Header
	ex.Responded, ex.ResponsePacket = m.at, m.packet

	grants := r.Status == 101 && (ex.upgrade || ex.Method == "" && (len(r.Header["Sec-Websocket-Accept"]) > 0 || strings.EqualFold(strings.Join(r.Header["Upgrade"], ""), "websocket")))
	var agreed handshake.Agreement
	var broken rfc.Set
	if ex.upgrade || grants {
		agreed, broken = a.readAgreement(ex, &r)
	} else {
		broken = r.Broken
	}
	if ex.broken.Has(rfc.RequestHTTP11) && r.Status != 101 { // answered as it was asked
		broken = without(broken, rfc.ResponseHTTP11)
	}
	if ex.broken.Has(rfc.RequestHTTP11) || ex.broken.Has(rfc.RequestUpgrade) || ex.broken.Has(rfc.RequestConnection) { // a 426 is about that (RFC 9110 15.5.22)
		broken = without(broken, rfc.VersionsListed)
	}
	ex.broken = ex.broken.Union(broken)
	for rule := range broken.All() {
		f := a.inHead(broke(rule, Server, seenInResponse(rule, &r, ex)), Server, fieldOfResponse(rule), head, s.headAt)
		f.At, f.Packet = m.at, m.packet
		a.explainResponse(&f, &r, ex, agreed)
		ex.findings = append(ex.findings, f)
	}
	a.explainALPN(ex, m)
	switch {
	case grants:
		a.grant(s, m, ex)
	case r.Status == 101: // another protocol
		a.endExchange(ex, m)
		s.state, a.peer(s).state = stateOpaque, stateOpaque
		a.emit(KindStart, m, Server, Record{Start: &Start{As: "unknown", Evidence: "101 to a protocol other than websocket", Offset: s.offset}})
	case ex.Method == "CONNECT" && r.Status/100 == 2: // a tunnel; what is in it begins anew
		a.endExchange(ex, m)
		s.state, a.peer(s).state = stateFresh, stateFresh
	case ex.Method == "HEAD" || r.Status == 204 || r.Status == 304:
		a.startBody(s, m, ex, body{})
	default:
		a.startBody(s, m, ex, bodyOf(r.Header, true))
	}
}

// awaiting returns the exchange that the next response belongs to.
func (a *Analyser) awaiting(m mark) *exchange {
	for _, ex := range a.exchanges {
		if !ex.responded {
			return ex
		}
	}
	ex := &exchange{sentAt: m}
	ex.Proof = "unknown"
	if client := &a.sides[wire.Client]; client.state == stateTLS {
		ex.GotTLS = true
		ex.Requested, ex.RequestPacket = client.headFirst.at, client.headFirst.packet
	}
	a.exchanges = append(a.exchanges, ex)
	return ex
}

// readAgreement fills what the record tells of the server's answer, with the
// proof, and judges it.
func (a *Analyser) readAgreement(ex *exchange, r *handshake.Response) (handshake.Agreement, rfc.Set) {
	agreed, broken := r.Agreement(ex.offer)
	h := &ex.Handshake
	if accepts := r.Header["Sec-Websocket-Accept"]; len(accepts) > 0 {
		h.Accept = accepts[0]
	}
	unseen := ex.Method == "" // what was offered is not known
	if unseen {
		broken = without(broken, rfc.AcceptMatchesKey, rfc.SubprotocolOffered, rfc.ExtensionOffered)
		agreed.Accept = handshake.NoMistake
	}
	if r.Status != 101 {
		return agreed, broken
	}
	switch {
	case unseen:
	case h.Accept == "":
		h.Proof = "missing"
	case broken.Has(rfc.AcceptMatchesKey):
		h.Proof = "wrong"
		others := a.keys
		if a.o.OtherKeys != nil {
			others = append(slices.Clone(others), a.o.OtherKeys()...)
		}
		agreed.Accept = handshake.Diagnose(h.Key, h.Accept, others...)
		h.Mistake = string(agreed.Accept)
	case h.Key != "":
		h.Proof = "right"
	}
	if h.Key != "" && len(a.keys) < maxExchanges {
		a.keys = append(a.keys, strings.Clone(h.Key))
	}
	h.Subprotocol = agreed.Subprotocol
	for _, e := range agreed.Extensions {
		h.Agreed = append(h.Agreed, e.String())
	}
	params, ok, brokenParams := deflate.Confirm(agreed.Extensions, ex.offer.Extensions)
	ex.params = params
	h.Deflate = (ok || !brokenParams.Clean()) && (unseen || offersDeflate(ex))
	return agreed, broken.Union(brokenParams)
}

// grant opens the connection: a 101 has come.
func (a *Analyser) grant(s *side, m mark, ex *exchange) {
	client := &a.sides[wire.Client]
	ex.granted, ex.Opened = true, true
	a.exchanges = slices.DeleteFunc(a.exchanges, func(e *exchange) bool { return e == ex })
	a.keepHandshake(&ex.Handshake)
	a.keys = nil
	a.traces = [2]string{wire.Client: proxyTrace(ex.RequestHeader), wire.Server: proxyTrace(ex.ResponseHeader)}
	a.openWitness(m)
	a.deflate = ex.Deflate
	a.agree(ex.params, !ex.Deflate)
	a.tellExchange(ex, m, Server)
	a.enterFrames(s)
	switch {
	case client.state == stateWaiting:
		a.enterFrames(client)
	case ex.Method == "": // its request was not seen; neither is where it ends
		client.lossy = true
		client.state = stateFresh
		client.head = client.head[:0]
	}
	a.endHeld()
	if client.ex != ex {
		a.dropExchange(ex)
	}
}

// keepHandshake keeps what is to be known of a handshake as long as its
// connection: no heads, and no bodies.
func (a *Analyser) keepHandshake(h *Handshake) {
	if a.pool != nil {
		a.packed = a.packHandshake(h)
		return
	}
	kept := *h
	kept.RequestHeader, kept.RequestBody, kept.ResponseHeader, kept.ResponseBody, kept.GotTLS = nil, nil, nil, nil, false
	a.opened = &kept
}

// openSeen reports whether the handshake was seen that opened the connection.
func (a *Analyser) openSeen() bool { return a.opened != nil || a.packed != nil }

func (a *Analyser) openWitness(m mark) {
	a.witnesses(a.o.Limits, wire.WitnessState{})
	a.numbers.opened = m.at
	a.end.quiet = m.at
}

// openUnseen opens a connection whose handshake was not seen.
func (a *Analyser) openUnseen(m mark) {
	a.openWitness(m)
	a.deflate = true // it may have been
	a.agree(deflate.Params{}, true)
	for i := range a.sides {
		a.sides[i].lossy = true
		a.sides[i].inflater.forget()
	}
	if client := &a.sides[wire.Client]; client.state == stateWaiting {
		a.assumeOpen(m)
	}
}

// assumeOpen takes it for granted that the request was, whose answer the
// capture does not have.
func (a *Analyser) assumeOpen(m mark) {
	a.missServer()
	if a.witness == nil {
		a.openWitness(m)
		a.deflate = len(a.exchanges) == 0 || offersDeflate(a.exchanges[len(a.exchanges)-1])
		a.agree(deflate.Params{}, true)
		a.sides[wire.Server].inflater.forget()
	}
	for _, ex := range a.exchanges {
		ex.Cut = true
		if a.sides[wire.Server].lossy { // the client may have seen the response
			ex.broken = without(ex.broken, rfc.WaitForResponse)
			ex.findings = slices.DeleteFunc(ex.findings, func(f Finding) bool { return f.Rule == rfc.WaitForResponse })
		}
		a.tellExchange(ex, m, Client)
	}
	a.exchanges = nil
	client := &a.sides[wire.Client]
	a.peer(client).lossy = true
	a.enterFrames(client)
	a.endHeld()
}

// enterFrames says that a side's next byte is the first behind the handshake.
func (a *Analyser) enterFrames(s *side) {
	s.state = stateFrames
	held := int64(0)
	for _, it := range s.held {
		held += int64(len(it.b)) + max(0, it.n)
	}
	s.base, s.based = s.offset-held, true
	s.shift = s.base
	s.head = nil
	a.release(s)
}

func offersDeflate(ex *exchange) bool {
	return slices.ContainsFunc(ex.offer.Extensions, func(e handshake.Extension) bool { return e.Name == deflate.Extension })
}

func without(s rfc.Set, rules ...rfc.Rule) (rest rfc.Set) {
	for r := range s.All() {
		if !slices.Contains(rules, r) {
			rest.Add(r)
		}
	}
	return rest
}

// inHead places a finding at a header field of a head, or at its first line
// when the field is missing.
func (a *Analyser) inHead(f Finding, from Party, field string, head []byte, at int64) Finding {
	const most = 96
	offset, line := 0, firstLine(head)
	if f.Rule == rfc.RequestSyntax || f.Rule == rfc.ResponseSyntax {
		offset, line = badLine(head)
	} else if field != "" {
		next := len(line)
		for next < len(head) {
			l := firstLine(head[next:])
			name, _, _ := strings.Cut(string(l), ":")
			if strings.EqualFold(strings.TrimSpace(name), field) {
				offset, line = next, l
				break
			}
			next += len(l)
		}
	}
	f.From, f.Offset, f.Stream = from, int64(offset), at+int64(offset)
	f.Bytes = append(Hex(nil), line[:min(len(line), most)]...)
	return f
}

// firstLine returns the line that b begins with, its end included.
func firstLine(b []byte) []byte {
	if i := strings.IndexByte(string(b), '\n'); i >= 0 {
		return b[:i+1]
	}
	return b
}

// badLine returns the first line of a head that breaks the syntax.
func badLine(head []byte) (offset int, line []byte) {
	for offset < len(head) {
		line = firstLine(head[offset:])
		text, crlf := strings.CutSuffix(string(line), "\r\n")
		name, value, colon := strings.Cut(text, ":")
		switch {
		case !crlf:
			return offset, line
		case offset == 0:
			if !handshake.IsFieldValue(text) || strings.Count(text, " ") < 2 {
				return offset, line
			}
		case text != "" && (!colon || !handshake.IsToken(name) || !handshake.IsFieldValue(strings.Trim(value, " \t"))):
			return offset, line
		}
		offset += len(line)
	}
	return 0, firstLine(head)
}

// lookAtTarget warns of secrets in the URL of an unencrypted connection.
func (a *Analyser) lookAtTarget(ex *exchange, head []byte, at int64) {
	if a.o.TLS || a.net.tls {
		return
	}
	_, query, _ := strings.Cut(ex.Target, "?")
	for param := range strings.SplitSeq(query, "&") {
		name, value, _ := strings.Cut(param, "=")
		if len(value) < 8 || !secretName(name) {
			continue
		}
		f := a.inHead(found("capture-secret-in-url", Client, "the parameter %q of the request target, %d characters, on a connection without TLS", name, len(value)), Client, "", head, at)
		place := int64(strings.Index(string(head), name+"="))
		f.Offset, f.Stream = f.Offset+place, f.Stream+place
		f.Bytes = append(Hex(nil), name...) // the value is not repeated
		ex.findings = append(ex.findings, f)
		return
	}
}

func secretName(name string) bool {
	name = strings.ToLower(name)
	for _, word := range []string{"token", "jwt", "secret", "passw", "session", "auth", "api_key", "apikey", "api-key", "signature", "credential", "ticket"} {
		if strings.Contains(name, word) {
			return true
		}
	}
	return name == "key" || name == "sid" || name == "pwd" || name == "sig"
}

// explainALPN says that HTTP/1.1 was spoken where TLS had agreed on HTTP/2.
func (a *Analyser) explainALPN(ex *exchange, m mark) {
	if a.net.alpn == "h2" && ex.upgrade {
		f := found("capture-http2-by-alpn", Client, "TLS agreed on %q by ALPN, and the client sent an upgrade of HTTP/1.1", a.net.alpn)
		f.At, f.Packet, f.From = m.at, m.packet, Client
		ex.findings = append(ex.findings, f)
	}
}

// restart makes the side's Receiver begin anew at the next byte. With inside,
// an unfinished message is going on.
func (a *Analyser) restart(s *side, inside bool) {
	r := a.witness.Receiver(s.role)
	*r = wire.Receiver{Role: r.Role, Limits: r.Limits, Compression: r.Compression, NoContextTakeover: r.NoContextTakeover}
	s.shift = s.offset
	if inside {
		h := frame.Header{Opcode: frame.Binary, Masked: s.role == wire.Client}
		b := h.Append(nil)
		s.shift -= int64(len(b))
		for {
			var ev wire.Event
			n := r.Next(b, &ev)
			b = b[n:]
			if ev.Kind == wire.NeedMore {
				break
			}
		}
	}
	s.frameReader.begin(inside)
}

func quoteShort(s string) string {
	if len(s) > 80 {
		return fmt.Sprintf("%q...", s[:80])
	}
	return fmt.Sprintf("%q", s)
}
