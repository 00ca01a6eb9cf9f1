package tlsview_test

import (
	"bytes"
	"crypto/tls"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/wiretrue/websocket/cmd/internal/flow"
	"github.com/wiretrue/websocket/cmd/internal/tlsview"
)

// suites are the cipher suites that crypto/tls speaks and are decrypted here.
var suites = []struct {
	version, id uint16
}{
	{tls.VersionTLS13, 0},
	{tls.VersionTLS12, tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256},
	{tls.VersionTLS12, tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384},
	{tls.VersionTLS12, tls.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256},
	{tls.VersionTLS12, tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA},
	{tls.VersionTLS12, tls.TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA},
	{tls.VersionTLS12, tls.TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256},
	{tls.VersionTLS12, tls.TLS_RSA_WITH_AES_128_GCM_SHA256},
	{tls.VersionTLS12, tls.TLS_RSA_WITH_AES_128_CBC_SHA256},
}

func newSetup(version, suite uint16) *setup {
	st := &setup{turns: 3, size: 2000}
	st.client.MinVersion, st.client.MaxVersion = version, version
	if suite != 0 {
		st.client.CipherSuites, st.server.CipherSuites = []uint16{suite}, []uint16{suite}
	}
	return st
}

func (st *setup) wantText(t *testing.T, v *viewer) {
	t.Helper()
	for dir := range flow.Dir(2) {
		var want []byte
		for turn := range st.turns {
			want = append(want, st.text(dir, turn)...)
		}
		if got := v.text[dir].Bytes(); !bytes.Equal(got, want) {
			t.Errorf("%s: %d bytes of plaintext, want %d; events %q", dir, len(got), len(want), v.events)
		}
	}
}

func TestDecrypts(t *testing.T) {
	for _, s := range suites {
		t.Run(tls.VersionName(s.version)+" "+tls.CipherSuiteName(s.id), func(t *testing.T) {
			st := newSetup(s.version, s.id)
			rec, keys := record(t, st)
			for _, n := range []int{1 << 20, 1400, 17, 1} { // however the bytes are cut
				v, session := view(t, rec.cut(n), keyLog(t, keys.Bytes()), nil)
				st.wantText(t, v)
				i := session.Info()
				if i.ServerName != "wire.test" || i.ALPN != "http/1.1" || i.Version != s.version ||
					s.id != 0 && i.Suite != s.id || !i.Keys || i.NoKeys != 0 || i.Resumed || len(i.Offered) != 2 {
					t.Errorf("%+v", i)
				}
				for _, ev := range []string{"client ClientHello", "server ServerHello", "server Certificate", "client Finished", "server Finished", "server close_notify"} {
					if v.count(ev) != 1 {
						t.Errorf("%d of %q in %q", v.count(ev), ev, v.events)
					}
				}
			}
		})
	}
}

func TestSuites13(t *testing.T) {
	// crypto/tls chooses the suite by itself; the other two come from openssl
	// (TestOpenSSL) and from shared captures.
	st := newSetup(tls.VersionTLS13, 0)
	rec, keys := record(t, st)
	_, session := view(t, rec, keyLog(t, keys.Bytes()), nil)
	t.Log(tlsview.CipherName(session.Info().Suite))
}

func TestResumption(t *testing.T) {
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		st := newSetup(version, 0)
		st.client.ClientSessionCache = tls.NewLRUClientSessionCache(4)
		first, keys := record(t, st)
		rec, more := record(t, st)
		// The resumed connection of TLS 1.2 has no line of its own.
		log := keyLog(t, append(keys.Bytes(), more.Bytes()...))
		view(t, first, log, nil)
		v, session := view(t, rec, log, nil)
		st.wantText(t, v)
		if i := session.Info(); !i.Resumed || v.has("server Certificate") {
			t.Errorf("%s: %+v %q", tls.VersionName(version), i, v.events)
		}
	}
}

func TestHelloRetryRequest(t *testing.T) {
	st := newSetup(tls.VersionTLS13, 0)
	st.client.CurvePreferences = []tls.CurveID{tls.X25519, tls.CurveP384}
	st.server.CurvePreferences = []tls.CurveID{tls.CurveP384}
	rec, keys := record(t, st)
	v, session := view(t, rec, keyLog(t, keys.Bytes()), nil)
	st.wantText(t, v)
	if !session.Info().Retried || v.count("client ClientHello") != 2 {
		t.Errorf("%+v %q", session.Info(), v.events)
	}
}

