package main

import (
	"context"
	"errors"
	"io"
	"iter"
	"net/url"
	"os"
	"os/signal"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/wiretrue/websocket"
	"github.com/wiretrue/websocket/cmd/internal/story"
	"github.com/wiretrue/websocket/internal/duration"
)

// session is one run of dial: one connection, or with --reconnect one after
// the other.
type session struct {
	flags   *dialFlags
	url     *url.URL
	stderr  *os.File
	console *console
	attempt attempt

	deaf chan struct{} // closed when nobody reads standard output

	// Owned by the loop over the connections.
	lines  <-chan line // nil before the first connection
	unsent *line       // that the connection before did not take
	atEnd  bool        // of standard input
	sent   bool        // a message

	received atomic.Int64 // messages
}

func newSession(f *dialFlags, u *url.URL, stdin, stdout, stderr *os.File) *session {
	s := &session{flags: f, url: u, stderr: stderr, console: newConsole(f, stdin, stdout, stderr), deaf: make(chan struct{})}
	s.console.out.lost = func() { close(s.deaf) }
	return s
}

func (s *session) run(ctx context.Context, opts *websocket.RedialOptions) error {
	defer func() { s.console.restore() }()

	// A first interrupt leaves politely, a second one at once.
	ctx, leave := context.WithCancel(ctx)
	defer leave()
	cut, cutNow := context.WithCancel(context.Background())
	defer cutNow()
	var interrupts atomic.Int32
	interrupt := func() {
		if leave(); interrupts.Add(1) > 1 {
			cutNow()
		}
	}
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	defer signal.Stop(signals)
	go func() {
		for range signals {
			interrupt()
		}
	}()

	last := &outcome{code: exitInterrupted}
	for c, err := range s.connections(ctx, opts) {
		if err != nil {
			if ctx.Err() == nil {
				last = dialOutcome(err, s.flags, s.url, &s.attempt)
				s.tell(last, nil)
			}
			continue
		}
		if s.lines == nil {
			s.lines = s.console.lines(interrupt)
		}
		s.opened(c)
		over := s.converse(ctx, cut, c)
		last = s.endOutcome(c)
		s.tell(last, c)
		if over {
			break
		}
	}
	if interrupts.Load() > 0 {
		last = &outcome{code: exitInterrupted}
	}
	return s.result(last)
}

// connections yields what Redial does or, without --reconnect, one attempt.
func (s *session) connections(ctx context.Context, opts *websocket.RedialOptions) iter.Seq2[*websocket.Conn, error] {
	if s.flags.reconnect {
		return websocket.Redial(ctx, s.url.String(), opts)
	}
	return func(yield func(*websocket.Conn, error) bool) {
		yield(websocket.Dial(ctx, s.url.String(), &opts.DialOptions))
	}
}

func (s *session) opened(c *websocket.Conn) {
	s.console.event(event{Event: "open", URL: s.url.Redacted(), Subprotocol: c.Subprotocol(), Compression: c.Compression()})
	switch {
	case !s.flags.compress.on:
	case c.Compression() == "":
		s.console.note("the server does not compress")
	default:
		s.console.note("compressed by %s", c.Compression())
	}
	if s.console.interactive {
		with := ""
		if c.Subprotocol() != "" {
			with = ", subprotocol " + c.Subprotocol()
		}
		s.console.note("connected to %s%s; /help lists the commands", s.url.Redacted(), with)
	}
}

// result is what the command returns. What there was to say was said.
func (s *session) result(last *outcome) error {
	if last.code == exitOK {
		return nil
	}
	return &outcome{code: last.code}
}

// tell says how an attempt or a connection ended.
func (s *session) tell(o *outcome, c *websocket.Conn) {
	e := event{Event: "end", Exit: &o.code, Why: o.text}
	if c != nil {
		if closed := new(websocket.CloseError); errors.As(c.Cause(), &closed) {
			e.Code, e.Reason, e.By = int(closed.Code), closed.Reason, "client"
			if closed.ByPeer {
				e.By = "server"
			}
		}
	}
	s.console.event(e)
	if c != nil && c.Compression() != "" {
		s.console.note("%s", story.Saved(c.Stats()))
	}
	if o.text != "" {
		s.console.note("%s", o.text)
	}
}

// endOutcome is the outcome of a connection that has ended.
func (s *session) endOutcome(c *websocket.Conn) *outcome {
	select {
	case <-s.deaf:
		return &outcome{code: exitOK}
	default:
	}
	o := endOutcome(c.Cause(), &s.attempt)
	if s.flags.one && s.received.Load() == 0 && o.code == exitOK {
		o = &outcome{exitEmpty, "no message came"}
		if after := endOutcome(c.Cause(), &s.attempt).text; after != "" {
			o.text = after + "; no message came"
		}
	}
	return o
}

// silence is how long the end of standard input waits for the Pong that shows
// that the server has read everything, while no message comes.
const silence = 30 * time.Second

