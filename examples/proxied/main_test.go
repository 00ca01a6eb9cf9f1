package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/wiretrue/websocket"
)

// The configurations do what they are for, in the programs that they are for.
func TestBehindAProxy(t *testing.T) {
	for _, tt := range []struct {
		program, config string
		start           func(program, config string) *exec.Cmd
		inherited       string // the address in the configuration, which the test listens at already
	}{
		{"nginx", "nginx.conf", func(program, config string) *exec.Cmd {
			dir := filepath.Dir(config)
			directives := "daemon off; error_log stderr crit; pid " + dir + "/pid;"
			if os.Getuid() == 0 {
				directives += " user root;" // who can enter the test's folder
			}
			cmd := exec.Command(program, "-p", dir, "-c", config, "-e", "stderr", "-g", directives)
			cmd.Env = append(os.Environ(), "NGINX=3;") // it takes the listener from this descriptor
			return cmd
		}, ""},
		{"haproxy", "haproxy.cfg", func(program, config string) *exec.Cmd {
			return exec.Command(program, "-db", "-f", config)
		}, "fd@3"},
	} {
		t.Run(tt.program, func(t *testing.T) {
			if testing.Short() {
				t.Skip("a short run")
			}
			program := lookPath(t, tt.program)
			backend := httptest.NewServer(handler("https://example.com"))
			t.Cleanup(backend.Close)
			front, file := listen(t)
			dir := t.TempDir()
			roots := writeIdentity(t, dir)
			text, err := os.ReadFile(tt.config)
			if err != nil {
				t.Fatal(err)
			}
			address := front
			if tt.inherited != "" {
				address = tt.inherited
			}
			config := filepath.Join(dir, tt.config)
			replaced := strings.NewReplacer("127.0.0.1:8080", backend.Listener.Addr().String(), "127.0.0.1:8443", address,
				" both.pem", " "+dir+"/both.pem").Replace(string(text))
			for _, name := range []string{"access_log off;", "client_body_temp_path b;", "proxy_temp_path p;", "fastcgi_temp_path f;", "uwsgi_temp_path u;", "scgi_temp_path s;"} {
				replaced = strings.Replace(replaced, "http {\n", "http {\n"+name+"\n", 1) // folders that the test may write to
			}
			if err := os.WriteFile(config, []byte(replaced), 0o600); err != nil {
				t.Fatal(err)
			}
			cmd := tt.start(program, config)
			cmd.ExtraFiles = []*os.File{file}
			var said bytes.Buffer
			cmd.Stdout, cmd.Stderr = &said, &said
			cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // its workers are to end with it
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() {
				syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
				cmd.Wait()
				if t.Failed() {
					t.Logf("%s says:\n%s", tt.program, said.String())
				}
			})

			ctx, cancel := context.WithTimeout(t.Context(), time.Minute) // nothing waits for it when all is well
			defer cancel()
			opts := &websocket.DialOptions{Origin: "https://example.com", TLS: &tls.Config{RootCAs: roots}}
			opts.Header = http.Header{"Host": {"example.com"}, "X-Forwarded-For": {"a lie"}}
			c, err := websocket.Dial(ctx, "wss://"+front+"/", opts)
			if err != nil {
				t.Fatal(err)
			}
			defer c.CloseNow()
			if _, m, err := c.Read(ctx); err != nil || string(m) != "hello 127.0.0.1" {
				t.Errorf("%q, %v", m, err)
			}
			if err := c.Close(ctx, websocket.StatusNormalClosure, ""); err != nil {
				t.Error(err)
			}
			opts.Origin = "https://evil.example"
			refused := new(websocket.HandshakeError)
			if _, err := websocket.Dial(ctx, "wss://"+front+"/", opts); !errors.As(err, &refused) || refused.Status != http.StatusForbidden {
				t.Errorf("from another page: %v", err)
			}
		})
	}
}

func lookPath(t *testing.T, program string) string {
	t.Helper()
	for _, name := range []string{program, "/usr/sbin/" + program} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	if os.Getenv("CI") != "" {
		t.Fatalf("no %s, which .ci/run should have installed", program)
	}
	t.Skip("no " + program)
	return ""
}

// listen returns a listener's address and a file for the proxy to inherit, so
// that connections are taken from now on.
func listen(t *testing.T) (addr string, file *os.File) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close() // the file stays
	file, err = l.(*net.TCPListener).File()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { file.Close() })
	return l.Addr().String(), file
}

// writeIdentity writes the certificate that package httptest has for 127.0.0.1,
// and its key.
func writeIdentity(t *testing.T, dir string) (roots *x509.CertPool) {
	t.Helper()
	s := httptest.NewTLSServer(nil)
	defer s.Close()
	key, err := x509.MarshalPKCS8PrivateKey(s.TLS.Certificates[0].PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	certPEM := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw})
	keyPEM := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key})
	for name, b := range map[string][]byte{"cert.pem": certPEM, "key.pem": keyPEM, "both.pem": append(bytes.Clone(certPEM), keyPEM...)} {
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	roots = x509.NewCertPool()
	roots.AddCert(s.Certificate())
	return roots
}
