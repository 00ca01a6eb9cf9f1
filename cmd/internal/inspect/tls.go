package inspect

import (
	"github.com/wiretrue/websocket/capture"
	"github.com/wiretrue/websocket/cmd/internal/flow"
	"github.com/wiretrue/websocket/cmd/internal/tlsview"
)

// A tlsBridge is a Conn as a handler of its TLS session.
type tlsBridge struct{ c *Conn }

// Plain implements [tlsview.Handler].
func (b tlsBridge) Plain(dir flow.Dir, run flow.Run) {
	c, st := b.c, stamp{run.Time, run.Packet}
	c.tellTLS(st)
	c.bytes(dir, st, run.Data)
}

// TLS implements [tlsview.Handler].
func (b tlsBridge) TLS(ev tlsview.Event) {
	c, st := b.c, stamp{ev.Time, ev.Packet}
	switch ev.Kind {
	case tlsview.NotTLS:
		c.notTLS(ev.Dir)
	case tlsview.KeysFound:
		delete(c.of.waiting, c)
	case tlsview.NoKeys:
		delete(c.of.waiting, c)
		c.tellTLS(st)
	case tlsview.Handshake:
		if ev.ClientHello != nil {
			random := ev.ClientHello.Random
			c.random = &random
		}
		if ev.ServerHello != nil && c.of.o.HoldForKeys > 0 {
			c.of.waiting[c] = struct{}{}
		}
	case tlsview.Record:
		c.tlsRecord(ev)
	case tlsview.Alert:
		c.tellTLS(st)
		c.tlsNet(ev, capture.NetAlert, ev.Alert.String(), 0)
	case tlsview.EarlyData:
		c.tlsNet(ev, capture.NetTLSRecord, "early data, before the handshake was done", ev.Length)
	case tlsview.Lost:
		if info := c.session.Info(); !info.TLS[ev.Dir] || info.Keys {
			c.analyser.Gap(roleOf(ev.Dir), ev.Time, ev.Packet, ev.Length)
		}
	}
}

// tlsRecord tells of a record that could not be opened: what there is to see
// of it or, when the connection is decrypted otherwise, that bytes are missing.
func (c *Conn) tlsRecord(ev tlsview.Event) {
	if !ev.Encrypted || ev.Decrypted {
		return
	}
	size := int64(ev.Plain)
	switch info := c.session.Info(); {
	case info.Keys && ev.Content == tlsview.ApplicationData:
		c.analyser.Gap(roleOf(ev.Dir), ev.Time, ev.Packet, size)
	case info.NoKeys != 0:
		text := ev.Content.String()
		if size < 0 {
			size = ev.Length
		}
		c.tellTLS(stamp{ev.Time, ev.Packet})
		c.tlsNet(ev, capture.NetTLSRecord, text, size)
	}
}

func (c *Conn) tlsNet(ev tlsview.Event, kind capture.NetKind, text string, bytes int64) {
	c.analyser.Net(capture.NetEvent{Kind: kind, From: roleOf(ev.Dir), At: ev.Time, Packet: ev.Packet, Text: text, Bytes: bytes})
}

// tellTLS tells the facts of the TLS handshake, once.
func (c *Conn) tellTLS(st stamp) {
	if c.told || c.session == nil {
		return
	}
	info := c.session.Info()
	if !info.TLS[flow.ToServer] || !info.TLS[flow.ToClient] {
		return
	}
	c.told = true
	c.TLS = factsOf(info)
	text := ""
	if info.NoKeys != 0 {
		text = info.NoKeys.String()
	}
	c.analyser.Net(capture.NetEvent{Kind: capture.NetTLS, At: st.at, Packet: st.packet, TLS: c.TLS, Text: text})
}

func factsOf(info tlsview.Info) *capture.TLSFacts {
	f := &capture.TLSFacts{
		ServerName: info.ServerName,
		ALPN:       info.ALPN,
		Offered:    info.Offered,
		Resumed:    info.Resumed,
		Decrypted:  info.Keys,
	}
	if info.Version != 0 {
		f.Version = tlsview.VersionName(info.Version)
	}
	if info.Suite != 0 {
		f.Suite = tlsview.CipherName(info.Suite)
	}
	return f
}

// mayBeWebSocket reports whether TLS that nobody decrypted may hold a
// WebSocket: one of HTTP/2, or of another protocol, has that as its ALPN.
func mayBeWebSocket(f *capture.TLSFacts) bool {
	return f != nil && !f.Decrypted && (f.ALPN == "" || f.ALPN == "http/1.1")
}
