package websocket_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wiretrue/websocket"
	"github.com/wiretrue/websocket/wire/rfc"
	"github.com/wiretrue/websocket/wstest"
)

// wantLost fails the test unless the connection has ended with the error, and
// returns the cause.
func wantLost(t *testing.T, c *websocket.Conn, want error) *websocket.LostError {
	t.Helper()
	<-c.Done()
	lost := new(websocket.LostError)
	if !errors.As(c.Cause(), &lost) || !errors.Is(c.Cause(), want) || !errors.Is(c.Cause(), net.ErrClosed) {
		t.Fatalf("Cause = %v, want %v", c.Cause(), want)
	}
	return lost
}

func wantClosed(t *testing.T, c *websocket.Conn, want websocket.CloseError) {
	t.Helper()
	<-c.Done()
	closed := new(websocket.CloseError)
	if !errors.As(c.Cause(), &closed) || *closed != want || !errors.Is(c.Cause(), net.ErrClosed) {
		t.Fatalf("Cause = %v, want %v", c.Cause(), &want)
	}
}

func TestCloseByPeerIsAnswered(t *testing.T) {
	for _, tt := range []struct {
		name, close string
		answer      websocket.StatusCode
		want        websocket.CloseError
	}{
		{"with a code", `88 82 00000000 03e9`, 1001, websocket.CloseError{Code: 1001, ByPeer: true}},
		{"with a reason", `88 85 00000000 0fa0 "bye"`, 4000, websocket.CloseError{Code: 4000, Reason: "bye", ByPeer: true}},
		{"without a code", `88 80 00000000`, 0, websocket.CloseError{Code: 1005, ByPeer: true}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c, p := wstest.DialPeer(t, nil)
				p.Send(tt.close + ` 81 85 00000000 "after"`)
				_, _, err := c.Read(t.Context())
				if err == nil {
					t.Fatal("Read returned a message from behind the Close")
				}
				p.WantClose(tt.answer)
				p.WantEnd() // the server ends TCP first
				wantClosed(t, c, tt.want)
				if err := c.Close(t.Context(), 1000, ""); err != nil {
					t.Errorf("Close after the end: %v", err)
				}
				if err := c.Write(t.Context(), websocket.Text, nil); !errors.Is(err, net.ErrClosed) {
					t.Errorf("Write after the end: %v", err)
				}
			})
		})
	}
}

func TestAPingInFrontOfACloseIsAnswered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, p := wstest.DialPeer(t, nil)
		p.Send(`89 82 00000000 "hi" 88 80 00000000`)
		c.CloseRead(t.Context())
		p.Want("FIN PONG length 2", "hi")
		p.WantClose(0)
	})
}

func TestCloseFromHere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, p := wstest.DialPeer(t, nil)
		done := make(chan error)
		go func() { done <- c.Close(t.Context(), 4001, "enough") }()
		p.WantClose(4001)
		synctest.Wait()
		if err := c.Write(t.Context(), websocket.Text, []byte("late")); err == nil {
			t.Error("Write after Close was sent: no error")
		}
		p.Send(`89 81 00000000 "x" 81 84 00000000 "data"`) // a ping gets no answer, data goes nowhere
		p.Send(`88 82 00000000 0fa1`)
		if err := <-done; err != nil {
			t.Errorf("Close: %v", err)
		}
		p.WantEnd()
		wantClosed(t, c, websocket.CloseError{Code: 4001, Reason: "enough"})
	})
}

func TestCloseWhileAnotherGoroutineReads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, p := wstest.ServePeer(t, nil)
		read := make(chan string)
		go func() {
			for m, err := range c.Messages(t.Context()) {
				if err != nil {
					close(read)
					return
				}
				read <- string(m.Data)
			}
		}()
		synctest.Wait()
		done := make(chan error)
		go func() { done <- c.Close(t.Context(), 1000, "") }()
		p.WantClose(1000)
		p.Send(`81 04 "last"`)
		if got := <-read; got != "last" {
			t.Errorf("read %q", got)
		}
		p.Send(`88 02 03e8`)
		if err := <-done; err != nil {
			t.Errorf("Close: %v", err)
		}
		<-read
		p.End()
		p.WantEnd()
	})
}

// The server is the one to end the TCP connection (RFC 6455 7.1.1), and a program
// that exits behind Close would end it first.
func TestCloseOfAClientWaitsForTheServerToEndTCP(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, p := wstest.ServePeer(t, nil)
		done := make(chan error, 1)
		go func() { done <- c.Close(t.Context(), 1000, "") }()
		p.WantClose(1000)
		p.Send(`88 02 03e8`)
		synctest.Wait()
		select {
		case err := <-done:
			t.Errorf("Close returned %v while the TCP connection is open", err)
		default:
		}
		began := time.Now()
		p.End()
		if err := <-done; err != nil || time.Since(began) != 0 {
			t.Errorf("Close: %v, %v behind the end", err, time.Since(began))
		}
		p.WantEnd()
	})
	synctest.Test(t, func(t *testing.T) { // it does not wait for ever
		c, p := wstest.ServePeer(t, nil)
		done := make(chan error, 1)
		go func() { done <- c.Close(t.Context(), 1000, "") }()
		p.WantClose(1000)
		p.Send(`88 02 03e8`)
		began := time.Now()
		if err := <-done; err != nil || time.Since(began) != time.Second {
			t.Errorf("Close: %v after %v", err, time.Since(began))
		}
	})
}

