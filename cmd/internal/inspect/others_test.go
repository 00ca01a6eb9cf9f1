package inspect_test

import (
	"bytes"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/wiretrue/websocket/capture"
	"github.com/wiretrue/websocket/cmd/internal/flow"
	"github.com/wiretrue/websocket/cmd/internal/inspect"
	"github.com/wiretrue/websocket/cmd/internal/packet"
	"github.com/wiretrue/websocket/cmd/internal/synth"
)

// What other protocols say to each other is no broken WebSocket.
func TestOtherProtocols(t *testing.T) {
	t.Parallel()
	const hello = "\x16\x03\x01\x00\x04\x01\x00\x00\x00"
	for _, tt := range []struct {
		name           string
		client, server string
		shown          bool // it may be what somebody looks for
	}{
		{"redis", "*1\r\n$4\r\nPING\r\n", "+PONG\r\n", false},
		{"postgres", "\x00\x00\x00\x17\x00\x03\x00\x00user\x00postgres\x00\x00", "R\x00\x00\x00\x08\x00\x00\x00\x00", false},
		{"rtsp", "OPTIONS rtsp://a/b RTSP/1.0\r\nCSeq: 1\r\n\r\n", "RTSP/1.0 200 OK\r\nCSeq: 1\r\n\r\n", false},
		{"icy", "GET / HTTP/1.0\r\n\r\n", "ICY 200 OK\r\n\r\n", false},
		{"HTTP/1.0", "GET / HTTP/1.0\r\n\r\n", "HTTP/1.0 200 OK\r\n\r\nhello", false},
		{"HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00", "\x00\x00\x00\x04\x00\x00\x00\x00\x00", false},
		{"TLS to a plain port", hello, "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n", true},
		{"TLS that somebody hung up on", hello, "", true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			steps := []step{{from: flow.ToServer, b: []byte(tt.client)}}
			if tt.server != "" {
				steps = append(steps, step{from: flow.ToClient, b: []byte(tt.server)})
			}
			steps = append(steps, step{from: flow.ToClient, fin: true}, step{from: flow.ToServer, fin: true})
			k := inspectedBytes(t, pcapOf(t, steps), inspect.Options{})
			c := k.conns[0]
			if c.WebSocket != tt.shown {
				t.Errorf("it is shown: %v", c.WebSocket)
			}
			if r := k.reports[c.ID]; !tt.shown && r.Errors+r.Warnings > 0 {
				t.Errorf("found %+v", r.Findings)
			}
			var told []capture.Kind
			for _, r := range k.records[c.ID] {
				told = append(told, r.Kind)
			}
			if i, j := slices.Index(told, capture.KindFinding), slices.Index(told, capture.KindEnding); tt.shown && (i < 0 || i > j) {
				t.Errorf("the finding is missing, or told behind the end: %v", told)
			}
		})
	}
}

// Whoever hangs up on TLS may speak it, and not like the name.
func TestTLSHungUpOn(t *testing.T) {
	t.Parallel()
	steps := []step{{from: flow.ToServer, b: []byte("\x16\x03\x01\x00\x04\x01\x00\x00\x00")}, {from: flow.ToClient, fin: true}}
	f := inspectedBytes(t, pcapOf(t, steps), inspect.Options{}).reports[0].Findings
	if len(f) != 1 || f[0].Severity != capture.Warning || !strings.Contains(f[0].Mistake, "refuses the server name") {
		t.Errorf("found %+v", f)
	}
}

// A connection that was never open is counted, with whom it was to.
func TestNeverOpen(t *testing.T) {
	t.Parallel()
	var file bytes.Buffer
	w := synth.NewWriter(&file)
	refused := w.Conn(clientAddr, serverAddr)
	refused.Segment(flow.ToServer, packet.SYN, nil)
	refused.RST(flow.ToClient)
	w.Conn(netip.MustParseAddrPort("10.0.0.1:40001"), netip.MustParseAddrPort("10.0.0.3:443")).Segment(flow.ToServer, packet.SYN, nil)
	w.Conn(netip.MustParseAddrPort("10.0.0.1:40002"), netip.MustParseAddrPort("10.0.0.4:443")).Segment(flow.ToServer, packet.SYN, nil)
	open := w.Conn(netip.MustParseAddrPort("10.0.0.1:40003"), serverAddr)
	open.Open()
	open.RST(flow.ToClient)
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	src, err := packet.NewReader(&file, nil)
	if err != nil {
		t.Fatal(err)
	}
	i := inspect.New(inspect.Options{}, newCollector())
	if err := i.Run(src, nil); err != nil {
		t.Fatal(err)
	}
	got := i.Totals()
	if want := (inspect.Failed{Conns: 1, Server: serverAddr}); got.Refused != want {
		t.Errorf("refused: %v", got.Refused)
	}
	if want := (inspect.Failed{Conns: 2, Server: netip.MustParseAddrPort("10.0.0.3:443")}); got.Unanswered != want {
		t.Errorf("unanswered: %v", got.Unanswered)
	}
}