func TestWithoutKeys(t *testing.T) {
	for _, s := range suites[:3] {
		st := newSetup(s.version, s.id)
		st.size = 500
		rec, _ := record(t, st)
		other := newSetup(s.version, s.id)
		_, wrong := record(t, other)
		for _, tt := range []struct {
			keys *tlsview.KeyLog
			want string
		}{
			{nil, "no key log was given"},
			{keyLog(t, wrong.Bytes()), "the key log does not have this connection"},
		} {
			v, session := view(t, rec, tt.keys, nil)
			noKeys := slices.IndexFunc(v.events, func(e string) bool { return strings.HasSuffix(e, "no keys: "+tt.want) })
			if noKeys < 0 || v.text[0].Len()+v.text[1].Len() != 0 {
				t.Errorf("%s: %q, %d bytes of plaintext", tls.VersionName(s.version), v.events, v.text[0].Len())
			}
			if i := session.Info(); i.ServerName != "wire.test" || i.Version != s.version || i.Keys {
				t.Errorf("%+v", i)
			}
			sizes := 0
			for _, ev := range v.all {
				if ev.Kind == tlsview.Record && ev.Content == tlsview.ApplicationData && ev.Plain == st.size {
					sizes++
				}
			}
			if sizes != 2*st.turns {
				t.Errorf("%d records of the messages' size, want %d", sizes, 2*st.turns)
			}
		}
	}
}

// A live capture sees encrypted records before their secrets are written.
func TestKeysComeLate(t *testing.T) {
	for _, s := range suites[:5] {
		st := newSetup(s.version, s.id)
		rec, text := record(t, st)
		lines := strings.SplitAfter(text.String(), "\n")
		keys := new(tlsview.KeyLog)
		v := &viewer{t: t}
		session := tlsview.NewSession(keys, v, &tlsview.Options{Hold: 1 << 20})
		for i, p := range rec.pieces {
			session.Data(p.dir, p.run)
			if i > 3 && len(lines) > 0 {
				keys.AddLine([]byte(lines[0]))
				lines = lines[1:]
				session.Retry()
			}
		}
		for _, l := range lines {
			keys.AddLine([]byte(l))
		}
		session.Retry()
		st.wantText(t, v)
		session.End()
		last := int64(0)
		for _, ev := range v.all {
			if ev.Packet < last-2 {
				t.Errorf("packet %d behind packet %d", ev.Packet, last)
			}
			last = max(last, ev.Packet)
		}
	}
}

func TestKeysNeverCome(t *testing.T) {
	st := newSetup(tls.VersionTLS13, 0)
	st.turns = 100
	rec, _ := record(t, st)
	v, _ := view(t, rec, new(tlsview.KeyLog), &tlsview.Options{Hold: 4000})
	if !v.has("server no keys: the key log does not have this connection") && !v.has("client no keys: the key log does not have this connection") {
		t.Errorf("%q", v.events)
	}
}

// Only one direction arrives at a time: the halves wait for each other.
func TestDirectionsOutOfStep(t *testing.T) {
	for _, s := range suites[:5] {
		for first := range flow.Dir(2) {
			st := newSetup(s.version, s.id)
			rec, keys := record(t, st)
			sorted := &recording{pieces: slices.Clone(rec.pieces)}
			slices.SortStableFunc(sorted.pieces, func(a, b piece) int { return (int(a.dir) - int(b.dir)) * (1 - 2*int(first)) })
			v, _ := view(t, sorted, keyLog(t, keys.Bytes()), nil)
			st.wantText(t, v)
		}
	}
}

func TestMissingBytes(t *testing.T) {
	for _, s := range suites[:7] {
		st := newSetup(s.version, s.id)
		st.turns, st.size = 20, 3000
		rec, keys := record(t, st)
		log := keyLog(t, keys.Bytes())
		cbc := strings.Contains(tls.CipherSuiteName(s.id), "CBC")
		whole, _ := view(t, rec, log, nil)
		cut := rec.cut(1000)
		for i := range cut.pieces {
			// Only what comes after the handshake: without it there are no keys.
			if cut.pieces[i].run.Offset < 4000 {
				continue
			}
			missing := &recording{pieces: slices.Clone(cut.pieces)}
			missing.pieces[i].lost = true
			dir := missing.pieces[i].dir
			v, _ := view(t, missing, log, nil)
			if v.next[dir.Reverse()] != whole.next[dir.Reverse()] {
				t.Fatalf("%s %d: the other direction changed", tls.CipherSuiteName(s.id), i)
			}
			got := v.text[dir].String()
			a, rest, ok := strings.Cut(got, "[")
			_, b, _ := strings.Cut(rest, "]")
			want := whole.text[dir].String()
			last := !ok && strings.HasPrefix(want, got) // the end is missing
			if !last && (!strings.HasPrefix(want, a) || !strings.HasSuffix(want, b) || len(want)-len(a)-len(b) > 2*3000) {
				t.Fatalf("%s %d: %d and %d bytes of %d; %q", tls.CipherSuiteName(s.id), i, len(a), len(b), len(want), v.events)
			}
			if !cbc && !last && v.next[dir] != whole.next[dir] {
				t.Errorf("%s %d: offset %d at the end, want %d", tls.CipherSuiteName(s.id), i, v.next[dir], whole.next[dir])
			}
		}
	}
}

