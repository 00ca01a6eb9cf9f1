//go:build linux

package server_test

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/wiretrue/websocket/bench/load"
	"github.com/wiretrue/websocket/bench/server"
)

// TestMain lets the test's program be a server, too: some of them end with
// their process only.
func TestMain(m *testing.M) {
	if name := os.Getenv("BENCH_SERVER"); name != "" {
		s, err := server.Find(name)
		if err == nil {
			err = s.Main("127.0.0.1:0", server.Mode(os.Getenv("BENCH_MODE")), os.Stdin, os.Stdout)
		}
		if err != nil {
			os.Stderr.WriteString(err.Error())
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// start starts a server and returns its address.
func start(t *testing.T, s *server.Server, mode server.Mode) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), "BENCH_SERVER="+s.Name, "BENCH_MODE="+string(mode))
	if s.Missing != nil {
		if err := s.Missing(); err != nil {
			t.Skip(err)
		}
	}
	if s.Command != nil {
		var err error
		if cmd, err = s.Command(mode); err != nil {
			// Bun is for those who have it; ws is the gate's.
			if os.Getenv("CI") != "" && s.Name == "node/ws" {
				t.Fatalf("%v, which .ci/run should have installed", err)
			}
			t.Skip(err)
		}
	}
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		in.Close()
		cmd.Process.Kill()
		cmd.Wait()
	})
	var port []byte
	for b := make([]byte, 1); b[0] != '\n'; {
		if _, err := io.ReadFull(out, b); err != nil {
			t.Fatal(err)
		}
		port = append(port, b[0])
	}
	return net.JoinHostPort("127.0.0.1", strings.TrimSpace(string(port)))
}

// config is a load of so many messages, whatever time they take.
func config(addr string, s *server.Server, messages int) load.Config {
	cfg := load.Default()
	cfg.Addr, cfg.Raw, cfg.Conns, cfg.Messages = addr, s.Raw, 8, messages
	return cfg
}

func TestEverythingComesBack(t *testing.T) {
	type test struct {
		name     string
		mode     server.Mode
		messages int
		change   func(*load.Config)
	}
	tests := []test{
		{"20 B", server.Echo, 400, func(c *load.Config) {}},
		{"1 B", server.Echo, 400, func(c *load.Config) { c.Size = 1 }},
		{"16 KiB text", server.Echo, 100, func(c *load.Config) { c.Size, c.Kind = 16<<10, load.Text }},
		{"1 MiB", server.Echo, 16, func(c *load.Config) { c.Size = 1 << 20 }},
		{"pipelined", server.Echo, 1600, func(c *load.Config) { c.InFlight = 16 }},
		{"deflate", server.EchoReset, 400, func(c *load.Config) { c.Size, c.Kind, c.Deflate = 1100, load.JSON, load.Reset }},
		// More than the stream of one connection has, so that it goes round.
		{"deflate takeover", server.EchoTakeover, 8 * 520, func(c *load.Config) { c.Size, c.Kind, c.Deflate = 1100, load.JSON, load.Takeover }},
		{"broadcast", server.Broadcast, 400, func(c *load.Config) { c.Shape = load.Broadcast }},
	}
	for _, s := range server.All {
		t.Run(s.Name, func(t *testing.T) {
			for _, test := range tests {
				t.Run(test.name, func(t *testing.T) {
					if slices.Contains(s.Lacks, test.mode) {
						t.Skip("the server does not do it")
					}
					cfg := config(start(t, s, test.mode), s, test.messages)
					test.change(&cfg)
					r, err := load.Run(cfg, nil)
					if err != nil {
						t.Fatal(err)
					}
					if r.Messages != int64(test.messages) {
						t.Errorf("%d messages came back of %d", r.Messages, test.messages)
					}
				})
			}
		})
	}
}

func TestHandshakesAreCounted(t *testing.T) {
	s, err := server.Find("wiretrue")
	if err != nil {
		t.Fatal(err)
	}
	cfg := config(start(t, s, server.Echo), s, 0)
	cfg.Shape, cfg.Sources = load.Handshake, 2
	cfg.Warmup, cfg.Duration = 0, 50*time.Millisecond
	r, err := load.Run(cfg, nil)
	if err != nil {
		t.Fatal(err)
	}
	if r.Messages == 0 {
		t.Error("no handshake")
	}
}

func TestIdleConnectionsAreHeld(t *testing.T) {
	s, err := server.Find("wiretrue")
	if err != nil {
		t.Fatal(err)
	}
	cfg := config(start(t, s, server.Echo), s, 0)
	cfg.Shape, cfg.Conns, cfg.Sources = load.Idle, 300, 3
	held := 0
	_, err = load.Run(cfg, func(r *load.Result) <-chan struct{} {
		held = int(r.Messages)
		done := make(chan struct{})
		close(done)
		return done
	})
	if err != nil || held != 300 {
		t.Errorf("%d messages on the connections, %v", held, err)
	}
}

// TestWrongEchoesAreNoticed is for the comparison itself: without it, a server
// that loses or mixes messages could win.
func TestWrongEchoesAreNoticed(t *testing.T) {
	for _, test := range []struct {
		name string
		echo func(b []byte) []byte
	}{
		{"a flipped bit", func(b []byte) []byte { b[len(b)-1] ^= 1; return b }},
		{"another message's", func(b []byte) []byte { return append(bytes.Clone(b[len(b)/2:]), b[:len(b)/2]...) }},
		{"a lost message", func(b []byte) []byte { return b[len(b)/2:] }},
	} {
		t.Run(test.name, func(t *testing.T) {
			ln, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer ln.Close()
			go func() {
				for {
					c, err := ln.Accept()
					if err != nil {
						return
					}
					buf := make([]byte, 4096)
					n, err := c.Read(buf)
					if err == nil {
						c.Write(test.echo(buf[:n]))
					}
				}
			}()
			cfg := load.Default()
			cfg.Addr, cfg.Raw, cfg.Conns, cfg.Messages, cfg.InFlight = ln.Addr().String(), true, 1, 2, 2
			if r, err := load.Run(cfg, nil); !errors.Is(err, load.ErrWrongEcho) {
				t.Errorf("%+v, %v", r, err)
			}
		})
	}
}
