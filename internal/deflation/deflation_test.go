package deflation

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/wiretrue/websocket/wire"
	"github.com/wiretrue/websocket/wire/deflate"
	"github.com/wiretrue/websocket/wire/frame"
	"github.com/wiretrue/websocket/wire/handshake"
	"github.com/wiretrue/websocket/wire/rfc"
)

func options(edit func(*Options)) *Options {
	o := &Options{Threshold: 16, FreshThreshold: 128, WindowBits: 12, PeerWindowBits: 12}
	if edit != nil {
		edit(o)
	}
	return o
}

// agree negotiates between a client and a server.
func agree(t *testing.T, server, client *Options, budget *Budget) (s, c *State) {
	t.Helper()
	offers := client.Offers()
	s = server.Choose(offers, budget)
	if s == nil {
		t.Fatalf("the server declines %v", offers)
	}
	params, ok, broken := deflate.Confirm([]handshake.Extension{s.Response()}, offers)
	if !ok {
		t.Fatalf("the client declines %v: %v", s, broken)
	}
	return s, client.Agreed(params)
}

// receive returns the message that the bytes are to one that has agreed on d.
func receive(t *testing.T, d *State, r *wire.Receiver, b []byte, now int64) (message []byte) {
	t.Helper()
	for {
		var ev wire.Event
		n := r.Next(b, &ev)
		b = b[n:]
		if !ev.Broken.Clean() {
			t.Fatalf("broken: %v", ev.Broken)
		}
		switch ev.Kind {
		case wire.Header:
			if ev.Header.RSV&frame.RSV1 != 0 && r.Decompressor == nil {
				r.Decompressor = d.Decompressor(now)
			}
		case wire.Data:
			message = append(message, ev.Data...)
		case wire.MessageEnd:
			if r.Decompressor != nil {
				d.PutDecompressor(r.Decompressor)
				r.Decompressor = nil
			}
		case wire.NeedMore:
			return message
		}
	}
}

func TestConversation(t *testing.T) {
	fresh := func(o *Options) { o.NoContextTakeover, o.PeerNoContextTakeover = true, true }
	for _, tt := range []struct {
		name           string
		server, client *Options
		keeps          bool // something of the last message, for the next one
	}{
		{"takeover", options(nil), options(nil), true},
		{"at once", options(func(o *Options) { o.AtOnce = true }), options(func(o *Options) { o.AtOnce = true }), true},
		{"fresh", options(fresh), options(nil), false},
		{"windows of unlike size", options(func(o *Options) { o.WindowBits, o.PeerWindowBits = 15, 9 }), options(nil), true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s, c := agree(t, tt.server, tt.client, new(Budget))
			sender, receiver := wire.Sender{Role: wire.Server}, wire.Receiver{Role: wire.Client}
			c.Receive(&receiver)
			var prepared Message
			if err := prepared.Encode(frame.Text, []byte(strings.Repeat("a message for everybody, ", 20))); err != nil {
				t.Fatal(err)
			}
			message := []byte(strings.Repeat("what was said before is said again, ", 10))
			var sizes []int
			for range 4 {
				b, err := s.AppendMessage(nil, &sender, frame.Text, message, [4]byte{}, 1)
				if err != nil {
					t.Fatal(err)
				}
				sizes = append(sizes, len(b))
				if got := receive(t, c, &receiver, b, 1); !bytes.Equal(got, message) {
					t.Fatalf("received %q", got)
				}
				if b, err = prepared.Append(nil, &sender, s, true, 1); err != nil {
					t.Fatal(err)
				}
				if got := receive(t, c, &receiver, b, 1); !bytes.Equal(got, prepared.Payload()) {
					t.Fatalf("received %q", got)
				}
			}
			if (sizes[1] < sizes[0]) != tt.keeps {
				t.Errorf("the same message takes %v bytes", sizes)
			}
			if n := prepared.Compressions(); n != 1 {
				t.Errorf("the prepared message was compressed %d times", n)
			}
			s.End(&sender)
			if sender.Compressor != nil {
				t.Error("a compressor is left")
			}
		})
	}
}

func TestBudget(t *testing.T) {
	budget, small := new(Budget), options(func(o *Options) { o.AtOnce, o.MaxMemory = true, 20<<10 })
	var states []*State
	for _, windows := range []bool{true, true, false} { // each takes 8 KiB
		s, _ := agree(t, small, options(nil), budget)
		if strings.Contains(s.String(), "server_no_context_takeover") == windows {
			t.Fatalf("connection %d: %v", len(states)+1, s)
		}
		states = append(states, s)
	}
	for _, s := range states {
		s.Release()
	}
	if n := budget.used.Load(); n != 0 {
		t.Errorf("%d bytes are taken when all is released", n)
	}
}

func TestIdle(t *testing.T) {
	s, _ := agree(t, options(func(o *Options) { o.CompactAfter = time.Second }), options(nil), new(Budget))
	at := func(d time.Duration) int64 { return int64(time.Hour + d) }
	if s.Idle(at(0)) {
		t.Error("idle before the first message")
	}
	s.Used(at(0))
	for _, tt := range []struct {
		after time.Duration
		want  bool
	}{{999 * time.Millisecond, false}, {time.Second, true}, {time.Minute, false}} {
		if got := s.Idle(at(tt.after)); got != tt.want {
			t.Errorf("%v after the last message: %v", tt.after, got)
		}
	}
	if never := (*State)(nil); never.Idle(at(time.Hour)) || never.Compresses(make([]byte, 1000)) || never.String() != "" {
		t.Error("without compression there is some")
	}
}

// What a connection inflates with may have been another's: of its window nothing
// can be referred to.
func TestNothingOfAnotherConnection(t *testing.T) {
	atOnce := options(func(o *Options) { o.AtOnce = true })
	encode := func(history, message []byte) []byte {
		sender := wire.Sender{Role: wire.Server, Compressor: deflate.NewCompressor(12, deflate.Default)}
		sender.Compressor.SetHistory(history)
		b, err := sender.CompressedMessage(nil, frame.Binary, message, [4]byte{})
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	secret := []byte("a secret of somebody else's, and long enough to be referred to")
	for range 100 { // a pool may hand out another one
		_, c := agree(t, atOnce, atOnce, new(Budget))
		if m := receive(t, c, &wire.Receiver{Role: wire.Client, Compression: true}, encode(nil, secret), 1); !bytes.Equal(m, secret) {
			t.Fatalf("received %q", m)
		}
		_, other := agree(t, options(nil), options(nil), new(Budget))
		r := wire.Receiver{Role: wire.Client, Compression: true}
		var broken rfc.Set
		var ev wire.Event
		for b := encode(secret, secret); ; {
			b = b[r.Next(b, &ev):]
			broken = broken.Union(ev.Broken)
			if ev.Kind == wire.Header {
				r.Decompressor = other.Decompressor(1)
			}
			if ev.Kind == wire.NeedMore {
				break
			}
			if bytes.Contains(ev.Data, []byte("secret")) {
				t.Fatalf("the other one is told %q", ev.Data)
			}
		}
		if !broken.Has(rfc.InflatablePayload) {
			t.Fatalf("broken: %v", broken)
		}
		other.PutDecompressor(r.Decompressor)
	}
}
