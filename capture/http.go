package capture

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/wiretrue/websocket/wire"
	"github.com/wiretrue/websocket/wire/deflate"
	"github.com/wiretrue/websocket/wire/handshake"
	"github.com/wiretrue/websocket/wire/rfc"
)

const (
	maxExchanges = 64       // requests that wait for their responses
	maxChunkLine = 4 << 10  // of a chunked body
	maxWaiting   = 64 << 10 // bytes of the client held until its upgrade is answered
)

// exchange is a request and what has come of its response.
type exchange struct {
	Handshake
	upgrade     bool // it asks for a WebSocket
	request     handshake.Request
	offer       handshake.Offer
	params      deflate.Params // agreed on, with Handshake.Deflate
	broken      rfc.Set
	findings    []Finding // told behind its record
	requested   bool      // the request is whole
	responded   bool      // the response's head is
	granted     bool      // with 101
	sentAt      mark      // the request's head
	last        mark
	requestLen  int64 // of the heads
	responseLen int64
}

// readHead reads bytes of a head of HTTP and returns how many.
func (a *Analyser) readHead(s *side, m mark, b []byte) int {
	old := len(s.head)
	if old == 0 {
		if b[0] == '\r' || b[0] == '\n' { // behind a body, more than there should be
			s.offset++
			return 1
		}
		s.headFirst, s.headAt = m, s.offset
	}
	b = b[:min(len(b), a.o.HeadLimit-old)]
	head := b
	if old > 0 {
		s.head = append(s.head, b...)
		head = s.head
	}
	if old >= 8 && len(head) < a.o.HeadLimit && bytes.IndexByte(b, '\n') < 0 {
		s.offset += int64(len(b))
		return len(b) // no head ends here
	}
	var request handshake.Request
	var response handshake.Response
	var n int
	if s.role == wire.Client {
		request, n = handshake.ParseRequest(head, a.o.HeadLimit)
	} else {
		response, n = handshake.ParseResponse(head, a.o.HeadLimit)
	}
	if n == 0 {
		if old == 0 {
			s.head = append(s.head, b...)
		}
		s.offset += int64(len(b))
		return len(b)
	}
	s.offset += int64(n - old)
	s.head = s.head[:0]
	if s.role == wire.Client {
		a.onRequest(s, m, request, head[:n])
	} else {
		a.onResponse(s, m, response, head[:n])
	}
	return n - old
}

// notHTTP returns the least beginning of b that no head of HTTP has.
func notHTTP(from wire.Role, b []byte) []byte {
	for n := 1; n <= min(len(b), 8); n++ {
		if isForeign(from, b[:n]) {
			return b[:n]
		}
	}
	return b
}

// body is the body of a request or a response as it is read.
type body struct {
	mode    bodyMode
	left    int64 // bytes of the body, or of the chunk
	line    []byte
	excerpt *Excerpt
}

type bodyMode uint8

const (
	bodyNone       bodyMode = iota
	bodyLength              // left bytes
	bodyUntilEnd            // all that comes
	bodyChunkSize           // chunked: the line with a chunk's size
	bodyChunk               // left bytes
	bodyChunkEnd            // the line end behind them
	bodyChunkTrail          // the lines behind the last chunk
)

// bodyOf returns how the body behind a head is delimited (RFC 9112 6.3).
func bodyOf(header map[string][]string, response bool) body {
	if codings := header["Transfer-Encoding"]; len(codings) > 0 {
		last := codings[len(codings)-1]
		if i := strings.LastIndexByte(last, ','); i >= 0 {
			last = last[i+1:]
		}
		if strings.EqualFold(strings.TrimSpace(last), "chunked") {
			return body{mode: bodyChunkSize}
		}
		return body{mode: bodyUntilEnd}
	}
	if lengths := header["Content-Length"]; len(lengths) > 0 {
		n, err := strconv.ParseInt(strings.TrimSpace(lengths[0]), 10, 64)
		switch {
		case err != nil || n < 0:
			return body{mode: bodyUntilEnd}
		case n == 0:
			return body{}
		}
		return body{mode: bodyLength, left: n}
	}
	if response {
		return body{mode: bodyUntilEnd}
	}
	return body{}
}

// startBody begins to read the body, or ends it at once when there is none.
func (a *Analyser) startBody(s *side, m mark, ex *exchange, b body) {
	s.ex, s.body = ex, b
	if b.mode == bodyNone {
		a.endBody(s, m)
		return
	}
	s.state = stateBody
	s.body.excerpt = new(Excerpt)
	if s.role == wire.Client {
		ex.RequestBody = s.body.excerpt
	} else {
		ex.ResponseBody = s.body.excerpt
	}
}