func TestCloseUnanswered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, p := wstest.DialPeer(t, nil)
		began := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		err := c.Close(ctx, 1000, "")
		if !errors.Is(err, websocket.ErrCloseTimeout) || time.Since(began) != 3*time.Second {
			t.Errorf("Close: %v after %v", err, time.Since(began))
		}
		wantLost(t, c, websocket.ErrCloseTimeout)
		_ = p
	})
	synctest.Test(t, func(t *testing.T) { // without a deadline of the caller's
		c, _ := wstest.DialPeer(t, nil)
		began := time.Now()
		if err := c.Close(context.Background(), 1000, ""); !errors.Is(err, websocket.ErrCloseTimeout) || time.Since(began) != 5*time.Second {
			t.Errorf("Close: %v after %v", err, time.Since(began))
		}
	})
}

func TestCloseRefusesWhatMayNotBeSent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server, client := wstest.Pipe(t, nil, nil)
		for _, code := range []websocket.StatusCode{0, 999, 1004, 1006, 1015, 1016, 2999, 5000} {
			if err := server.Close(t.Context(), code, ""); !errors.Is(err, websocket.ErrStatusCode) {
				t.Errorf("Close(%d): %v", code, err)
			}
		}
		if err := server.Close(t.Context(), 1000, strings.Repeat("x", 124)); !errors.Is(err, websocket.ErrControlPayload) {
			t.Errorf("Close with a long reason: %v", err)
		}
		if err := server.Close(t.Context(), 1000, "\xff"); !errors.Is(err, websocket.ErrNotUTF8) {
			t.Errorf("Close with a bad reason: %v", err)
		}
		// The connection is as it was.
		go server.Write(t.Context(), websocket.Text, []byte("hello"))
		if _, m, err := client.Read(t.Context()); err != nil || string(m) != "hello" {
			t.Errorf("Read: %q, %v", m, err)
		}
	})
}

func TestEndsWithoutCloseSayWhy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, p := wstest.DialPeer(t, nil)
		p.Send(`81 85 00000000 "Hello"`)
		if _, _, err := c.Read(t.Context()); err != nil {
			t.Fatal(err)
		}
		time.AfterFunc(61*time.Second, p.End)
		c2 := c.CloseRead(t.Context())
		go func() { // play a client that answers pings, so that only the end is missing
			for {
				h, payload, err := p.ReadFrame()
				if err != nil {
					return
				}
				h.Masked, h.Opcode = true, 10
				p.SendBytes(append(h.Append(nil), payload...))
			}
		}()
		<-c2.Done()
		lost := wantLost(t, c, websocket.ErrPeerGone)
		if silent := lost.Ended.Sub(lost.LastHeard); silent != time.Second { // since the pong at 60 s
			t.Errorf("silent for %v before the end", silent)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		c, p := wstest.DialPeer(t, nil)
		p.Send(`81 85 00000000 "He"`) // inside a frame
		p.End()
		if _, _, err := c.Read(t.Context()); !errors.Is(err, websocket.ErrPeerGone) {
			t.Errorf("Read: %v", err)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		c, _ := wstest.DialPeer(t, nil)
		c.CloseNow()
		wantLost(t, c, websocket.ErrClosedHere)
	})
}

func TestResetIsTold(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	near, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	far, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	accepted := make(chan *websocket.Conn)
	go func() {
		c, err := wstest.Accept(far, nil)
		if err != nil {
			t.Error(err)
		}
		accepted <- c
	}()
	wstest.Dial(t, near, nil)
	c := <-accepted
	near.(*net.TCPConn).SetLinger(0)
	near.Close()
	if _, _, err := c.Read(t.Context()); !errors.Is(err, websocket.ErrPeerReset) {
		t.Errorf("Read: %v", err)
	}
}

func TestBrokenRuleFailsTheConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, p := wstest.DialPeer(t, nil)
		p.Send(`81 85 01020304 "Hello"^01020304 c1 85 01020305 "Hello"^01020305`)
		if _, m, err := c.Read(t.Context()); err != nil || string(m) != "Hello" {
			t.Fatalf("Read: %q, %v", m, err)
		}
		_, _, err := c.Read(t.Context())
		broken := new(websocket.RuleError)
		if !errors.As(err, &broken) || broken.Rule != rfc.ReservedBitsZero || broken.Offset != 11 {
			t.Fatalf("Read: %v", err)
		}
		p.WantClose(1002)
		p.End()
		p.WantEnd()
		if !errors.Is(err, net.ErrClosed) {
			t.Errorf("%v is no net.ErrClosed", err)
		}
	})
}

