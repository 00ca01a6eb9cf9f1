package tlsview

import (
	"bytes"
	"crypto/tls"

	"github.com/wiretrue/websocket/cmd/internal/flow"
)

const (
	tls12 = tls.VersionTLS12
	tls13 = tls.VersionTLS13
)

// messages takes the handshake bytes of a record: messages may end anywhere.
func (s *Session) messages(dir flow.Dir, b []byte) {
	h := &s.half[dir]
	for len(b) > 0 {
		if h.skip > 0 {
			n := min(h.skip, len(b))
			h.skip -= n
			b = b[n:]
			continue
		}
		if len(h.msg) == 0 {
			h.msgAt = h.at
		}
		// Either whole in b, or collected in h.msg.
		whole, collected := b, len(h.msg) > 0
		if collected {
			h.msg = append(h.msg, b...)
			whole = h.msg
		}
		if len(whole) < 4 {
			if !collected {
				h.msg = append(h.msg, b...)
			}
			return
		}
		n := 4 + int(whole[1])<<16 + int(whole[2])<<8 + int(whole[3])
		if n > maxMessage {
			s.event(dir, Event{Kind: Handshake, Message: MessageType(whole[0]), Length: int64(n - 4)})
			h.skip, h.msg, b = n, nil, whole
			continue
		}
		if len(whole) < n {
			if !collected {
				h.msg = append(h.msg, b...)
			}
			return
		}
		h.msg = nil
		s.message(dir, MessageType(whole[0]), whole[4:n])
		b = whole[n:]
	}
}

func (s *Session) message(dir flow.Dir, typ MessageType, body []byte) {
	h := &s.half[dir]
	ev := Event{Kind: Handshake, Message: typ, Length: int64(len(body))}
	is13 := s.info.Version == tls13
	encrypted := h.opened
	switch {
	case typ == msgClientHello && !(encrypted && is13):
		ev.ClientHello = parseClientHello(body)
		s.clientHello(dir, ev.ClientHello)
	case typ == msgServerHello && !(encrypted && is13):
		ev.ServerHello = parseServerHello(body)
		s.serverHello(dir, ev.ServerHello)
		ev.ALPN = ev.ServerHello.ALPN
	case typ == msgEncryptedExtensions:
		ev.ALPN = parseEncryptedExtensions(body)
		s.info.ALPN = ev.ALPN
	case typ == msgCertificate:
		ev.Certificates = parseCertificates(body, is13)
	case typ == msgNewSessionTicket && !is13:
		s.newTicket(body)
	}
	s.event(dir, ev)
	if !is13 || !encrypted {
		return
	}
	switch typ {
	case msgEndOfEarlyData:
		if h.epoch == epochEarly {
			h.enter(epochHandshake)
		}
	case msgFinished:
		h.enter(epochTraffic)
	case msgKeyUpdate:
		if h.prot != nil && h.prot.tls13 && h.epoch == epochTraffic {
			h.prot, h.seq = h.prot.update(), 0
			s.event(dir, Event{Kind: KeysChanged})
		}
	}
}

func (h *half) enter(e epoch) { h.epoch, h.prot, h.seq = e, nil, 0 }

func (s *Session) clientHello(dir flow.Dir, m *ClientHello) {
	again := s.haveClient
	s.client, s.haveClient = dir, true
	s.clientRandom = m.Random
	s.sessionID, s.ticket = bytes.Clone(m.SessionID), bytes.Clone(m.Ticket)
	s.info.ServerName, s.info.Offered = m.ServerName, m.ALPN
	s.info.ECH = m.ECH
	s.info.EarlyData = m.EarlyData && !s.info.Retried
	if again && s.haveServer { // a renegotiation
		s.haveServer, s.ready12 = false, nil
	}
	if s.info.EarlyData && s.haveServer {
		s.half[dir].enter(epochEarly)
	}
}

