package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/wiretrue/websocket"
	"github.com/wiretrue/websocket/cmd/internal/story"
	"github.com/wiretrue/websocket/wire/handshake"
)

type dialFlags struct {
	text, binary, base64 bool
	one, noClose         bool
	wait                 span
	commands             bool

	headers    list
	protocols  []string
	origin     string
	insecure   bool
	cacert     string
	cert, key  string
	unixSocket string
	resolve    list
	location   bool

	connectTimeout span
	pingInterval   span
	pingTimeout    span
	maxMessage     size
	compress       compress
	reconnect      bool

	verbose, hex bool
	record       recordFlags
	format       *choice
}

func newDial(stdin, stdout, stderr *os.File) *cobra.Command {
	f := dialFlags{
		wait: span(time.Second), connectTimeout: span(30 * time.Second),
		pingTimeout: span(20 * time.Second), maxMessage: 4 << 20,
	}
	cmd := &cobra.Command{
		Use:   "dial URL",
		Short: "Talk to a WebSocket server",
		Long: `dial connects to a WebSocket server. Each line of standard input is sent as a
message, and each message that comes is a line on standard output. Standard
error tells in one line why the connection failed or ended, and the exit code
tells it to scripts.

The URL has the scheme ws or wss (http and https mean the same, and no scheme
means ws), or is ws+unix:///path/of/socket:/path. A user and password in it are
sent as basic credentials. Proxies are taken from the environment.

On a terminal lines can be edited, and called back with the arrow keys. A line
that begins with a slash is a command:

` + indented(commandHelp) + `

In a pipe such lines are messages like any other, unless --commands is given.

Binary messages are written in base64, a line each; with --base64 the lines of
standard input are base64 too, and sent as binary messages. With -T json every
message is an object that says what it is.

At the end of standard input dial first makes sure, by a ping, that the server
has read everything. Once no message has come for the time of --wait it closes
with 1000. With -n it goes on listening until the server closes. With -1 it
sends the first line, waits for one message and closes. Ctrl-D at the beginning
of a line on a terminal closes at once.

A close by the server with 1000, 1001 or without a code exits with 0, one with
another code with 56.

` + exitCodes,
		Example: `  wiretrue dial ws://127.0.0.1:8080/echo
  echo hello | wiretrue dial -1 ws://127.0.0.1:8080/echo
  wiretrue dial -n ws://127.0.0.1:8080/time < /dev/null
  wiretrue dial --protocol chat.wiretrue ws://127.0.0.1:8080/chat
  wiretrue dial -v -H 'Authorization: Bearer abc' wss://example.com/feed
  wiretrue dial --reconnect --ping-interval 30s -n -T json wss://example.com/feed`,
		Args: exactArgs("URL"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return f.run(cmd.Context(), args[0], stdin, stdout, stderr)
		},
		ValidArgsFunction: cobra.NoFileCompletions,
	}
	flags := cmd.Flags()
	flags.SortFlags = false
	flags.BoolVarP(&f.text, "text", "t", false, "send lines as text messages (the default)")
	flags.BoolVarP(&f.binary, "binary", "b", false, "send lines as binary messages")
	flags.BoolVar(&f.base64, "base64", false, "lines of standard input are base64 of binary messages")
	flags.BoolVarP(&f.one, "one", "1", false, "send one message, receive one, and close")
	flags.BoolVarP(&f.noClose, "no-close", "n", false, "go on listening after the end of standard input")
	flags.Var(&f.wait, "wait", "`DURATION` without a message after which the end of standard input closes the connection; 0: at once")
	flags.BoolVar(&f.commands, "commands", false, "take lines that begin with a slash as commands in a pipe too")
	f.headers.check = checkHeader
	flags.VarP(&f.headers, "header", "H", "`HEADER` of the request, as 'Name: value'; may be repeated")
	flags.StringSliceVar(&f.protocols, "protocol", nil, "`SUBPROTOCOL` to offer; may be repeated, or a list with commas")
	flags.StringVar(&f.origin, "origin", "", "`ORIGIN` to say that the request comes from, as browsers do")
	flags.BoolVarP(&f.insecure, "insecure", "k", false, "take any certificate of the server")
	flags.StringVar(&f.cacert, "cacert", "", "`FILE` of the certificates (PEM) that are trusted to sign the server's, in place of the system's")
	flags.StringVar(&f.cert, "cert", "", "`FILE` of a client certificate (PEM)")
	flags.StringVar(&f.key, "key", "", "`FILE` of the client certificate's key (PEM), if it is another one")
	flags.StringVar(&f.unixSocket, "unix-socket", "", "connect to the unix socket at this `PATH` in place of the URL's host")
	f.resolve.check = checkResolve
	flags.Var(&f.resolve, "resolve", "connect to the address in place of resolving the host: `HOST:PORT:ADDRESS`; may be repeated")
	flags.BoolVarP(&f.location, "location", "L", false, "follow up to 10 redirects")
	flags.Var(&f.connectTimeout, "connect-timeout", "`DURATION` that everything may take until the connection is open; 0: any")
	flags.Var(&f.pingInterval, "ping-interval", "`DURATION` of silence after which a ping is sent; 0: never")
	flags.Var(&f.pingTimeout, "ping-timeout", "`DURATION` in which that ping must be answered")
	flags.Var(&f.maxMessage, "max-message", "`SIZE` of the largest message that is taken")
	f.compress.add(flags, "offer to compress messages (RFC 7692), under these `PARAMETERS` if there are any, as server_max_window_bits=10,client_no_context_takeover")
	flags.BoolVar(&f.reconnect, "reconnect", false, "connect again when the connection is lost, after a wait that grows")
	flags.BoolVarP(&f.verbose, "verbose", "v", false, "tell the traffic on standard error, as serve does")
	flags.BoolVarP(&f.hex, "hex", "x", false, "show the bytes too; implies -v")
	f.format = formatFlag(cmd)
	f.record.add(cmd)
	return cmd
}

