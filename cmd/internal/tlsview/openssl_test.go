package tlsview_test

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/wiretrue/websocket/cmd/internal/flow"
)

// An opensslRun is a conversation between openssl's client and server through
// a proxy that records it. It covers what crypto/tls does not speak.
type opensslRun struct {
	t    *testing.T
	dir  string
	addr string
}

func startOpenSSL(t *testing.T, server ...string) *opensslRun {
	t.Helper()
	program(t, "openssl")
	r := &opensslRun{t: t, dir: t.TempDir()}
	rsaCert, _ := certificates()
	key, err := x509.MarshalPKCS8PrivateKey(rsaCert.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	cert := filepath.Join(r.dir, "cert.pem")
	text := append(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: rsaCert.Certificate[0]}),
		pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key})...)
	if err := os.WriteFile(cert, text, 0o600); err != nil {
		t.Fatal(err)
	}
	// It answers every line with its reverse.
	args := []string{"s_server", "-accept", "127.0.0.1:0", "-cert", cert, "-rev"}
	cmd := exec.Command("openssl", append(args, server...)...)
	if _, err := cmd.StdinPipe(); err != nil { // it ends with its input
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
	_, addr, _ := strings.Cut(expect(t, out, "ACCEPT ", "\n"), "ACCEPT ")
	r.addr = strings.TrimSpace(addr)
	return r
}

// connect runs openssl's client with lines to type; each is answered, by its
// reverse, before the next one is sent, unless it is a command letter.
func (r *opensslRun) connect(lines []string, client ...string) (rec *recording, keys []byte) {
	t := r.t
	t.Helper()
	rec = new(recording)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var done sync.WaitGroup
	done.Go(func() {
		defer l.Close()
		a, err := l.Accept()
		if err != nil {
			return
		}
		b, err := net.Dial("tcp", r.addr)
		if err != nil {
			a.Close()
			return
		}
		pipe := func(dir flow.Dir, from, to net.Conn) {
			buf := make([]byte, 4096)
			for {
				n, err := from.Read(buf)
				if n > 0 {
					rec.write(dir, buf[:n])
					to.Write(buf[:n])
				}
				if err != nil {
					to.(*net.TCPConn).CloseWrite()
					return
				}
			}
		}
		done.Go(func() { pipe(flow.ToServer, a, b) })
		pipe(flow.ToClient, b, a)
	})
	keyFile := filepath.Join(r.dir, "keys")
	args := append([]string{"s_client", "-connect", l.Addr().String(), "-servername", "wire.test", "-keylogfile", keyFile}, client...)
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, "openssl", args...)
	in, _ := cmd.StdinPipe()
	out, _ := cmd.StdoutPipe()
	cmd.Stderr = cmd.Stdout
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for _, line := range lines {
		fmt.Fprintln(in, line)
		if len(line) > 1 {
			expect(t, out, reverse(line))
		} else {
			expect(t, out, "KEYUPDATE")
		}
	}
	in.Close()
	io.Copy(io.Discard, out)
	cmd.Wait()
	l.Close()
	done.Wait()
	keys, err = os.ReadFile(keyFile)
	if err != nil {
		t.Fatal(err)
	}
	return rec, keys
}

// expect reads until all texts have come, one behind the other, and returns
// what it read.
func expect(t *testing.T, r io.Reader, texts ...string) string {
	t.Helper()
	var all, rest []byte
	b := make([]byte, 4096)
	for len(texts) > 0 {
		if _, after, ok := bytes.Cut(rest, []byte(texts[0])); ok {
			rest, texts = after, texts[1:]
			continue
		}
		n, err := r.Read(b)
		all = append(all, b[:n]...)
		rest = append(rest, b[:n]...)
		if err != nil {
			t.Fatalf("no %q in %q: %v", texts[0], all, err)
		}
	}
	return string(all)
}

func reverse(s string) string {
	b := []byte(s)
	for i, j := 0, len(b)-1; i < j; i, j = i+1, j-1 {
		b[i], b[j] = b[j], b[i]
	}
	return string(b)
}

func TestOpenSSL(t *testing.T) {
	tests := []struct {
		name   string
		server []string
		client []string
		lines  []string
		want   string // an event
	}{
		{"aes 128 gcm", []string{"-ciphersuites", "TLS_AES_128_GCM_SHA256"}, nil, []string{"first", "second"}, ""},
		{"aes 256 gcm", []string{"-ciphersuites", "TLS_AES_256_GCM_SHA384"}, nil, []string{"first", "second"}, ""},
		{"chacha20", []string{"-ciphersuites", "TLS_CHACHA20_POLY1305_SHA256"}, nil, []string{"first", "second"}, ""},
		{"key update", nil, nil, []string{"first", "K", "second", "k", "third"}, "client keys changed"},
		{"encrypt then mac, sha", []string{"-tls1_2", "-cipher", "ECDHE-RSA-AES128-SHA"}, nil, []string{"first", "second"}, ""},
		{"encrypt then mac, sha256", []string{"-tls1_2", "-cipher", "ECDHE-RSA-AES128-SHA256"}, nil, []string{"first", "second"}, ""},
		{"encrypt then mac, sha384", []string{"-tls1_2", "-cipher", "ECDHE-RSA-AES256-SHA384"}, nil, []string{"first", "second"}, ""},
		{"dhe", []string{"-tls1_2", "-cipher", "DHE-RSA-AES256-GCM-SHA384"}, nil, []string{"first", "second"}, ""},
		{"psk", []string{"-tls1_2", "-psk", "00112233", "-nocert", "-cipher", "PSK-CHACHA20-POLY1305"}, []string{"-psk", "00112233"}, []string{"first", "second"}, ""},
		{"unknown suite", []string{"-tls1_2", "-cipher", "ECDHE-RSA-CAMELLIA128-SHA256"}, []string{"-cipher", "ALL"}, []string{"first"}, "no"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := startOpenSSL(t, tt.server...)
			rec, keys := r.connect(tt.lines, tt.client...)
			v, session := view(t, rec.cut(100), keyLog(t, keys), nil)
			if tt.want == "no" {
				if session.Info().NoKeys == 0 {
					t.Errorf("%q", v.events)
				}
				return
			}
			var want [2]string
			for _, l := range tt.lines {
				if len(l) > 1 {
					want[0] += l + "\n"
					want[1] += reverse(l) + "\n"
				}
			}
			if v.text[0].String() != want[0] || v.text[1].String() != want[1] || tt.want != "" && !v.has(tt.want) {
				t.Errorf("%q %q; %q", v.text[0].String(), v.text[1].String(), v.events)
			}
			t.Logf("%+v", session.Info())
		})
	}
}
