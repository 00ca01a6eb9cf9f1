package main

import (
	"crypto/ecdsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/wiretrue/websocket/wire/frame"
	"github.com/wiretrue/websocket/wire/handshake"
)

// scriptPeer starts a server of which each connection does what the lines of a
// file say:
//
//	request          read the head of a request
//	want REGEXP      refuse a request whose head does not match
//	http LINE        send a line of HTTP, in which {accept} is the right value
//	switch           read a request, if none was read, and agree to it
//	frame NOTATION   send bytes in the notation of package frame
//	await OPCODE     read frames until one with the opcode comes
//	reset            end the TCP connection by a reset
//	hang             read until the client ends the connection
//
// The end of the file ends the TCP connection.
func scriptPeer(ts *testscript.TestScript, neg bool, args []string) {
	name := arguments(ts, neg, args, 2, "peer NAME FILE")
	script := strings.Split(strings.TrimSpace(ts.ReadFile(args[1])), "\n")
	l, err := net.Listen("tcp", "127.0.0.1:0")
	ts.Check(err)
	ts.Defer(func() { l.Close() })
	ts.Setenv(name, l.Addr().String())
	met := make(chan struct{}, 1)
	ts.Value(meetings{}).(map[string]chan struct{})[name] = met
	go func() {
		for {
			nc, err := l.Accept()
			if err != nil {
				return
			}
			select {
			case met <- struct{}{}:
			default:
			}
			go func() {
				p := &scriptedPeer{nc: nc.(*net.TCPConn)}
				defer nc.Close()
				for _, line := range script {
					if err := p.do(line); err != nil {
						io.WriteString(nc, err.Error()) // for whoever wonders
						return
					}
				}
			}()
		}
	}()
}

// meetings is the key of the channels that tell of connections to the peers.
type meetings struct{}

func scriptMet(ts *testscript.TestScript, neg bool, args []string) {
	name := arguments(ts, neg, args, 1, "met NAME")
	select {
	case <-ts.Value(meetings{}).(map[string]chan struct{})[name]:
	case <-time.After(scriptSafety):
		ts.Fatalf("nobody connects to %s", name)
	}
}

type scriptedPeer struct {
	nc     *net.TCPConn
	in     []byte // received and not consumed
	head   []byte // of the request
	accept string // that answers its key
}

func (p *scriptedPeer) do(line string) error {
	verb, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
	switch verb {
	case "request":
		return p.request()
	case "http":
		return p.write(strings.ReplaceAll(rest, "{accept}", p.accept) + "\r\n")
	case "want":
		if re, err := regexp.Compile(`(?m)` + rest); err != nil || !re.Match(p.head) {
			return fmt.Errorf("HTTP/1.1 500 Not wanted\r\n\r\n%q is not in\n%s (%v)", rest, p.head, err)
		}
		return nil
	case "switch":
		if p.accept == "" {
			if err := p.request(); err != nil {
				return err
			}
		}
		return p.write("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: " + p.accept + "\r\n\r\n")
	case "frame":
		b, err := frame.AppendNotation(nil, rest)
		if err != nil {
			return err
		}
		return p.write(string(b))
	case "await":
		return p.await(rest)
	case "reset":
		return errors.Join(p.nc.SetLinger(0), p.nc.Close())
	case "hang":
		_, err := io.Copy(io.Discard, p.nc)
		return err
	}
	return fmt.Errorf("a scripted peer cannot %q", line)
}

func (p *scriptedPeer) write(s string) error {
	_, err := io.WriteString(p.nc, s)
	return err
}

func (p *scriptedPeer) request() error {
	for {
		if r, n := handshake.ParseRequest(p.in, 0); n > 0 {
			offer, _ := r.Offer()
			p.head, p.in, p.accept = p.in[:n], p.in[n:], handshake.Accept(offer.Key)
			return nil
		}
		if err := p.fill(); err != nil {
			return err
		}
	}
}

func (p *scriptedPeer) await(opcode string) error {
	for {
		h, n := frame.Parse(p.in)
		if n == 0 || uint64(len(p.in)-n) < h.Length {
			if err := p.fill(); err != nil {
				return err
			}
			continue
		}
		if p.in = p.in[n+int(h.Length):]; h.Opcode.String() == opcode {
			return nil
		}
	}
}

func (p *scriptedPeer) fill() error {
	b := make([]byte, 4096)
	n, err := p.nc.Read(b)
	p.in = append(p.in, b[:n]...)
	return err
}

// pemOf writes a certificate and its key as files have them.
func pemOf(c tls.Certificate) (cert, key []byte, err error) {
	der, err := x509.MarshalECPrivateKey(c.PrivateKey.(*ecdsa.PrivateKey))
	cert = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Certificate[0]})
	return cert, pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: der}), err
}

// lookIn finds a program in the directories of a PATH.
func lookIn(path, program string) (string, error) {
	for _, dir := range filepath.SplitList(path) {
		file := filepath.Join(dir, program)
		if i, err := os.Stat(file); err == nil && i.Mode()&0o111 != 0 && !i.IsDir() {
			return file, nil
		}
	}
	return "", fmt.Errorf("%s is not in %s", program, path)
}