func (s *Session) serverHello(dir flow.Dir, m *ServerHello) {
	if m.Retry {
		s.info.Retried = true
		return
	}
	if !s.haveClient {
		s.client = dir.Reverse()
	}
	s.haveServer = true
	s.serverRandom, s.serverID = m.Random, bytes.Clone(m.SessionID)
	s.etm = m.EncryptThenMAC
	s.suite = suites[m.Suite]
	s.info.Version, s.info.Suite = m.Version, m.Suite
	s.info.Resumed = m.PSK || m.Version < tls13 && len(m.SessionID) > 0 && bytes.Equal(m.SessionID, s.sessionID)
	if m.Version != tls13 {
		s.info.ALPN = m.ALPN
	}
	if m.Compression != 0 {
		s.suite = nil
	}
	if m.Version != tls13 {
		return
	}
	for d := range s.half {
		h := &s.half[d]
		if h.state != inTheClear {
			continue
		}
		h.state = protected
		h.enter(epochHandshake)
		if flow.Dir(d) == s.client && s.info.EarlyData {
			h.epoch = epochEarly
		}
	}
}

// changeCipher handles the ChangeCipherSpec that ends TLS 1.2's clear
// records. It returns false when it has to wait.
func (s *Session) changeCipher(dir flow.Dir, rec []byte) bool {
	h := &s.half[dir]
	if s.info.Version == tls13 {
		s.clearRecord(dir, rec)
		return true
	}
	if !s.secretsFor(dir) {
		if s.mayWait() {
			h.blocked = forKeys
			return false
		}
		s.noKeys(dir, s.whyNoKeys())
		h.state = opaque
		s.opaqueRecord(dir, rec)
		return true
	}
	s.foundKeys(dir)
	s.clearRecord(dir, rec)
	h.state = protected
	s.switch12(dir)
	return true
}

// missedChangeCipher makes the best of application data in a direction whose
// ChangeCipherSpec is not in the capture. Finished and perhaps other records
// came before it.
func (s *Session) missedChangeCipher(dir flow.Dir, rec []byte) {
	h := &s.half[dir]
	if h.prot = s.pending12(dir); h.prot == nil {
		s.noKeys(dir, s.whyNoKeys())
		h.state = opaque
		return
	}
	s.foundKeys(dir)
	h.state, h.lost = protected, true
	h.jump = max(h.jump, 64)
	s.tryRecord(dir, rec, h.at)
}

// switch12 begins to use the keys that the last hellos led to.
func (s *Session) switch12(dir flow.Dir) {
	h := &s.half[dir]
	if p := s.pending12(dir); p != nil {
		h.prot, h.seq = p, 0
		s.event(dir, Event{Kind: KeysChanged})
	}
}

// master returns TLS 1.2's master secret: of this connection, or of the one
// that it resumes.
func (s *Session) master() []byte {
	if m := s.keys.find(clientRandom, s.clientRandom); m != nil {
		return m
	}
	if !s.info.Resumed {
		return nil
	}
	if m := s.keys.recall(s.ticket); m != nil {
		return m
	}
	return s.keys.recall(s.sessionID)
}

// newTicket takes a NewSessionTicket of TLS 1.2 (RFC 5077, 3.3): lifetime,
// then the ticket.
func (s *Session) newTicket(body []byte) {
	if len(body) < 6 || s.pending12(s.client) == nil {
		return
	}
	s.keys.remember(body[6:], s.master())
}

// pending12 derives TLS 1.2's keys, when hellos and key log allow it.
func (s *Session) pending12(dir flow.Dir) *protection {
	if s.ready12 == nil {
		master := s.master()
		if !s.haveServer || !s.haveClient || s.suite == nil || s.info.Version != tls12 || len(master) != 48 {
			return nil
		}
		ps := newProtections12(s.suite, master, s.clientRandom[:], s.serverRandom[:], s.etm)
		s.ready12 = &ps
		s.keys.remember(s.serverID, master)
	}
	if dir == s.client {
		return s.ready12[0]
	}
	return s.ready12[1]
}

// secretsFor reports whether the key log has what the direction needs next.
func (s *Session) secretsFor(dir flow.Dir) bool {
	if !s.haveClient || !s.haveServer || s.suite == nil {
		return false
	}
	if s.info.Version != tls13 {
		return s.pending12(dir) != nil
	}
	h := &s.half[dir]
	return h.prot != nil || s.protection13(dir, max(h.epoch, epochHandshake)) != nil
}

