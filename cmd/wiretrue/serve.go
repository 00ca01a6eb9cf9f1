package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/wiretrue/websocket"
	"github.com/wiretrue/websocket/cmd/internal/story"
	"github.com/wiretrue/websocket/wire/handshake"
)

type serveFlags struct {
	listen     string
	tls        bool
	cert, key  string
	origins    list
	anyOrigin  bool
	quiet, hex bool
	engine     bool
	format     *choice
	record     recordFlags
	maxMessage size
	compress   compress
	drain      span
}

func newServe(_, stdout, stderr *os.File) *cobra.Command {
	f := serveFlags{maxMessage: 4 << 20, drain: span(5 * time.Second)}
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Run a WebSocket server with a page, and tell its traffic",
		Long: `serve runs a WebSocket server and tells what passes on each connection: the
handshake with its proof, every frame in words, pings with their round-trip
time, who closed and why.

Several services share the port, by URI and by subprotocol:

  /          a page to connect, send and receive with; an upgrade gets the echo
  /echo      sends every message back
  /chat      subprotocol chat.wiretrue: sends every message to everyone there
  /time      subprotocol time.wiretrue, or none: sends the time every second
  /services  chat.wiretrue or time.wiretrue, whichever the client asks for

Browsers may connect from the server's own origin and from those that --origin
allows. The first Ctrl-C closes every connection with 1001 and waits for the
answers, a second one cuts them.`,
		Example: `  wiretrue serve
  wiretrue serve --listen 127.0.0.1:0 -x
  wiretrue serve --tls --listen 0.0.0.0:8443
  wiretrue serve --cert cert.pem --key key.pem --origin https://example.com
  wiretrue serve -T json | jq .
  wiretrue serve --record traffic.pcapng`,
		Args: exactArgs(),
		RunE: func(cmd *cobra.Command, _ []string) error { return f.run(cmd.Context(), stdout, stderr) },
	}
	flags := cmd.Flags()
	flags.SortFlags = false
	flags.StringVar(&f.listen, "listen", "127.0.0.1:8080", "`ADDRESS` to listen on: host:port (port 0: any free one), or unix:/path/of/socket")
	flags.BoolVar(&f.tls, "tls", false, "use TLS with a certificate made for this run, whose fingerprint is printed")
	flags.StringVar(&f.cert, "cert", "", "use TLS with the certificate in this `FILE` (PEM)")
	flags.StringVar(&f.key, "key", "", "`FILE` of the certificate's key (PEM)")
	f.origins.check = checkOrigin
	flags.Var(&f.origins, "origin", "`ORIGIN` from which browsers may connect too, as https://example.com or https://*.example.com; may be repeated")
	flags.BoolVar(&f.anyOrigin, "any-origin", false, "let pages from everywhere connect")
	flags.Var(&f.maxMessage, "max-message", "`SIZE` of the largest message that is taken")
	f.compress.add(flags, "agree to compress messages (RFC 7692), under these `PARAMETERS` if there are any, as server_max_window_bits=10,client_no_context_takeover")
	flags.BoolVar(&f.engine, "engine", false, "serve the echo with package engine's event loops, without a goroutine for each connection; over TLS it has one")
	flags.BoolVarP(&f.quiet, "quiet", "q", false, "do not tell the traffic")
	flags.BoolVarP(&f.hex, "hex", "x", false, "show the bytes too")
	f.format = formatFlag(cmd)
	f.record.add(cmd)
	flags.Var(&f.drain, "drain", "`DURATION` that connections get to end after Ctrl-C")
	return cmd
}

func checkOrigin(s string) error {
	if !handshake.ValidOriginPattern(s) {
		return errors.New(`expected scheme://host[:port], the host may begin with "*.", or null; for every origin there is --any-origin`)
	}
	return nil
}

func (f *serveFlags) run(ctx context.Context, stdout, stderr *os.File) error {
	config, selfMade, err := f.tlsConfig()
	if err != nil {
		return err
	}
	l, err := f.open(ctx)
	if err != nil {
		return err
	}

	ctx, drain := context.WithCancel(ctx)
	defer drain()
	out := &output{w: stdout, lost: drain} // a server that nobody listens to has done its work
	opts := websocket.AcceptOptions{Origins: f.origins.values, AnyOrigin: f.anyOrigin}
	opts.ReadLimit = int64(f.maxMessage)
	opts.Compression = f.compress.options(true)
	opts.Logger = slog.New(slog.NewTextHandler(stderr, nil))
	if !f.quiet {
		trace, finish := story.Live(out, story.Options{Hex: f.hex, Format: f.format.value, Colour: story.ColourFor(stdout)})
		defer finish()
		opts.Trace = trace
	}
	recorder, err := f.record.start(stderr)
	if err != nil {
		return err
	}
	defer recorder.stop()
	opts.Trace = websocket.JoinTraces(opts.Trace, recorder.trace())
	services := newServices(opts, f.engine)
	server := &http.Server{
		Handler:           services,
		TLSConfig:         config,
		ReadHeaderTimeout: 10 * time.Second,
		Protocols:         new(http.Protocols),
		ErrorLog:          log.New(httpLog{stderr}, "", 0),
	}
	server.Protocols.SetHTTP1(true) // whose upgrade it is

	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	defer signal.Stop(signals)
	served := make(chan error, 1)
	go func() {
		if config != nil {
			served <- server.ServeTLS(l, "", "")
		} else {
			served <- server.Serve(l)
		}
	}()
	f.ready(out, l.Addr(), config, selfMade)

	select {
	case err := <-served:
		return err
	case <-ctx.Done():
	case <-signals:
		fmt.Fprintln(stderr, "closing the connections; Ctrl-C again cuts them")
	}
	return f.shutdown(services, server, signals)
}