func checkHeader(s string) error {
	name, value, ok := strings.Cut(s, ":")
	if !ok || !handshake.IsToken(name) || !handshake.IsFieldValue(strings.TrimSpace(value)) {
		return errors.New("expected 'Name: value'")
	}
	return nil
}

func checkResolve(s string) error {
	if _, _, ok := cutResolve(s); !ok {
		return errors.New("expected HOST:PORT:ADDRESS, such as example.com:443:127.0.0.1")
	}
	return nil
}

// cutResolve cuts host:port:address into what is asked for and where to go.
func cutResolve(s string) (from, to string, ok bool) {
	host, rest, ok1 := strings.Cut(s, ":")
	if literal, behind, six := strings.Cut(s, "]:"); six && strings.HasPrefix(s, "[") {
		host, rest = literal[1:], behind
	}
	port, address, ok2 := strings.Cut(rest, ":")
	address = strings.TrimSuffix(strings.TrimPrefix(address, "["), "]")
	if !ok1 || !ok2 || host == "" || port == "" || net.ParseIP(address) == nil {
		return "", "", false
	}
	return net.JoinHostPort(strings.ToLower(host), port), net.JoinHostPort(address, port), true
}

// parseURL completes the URL, and leaves it to the library to find what cannot
// be dialled.
func parseURL(raw string) (*url.URL, error) {
	if !strings.Contains(raw, "://") {
		raw = "ws://" + raw
	}
	u, err := url.Parse(raw)
	if err != nil {
		if inner := new(url.Error); errors.As(err, &inner) {
			err = inner.Err // without the URL, which may hold a password
		}
		return nil, usageError("URL: %v; expected ws://host[:port]/path or wss://...", err)
	}
	return u, nil
}

func (f *dialFlags) run(ctx context.Context, raw string, stdin, stdout, stderr *os.File) error {
	u, err := parseURL(raw)
	if err != nil {
		return err
	}
	if err := f.check(); err != nil {
		return err
	}
	s := newSession(f, u, stdin, stdout, stderr)
	opts, err := f.options(s)
	if err != nil {
		return err
	}
	if f.verbose || f.hex {
		trace, finish := story.Live(s.console.notices(), story.Options{Hex: f.hex, Format: f.format.value, Colour: story.ColourFor(stderr)})
		defer finish()
		opts.Trace = websocket.JoinTraces(opts.Trace, trace)
	}
	recorder, err := f.record.start(stderr)
	if err != nil {
		return err
	}
	defer recorder.stop()
	opts.Trace = websocket.JoinTraces(opts.Trace, recorder.trace())
	return s.run(ctx, opts)
}