// laterSecrets reports whether the key log has what an epoch after the
// direction's own needs.
func (s *Session) laterSecrets(dir flow.Dir) bool {
	return s.info.Version == tls13 && s.protection13(dir, epochTraffic) != nil
}

// protection13 derives the keys of an epoch, nil when the key log does not
// have its secret.
func (s *Session) protection13(dir flow.Dir, e epoch) *protection {
	if s.suite == nil || !s.haveClient {
		return nil
	}
	l := [2][3]label{{clientEarly, clientHandshake, clientTraffic}, {labels, serverHandshake, serverTraffic}}[dir^s.client][e]
	secret := s.keys.find(l, s.clientRandom)
	if secret == nil {
		return nil
	}
	return newProtection13(s.suite, secret)
}

// open opens a record of a protected direction.
func (s *Session) open(dir flow.Dir, dst, rec []byte) (typ byte, plain []byte, ok bool) {
	h := &s.half[dir]
	header, body := rec[:headerLen], rec[headerLen:]
	if s.info.Version != tls13 {
		if h.prot == nil {
			return 0, nil, false
		}
		if typ, plain, ok = h.prot.open(dst, header, body, h.seq); ok {
			h.seq++
		}
		return typ, plain, ok
	}
	if h.prot == nil {
		h.prot = s.protection13(dir, h.epoch)
	}
	if h.prot != nil {
		if typ, plain, ok = h.prot.open(dst, header, body, h.seq); ok {
			h.seq++
			return typ, plain, true
		}
	}
	// The messages that end an epoch may not be in the capture, or its secret
	// not in the key log.
	if h.failed > maxFailures {
		return 0, nil, false
	}
	for _, c := range s.later(dir) {
		if typ, plain, ok = c.prot.open(dst, header, body, 0); ok {
			h.epoch, h.prot, h.seq = c.epoch, c.prot, 1
			return typ, plain, true
		}
	}
	return 0, nil, false
}

// maxFailures is after how many records in a row other keys are no longer
// tried.
const maxFailures = 64

type candidate struct {
	prot  *protection
	epoch epoch
}

// later returns the protections that may follow the direction's own.
func (s *Session) later(dir flow.Dir) (list []candidate) {
	h := &s.half[dir]
	if s.info.Version != tls13 {
		if p := s.pending12(dir); p != nil && p != h.prot {
			list = append(list, candidate{p, h.epoch})
		}
		return list
	}
	for e := h.epoch + 1; e <= epochTraffic; e++ {
		if p := s.protection13(dir, e); p != nil {
			list = append(list, candidate{p, e})
		}
	}
	if h.epoch == epochTraffic && h.prot != nil {
		if p := h.prot.update(); p != nil {
			list = append(list, candidate{p, epochTraffic})
		}
	}
	return list
}

// mayWait reports whether keys may still come.
func (s *Session) mayWait() bool {
	return s.opts.Hold > 0 && !s.impatient && s.haveClient && s.suite != nil &&
		(s.info.Version == tls12 || s.info.Version == tls13)
}

func (s *Session) foundKeys(dir flow.Dir) {
	if !s.info.Keys {
		s.info.Keys = true
		s.event(dir, Event{Kind: KeysFound})
	}
}

func (s *Session) noKeys(dir flow.Dir, why Reason) {
	if s.info.NoKeys == 0 {
		s.info.NoKeys = why
		s.event(dir, Event{Kind: NoKeys, Reason: why})
	}
}

func (s *Session) whyNoKeys() Reason {
	switch {
	case !s.haveClient || !s.haveServer:
		return NoHandshake
	case s.info.Version != tls12 && s.info.Version != tls13:
		return UnknownVersion
	case s.suite == nil && suites[s.info.Suite] != nil:
		return UnknownExtension
	case s.suite == nil:
		return UnknownSuite
	case s.keys == nil:
		return NoKeyLog
	case s.keys.find(clientRandom, s.clientRandom) != nil, s.keys.find(clientTraffic, s.clientRandom) != nil:
		return UnusableSecret
	}
	return NotInKeyLog
}
