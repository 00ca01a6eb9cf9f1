package interop

import (
	"bytes"
	"compress/flate"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"

	"github.com/wiretrue/websocket"
	"github.com/wiretrue/websocket/wire/deflate"
	"github.com/wiretrue/websocket/wire/frame"
)

// The cases of sections 12 and 13 of the Autobahn test suite: a thousand
// messages of 16 bytes to 128 KiB, whole and in fragments, with pings between
// the fragments, under every agreement on windows and context takeover.

// conversation is what one direction of a case carries.
func conversation(t testing.TB) [][]byte {
	if testing.Short() {
		return allMessages()[:100]
	}
	return allMessages()
}

var allMessages = sync.OnceValue(func() (all [][]byte) {
	rng := rand.New(rand.NewPCG(12, 13))
	for i := range 1000 {
		all = append(all, messageOf(rng, i, sizeOf(i)))
	}
	return all
})

// sizeOf makes large messages rarer.
func sizeOf(i int) int {
	for power, every := range map[int]int{17: 100, 16: 90, 15: 45, 14: 23, 13: 12, 12: 9, 10: 4} {
		if i%every == every-1 {
			return 1 << power
		}
	}
	return 16 << (2 * (i % 3)) // 16, 64, 256
}

// messageOf returns a text message of n bytes, of one sort or another.
func messageOf(rng *rand.Rand, i, n int) []byte {
	var b bytes.Buffer
	for b.Len() < n {
		switch i % 5 {
		case 0, 1:
			fmt.Fprintf(&b, `{"seq":%d,"symbol":"%c%c","price":%d.%02d,"note":"%x"},`, i, 'A'+rng.IntN(26), 'A'+rng.IntN(26), rng.IntN(1000), rng.IntN(100), rng.Uint32())
		case 2:
			b.WriteString("the same again and again, ")
		case 3:
			fmt.Fprintf(&b, "%x", rng.Uint64())
		case 4:
			b.WriteByte(byte(' ' + rng.IntN(95)))
		}
	}
	return b.Bytes()[:n]
}

// direction is what was agreed on for one direction of a connection.
type direction struct {
	bits  int
	fresh bool // no context takeover
}

func (d direction) String() string {
	if d.fresh {
		return fmt.Sprintf("%d fresh", d.bits)
	}
	return fmt.Sprint(d.bits)
}

func directions() (all []direction) {
	for bits := 8; bits <= 15; bits++ {
		all = append(all, direction{bits, false}, direction{bits, true})
	}
	return all
}

var packed = struct {
	sync.Mutex
	by map[direction][][]byte
}{by: map[direction][][]byte{}}

// compressedFor returns the conversation as it is sent in the direction.
func compressedFor(t testing.TB, d direction) [][]byte {
	packed.Lock()
	defer packed.Unlock()
	if packed.by[d] == nil {
		z := deflate.NewCompressor(d.bits, deflate.Level(d.bits%3))
		for _, m := range conversation(t) {
			if d.fresh {
				z.Reset()
			}
			packed.by[d] = append(packed.by[d], z.Append(nil, m, true))
		}
	}
	return packed.by[d]
}

func TestCompressionCases(t *testing.T) {
	for role, start := range rigs {
		t.Run(role, func(t *testing.T) {
			for i, server := range directions() {
				for j, client := range directions() {
					if testing.Short() && (i+j)%15 != 0 {
						continue
					}
					t.Run(fmt.Sprintf("server %v, client %v", server, client), func(t *testing.T) {
						t.Parallel()
						compressionCase(t, start, role == "server", server, client)
					})
				}
			}
		})
	}
}