func TestAnEndedConnectionStopsWaiting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, _ := wstest.DialPeer(t, nil)
		errs := make(chan error)
		go func() { _, _, err := c.Read(context.Background()); errs <- err }()
		go func() { _, err := c.Ping(context.Background()); errs <- err }()
		go func() {
			for { // until nobody takes more
				if err := c.Write(context.Background(), websocket.Binary, make([]byte, 1<<19)); err != nil {
					errs <- err
					return
				}
			}
		}()
		synctest.Wait()
		c.CloseNow()
		for range 3 {
			if err := <-errs; !errors.Is(err, websocket.ErrClosedHere) {
				t.Errorf("a call ended with %v", err)
			}
		}
	})
}

// A write behind a Close says which it was.
func TestAWriteBehindACloseSaysWhy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, p := wstest.DialPeer(t, nil)
		closed := make(chan error)
		go func() { closed <- c.Close(t.Context(), websocket.StatusServiceRestart, "come back") }()
		p.WantClose(websocket.StatusServiceRestart)
		for range 2 { // before the peer's answer, and behind it
			why := new(websocket.CloseError)
			if err := c.Write(t.Context(), websocket.Text, nil); !errors.As(err, &why) || *why != (websocket.CloseError{Code: websocket.StatusServiceRestart, Reason: "come back"}) {
				t.Errorf("Write: %v", err)
			}
			if _, err := c.Ping(t.Context()); !errors.As(err, &why) {
				t.Errorf("Ping: %v", err)
			}
			if c.Cause() == nil {
				p.Send(`88 82 00000000 03f4`)
				if err := <-closed; err != nil {
					t.Errorf("Close: %v", err)
				}
			}
		}
	})
}

// A peer that sends a Close and ends TCP at once has said why, also to a program
// whose write is the first to find that out, whether it reads or not.
func TestACloseInFrontOfAResetIsHeard(t *testing.T) {
	for _, network := range []string{"tcp", "tcp watched"} {
		for _, reads := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, reads: %v", network, reads), func(t *testing.T) {
				for range 50 {
					c, near := rawClient(t, network, nil)
					if reads {
						c.CloseRead(t.Context())
					}
					writing := make(chan error)
					go func() {
						p := make([]byte, 100)
						for {
							if err := c.Write(t.Context(), websocket.Binary, p); err != nil {
								writing <- err
								return
							}
						}
					}()
					near.Read(make([]byte, 1))
					io.WriteString(near, "\x88\x85\x00\x00\x00\x00\x03\xf0why")
					near.Close() // with bytes unread, and so by a reset
					closed := new(websocket.CloseError)
					if err := <-writing; !errors.As(err, &closed) || closed.Code != websocket.StatusPolicyViolation || closed.Reason != "why" {
						t.Fatalf("Write: %v", err)
					}
					if cause := c.Cause(); cause != nil && cause != error(closed) { // that of a write may be first
						t.Fatalf("Cause: %v", cause)
					}
				}
			})
		}
	}
}

// What came behind the frame that ended the connection is never handed out.
func TestNothingIsReadBehindTheEnd(t *testing.T) {
	for _, last := range []string{`88 82 00000000 03e8`, `83 80 00000000`} {
		synctest.Test(t, func(t *testing.T) {
			c, p := wstest.DialPeer(t, nil)
			p.Send(last + ` 81 82 00000001 "hi"^00000001 81 82 00000002 "hi"^00000002`)
			for range 3 {
				if _, m, err := c.Read(t.Context()); err == nil || err != c.Cause() {
					t.Errorf("behind %s: %q, %v; the cause is %v", last, m, err, c.Cause())
				}
			}
		})
	}
}

// A write that fails takes nothing away from the program that it has received
// and not read.
func TestAFailedWriteLosesNoMessage(t *testing.T) {
	for _, network := range []string{"tcp", "tcp watched", "pipe"} {
		t.Run(network, func(t *testing.T) {
			c, near := rawClient(t, network, nil)
			go near.Write([]byte("\x82\x81\x00\x00\x00\x00a\x82\x81\x00\x00\x00\x00b"))
			for _, want := range []string{"a", "b"} {
				_, m, err := c.Read(t.Context())
				if string(m) != want || err != nil {
					t.Fatalf("read %q, %v; want %q", m, err, want)
				}
				near.Close()
				for c.Write(t.Context(), websocket.Binary, nil) == nil {
				}
			}
			gone := new(websocket.LostError)
			if _, _, err := c.Read(t.Context()); !errors.As(err, &gone) {
				t.Errorf("then read %v", err)
			}
		})
	}
}