// shutdown drains, until the time is over or a second signal comes.
func (f *serveFlags) shutdown(services *services, server *http.Server, signals <-chan os.Signal) error {
	ctx, cut := context.WithTimeout(context.Background(), time.Duration(f.drain))
	defer cut()
	interrupted := make(chan struct{})
	go func() {
		select {
		case <-signals:
			close(interrupted)
			cut()
		case <-ctx.Done():
		}
	}()
	served := make(chan error)
	go func() { served <- server.Shutdown(ctx) }()
	err := errors.Join(services.shutdown(ctx), <-served)
	select {
	case <-interrupted:
		return &outcome{exitInterrupted, ""}
	default:
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return &outcome{exitTimeout, fmt.Sprintf("some connections did not end within %v and were cut", time.Duration(f.drain))}
	}
	return err
}

// open listens.
func (f *serveFlags) open(ctx context.Context) (net.Listener, error) {
	network, address := "tcp", f.listen
	if path, ok := strings.CutPrefix(f.listen, "unix:"); ok {
		network, address = "unix", path
	} else if _, _, err := net.SplitHostPort(address); err != nil {
		return nil, usageError("--listen: %q; expected host:port, such as 127.0.0.1:8080 or :8080", f.listen)
	}
	l, err := new(net.ListenConfig).Listen(ctx, network, address)
	switch dns := new(net.DNSError); {
	case err == nil:
		return l, nil
	case errors.Is(err, syscall.EADDRINUSE):
		return nil, &outcome{exitUsage, fmt.Sprintf("%s is taken by another program; choose another address with --listen, such as 127.0.0.1:0 for any free port", address)}
	case errors.Is(err, syscall.EACCES):
		return nil, &outcome{exitUsage, fmt.Sprintf("%s may not be used by this user; choose another address with --listen", address)}
	case errors.As(err, &dns):
		return nil, &outcome{exitResolve, fmt.Sprintf("the host of --listen %s was not resolved: %v", f.listen, dns.Err)}
	default:
		return nil, usageError("--listen: %q: %v", f.listen, err)
	}
}

// tlsConfig returns nil without TLS.
func (f *serveFlags) tlsConfig() (config *tls.Config, selfMade bool, err error) {
	var cert tls.Certificate
	switch {
	case f.cert == "" && f.key == "" && !f.tls:
		return nil, false, nil
	case f.cert == "" && f.key == "":
		host, _, _ := net.SplitHostPort(f.listen)
		cert, err = selfSigned(host)
	case f.tls:
		return nil, false, usageError("--tls makes a certificate and --cert brings one; expected one of them")
	case f.cert == "":
		return nil, false, usageError("--key: the key's certificate is missing; expected --cert too")
	case f.key == "":
		cert, err = tls.LoadX509KeyPair(f.cert, f.cert) // both in one file
	default:
		cert, err = tls.LoadX509KeyPair(f.cert, f.key)
	}
	if err != nil {
		return nil, false, usageError("--cert, --key: %v", err)
	}
	log, err := keyLog()
	return &tls.Config{Certificates: []tls.Certificate{cert}, KeyLogWriter: log}, f.tls, err
}

// ready says where the services are.
func (f *serveFlags) ready(w io.Writer, addr net.Addr, config *tls.Config, selfMade bool) {
	if f.format.value == "json" {
		fmt.Fprintf(w, `{"event":"listening","url":%q,"address":%q}`+"\n", baseURL("ws", addr, config), addr)
		return
	}
	var b strings.Builder
	if addr.Network() == "unix" {
		fmt.Fprintf(&b, "listening on %s; try: wiretrue dial --unix-socket %[1]s ws://localhost/echo\n", addr)
	} else {
		page, ws := baseURL("http", addr, config), baseURL("ws", addr, config)
		fmt.Fprintf(&b, "page      %s/\n", page)
		fmt.Fprintf(&b, "echo      %s/echo\n", ws)
		fmt.Fprintf(&b, "chat      %s/chat      subprotocol %s\n", ws, chatProtocol)
		fmt.Fprintf(&b, "time      %s/time      subprotocol %s, or none\n", ws, timeProtocol)
		fmt.Fprintf(&b, "either    %s/services  by subprotocol\n", ws)
	}
	if selfMade {
		fmt.Fprintf(&b, "The certificate is self-signed, with the SHA-256 fingerprint\n  %s\n", fingerprint(config.Certificates[0]))
		b.WriteString("Open the page first and let the browser trust it; wiretrue dial takes -k.\n")
	}
	b.WriteString("Ready. Ctrl-C ends.\n\n")
	io.WriteString(w, b.String())
}

// baseURL is what a client on this machine would call the address.
func baseURL(scheme string, addr net.Addr, config *tls.Config) string {
	if config != nil {
		scheme += "s"
	}
	host, port, err := net.SplitHostPort(addr.String())
	if err != nil {
		return scheme + "+unix://" + addr.String()
	}
	if ip := net.ParseIP(host); ip != nil && ip.IsUnspecified() {
		host = "localhost"
	}
	return scheme + "://" + net.JoinHostPort(host, port)
}

// httpLog passes on what net/http complains about, but for the TLS handshakes
// that browsers break off while they do not trust a certificate yet.
type httpLog struct{ w io.Writer }

func (l httpLog) Write(p []byte) (int, error) {
	if bytes.Contains(p, []byte("TLS handshake error")) && (bytes.Contains(p, []byte("unknown certificate")) || bytes.HasSuffix(p, []byte("EOF\n"))) {
		return len(p), nil
	}
	return l.w.Write(p)
}
