package tlsview_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"math/big"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/wiretrue/websocket/cmd/internal/flow"
	"github.com/wiretrue/websocket/cmd/internal/tlsview"
)

var epoch = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// A recording is what went over a wire, in the order of writing.
type recording struct {
	mu     sync.Mutex
	pieces []piece
	off    [2]int64
}

type piece struct {
	dir  flow.Dir
	run  flow.Run
	lost bool
}

func (r *recording) write(dir flow.Dir, b []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	n := int64(len(r.pieces) + 1)
	r.pieces = append(r.pieces, piece{dir: dir, run: flow.Run{Data: bytes.Clone(b), Offset: r.off[dir], Packet: n,
		Time: epoch.Add(time.Duration(n) * time.Millisecond)}})
	r.off[dir] += int64(len(b))
}

// cut returns the recording in pieces of at most n bytes.
func (r *recording) cut(n int) *recording {
	out := new(recording)
	for _, p := range r.pieces {
		for b := p.run.Data; len(b) > 0; b = b[min(n, len(b)):] {
			out.write(p.dir, b[:min(n, len(b))])
		}
	}
	return out
}

// A wire is one end of a recorded connection.
type wire struct {
	net.Conn
	r   *recording
	dir flow.Dir
}

func (w wire) Write(b []byte) (int, error) {
	w.r.write(w.dir, b)
	return w.Conn.Write(b)
}

var certificates = sync.OnceValues(func() (rsaCert, ecdsaCert tls.Certificate) {
	make := func(key any, public any) tls.Certificate {
		template := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{"wire.test"},
			NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour)}
		der, err := x509.CreateCertificate(rand.Reader, template, template, public, key)
		if err != nil {
			panic(err)
		}
		return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
	}
	rk, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	ek, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	return make(rk, &rk.PublicKey), make(ek, &ek.PublicKey)
})

// A setup is a TLS connection to be recorded.
type setup struct {
	client, server tls.Config
	turns          int
	size           int // of the messages
}

// texts returns what client and server say in a turn.
func (st *setup) text(dir flow.Dir, turn int) []byte {
	b := fmt.Appendf(nil, "<%s %d>", dir, turn)
	for len(b) < st.size {
		b = append(b, byte('a'+len(b)%26))
	}
	return b
}

// connected returns the ends of a TCP connection. net.Pipe would not do: it
// has no buffer, and TLS writes when the other side writes too.
func connected(t testing.TB) (a, b net.Conn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if a, err = net.Dial("tcp", l.Addr().String()); err != nil {
		t.Fatal(err)
	}
	if b, err = l.Accept(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { a.Close(); b.Close() })
	deadline := time.Now().Add(time.Minute)
	a.SetDeadline(deadline)
	b.SetDeadline(deadline)
	return a, b
}

// record makes the connection and returns its bytes and key log.
func record(t testing.TB, st *setup) (*recording, *bytes.Buffer) {
	t.Helper()
	rec, keys := new(recording), new(bytes.Buffer)
	a, b := connected(t)
	rsaCert, ecdsaCert := certificates()
	st.server.Certificates = []tls.Certificate{ecdsaCert, rsaCert}
	st.client.ServerName, st.client.InsecureSkipVerify = "wire.test", true
	st.client.KeyLogWriter = keys
	if st.client.NextProtos == nil {
		st.client.NextProtos, st.server.NextProtos = []string{"h2", "http/1.1"}, []string{"http/1.1"}
	}
	client := tls.Client(wire{a, rec, flow.ToServer}, &st.client)
	server := tls.Server(wire{b, rec, flow.ToClient}, &st.server)
	failed := make(chan error, 1)
	go func() {
		failed <- func() error {
			for turn := range st.turns {
				if _, err := io.ReadFull(server, make([]byte, len(st.text(0, turn)))); err != nil {
					return err
				}
				if _, err := server.Write(st.text(1, turn)); err != nil {
					return err
				}
			}
			go io.Copy(io.Discard, b) // the client's close_notify
			return server.Close()
		}()
	}()
	for turn := range st.turns {
		if _, err := client.Write(st.text(0, turn)); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(client, make([]byte, len(st.text(1, turn)))); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := client.Read(make([]byte, 1)); err != io.EOF {
		t.Fatal(err)
	}
	client.Close()
	if err := <-failed; err != nil {
		t.Fatal(err)
	}
	return rec, keys
}

// A viewer writes down what a Session reports, and checks what every handler
// may rely on.
type viewer struct {
	t      testing.TB
	text   [2]bytes.Buffer
	both   bytes.Buffer // in the order of calls
	next   [2]int64
	events []string
	all    []tlsview.Event
}

func (v *viewer) Plain(dir flow.Dir, r flow.Run) {
	if r.Offset < v.next[dir] || len(r.Data) == 0 {
		v.t.Errorf("%s: %d bytes at %d, expected %d", dir, len(r.Data), r.Offset, v.next[dir])
	}
	if r.Offset > v.next[dir] {
		fmt.Fprintf(&v.text[dir], "[%d]", r.Offset-v.next[dir])
	}
	v.next[dir] = r.Offset + int64(len(r.Data))
	v.text[dir].Write(r.Data)
	v.both.Write(r.Data)
}

func (v *viewer) TLS(ev tlsview.Event) {
	v.all = append(v.all, ev)
	s := fmt.Sprintf("%s %s", ev.Dir, ev.Kind)
	switch ev.Kind {
	case tlsview.Record:
		return
	case tlsview.Handshake:
		s = fmt.Sprintf("%s %s", ev.Dir, ev.Message)
	case tlsview.Alert:
		s = fmt.Sprintf("%s %s", ev.Dir, ev.Alert)
	case tlsview.NoKeys:
		s += ": " + ev.Reason.String()
	}
	v.events = append(v.events, s)
}

func (v *viewer) has(ev string) bool { return v.count(ev) > 0 }

func (v *viewer) count(ev string) (n int) {
	for _, e := range v.events {
		if e == ev {
			n++
		}
	}
	return n
}

func keyLog(t testing.TB, text []byte) *tlsview.KeyLog {
	t.Helper()
	k := new(tlsview.KeyLog)
	if err := k.Add(bytes.NewReader(text)); err != nil {
		t.Fatal(err)
	}
	return k
}

func view(t testing.TB, rec *recording, keys *tlsview.KeyLog, opts *tlsview.Options) (*viewer, *tlsview.Session) {
	t.Helper()
	v := &viewer{t: t}
	s := tlsview.NewSession(keys, v, opts)
	for _, p := range rec.pieces {
		if p.lost {
			s.Gap(p.dir, p.run.Offset, int64(len(p.run.Data)), p.run.Packet, p.run.Time)
			continue
		}
		run := p.run
		run.Data = bytes.Clone(run.Data)
		s.Data(p.dir, run)
		for i := range run.Data {
			run.Data[i] = 0xee // borrowed bytes must not be kept
		}
	}
	s.End()
	return v, s
}
