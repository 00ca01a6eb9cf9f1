package interop

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// route is what stands between a client and a server.
type route struct {
	name    string
	toTLS   bool                                                 // the server itself speaks TLS
	fromTLS bool                                                 // the client speaks TLS
	through func(t testing.TB, id *identity, addr string) string // leads to addr by way of the address that it returns; nil: directly
}

var routes = []route{
	{name: "direct"},
	{name: "tls", toTLS: true, fromTLS: true},
	{name: "haproxy", through: throughHAProxy(false)},
	{name: "haproxy-tls", fromTLS: true, through: throughHAProxy(true)},
	{name: "nginx", through: throughNginx(false)},
	{name: "nginx-tls", fromTLS: true, through: throughNginx(true)},
	{name: "recut", through: throughRecut},
	{name: "recut-tls", toTLS: true, fromTLS: true, through: throughRecut},
	{name: "refragment", through: throughRefragment},
}

// url returns the URL of a server at addr, by this route.
func (r route) url(t testing.TB, id *identity, addr, path string) string {
	t.Helper()
	if r.through != nil {
		addr = r.through(t, id, addr)
	}
	if r.fromTLS {
		return "wss://" + addr + path
	}
	return "ws://" + addr + path
}

// identity is a key with a certificate for 127.0.0.1, signed by itself.
type identity struct {
	cert, key, both string // files in PEM
	pair            tls.Certificate
	roots           *x509.CertPool
}

func newIdentity(t testing.TB) *identity {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber:          big.NewInt(1),
		Subject:               pkix.Name{CommonName: "a server under test"},
		NotBefore:             time.Now().Add(-time.Hour),
		NotAfter:              time.Now().Add(24 * time.Hour),
		KeyUsage:              x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		BasicConstraintsValid: true,
		IsCA:                  true,
		IPAddresses:           []net.IP{net.IPv4(127, 0, 0, 1)},
		DNSNames:              []string{"localhost"},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	certPEM := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	keyPEM := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER})

	dir := t.TempDir()
	id := &identity{
		cert:  filepath.Join(dir, "cert.pem"),
		key:   filepath.Join(dir, "key.pem"),
		both:  filepath.Join(dir, "both.pem"),
		roots: x509.NewCertPool(),
	}
	writeFile(t, id.cert, certPEM)
	writeFile(t, id.key, keyPEM)
	writeFile(t, id.both, append(bytes.Clone(certPEM), keyPEM...))
	id.roots.AppendCertsFromPEM(certPEM)
	if id.pair, err = tls.X509KeyPair(certPEM, keyPEM); err != nil {
		t.Fatal(err)
	}
	return id
}

func writeFile(t testing.TB, name string, data []byte) {
	t.Helper()
	if err := os.WriteFile(name, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

// inherited returns a listener's address and a file for a child process to
// inherit: connections are taken from now on, and wait for the child.
func inherited(t testing.TB) (addr string, file *os.File) {
	t.Helper()
	l := listen(t)
	file, err := l.(*net.TCPListener).File()
	if err != nil {
		t.Fatal(err)
	}
	l.Close() // the file stays
	t.Cleanup(func() { file.Close() })
	return l.Addr().String(), file
}

func listen(t testing.TB) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

func throughHAProxy(secure bool) func(testing.TB, *identity, string) string {
	return func(t testing.TB, id *identity, backend string) string {
		path := tool(t, "haproxy", "/usr/sbin/haproxy")
		addr, file := inherited(t)
		var tls string
		if secure {
			tls = " ssl crt " + id.both + " alpn http/1.1"
		}
		config := filepath.Join(t.TempDir(), "haproxy.cfg")
		writeFile(t, config, fmt.Appendf(nil, `
global
	maxconn 100
defaults
	mode http
	timeout connect 1m
	timeout client 1m
	timeout server 1m
	timeout tunnel 10m
frontend front
	bind fd@3%s
	default_backend back
backend back
	server one %s
`, tls, backend))
		cmd := exec.Command(path, "-db", "-f", config)
		cmd.ExtraFiles = []*os.File{file}
		startProxy(t, cmd)
		return addr
	}
}

func throughNginx(secure bool) func(testing.TB, *identity, string) string {
	return func(t testing.TB, id *identity, backend string) string {
		path := tool(t, "nginx", "/usr/sbin/nginx")
		addr, file := inherited(t)
		var user, tls, certificate string
		if os.Getuid() == 0 {
			user = "user root;" // who can enter the test's folder
		}
		if secure {
			tls = " ssl"
			certificate = "ssl_certificate " + id.cert + "; ssl_certificate_key " + id.key + ";"
		}
		dir := t.TempDir()
		config := filepath.Join(dir, "nginx.conf")
		writeFile(t, config, []byte(strings.NewReplacer(
			"USER;", user, "DIR", dir, "ADDR", addr, "TLS", tls, "CERTIFICATE;", certificate, "BACKEND", backend,
		).Replace(`
USER;
daemon off;
worker_processes 1;
pid DIR/pid;
error_log stderr warn;
events { worker_connections 100; }
http {
	access_log off;
	client_max_body_size 0; # a browser reports messages by HTTP
	client_body_temp_path DIR/body;
	proxy_temp_path DIR/proxy;
	fastcgi_temp_path DIR/fastcgi;
	uwsgi_temp_path DIR/uwsgi;
	scgi_temp_path DIR/scgi;
	server {
		listen ADDRTLS;
		CERTIFICATE;
		location / {
			proxy_pass http://BACKEND;
			proxy_http_version 1.1;
			proxy_set_header Host $http_host;
			proxy_set_header Upgrade $http_upgrade;
			proxy_set_header Connection $connection_upgrade;
			proxy_read_timeout 10m;
			proxy_send_timeout 10m;
		}
	}
	map $http_upgrade $connection_upgrade {
		default upgrade;
		"" close;
	}
}
`)))
		cmd := exec.Command(path, "-p", dir, "-c", config, "-e", "stderr")
		cmd.ExtraFiles = []*os.File{file}
		cmd.Env = append(os.Environ(), "NGINX=3;") // it takes the listener from this descriptor
		startProxy(t, cmd)
		return addr
	}
}

func startProxy(t testing.TB, cmd *exec.Cmd) {
	t.Helper()
	stderr, _ := startProcess(t, cmd)
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("%s says:\n%s", filepath.Base(cmd.Path), stderr())
		}
	})
}