// readBody reads bytes of a body and returns how many.
func (a *Analyser) readBody(s *side, m mark, b []byte) int {
	y := &s.body
	n := len(b)
	switch y.mode {
	case bodyLength, bodyChunk:
		n = int(min(int64(n), y.left))
		y.left -= int64(n)
		y.keep(b[:n], a.o.Payload)
	case bodyUntilEnd:
		y.keep(b, a.o.Payload)
	default:
		if i := bytes.IndexByte(b, '\n'); i >= 0 {
			n = i + 1
		}
		y.line = append(y.line, b[:min(n, maxChunkLine-len(y.line))]...)
	}
	s.offset += int64(n)
	a.advanceBody(s, m, b[n-1] == '\n')
	return n
}

// advanceBody goes to the next part of a body, when one has ended. lineEnd
// says that a line has.
func (a *Analyser) advanceBody(s *side, m mark, lineEnd bool) {
	y := &s.body
	switch y.mode {
	case bodyLength:
		if y.left == 0 {
			a.endBody(s, m)
		}
	case bodyChunk:
		if y.left == 0 {
			y.mode = bodyChunkEnd
		}
	case bodyUntilEnd:
	default:
		if !lineEnd {
			return
		}
		line := strings.TrimSpace(string(y.line))
		y.line = y.line[:0]
		switch y.mode {
		case bodyChunkEnd:
			y.mode = bodyChunkSize
		case bodyChunkTrail:
			if line == "" {
				a.endBody(s, m)
			}
		case bodyChunkSize:
			size, _, _ := strings.Cut(line, ";")
			n, err := strconv.ParseInt(strings.TrimSpace(size), 16, 64)
			switch {
			case err != nil || n < 0:
				y.mode = bodyUntilEnd // its parts cannot be told any more
				s.ex.Cut = true
			case n == 0:
				y.mode = bodyChunkTrail
			default:
				y.mode, y.left = bodyChunk, n
			}
		}
	}
}

func (y *body) keep(b []byte, most int) {
	y.excerpt.Size += uint64(len(b))
	y.excerpt.Bytes = append(y.excerpt.Bytes, b[:min(len(b), max(0, most-len(y.excerpt.Bytes)))]...)
}

// endBody ends the side's message of HTTP.
func (a *Analyser) endBody(s *side, m mark) {
	ex := s.ex
	s.ex, s.body = nil, body{}
	s.state = stateHead
	if s.role == wire.Client {
		ex.requested = true
		switch {
		case ex.granted:
			a.enterFrames(s)
		case ex.upgrade && !s.based && a.openSeen(): // it was answered before it was found, behind a gap
			ex.Cut = true
			a.exchanges = slices.DeleteFunc(a.exchanges, func(e *exchange) bool { return e == ex })
			a.tellExchange(ex, m, Client)
			a.endHeld()
			a.enterFrames(s)
		case ex.upgrade && !ex.responded:
			s.state = stateWaiting
		}
		return
	}
	a.endExchange(ex, m)
}

// endExchange tells of an exchange whose response is whole.
func (a *Analyser) endExchange(ex *exchange, m mark) {
	a.exchanges = slices.DeleteFunc(a.exchanges, func(e *exchange) bool { return e == ex })
	a.tellExchange(ex, m, Server)
	a.endHeld()
	client := &a.sides[wire.Client]
	if client.state == stateWaiting && !ex.granted && ex.upgrade {
		client.state = stateHead
		a.release(client)
	}
}

// tellExchange passes the record of an exchange on, and what was found in it.
func (a *Analyser) tellExchange(ex *exchange, m mark, from Party) {
	explainBody(ex)
	if ex.upgrade || ex.granted {
		h := &ex.Handshake
		a.numbers.handshakes++
		if !ex.granted && ex.responded {
			a.end.refusal = strings.TrimSpace(fmt.Sprintf("%d %s", ex.Status, excerptOf([]byte(ex.Reason), 40)))
		}
		for r := range ex.broken.All() {
			h.Broken = append(h.Broken, r.String())
		}
		a.emit(KindHandshake, m, from, Record{Handshake: h})
	} else {
		a.numbers.exchanges++
		a.emit(KindHTTP, m, from, Record{HTTP: &ex.Exchange})
	}
	for _, f := range ex.findings {
		if !ex.upgrade && !ex.granted && !ex.GotTLS && f.Rule != 0 {
			f.Severity = Note // it may be another protocol's, and no WebSocket failed by it
		}
		a.find(m, f)
	}
	ex.findings = nil
}

