package websocket_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/wiretrue/websocket"
	"github.com/wiretrue/websocket/internal/corpus"
	"github.com/wiretrue/websocket/vectors"
	"github.com/wiretrue/websocket/wire"
	"github.com/wiretrue/websocket/wire/deflate"
	"github.com/wiretrue/websocket/wire/frame"
	"github.com/wiretrue/websocket/wire/handshake"
	"github.com/wiretrue/websocket/wire/rfc"
	"github.com/wiretrue/websocket/wstest"
)

// cuts are ways to cut a vector's bytes into reads.
var cuts = map[string]func(b []byte) [][]byte{
	"whole": func(b []byte) [][]byte { return [][]byte{b} },
	"bytes": func(b []byte) [][]byte {
		if len(b) > 1<<12 {
			return slices.Collect(slices.Chunk(b, 1021))
		}
		return slices.Collect(slices.Chunk(b, 1))
	},
}

// The connection reads each vector of frames as the vector says, and ends as
// it says.
func TestCorpusOfFrames(t *testing.T) {
	all, err := vectors.All()
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range all {
		frames := append(v.Frames("client"), v.Frames("server")...)
		if v.To == "witness" || len(frames) == 0 || v.Head("client") != nil || v.Head("server") != nil {
			continue
		}
		for name, cut := range cuts {
			t.Run(v.Name+"/"+name, func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) { checkFrames(t, v, cut(slices.Clone(frames))) })
			})
		}
	}
}

func checkFrames(t *testing.T, v vectors.Vector, reads [][]byte) {
	opts := websocket.Options{ReadLimit: int64(v.Message), MaxFragments: v.Fragments, Compression: compressionOf(v)}
	var c *websocket.Conn
	var p *wstest.Peer
	if v.To == "server" {
		c, p = wstest.DialPeer(t, &websocket.AcceptOptions{Options: opts})
	} else {
		c, p = wstest.ServePeer(t, &websocket.DialOptions{Options: opts})
	}
	sent := collect(p)
	go func() {
		for _, b := range reads {
			p.SendBytes(b)
		}
		if v.Expect != "close" { // else the endpoint ends it
			p.End()
		}
	}()
	var got []vectors.Message
	var end error
	for m, err := range c.Messages(context.Background()) {
		if end = err; err == nil {
			got = append(got, vectors.Message{Kind: strings.ToLower(m.Type.String()), Payload: m.Data})
		}
	}
	<-c.Done()
	corpus.CheckEnd(t, v, end)
	corpus.CheckRead(t, v, got)
	corpus.CheckSent(t, v, <-sent)
}

// compressionOf returns the wishes that lead to the vector's agreement.
func compressionOf(v vectors.Vector) *websocket.Compression {
	extensions, _ := handshake.ParseExtensions([]string{v.Agreed})
	params, ok, _ := deflate.Confirm(extensions, nil)
	if !ok {
		return nil
	}
	c := &websocket.Compression{WindowBits: params.ClientWindow(), PeerWindowBits: params.ServerWindow(), PeerNoContextTakeover: params.ServerNoContextTakeover}
	if v.To == "server" {
		c = &websocket.Compression{WindowBits: params.ServerWindow(), PeerWindowBits: params.ClientWindow(), PeerNoContextTakeover: params.ClientNoContextTakeover}
	}
	return c
}

// collect reads all frames that the endpoint sends.
func collect(p *wstest.Peer) <-chan []vectors.Message {
	all := make(chan []vectors.Message, 1)
	go func() {
		var sent []vectors.Message
		for {
			h, payload, err := p.ReadFrame()
			if err != nil {
				all <- sent
				return
			}
			m := vectors.Message{Kind: strings.ToLower(h.Opcode.String()), Payload: bytes.Clone(payload)}
			if code, _, ok := frame.ParseClose(payload); ok && h.Opcode == frame.Close {
				m.Code = int(code)
			}
			sent = append(sent, m)
		}
	}()
	return all
}

