package shell

import (
	"context"
	"math"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

func TestDropOldest(t *testing.T) {
	var m Marks
	b := []byte("ping.one.two.pong.three.")
	m.Add(5, 9)
	m.Add(9, 13)
	m.Add(18, 24)
	for _, want := range []string{"ping.two.pong.three.", "ping.pong.three.", "ping.pong."} {
		var dropped bool
		if b, dropped = m.DropOldest(b); !dropped || string(b) != want {
			t.Fatalf("%q is left, %v; want %q", b, dropped, want)
		}
	}
	if left, dropped := m.DropOldest(b); dropped || string(left) != "ping.pong." {
		t.Errorf("dropped what is no message: %q is left", left)
	}
	m.Add(0, 5)
	m.Clear()
	if _, dropped := m.DropOldest(b); dropped {
		t.Error("dropped what was handed out")
	}
}

func TestRate(t *testing.T) {
	// The clock of a process that has run for long, where milliseconds do not fit
	// 32 bits, is one like any other.
	for _, begin := range []int64{1e9, (math.MaxUint32 - 1) * 1e6, 100 * 365 * 24 * int64(time.Hour)} {
		var r Rate
		for i := range 3 {
			if !r.Take(begin+int64(i)*100e6, 3) {
				t.Errorf("frame %d of 3 is too much, at %d", i+1, begin)
			}
		}
		if r.Take(begin+999e6, 3) {
			t.Errorf("a fourth within the second is taken, at %d", begin)
		}
		if !r.Take(begin+1000e6, 3) {
			t.Errorf("the first of the next second is refused, at %d", begin)
		}
	}
	var r Rate
	for range 1_000_000 {
		if !r.Take(1e9, 0) {
			t.Fatal("without a limit there is one")
		}
	}
}

func TestPace(t *testing.T) {
	for _, tt := range []struct {
		name   string
		within time.Duration // 0: no deadline
		took   time.Duration
	}{
		{"a millisecond apart", 0, 99 * time.Millisecond},
		{"with time to spare", time.Minute, 99 * time.Millisecond},
		{"in half of the time that is left", 20 * time.Millisecond, 9900 * time.Microsecond},
		{"when the time is over", -time.Second, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx := t.Context()
				if tt.within != 0 {
					var cancel context.CancelFunc
					ctx, cancel = context.WithTimeout(ctx, tt.within)
					defer cancel()
				}
				conns := make([]int, 100)
				for i := range conns {
					conns[i] = i
				}
				begun := time.Now()
				var ended []int
				Pace(ctx, conns, func(c int) { ended = append(ended, c) })
				if took := time.Since(begun); took != tt.took {
					t.Errorf("took %v, want %v", took, tt.took)
				}
				if !slices.Equal(ended, conns) {
					t.Errorf("ended %v", ended)
				}
			})
		})
	}
}

func TestGroup(t *testing.T) {
	var g Group[string]
	for range 3 {
		if !g.Enter() {
			t.Fatal("a group that is not stopped lets none enter")
		}
	}
	g.Add("one")
	g.Add("two")
	g.Leave("one")
	if got := g.All(); !slices.Equal(got, []string{"two"}) || g.Active() != 2 || g.Stopped() {
		t.Errorf("%q are known, %d are active, stopped: %v", got, g.Active(), g.Stopped())
	}
	idle := g.Stop()
	if g.Enter() || !g.Stopped() {
		t.Error("one enters that is late")
	}
	g.Add("three") // it had entered
	for _, c := range []string{"two", "three"} {
		select {
		case <-idle:
			t.Errorf("idle before %s has left", c)
		default:
		}
		g.Leave(c)
	}
	<-idle
	<-g.Stop()
	var none Group[string]
	<-none.Stop()
}
