package websocket_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wiretrue/websocket"
	"github.com/wiretrue/websocket/wstest"
)

// pass lets the time of the bubble pass.
func pass(d time.Duration) { <-time.After(d) }

func TestASilentPeerIsPingedAndGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, p := wstest.DialPeer(t, nil)
		began := time.Now()
		go c.Read(context.Background())
		h, _, err := p.ReadFrame()
		if err != nil || h.Opcode.String() != "PING" || time.Since(began) != 30*time.Second {
			t.Fatalf("%v after %v, %v", h, time.Since(began), err)
		}
		lost := wantLost(t, c, websocket.ErrPingTimeout)
		if took := time.Since(began); took != 50*time.Second || lost.Ended.Sub(lost.LastHeard) != took {
			t.Errorf("given up after %v, %v", took, lost)
		}
	})
}

func TestAPeerThatAnswersStays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server, client := wstest.Pipe(t, nil, nil)
		server.CloseRead(t.Context())
		client.CloseRead(t.Context())
		pass(time.Hour) // of the bubble's time
		synctest.Wait()
		if server.Cause() != nil || client.Cause() != nil {
			t.Fatal(server.Cause(), client.Cause())
		}
		if got := server.Stats(); got.Sent.Pings != 120 || got.Received.Pongs != 120 {
			t.Errorf("%d pings, %d pongs", got.Sent.Pings, got.Received.Pongs)
		}
	})
}

// A program that reads for a second at a time is told of a dead peer, too.
func TestASilentPeerIsGivenUpBetweenShortReads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, p := wstest.DialPeer(t, nil)
		collect(p)
		began := time.Now()
		for c.Cause() == nil && time.Since(began) < 5*time.Minute {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			c.Read(ctx)
			cancel()
		}
		wantLost(t, c, websocket.ErrPingTimeout)
		if took := time.Since(began); took < 50*time.Second || took > 52*time.Second {
			t.Errorf("given up after %v, want 50s and what a read lasts", took)
		}
	})
}

// A peer whose bytes the program does not read is not blamed for silence.
func TestAProgramThatDoesNotReadKeepsItsPeer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, p := wstest.DialPeer(t, nil)
		sent := collect(p)
		p.Send(`81 81 00000000 "x"`)
		pass(10 * time.Minute)
		if _, m, err := c.Read(t.Context()); err != nil || string(m) != "x" {
			t.Errorf("Read: %q, %v", m, err)
		}
		c.CloseNow()
		<-sent
	})
}

func TestTrafficNeedsNoPing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server, client := wstest.Pipe(t, nil, nil)
		go func() {
			for range 100 {
				pass(20 * time.Second)
				client.Write(t.Context(), websocket.Text, []byte("still here"))
			}
		}()
		for range 100 {
			if _, _, err := server.Read(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		if got := server.Stats().Sent.Pings; got != 0 {
			t.Errorf("%d pings", got)
		}
	})
}

func TestPing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, p := wstest.DialPeer(t, nil)
		c.CloseRead(t.Context())
		type result struct {
			rtt time.Duration
			err error
		}
		results := make(chan result)
		for range 2 {
			go func() {
				rtt, err := c.Ping(t.Context())
				results <- result{rtt, err}
			}()
			synctest.Wait()
			pass(time.Millisecond)
		}
		p.ReadFrame()
		h, payload, _ := p.ReadFrame()
		pass(41 * time.Millisecond)
		h.Opcode, h.Masked = 10, true
		pong := append(h.Append(nil), payload...)
		p.SendBytes(pong) // the newest alone, which answers both
		var rtts []time.Duration
		for range 2 {
			r := <-results
			if r.err != nil {
				t.Fatal(r.err)
			}
			rtts = append(rtts, r.rtt)
		}
		if rtts[0]+rtts[1] != 43*time.Millisecond+42*time.Millisecond || c.RTT() != 42*time.Millisecond {
			t.Errorf("round trips of %v, RTT %v", rtts, c.RTT())
		}
		pass(time.Second)
		p.SendBytes(pong) // a second time
		p.Send(`8a 88 00000000 0000000000000000`)
		synctest.Wait()
		if c.RTT() != 42*time.Millisecond {
			t.Errorf("RTT %v by a Pong that answers nothing", c.RTT())
		}

		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := c.Ping(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Ping without an answer: %v", err)
		}
		p.Send(`8a 80 00000000 8a 83 00000001 "???"^00000001`) // answers to nothing are ignored
		synctest.Wait()
		if c.Cause() != nil {
			t.Error(c.Cause())
		}
	})
}

// Pings are answered each while the answers can leave, and by the newest alone
// when they cannot.
func TestAPingStormIsNotAnsweredInFull(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, p := wstest.ServePeer(t, nil)
		c.CloseRead(t.Context())
		p.Send(`8901 "a" 8901 "b" 8901 "c" 8901 "d"`)
		for _, payload := range []string{"a", "b", "c", "d"} {
			p.Want("FIN PONG length 1", payload)
		}
		for range 100 {
			p.Send(`8901 "e"`)
			synctest.Wait()
		}
		p.Send(`8901 "z"`)
		synctest.Wait()
		for range 1 + 16 { // one on its way, the rest queued behind it
			p.Want("FIN PONG length 1", "e")
		}
		p.Want("FIN PONG length 1", "z") // the newest
		p.Send(`8800`)
		p.WantClose(0)
	})
}

func TestALongMessageDoesNotDelayPongs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, p := wstest.ServePeer(t, nil)
		go c.Read(t.Context())
		p.Send(`01 03 "abc" 8901 "p" 00 03 "def"`)
		p.Want("FIN PONG length 1", "p")
	})
}