// A server answers the requests of the corpus as they say.
func TestCorpusOfRequests(t *testing.T) {
	all, err := vectors.All()
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range all {
		if v.To != "server" || v.Head("client") == nil {
			continue
		}
		t.Run(v.Name, func(t *testing.T) {
			if v.Rule == rfc.RequestSyntax || v.Rule == rfc.RequestSize {
				t.Skip("net/http reads the request, and judges its syntax and size")
			}
			near, far := net.Pipe()
			p := wstest.NewPeer(t, near)
			p.SendBytes(append(v.Head("client"), v.Frames("client")...))
			answer := make(chan int, 1)
			go func() { answer <- p.ReadResponse().Status; near.Close() }()
			_, err := wstest.Accept(far, &websocket.AcceptOptions{Origins: v.Origins})
			refused := new(websocket.HandshakeError)
			switch {
			case v.Expect != "refuse":
				if err != nil || <-answer != 101 {
					t.Errorf("Accept: %v", err)
				}
			case errors.As(err, &refused):
				if got := <-answer; refused.Rule != v.Rule || got != v.Code {
					t.Errorf("refused with %d for %v, want %d for %v", got, refused.Rule, v.Code, v.Rule)
				}
			case err == nil:
				t.Errorf("accepted, want %d for %v", v.Code, v.Rule)
			default: // net/http itself did not take it for a request
				if v.Rule != rfc.OneHost && v.Rule != rfc.NoRequestBody && v.Rule != rfc.TargetWithoutFragment {
					t.Errorf("Accept: %v, want %v", err, v.Rule)
				}
			}
		})
	}
}

// A client takes the responses of the corpus as they say.
func TestCorpusOfResponses(t *testing.T) {
	all, err := vectors.All()
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range all {
		if v.To != "client" || v.Head("server") == nil {
			continue
		}
		t.Run(v.Name, func(t *testing.T) {
			request, n := handshake.ParseRequest(v.Head("client"), 0)
			offer, _ := request.Offer()
			nonce, err := base64.StdEncoding.DecodeString(offer.Key)
			if n == 0 || err != nil {
				t.Fatalf("the vector's request has no key: %v", err)
			}
			if len(offer.Extensions) > 0 {
				t.Skip("the client does not offer extensions")
			}
			near, far := net.Pipe()
			p := wstest.NewPeer(t, far)
			go func() {
				p.ReadRequest()
				p.SendBytes(append(v.Head("server"), v.Frames("server")...))
				if v.Expect == "fail" {
					p.End()
				}
			}()
			opts := &websocket.DialOptions{
				Subprotocols: offer.Subprotocols,
				NetDial:      func(context.Context, string, string) (net.Conn, error) { return near, nil },
			}
			opts.SetNonce([16]byte(nonce))
			c, err := websocket.Dial(t.Context(), wstest.URL, opts)
			refused := new(websocket.HandshakeError)
			switch {
			case v.Expect != "fail":
				if err != nil {
					t.Errorf("Dial: %v", err)
				} else {
					c.CloseNow()
				}
			case !errors.As(err, &refused) || refused.Rule != v.Rule:
				t.Errorf("Dial: %v, want %v", err, v.Rule)
			}
		})
	}
}