// check looks for flags that do not go together.
func (f *dialFlags) check() error {
	switch {
	case f.text && (f.binary || f.base64):
		return usageError("-t, --text sends text messages, and -b or --base64 binary ones; expected one of them")
	case f.one && f.noClose:
		return usageError("-1, --one closes after a message, and -n, --no-close does not; expected one of them")
	case f.one && f.reconnect:
		return usageError("-1, --one ends after a message, and --reconnect does not; expected one of them")
	case f.key != "" && f.cert == "":
		return usageError("--key: the key's certificate is missing; expected --cert too")
	case f.insecure && f.cacert != "":
		return usageError("-k, --insecure trusts every certificate, and --cacert some; expected one of them")
	case f.unixSocket != "" && len(f.resolve.values) > 0:
		return usageError("--unix-socket and --resolve both say where to connect to; expected one of them")
	}
	for i, name := range f.protocols {
		if !handshake.IsToken(name) {
			return usageError("--protocol: %q; expected a name of letters, digits and !#$%%&'*+-.^_`|~", name)
		}
		if slices.Contains(f.protocols[:i], name) {
			return usageError("--protocol: %q is there twice", name)
		}
	}
	if !handshake.IsFieldValue(f.origin) {
		return usageError("--origin: %q; expected scheme://host[:port]", f.origin)
	}
	return nil
}

// options makes the library's options of the flags. What the session must
// know of the attempt to connect is noted in it.
func (f *dialFlags) options(s *session) (*websocket.RedialOptions, error) {
	o := new(websocket.RedialOptions)
	o.Header = http.Header{}
	for _, h := range f.headers.values {
		name, value, _ := strings.Cut(h, ":")
		o.Header.Add(name, strings.TrimSpace(value))
	}
	o.Subprotocols = f.protocols
	o.Origin = f.origin
	o.ReadLimit = int64(f.maxMessage)
	o.Compression = f.compress.options(false)
	o.PingInterval = time.Duration(f.pingInterval)
	o.PingTimeout = max(time.Duration(f.pingTimeout), time.Millisecond)
	o.HandshakeTimeout = time.Duration(f.connectTimeout)
	if f.connectTimeout == 0 {
		o.HandshakeTimeout = websocket.NoTimeout
	}
	if f.location {
		o.MaxRedirects = 10
	}
	o.Trace = s.attempt.trace()
	config, err := f.tlsConfig()
	if err != nil {
		return nil, err
	}
	config.VerifyConnection = func(tls.ConnectionState) error {
		s.attempt.secured.Store(true)
		return nil
	}
	o.TLS = config
	f.direct(o, &s.attempt)
	return o, nil
}

// direct decides where connections go.
func (f *dialFlags) direct(o *websocket.RedialOptions, a *attempt) {
	instead := map[string]string{}
	for _, r := range f.resolve.values {
		from, to, _ := cutResolve(r)
		instead[from] = to
	}
	if f.unixSocket != "" {
		o.Proxy = func(*http.Request) (*url.URL, error) { return nil, nil }
	}
	o.NetDial = func(ctx context.Context, network, address string) (net.Conn, error) {
		a.begin()
		if f.unixSocket != "" {
			network, address = "unix", f.unixSocket
		} else if to, ok := instead[strings.ToLower(address)]; ok {
			address = to
		}
		nc, err := new(net.Dialer).DialContext(ctx, network, address)
		if err == nil {
			a.connected.Store(true)
		}
		return nc, err
	}
}

func (f *dialFlags) tlsConfig() (*tls.Config, error) {
	log, err := keyLog()
	if err != nil {
		return nil, err
	}
	config := &tls.Config{InsecureSkipVerify: f.insecure, KeyLogWriter: log}
	if f.cacert != "" {
		pem, err := os.ReadFile(f.cacert)
		if err != nil {
			return nil, usageError("--cacert: %v", err)
		}
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(pem) {
			return nil, usageError("--cacert: %q has no certificate; expected PEM", f.cacert)
		}
	}
	if f.cert != "" {
		key := f.key
		if key == "" {
			key = f.cert
		}
		cert, err := tls.LoadX509KeyPair(f.cert, key)
		if err != nil {
			return nil, usageError("--cert, --key: %v", err)
		}
		config.Certificates = []tls.Certificate{cert}
	}
	return config, nil
}
