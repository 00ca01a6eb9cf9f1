package websocket

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"

	"github.com/wiretrue/websocket/wire/handshake"
)

type dialFunc func(ctx context.Context, network, address string) (net.Conn, error)

// dialProxy opens a connection to address by way of the proxy.
func dialProxy(ctx context.Context, dial dialFunc, proxy *url.URL, address string, config *tls.Config) (net.Conn, error) {
	port, ok := map[string]string{"http": "80", "https": "443", "socks5": "1080", "socks5h": "1080"}[proxy.Scheme]
	if !ok {
		return nil, fmt.Errorf("proxy %s: scheme %q; expected http, https, socks5 or socks5h", proxy.Redacted(), proxy.Scheme)
	}
	if proxy.Port() != "" {
		port = proxy.Port()
	}
	nc, err := dial(ctx, "tcp", net.JoinHostPort(proxy.Hostname(), port))
	if err != nil {
		return nil, fmt.Errorf("proxy %s: %w", proxy.Redacted(), err)
	}
	// The end of ctx cuts the conversation with the proxy short.
	stop := context.AfterFunc(ctx, func() { nc.SetDeadline(longAgo) })
	through := nc
	switch proxy.Scheme {
	case "https":
		secure := config.Clone()
		if secure == nil {
			secure = new(tls.Config)
		}
		secure.ServerName, secure.NextProtos = proxy.Hostname(), nil
		through = tls.Client(nc, secure)
		fallthrough
	case "http":
		err = connectTunnel(through, proxy, address)
	default:
		err = connectSOCKS(nc, proxy, address)
	}
	if !stop() {
		err = ctx.Err()
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		err = fmt.Errorf("it ended the connection in the middle: %w", io.ErrUnexpectedEOF)
	}
	if err != nil {
		nc.Close()
		return nil, fmt.Errorf("proxy %s: %w", proxy.Redacted(), err)
	}
	return through, nil
}

// connectTunnel asks an HTTP proxy for a tunnel (RFC 9110 9.3.6).
func connectTunnel(nc net.Conn, proxy *url.URL, address string) error {
	r := &http.Request{Method: http.MethodConnect, URL: &url.URL{Opaque: address}, Host: address, Header: http.Header{}}
	if user := proxy.User; user != nil {
		password, _ := user.Password()
		r.Header.Set("Proxy-Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(user.Username()+":"+password)))
	}
	if err := r.Write(nc); err != nil {
		return err
	}
	// Byte by byte, since what follows the head is not the proxy's.
	head := io.LimitReader(oneByteReader{nc}, handshake.DefaultLimit)
	response, err := http.ReadResponse(bufio.NewReaderSize(head, 16), r)
	if err != nil {
		return err
	}
	if response.StatusCode/100 != 2 {
		return fmt.Errorf("CONNECT %s: %s", address, response.Status)
	}
	return nil
}

// oneByteReader reads no byte more than it is asked for.
type oneByteReader struct{ r io.Reader }

func (o oneByteReader) Read(p []byte) (int, error) { return o.r.Read(p[:min(1, len(p))]) }

// connectSOCKS asks a SOCKS5 proxy for a connection (RFC 1928), which resolves
// the name itself.
func connectSOCKS(nc net.Conn, proxy *url.URL, address string) error {
	const version, noAuth, userPassword, connect = 5, 0, 2, 1
	methods := []byte{noAuth}
	if proxy.User != nil {
		methods = append(methods, userPassword)
	}
	if _, err := nc.Write(append([]byte{version, byte(len(methods))}, methods...)); err != nil {
		return err
	}
	var answer [2]byte
	if _, err := io.ReadFull(nc, answer[:]); err != nil {
		return err
	}
	switch {
	case answer[0] != version:
		return fmt.Errorf("SOCKS version %d in the answer; expected 5", answer[0])
	case answer[1] == userPassword && proxy.User != nil:
		if err := authenticateSOCKS(nc, proxy.User); err != nil {
			return err
		}
	case answer[1] != noAuth:
		return fmt.Errorf("SOCKS method %d wanted by the proxy; it may need a user and a password", answer[1])
	}
	request, err := appendSOCKSAddress([]byte{version, connect, 0}, address)
	if err != nil {
		return err
	}
	if _, err := nc.Write(request); err != nil {
		return err
	}
	return readSOCKSReply(nc)
}

// authenticateSOCKS sends user and password (RFC 1929).
func authenticateSOCKS(nc net.Conn, user *url.Userinfo) error {
	name := user.Username()
	password, _ := user.Password()
	if len(name) > 255 || len(password) > 255 {
		return errors.New("SOCKS user or password of more than 255 bytes")
	}
	b := append([]byte{1, byte(len(name))}, name...)
	b = append(append(b, byte(len(password))), password...)
	if _, err := nc.Write(b); err != nil {
		return err
	}
	var answer [2]byte
	if _, err := io.ReadFull(nc, answer[:]); err != nil {
		return err
	}
	if answer[1] != 0 {
		return errors.New("SOCKS user or password refused")
	}
	return nil
}

const (
	socksIPv4 = 1
	socksName = 3
	socksIPv6 = 4
)

func appendSOCKSAddress(b []byte, address string) ([]byte, error) {
	host, portText, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	port, err := strconv.ParseUint(portText, 10, 16)
	if err != nil {
		return nil, err
	}
	switch ip, err := netip.ParseAddr(host); {
	case err == nil && ip.Is4():
		b = append(append(b, socksIPv4), ip.AsSlice()...)
	case err == nil:
		b = append(append(b, socksIPv6), ip.AsSlice()...)
	case len(host) > 255:
		return nil, fmt.Errorf("host name of %d bytes; SOCKS takes 255", len(host))
	default:
		b = append(append(b, socksName, byte(len(host))), host...)
	}
	return binary.BigEndian.AppendUint16(b, uint16(port)), nil
}

func readSOCKSReply(nc net.Conn) error {
	var head [4]byte // version, reply, reserved, address type
	if _, err := io.ReadFull(nc, head[:]); err != nil {
		return err
	}
	if head[0] != 5 {
		return fmt.Errorf("SOCKS version %d in the reply; expected 5", head[0])
	}
	if head[1] != 0 {
		replies := [...]string{1: "general failure", 2: "not allowed by the ruleset", 3: "network unreachable", 4: "host unreachable",
			5: "connection refused", 6: "TTL expired", 7: "command not supported", 8: "address type not supported"}
		if int(head[1]) < len(replies) {
			return fmt.Errorf("SOCKS: %s", replies[head[1]])
		}
		return fmt.Errorf("SOCKS: reply %d", head[1])
	}
	size := 0
	switch head[3] {
	case socksIPv4:
		size = 4
	case socksIPv6:
		size = 16
	case socksName:
		var n [1]byte
		if _, err := io.ReadFull(nc, n[:]); err != nil {
			return err
		}
		size = int(n[0])
	default:
		return fmt.Errorf("SOCKS: address type %d in the reply", head[3])
	}
	_, err := io.CopyN(io.Discard, nc, int64(size)+2)
	return err
}
