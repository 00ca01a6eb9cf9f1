//go:build linux

package load

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"unicode/utf8"

	"github.com/wiretrue/websocket/wire/deflate"
	"github.com/wiretrue/websocket/wire/frame"
)

// stream is what a connection sends, round and round: messages, and the bytes
// of their frames.
type stream struct {
	opcode   frame.Opcode
	messages [][]byte
	wire     []byte
	at       []int // where in wire each frame begins, and the last one ends
}

// newStream makes the stream of a configuration, compressed as the two sides
// have agreed. The first message of a round refers to nothing before it, so that
// the next round can follow on any.
func newStream(c *Config, agreed *deflate.Params) *stream {
	// So many that what belongs to different rounds is told apart, yet not so
	// many that they cool the caches; turns divide a round.
	turns := min(64, max(2, 256<<10/max(c.Size*c.InFlight, 1)))
	if agreed != nil {
		turns = 512 // a conversation to learn from
	}
	rng := rand.New(rand.NewPCG(6455, uint64(c.Size)))
	s := &stream{opcode: frame.Text, at: []int{0}}
	if c.Kind == Binary {
		s.opcode = frame.Binary
	}
	var z *deflate.Compressor
	if agreed != nil {
		z = deflate.NewCompressor(agreed.ClientWindow(), deflate.Default)
	}
	for i := range turns * c.InFlight {
		m := newMessage(rng, c.Kind, c.Size, i)
		s.messages = append(s.messages, m)
		h := frame.Header{Fin: true, Opcode: s.opcode, Masked: true}
		for j := range h.MaskingKey {
			h.MaskingKey[j] = byte(rng.Uint32())
		}
		payload := m
		if z != nil {
			if agreed.ClientNoContextTakeover {
				z.Reset()
			}
			payload = z.Append(nil, m, true)
			h.RSV = frame.RSV1
		}
		h.Length = uint64(len(payload))
		h.LengthSize = frame.MinimalLengthSize(h.Length)
		s.wire = h.Append(s.wire)
		s.wire = append(s.wire, payload...)
		frame.Mask(s.wire[len(s.wire)-len(payload):], h.MaskingKey, 0)
		s.at = append(s.at, len(s.wire))
	}
	return s
}

func newMessage(rng *rand.Rand, kind Kind, size, i int) []byte {
	switch kind {
	case Text:
		return newText(rng, size)
	case JSON:
		return newJSON(rng, size, i)
	}
	b := make([]byte, size)
	for j := range b {
		b[j] = byte(rng.Uint32())
	}
	return b
}

// newText returns text in which no script rules, so that every width of
// character follows on every other.
func newText(rng *rand.Rand, size int) []byte {
	scripts := []struct{ from, to rune }{{' ', '~'}, {'α', 'ω'}, {'а', 'я'}, {'ぁ', 'ん'}, {'一', '丿'}, {'😀', '😿'}}
	var b []byte
	for len(b) < size {
		script := scripts[rng.IntN(len(scripts))]
		for range 1 + rng.IntN(6) {
			r := script.from + rng.Int32N(script.to-script.from+1)
			if len(b)+utf8.RuneLen(r) > size {
				r = 'x'
			}
			if len(b) < size {
				b = utf8.AppendRune(b, r)
			}
		}
	}
	return b
}

var (
	names  = strings.Fields("amara benoit chidi dana elif farid grace hiro ines jonas kavya lars mei nadia omar priya")
	places = strings.Fields("accra bergen cusco dakar esbjerg fes galway hanoi izmir jaipur kyoto lima")
	words  = strings.Fields("account balance carrier delivery express fragile gross heavy invoice journey kilogram label")
)

// newJSON returns a document of at least size bytes.
func newJSON(rng *rand.Rand, size, i int) []byte {
	b := fmt.Appendf(nil, `{"id":"%016x","seq":%d,"customer":{"id":%d,"name":"%s %s","city":"%s"},"items":[`,
		rng.Uint64(), i, rng.IntN(1e5), names[rng.IntN(len(names))], names[rng.IntN(len(names))], places[rng.IntN(len(places))])
	for len(b) < size-len(`],"total":000.00,"paid":false}`) {
		b = fmt.Appendf(b, `{"sku":"%c%c-%05d","title":"%s %s","quantity":%d,"price":%d.%02d,"from":"%s"},`,
			'A'+rng.IntN(26), 'A'+rng.IntN(26), rng.IntN(1e5), words[rng.IntN(len(words))], words[rng.IntN(len(words))],
			1+rng.IntN(9), rng.IntN(500), rng.IntN(100), places[rng.IntN(len(places))])
	}
	b[len(b)-1] = ']'
	return fmt.Appendf(b, `,"total":%d.%02d,"paid":%t}`, 100+rng.IntN(900), rng.IntN(100), rng.IntN(2) == 0)
}
