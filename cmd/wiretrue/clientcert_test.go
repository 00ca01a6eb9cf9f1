package main

import (
	"context"
	"crypto/tls"
	"io"
	"log"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/wiretrue/websocket"
)

// A server that wants to know who its client is gets --cert, and says so to
// who has none.
func TestDialWithAClientCertificate(t *testing.T) {
	server := httptest.NewUnstartedServer(websocket.Handler(func(ctx context.Context, c *websocket.Conn) error {
		return c.Write(ctx, websocket.Text, []byte(c.TLS().PeerCertificates[0].Subject.CommonName))
	}))
	server.TLS = &tls.Config{ClientAuth: tls.RequireAnyClientCert}
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	t.Cleanup(server.Close)
	cert, err := selfSigned("me")
	if err != nil {
		t.Fatal(err)
	}
	certPEM, keyPEM, err := pemOf(cert)
	if err != nil {
		t.Fatal(err)
	}
	both := filepath.Join(t.TempDir(), "both.pem")
	if err := os.WriteFile(both, append(certPEM, keyPEM...), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		args     []string
		code     int
		out, why string
	}{
		{[]string{"--cert", both}, exitOK, "wiretrue serve --tls\n", "closed 1000 by the server"},
		{nil, exitTLS, "", "TLS failed: the server wants a client certificate, which --cert brings"},
	} {
		dir := t.TempDir()
		files := make([]*os.File, 3)
		for i, name := range []string{"in", "out", "err"} {
			if files[i], err = os.Create(filepath.Join(dir, name)); err != nil {
				t.Fatal(err)
			}
		}
		code := run(append([]string{"dial", "-k", "-n", server.URL}, tt.args...), files[0], files[1], files[2])
		out, _ := os.ReadFile(files[1].Name())
		why, _ := os.ReadFile(files[2].Name())
		if code != tt.code || string(out) != tt.out || !strings.HasPrefix(string(why), tt.why) {
			t.Errorf("%q: exit code %d, %q, %q", tt.args, code, out, why)
		}
	}
}