// Law 3, agreement, and law 2, invariance: for any bytes, however they are cut,
// a connection names the same first broken rule as the core does and reads the
// same messages, compressed or not.
func FuzzConn(f *testing.F) {
	all, err := vectors.All()
	if err != nil {
		f.Fatal(err)
	}
	for i, v := range all {
		if b := v.Frames("client"); v.To == "server" && len(b) < 1<<12 {
			f.Add(b, uint16(7), uint8(0))
			if v.Agreed != "" {
				f.Add(b, uint16(i), uint8(1+i%4))
			}
		}
	}
	for settings := range uint8(4) {
		f.Add(compressedConversation(settings+1), uint16(11*settings+1), settings+1)
	}
	f.Fuzz(func(t *testing.T, b []byte, cut uint16, settings uint8) {
		want, wantMessages := judge(bytes.Clone(b), settings)
		synctest.Test(t, func(t *testing.T) {
			c, p := wstest.DialPeer(t, &websocket.AcceptOptions{Options: websocket.Options{
				MaxControlRate: websocket.NoLimit,
				Compression:    fuzzedCompression(settings),
			}})
			sent := collect(p)
			go func() {
				for chunk := range slices.Chunk(bytes.Clone(b), max(1, int(cut))) {
					p.SendBytes(chunk)
				}
				if want == 0 { // else the endpoint ends it
					p.End()
				}
			}()
			var got [][]byte
			for m, err := range c.Messages(context.Background()) {
				if err == nil {
					got = append(got, m.Data)
				}
			}
			<-c.Done()
			<-sent
			broken := new(websocket.RuleError)
			if errors.As(c.Cause(), &broken); broken.Rule != want {
				t.Fatalf("%x: the connection names %v, the core %v", b, broken.Rule, want)
			}
			if !slices.EqualFunc(got, wantMessages, bytes.Equal) {
				t.Fatalf("%x: read %q, want %q", b, got, wantMessages)
			}
		})
	})
}

// fuzzedCompression returns one of five settings.
func fuzzedCompression(settings uint8) *websocket.Compression {
	switch settings % 5 {
	case 1:
		return &websocket.Compression{PeerWindowBits: 15}
	case 2:
		return &websocket.Compression{PeerWindowBits: 9}
	case 3:
		return &websocket.Compression{PeerWindowBits: 12, PeerNoContextTakeover: true}
	case 4:
		return &websocket.Compression{PeerWindowBits: 10, CompactAfter: websocket.CompactAtOnce}
	}
	return nil
}

// compressedConversation is what a client sends under the settings: messages
// in one frame and in several, with a Ping in between.
func compressedConversation(settings uint8) (b []byte) {
	opts := fuzzedCompression(settings)
	s := wire.Sender{Compressor: deflate.NewCompressor(opts.PeerWindowBits, deflate.Default), NoContextTakeover: opts.PeerNoContextTakeover}
	for i := range byte(20) {
		m := bytes.Repeat(fmt.Appendf(nil, `{"n":%d,"text":"much the same"},`, i), 1+int(i%3)*9)
		if i%2 == 0 {
			b, _ = s.CompressedMessage(b, frame.Text, m, [4]byte{i, 1, 2, 3})
			continue
		}
		for len(m) > 20 {
			b, _ = s.Fragment(b, frame.Text, m[:20], false, true, [4]byte{i, byte(len(m)), 2, 3})
			m = m[20:]
		}
		b, _ = s.Control(b, frame.Ping, []byte("much the same"), [4]byte{i})
		b, _ = s.Fragment(b, frame.Text, m, true, true, [4]byte{i, 0, 2, 3})
	}
	return b
}

// judge returns the first fatal rule that the bytes break under the settings,
// and the messages before it or before a Close.
func judge(b []byte, settings uint8) (rule rfc.Rule, messages [][]byte) {
	r := wire.Receiver{Role: wire.Server, Limits: wire.Limits{Message: 4 << 20, Fragments: 100_000}}
	if opts := fuzzedCompression(settings); opts != nil {
		r.Compression, r.NoContextTakeover = true, opts.PeerNoContextTakeover
		r.Decompressor = deflate.NewDecompressor(opts.PeerWindowBits)
	}
	var m []byte
	for {
		var ev wire.Event
		n := r.Next(b, &ev)
		b = b[n:]
		if rule := ev.Broken.Fatal(); rule != 0 {
			return rule, messages
		}
		switch ev.Kind {
		case wire.NeedMore, wire.Close:
			return 0, messages
		case wire.Data:
			m = append(m, ev.Data...)
		case wire.MessageEnd:
			messages = append(messages, m)
			m = nil
		}
	}
}
