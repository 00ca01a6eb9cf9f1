package record

import (
	"bytes"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"time"

	"github.com/wiretrue/websocket/capture"
	"github.com/wiretrue/websocket/wire"
)

// lines writes what happens to connections as JSON.
type lines struct {
	r   *Recorder
	buf bytes.Buffer
}

func (l *lines) begin(dst []byte) []byte { return dst }

// line is a connection in JSON.
type line struct {
	l      *lines
	number int64
	a      *capture.Analyser
}

func (l *lines) open(o *opening) story {
	k := &line{l: l, number: o.number}
	k.a = capture.New(capture.Options{TLS: o.tls != nil}, func(r capture.Record) {
		k.write(struct {
			Conn int64 `json:"conn"`
			capture.Record
		}{o.number, r})
	})
	k.a.Net(capture.NetEvent{Kind: capture.NetOpened, From: wire.Client, At: o.begun,
		Text: fmt.Sprintf("%s to %s, %s", orUnknown(o.names[wire.Client]), orUnknown(o.names[wire.Server]), o.words())})
	if o.tls != nil {
		k.a.Net(capture.NetEvent{Kind: capture.NetTLS, From: wire.Server, At: o.begun, TLS: &capture.TLSFacts{
			Version:    tls.VersionName(o.tls.Version),
			Suite:      tls.CipherSuiteName(o.tls.CipherSuite),
			ServerName: o.tls.ServerName,
			ALPN:       o.tls.NegotiatedProtocol,
			Resumed:    o.tls.DidResume,
			Decrypted:  true,
		}})
	}
	k.a.Bytes(wire.Client, o.begun, 0, o.request)
	k.a.Bytes(wire.Server, o.at, 0, o.response)
	return k
}

func (k *line) bytes(from wire.Role, at time.Time, b []byte) { k.a.Bytes(from, at, 0, b) }

func (k *line) missed(from wire.Role, at time.Time, n int) { k.a.Gap(from, at, 0, int64(n)) }

func (k *line) end(from wire.Role, at time.Time, how capture.How, _ error) {
	k.a.End(from, at, 0, how)
	if how == capture.TimedOut {
		k.a.End(from.Peer(), at, 0, capture.Stopped)
	}
}

func (k *line) done() {
	k.write(struct {
		V      int             `json:"v"`
		Conn   int64           `json:"conn"`
		Kind   string          `json:"kind"`
		Report *capture.Report `json:"report"`
	}{capture.Version, k.number, "report", k.a.Report()})
}

func (k *line) write(v any) {
	l := k.l
	l.buf.Reset()
	e := json.NewEncoder(&l.buf)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil { // of a number that JSON does not have: there is none
		l.buf.Reset()
		fmt.Fprintf(&l.buf, "{\"v\":%d,\"conn\":%d,\"kind\":\"error\",\"error\":%q}\n", capture.Version, k.number, err)
	}
	if l.r.room(l.buf.Len()) {
		l.r.pending.buf = append(l.r.pending.buf, l.buf.Bytes()...)
	}
}