// leaving is how long an interrupted session waits for the server's Close.
const leaving = 2 * time.Second

// converse carries messages until the connection ends, and reports whether
// the session is over with it. ctx ends to leave, cut to leave at once.
func (s *session) converse(ctx, cut context.Context, c *websocket.Conn) (over bool) {
	arrived := make(chan struct{}, 1)
	done := make(chan struct{})
	go s.receive(c, arrived, done)
	stopCutting := context.AfterFunc(cut, func() { c.CloseNow() })
	defer stopCutting()

	lines := s.lines
	if s.flags.one && s.sent {
		lines = nil
	}
	quiet := time.NewTimer(time.Hour)
	quiet.Stop()
	read := make(chan struct{}, 1) // the server has read everything
	wait := silence
	if s.atEnd {
		lines = nil
		s.drain(ctx, c, quiet, read)
	}
	if s.unsent != nil {
		ln := *s.unsent
		s.unsent = nil
		s.handle(ctx, c, ln)
	}
	for {
		if s.flags.one && s.received.Load() > 0 && (s.sent || s.atEnd) {
			s.close(context.Background(), c, websocket.StatusNormalClosure, "")
			<-done
			return true
		}
		select {
		case <-done:
			return s.flags.one
		case <-s.deaf:
			s.close(ctx, c, websocket.StatusNormalClosure, "")
			<-done
			return true
		case <-ctx.Done():
			limited, cancel := context.WithTimeout(context.Background(), leaving)
			defer cancel()
			s.close(limited, c, websocket.StatusGoingAway, "")
			<-done
			return true
		case ln := <-lines:
			if ln.err != nil {
				s.atEnd, lines = true, nil
				if !errors.Is(ln.err, io.EOF) {
					s.console.note("standard input: %v", ln.err)
				}
				if s.console.interactive {
					s.close(ctx, c, websocket.StatusNormalClosure, "")
					<-done
					return true
				}
				s.drain(ctx, c, quiet, read)
				continue
			}
			if s.handle(ctx, c, ln) {
				<-done
				return true
			}
			if s.flags.one && s.sent {
				lines = nil
			}
		case <-read:
			wait = time.Duration(s.flags.wait)
			quiet.Reset(wait)
		case <-arrived:
			if s.atEnd && s.drains() {
				quiet.Reset(wait)
			}
		case <-quiet.C:
			s.close(ctx, c, websocket.StatusNormalClosure, "")
			<-done
			return true
		}
	}
}

// drains reports whether the end of standard input is to close the connection.
func (s *session) drains() bool { return !s.flags.noClose && !s.flags.one }

// drain begins to wait for the answers to what was sent.
func (s *session) drain(ctx context.Context, c *websocket.Conn, quiet *time.Timer, read chan<- struct{}) {
	switch {
	case !s.drains():
	case s.flags.wait == 0:
		quiet.Reset(0)
	default:
		quiet.Reset(silence)
		go func() {
			if _, err := c.Ping(ctx); err == nil {
				read <- struct{}{}
			}
		}()
	}
}

// receive writes the messages that come.
func (s *session) receive(c *websocket.Conn, arrived chan<- struct{}, done chan<- struct{}) {
	defer close(done)
	for m, err := range c.Messages(context.Background()) {
		if err != nil {
			return
		}
		if s.received.Add(1) == 1 || !s.flags.one {
			s.console.message(m)
		}
		select {
		case arrived <- struct{}{}:
		default:
		}
	}
}

// handle does what a line asks for, and reports whether it closed the
// connection.
func (s *session) handle(ctx context.Context, c *websocket.Conn, ln line) (closed bool) {
	t, err := s.flags.parse(ln.text, s.flags.commands || s.console.interactive)
	if err != nil {
		s.console.note("%v", err)
		return false
	}
	switch t.do {
	case "send":
		s.sent = true
		if err := c.Write(ctx, t.message.Type, t.message.Data); err != nil {
			s.unsent = &ln // for the next connection
		}
	case "ping":
		s.ping(ctx, c)
	case "pong":
		c.Pong(ctx, []byte(t.payload)) // the end of the connection tells why it failed
	case "help":
		s.console.note("%s", commandHelp)
	case "close":
		s.close(ctx, c, t.code, t.reason)
		return true
	}
	return false
}

func (s *session) ping(ctx context.Context, c *websocket.Conn) {
	go func() {
		rtt, err := c.Ping(ctx)
		if err != nil {
			return // the end of the connection tells why
		}
		s.console.note("pong after %s", duration.Words(rtt))
	}()
}

// close performs the closing handshake. Its outcome is the connection's cause.
func (s *session) close(ctx context.Context, c *websocket.Conn, code websocket.StatusCode, reason string) {
	c.Close(ctx, code, reason)
	c.CloseNow() // if the handshake failed
}
