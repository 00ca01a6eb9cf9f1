// Package soak treats an echo server as the world does: clients that behave, and
// clients that reset, half-close, stall, flood and break the rules, all at once,
// each of which knows what must come of it.
package soak

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/wiretrue/websocket"
	"github.com/wiretrue/websocket/wire/rfc"
)

// Clients is how many of each kind there are at a time.
const Clients = 6

// patience is how long a server may take for anything.
const patience = 30 * time.Second

// Report counts what happened, by the name of the behaviour.
type Report struct {
	Opened   map[string]int // connections
	Messages int64          // that came back right
}

// world is the state of a run.
type world struct {
	url      string
	mu       sync.Mutex
	opened   map[string]int
	messages atomic.Int64
}

// behaviour is the life of one connection, from its opening to its end. What it
// returns is the server's fault.
type behaviour struct {
	name string
	live func(*world, *rand.Rand) error
	end  string // what the server must call the connection's end
}

var behaviours = []behaviour{
	{"steady", (*world).steady, Closed},
	{"compressed", (*world).compressed, Closed},
	{"fragments", (*world).fragments, Closed},
	{"burst", (*world).burst, Closed},
	{"slow reader", (*world).slowReader, Closed},
	{"slow writer", (*world).slowWriter, Closed},
	{"half-close", (*world).halfClose, Lost},
	{"reset", (*world).reset, Lost},
	{"cut handshake", (*world).cutHandshake, ""},
	{"ping flood", (*world).pingFlood, Broke + rfc.ControlRate.String()},
	{"unmasked", (*world).unmasked, Broke + rfc.ClientMustMask.String()},
	{"not UTF-8", (*world).notUTF8, Broke + rfc.TextIsUTF8.String()},
}

// The words for a connection's end. Behind Broke stands the rule's name.
const (
	Closed = "closed with 1000"
	Lost   = "lost"
	Broke  = "broke "
)

// Cause returns the words for what Conn.Cause says; "" for nil.
func Cause(err error) string {
	var closed *websocket.CloseError
	var lost *websocket.LostError
	var rule *websocket.RuleError
	switch {
	case err == nil:
		return ""
	case errors.As(err, &closed):
		return fmt.Sprintf("closed with %d", closed.Code)
	case errors.As(err, &rule):
		return Broke + rule.Rule.String()
	case errors.As(err, &lost):
		return Lost
	}
	return err.Error()
}

// Ends returns the ends that the connections of a report must have had.
func (r *Report) Ends() map[string]int {
	ends := map[string]int{}
	for _, b := range behaviours {
		if n := r.Opened[b.name]; n > 0 {
			ends[b.end] += n
		}
	}
	return ends
}

// Run lets them all loose on the server at the URL for a time, and returns when
// every one of their connections has ended.
func Run(url string, d time.Duration, seed uint64) (*Report, error) {
	w := &world{url: url, opened: map[string]int{}}
	end := time.Now().Add(d)
	var wg sync.WaitGroup
	var failed atomic.Pointer[error]
	for i := range Clients * len(behaviours) {
		wg.Go(func() {
			b := behaviours[i%len(behaviours)]
			rng := rand.New(rand.NewPCG(seed, uint64(i)))
			for time.Now().Before(end) && failed.Load() == nil {
				if err := b.live(w, rng); err != nil {
					err = fmt.Errorf("%s: %w", b.name, err)
					failed.CompareAndSwap(nil, &err)
				}
			}
		})
	}
	wg.Wait()
	r := &Report{Opened: w.opened, Messages: w.messages.Load()}
	if err := failed.Load(); err != nil {
		return r, *err
	}
	return r, nil
}

// dial opens a connection and counts it.
func (w *world) dial(name string, opts *websocket.DialOptions) (*websocket.Conn, *net.TCPConn, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if opts == nil {
		opts = new(websocket.DialOptions)
	}
	opts.ReadLimit = websocket.NoLimit
	var nc net.Conn
	opts.NetDial = func(ctx context.Context, network, address string) (net.Conn, error) {
		var err error
		nc, err = new(net.Dialer).DialContext(ctx, network, address)
		return nc, err
	}
	c, err := websocket.Dial(ctx, w.url, opts)
	if err != nil {
		return nil, nil, err
	}
	w.mu.Lock()
	w.opened[name]++
	w.mu.Unlock()
	return c, nc.(*net.TCPConn), nil
}

// message returns message i of a connection: what it is can be told from i alone,
// so that one that is lost, doubled or out of order is noticed.
func message(i int, size int) []byte {
	b := append(make([]byte, 0, max(size, 8)), fmt.Sprintf("%08d", i)...)
	return append(b, letters[i%26:][:max(size-8, 0)]...)
}

// letters is what messages are cut from, each at another place.
var letters = bytes.Repeat([]byte("ahovcjqxelszgnubipwdkryfmt"), 2<<20/26)

// sizes are drawn so that most messages are small, as they are.
func sizes(rng *rand.Rand, most int) int {
	n := 8 << rng.IntN(18)
	return min(most, n+rng.IntN(n))
}

// converse sends n messages and reads as many back at the same time.
func (w *world) converse(c *websocket.Conn, n int, size func(i int) int, before func(i int)) error {
	ctx, cancel := context.WithCancel(context.Background())
	read := make(chan error, 1)
	go func() {
		defer cancel()
		var buf []byte
		for i := range n {
			before(i)
			typ, b, err := readSoon(c, buf)
			if err != nil {
				read <- fmt.Errorf("message %d of %d: %w", i, n, err)
				return
			}
			if string(b) != string(message(i, size(i))) || typ != kindOf(i) {
				read <- fmt.Errorf("message %d of %d came back as another: %d bytes beginning with %.16q", i, n, len(b), b)
				return
			}
			buf = b
			w.messages.Add(1)
		}
		read <- nil
	}()
	for i := range n {
		if err := c.Write(ctx, kindOf(i), message(i, size(i))); err != nil {
			return errors.Join(fmt.Errorf("sending message %d of %d: %w", i, n, err), <-read)
		}
	}
	return <-read
}

// readSoon reads a message, for which it has some patience.
func readSoon(c *websocket.Conn, buf []byte) (websocket.MessageType, []byte, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	return c.ReadInto(ctx, buf)
}

func kindOf(i int) websocket.MessageType {
	if i%2 == 0 {
		return websocket.Text
	}
	return websocket.Binary
}

// finish performs the closing handshake, which must succeed.
func finish(c *websocket.Conn) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := c.Close(ctx, websocket.StatusNormalClosure, "done"); err != nil {
		return fmt.Errorf("closing: %w", err)
	}
	return nil
}