// wait holds bytes of the client until its request to upgrade is answered, and
// returns how many.
func (a *Analyser) wait(s *side, m mark, b []byte) int {
	if s.heldBytes == 0 && len(a.exchanges) > 0 {
		ex := a.exchanges[len(a.exchanges)-1]
		f := broke(rfc.WaitForResponse, Client, "bytes behind the request, before any response to it")
		f.At, f.Packet, f.From, f.Offset, f.Stream, f.Bytes = m.at, m.packet, Client, 0, s.offset, Hex{b[0]}
		ex.broken.Add(rfc.WaitForResponse)
		ex.findings = append(ex.findings, f)
	}
	b = b[:min(len(b), maxWaiting-s.heldBytes)]
	s.held = appendBytes(s.held, item{kind: itemBytes, from: s.role, mark: m}, b)
	s.heldBytes += len(b)
	s.offset += int64(len(b))
	if s.heldBytes >= maxWaiting { // the answer was missed: take it for granted
		a.peer(s).lossy = true
		a.assumeOpen(m)
	}
	return len(b)
}

// foreignRequest says that the client's bytes are no HTTP.
func (a *Analyser) foreignRequest(s *side, m mark, b []byte) {
	b = notHTTP(s.role, b)
	f := broke(rfc.RequestSyntax, Client, "bytes that are no HTTP where a request should begin")
	f.Severity = Note // in a capture that has other protocols, too
	f.From, f.Offset, f.Stream, f.Bytes = Client, 0, s.offset, append(Hex(nil), b...)
	a.find(m, f)
}

// foreignResponse says that the server's bytes are no HTTP.
func (a *Analyser) foreignResponse(s *side, m mark, b []byte) {
	b = notHTTP(s.role, b)
	f := broke(rfc.ResponseSyntax, Server, "bytes that are no HTTP where the response should begin")
	f.From, f.Offset, f.Stream, f.Bytes = Server, 0, s.offset, append(Hex(nil), b...)
	s.state = stateOpaque
	a.failExchanges(m, &f)
}

// failExchanges ends the exchanges that can have no response any more, and
// adds what is wrong to the first.
func (a *Analyser) failExchanges(m mark, f *Finding) {
	for i, ex := range a.exchanges {
		if i == 0 && f != nil {
			f.At, f.Packet = m.at, m.packet
			if ex.upgrade {
				ex.broken.Add(f.Rule)
			}
			ex.findings = append(ex.findings, *f)
		}
		ex.Cut = true
		a.tellExchange(ex, m, Client)
	}
	a.exchanges = nil
	a.endHeld()
	if c := &a.sides[wire.Client]; c.state == stateWaiting || c.state == stateBody || c.state == stateHead {
		c.state = stateOpaque
		c.held, c.heldBytes = nil, 0
		c.ex = nil
	}
}

// beginTLS notes that a side begins with TLS.
func (a *Analyser) beginTLS(s *side, m mark, b []byte) {
	peer := a.peer(s)
	if s.role == wire.Client {
		s.headFirst, s.headAt = m, s.offset
		s.head = append(s.head[:0], b[:3]...)
		s.state = stateTLS
		switch {
		case a.net.encrypted:
			s.state = stateOpaque
		case peer.seen && peer.state != stateFresh:
			a.tlsOnPlainPort(s)
		}
		return
	}
	s.state = stateOpaque
	if len(a.exchanges) > 0 {
		f := broke(rfc.ResponseSyntax, Client, "a TLS record where the response should begin")
		f.From, f.Offset, f.Stream, f.Bytes = Server, 0, s.offset, append(Hex(nil), b[:3]...)
		plainToTLS(&f)
		a.failExchanges(m, &f)
		return
	}
	a.net.encrypted = true
	if peer.state == stateTLS || peer.state == stateFresh {
		if peer.state == stateTLS {
			peer.state = stateOpaque
		}
		a.emit(KindStart, m, Client, Record{Start: &Start{As: "tls", Confidence: 1, Evidence: "both sides speak TLS, and the bytes were not decrypted"}})
	}
}

// tlsOnPlainPort says that the client speaks TLS to a server that does not.
func (a *Analyser) tlsOnPlainPort(s *side) {
	s.state = stateOpaque
	f := broke(rfc.RequestSyntax, Client, "the beginning of a TLS handshake where the request should begin")
	f.From, f.Offset, f.Stream, f.Bytes = Client, 0, s.headAt, append(Hex(nil), s.head...)
	f.Mistake = "TLS was spoken to a plain port"
	if !a.peer(s).seen {
		f.Severity = Warning
		f.Mistake += ", unless who hung up refuses the server name in it"
	}
	f.Do = "Connect with ws:// instead of wss://, or to the server's TLS port; behind a proxy that ends TLS, to the proxy."
	s.head = s.head[:0]
	a.find(s.headFirst, f)
}