func TestNotTLS(t *testing.T) {
	rec := new(recording)
	rec.write(flow.ToServer, []byte("GET / HTTP/1.1\r\n\r\n"))
	rec.write(flow.ToClient, []byte("HTTP/1.1 400 Bad Request\r\n\r\n"))
	v, session := view(t, rec.cut(3), nil, nil)
	if v.text[0].String() != "GET / HTTP/1.1\r\n\r\n" || v.text[1].String() != "HTTP/1.1 400 Bad Request\r\n\r\n" ||
		fmt.Sprint(v.events) != "[client not tls server not tls]" || session.Info().TLS != [2]bool{} {
		t.Errorf("%q %q", v.events, v.text[0].String())
	}
	for _, short := range []string{"", "\x16", "\x16\x03\x01", "\x16\x03\x01\x00\x00\x01", "\x81\x05Hello"} {
		rec := new(recording)
		rec.write(flow.ToServer, []byte(short))
		if v, _ := view(t, rec, nil, nil); v.text[0].String() != short {
			t.Errorf("%q: %q", short, v.text[0].String())
		}
	}
}

// A TLS client talks to a plain server, and the reverse.
func TestOneSideIsTLS(t *testing.T) {
	st := newSetup(tls.VersionTLS13, 0)
	tlsRec, _ := record(t, st)
	rec := new(recording)
	rec.write(flow.ToServer, tlsRec.pieces[0].run.Data)
	rec.write(flow.ToClient, []byte("HTTP/1.1 400 Bad Request\r\n\r\n"))
	v, session := view(t, rec, nil, nil)
	if i := session.Info(); i.TLS != [2]bool{true, false} || i.ServerName != "wire.test" || !strings.HasPrefix(v.text[1].String(), "HTTP/1.1 400") {
		t.Errorf("%+v %q", i, v.events)
	}
	rec = new(recording)
	rec.write(flow.ToServer, []byte("GET / HTTP/1.1\r\n\r\n"))
	rec.write(flow.ToClient, []byte{21, 3, 1, 0, 2, 2, 10})
	v, session = view(t, rec, nil, nil)
	if session.Info().TLS != [2]bool{false, true} || !v.has("server unexpected_message") {
		t.Errorf("%+v %q", session.Info(), v.events)
	}
}

func TestMidStream(t *testing.T) {
	st := newSetup(tls.VersionTLS13, 0)
	rec, keys := record(t, st)
	rec.pieces = rec.pieces[len(rec.pieces)/2:]
	v, session := view(t, rec, keyLog(t, keys.Bytes()), nil)
	if i := session.Info(); i.NoKeys != tlsview.NoHandshake || v.text[0].Len() != 0 || !v.has("client mid-stream") {
		t.Errorf("%+v %q", i, v.events)
	}
}

// The guess of package flow may have client and server the wrong way round.
func TestSwappedRoles(t *testing.T) {
	st := newSetup(tls.VersionTLS13, 0)
	rec, keys := record(t, st)
	for i := range rec.pieces {
		rec.pieces[i].dir ^= 1
	}
	v, _ := view(t, rec, keyLog(t, keys.Bytes()), nil)
	if got := v.text[1].String(); !strings.HasPrefix(got, "<client 0>") {
		t.Errorf("%.40q %q", got, v.events)
	}
}

func TestEarlyData(t *testing.T) {
	keys, err := os.ReadFile("testdata/early-data.keylog")
	if err != nil {
		t.Fatal(err)
	}
	v, session := viewFile(t, "testdata/early-data.pcap", keyLog(t, keys))
	if i := session.Info(); !i.EarlyData || !i.Resumed || v.text[0].String() != "later text\n" || v.count("client early data") != 1 || v.has("client undecryptable") {
		t.Errorf("%+v %q %q", i, v.text[0].String(), v.events)
	}
	found := slices.ContainsFunc(v.all, func(ev tlsview.Event) bool {
		return ev.Kind == tlsview.EarlyData && ev.Length == int64(len("early text\n"))
	})
	if !found {
		t.Error("early data not decrypted")
	}

	// Without its secret the early data is still told from the rest.
	v, _ = viewFile(t, "testdata/early-data.pcap", keyLog(t, bytes.ReplaceAll(keys, []byte("CLIENT_EARLY"), []byte("OTHER"))))
	if v.text[0].String() != "later text\n" || v.count("client early data") == 0 || v.has("client undecryptable") {
		t.Errorf("%q %q", v.text[0].String(), v.events)
	}
}
