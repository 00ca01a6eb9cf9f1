package soak

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/wiretrue/websocket"
)

// The clients that keep the rules: every message must come back, in order, and
// the connection must close with both sides' consent.

func (w *world) steady(rng *rand.Rand) error {
	c, _, err := w.dial("steady", nil)
	if err != nil {
		return err
	}
	defer c.CloseNow()
	base := rng.IntN(1 << 20)
	size := func(i int) int { return sizes(rand.New(rand.NewPCG(uint64(base), uint64(i))), 1<<20) }
	if err := w.converse(c, 1+rng.IntN(60), size, func(int) {}); err != nil {
		return err
	}
	return finish(c)
}

func (w *world) compressed(rng *rand.Rand) error {
	opts := &websocket.DialOptions{}
	opts.Compression = &websocket.Compression{NoContextTakeover: rng.IntN(2) == 0, PeerNoContextTakeover: rng.IntN(2) == 0}
	c, _, err := w.dial("compressed", opts)
	if err != nil {
		return err
	}
	defer c.CloseNow()
	base := rng.IntN(1 << 20)
	size := func(i int) int { return sizes(rand.New(rand.NewPCG(uint64(base), uint64(i))), 1<<16) }
	if err := w.converse(c, 1+rng.IntN(40), size, func(int) {}); err != nil {
		return err
	}
	return finish(c)
}

// fragments sends messages in many frames, with pings between them.
func (w *world) fragments(rng *rand.Rand) error {
	c, _, err := w.dial("fragments", nil)
	if err != nil {
		return err
	}
	defer c.CloseNow()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	for i := range 1 + rng.IntN(5) {
		p := message(i, 40_000+rng.IntN(200_000))
		out, err := c.Writer(ctx, kindOf(i))
		if err != nil {
			return err
		}
		for rest := p; len(rest) > 0; {
			n := min(len(rest), 1+rng.IntN(20_000))
			if _, err := out.Write(rest[:n]); err != nil {
				return err
			}
			rest = rest[n:]
		}
		if err := out.Close(); err != nil {
			return err
		}
		typ, b, err := readSoon(c, nil)
		if err != nil {
			return err
		}
		if typ != kindOf(i) || string(b) != string(p) {
			return fmt.Errorf("message %d came back as another", i)
		}
		w.messages.Add(1)
	}
	return finish(c)
}

// burst sends very many small messages before it reads the first answer.
func (w *world) burst(rng *rand.Rand) error {
	c, _, err := w.dial("burst", nil)
	if err != nil {
		return err
	}
	defer c.CloseNow()
	if err := w.converse(c, 2000, func(int) int { return 20 }, func(i int) {
		if i == 0 {
			time.Sleep(time.Duration(rng.IntN(20)) * time.Millisecond)
		}
	}); err != nil {
		return err
	}
	return finish(c)
}

// slowReader lets answers pile up until the server stops reading, too.
func (w *world) slowReader(rng *rand.Rand) error {
	c, _, err := w.dial("slow reader", nil)
	if err != nil {
		return err
	}
	defer c.CloseNow()
	if err := w.converse(c, 40, func(int) int { return 256 << 10 }, func(i int) {
		if i%15 == 0 {
			time.Sleep(time.Duration(200+rng.IntN(300)) * time.Millisecond)
		}
	}); err != nil {
		return err
	}
	return finish(c)
}