// compressionCase talks to our echo, which is the server or the client.
func compressionCase(t *testing.T, start rig, serverIsOurs bool, server, client direction) {
	agreed := deflate.Params{
		ServerNoContextTakeover: server.fresh, ServerMaxWindowBits: uint8(server.bits),
		ClientNoContextTakeover: client.fresh, ClientMaxWindowBits: uint8(client.bits),
	}
	ours, theirs, says := client, server, agreed.Response()
	if serverIsOurs {
		ours, theirs = server, client
		says = deflate.Params{ClientMaxWindowBits: uint8(client.bits)}.Offer()
	}
	r := start(t, websocket.Options{Compression: &websocket.Compression{
		Threshold:  1,
		Level:      websocket.CompressionLevel(ours.bits % 3),
		WindowBits: ours.bits, NoContextTakeover: ours.fresh,
		PeerWindowBits: theirs.bits, PeerNoContextTakeover: theirs.fresh,
	}}, says)(t)
	if want := agreed.Response().String(); serverIsOurs && r.extensions != want {
		t.Fatalf("agreed on %q, want %q", r.extensions, want)
	}

	go func() {
		for i, p := range compressedFor(t, theirs) {
			r.send(0, inCompressedPieces(p, i)...)
		}
		r.send(0, closing(1000, ""))
	}()
	in := newInflater(ours)
	for i, m := range conversation(t) {
		got, err := r.nextCompressed(in)
		if err != nil || !bytes.Equal(got, m) {
			t.Fatalf("message %d: %d bytes came back of %d, %v", i, len(got), len(m), err)
		}
	}
	for {
		p, err := r.frame()
		if err != nil || p.Opcode != frame.Pong {
			if err != nil || p.Opcode != frame.Close || string(p.payload) != "\x03\xe8" {
				t.Errorf("%v, %v behind the last message; want a Close", p, err)
			}
			break
		}
	}
}

// inCompressedPieces is the i-th message in one frame or in several, with pings
// in between.
func inCompressedPieces(p []byte, i int) (all []piece) {
	size := []int{len(p), 64, 1 << 10, 16 << 10}[i%4]
	for k, f := range inPieces(frame.Text, p, max(size, 1)) {
		if k == 0 {
			f = f.rsv(frame.RSV1)
		} else if k < 3 {
			all = append(all, ping(fmt.Sprintf("the same again and again, %d", k)))
		}
		all = append(all, f)
	}
	return all
}

// inflater reads one direction with our decompressor, which knows the window,
// and with the standard library's.
type inflater struct {
	direction
	ours    *deflate.Decompressor
	theirs  io.ReadCloser
	history []byte
}

func newInflater(d direction) *inflater {
	return &inflater{direction: d, ours: deflate.NewDecompressor(d.bits), theirs: flate.NewReader(strings.NewReader(""))}
}

func (in *inflater) inflate(p []byte) (m []byte, err error) {
	if in.fresh {
		in.ours.Reset()
		in.history = in.history[:0]
	}
	for rest := p; ; {
		out, n, err := in.ours.Next(rest)
		m = append(m, out...)
		if err != nil {
			return m, err
		}
		if rest = rest[n:]; n == 0 && len(out) == 0 {
			break
		}
	}
	if out, err := in.ours.Finish(); err != nil || len(out) > 0 {
		return m, fmt.Errorf("%d bytes at the end, %v", len(out), err)
	}
	whole := io.MultiReader(bytes.NewReader(p), strings.NewReader("\x00\x00\xff\xff"))
	in.theirs.(flate.Resetter).Reset(whole, in.history)
	other := make([]byte, len(m)+1)
	if n, err := io.ReadFull(in.theirs, other); err != io.ErrUnexpectedEOF || !bytes.Equal(other[:n], m) {
		return m, fmt.Errorf("compress/flate has %d bytes, we %d, %v", n, len(m), err)
	}
	in.history = append(in.history, m...)
	in.history = in.history[max(0, len(in.history)-1<<in.bits):]
	return m, nil
}

// nextCompressed returns the next message. RSV1 marks the first frame of a
// compressed one and nothing else.
func (r *raw) nextCompressed(in *inflater) ([]byte, error) {
	var message []byte
	var first frame.Header
	for started := false; ; {
		p, err := r.frame()
		switch {
		case err != nil:
			return nil, err
		case p.Opcode == frame.Pong && p.RSV == 0:
			continue
		case p.Opcode.Control():
			return nil, fmt.Errorf("%v: a control frame out of turn", p)
		case !started && p.Opcode != frame.Text, p.RSV&^frame.RSV1 != 0:
			return nil, fmt.Errorf("%v: no beginning of a message", p)
		case started && (p.Opcode != frame.Continuation || p.RSV != 0):
			return nil, fmt.Errorf("%v: no continuation", p)
		case p.LengthSize != frame.MinimalLengthSize(p.Length), p.Masked == r.client:
			return nil, fmt.Errorf("%v: not well-formed", p)
		}
		if !started {
			started, first = true, p.Header
		}
		message = append(message, p.payload...)
		if p.Fin {
			break
		}
	}
	if first.RSV == 0 {
		return message, nil
	}
	return in.inflate(message)
}
