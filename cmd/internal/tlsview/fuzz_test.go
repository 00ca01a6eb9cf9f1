package tlsview_test

import (
	"testing"
	"time"

	"github.com/wiretrue/websocket/cmd/internal/flow"
	"github.com/wiretrue/websocket/cmd/internal/tlsview"
)

// ordered checks that plaintext comes in order.
type ordered struct {
	t    *testing.T
	next [2]int64
}

func (o *ordered) Plain(dir flow.Dir, run flow.Run) {
	if run.Offset < o.next[dir] {
		o.t.Fatalf("plaintext at %d, behind %d", run.Offset, o.next[dir])
	}
	o.next[dir] = run.Offset + int64(len(run.Data))
}

func (o *ordered) TLS(tlsview.Event) {}

// Whatever bytes two directions have, and wherever some are missing, a session
// ends without a panic. The input is pieces: direction and gap, length, bytes.
func FuzzSession(f *testing.F) {
	f.Add([]byte("\x00\x30\x16\x03\x01\x00\x2b\x01\x00\x00\x27\x03\x0301234567890123456789012345678901\x00\x00\x02\x13\x01\x01\x00\x01\x07\x15\x03\x03\x00\x02\x02\x28"), true)
	f.Add([]byte("\x00\x05GET /\x01\x07\x15\x03\x01\x00\x02\x02\x46"), false)
	f.Fuzz(func(t *testing.T, in []byte, keys bool) {
		log := new(tlsview.KeyLog)
		if keys {
			log.AddLine([]byte("CLIENT_RANDOM 3031323334353637383930313233343536373839303132333435363738393031 " +
				"000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f202122232425262728292a2b2c2d2e2f"))
		}
		s := tlsview.NewSession(log, &ordered{t: t}, &tlsview.Options{Hold: 1 << 10})
		var offset [2]int64
		for n := int64(1); len(in) >= 2; n++ {
			dir, gap, size := flow.Dir(in[0]&1), int64(in[0]>>1), int(in[1])
			in = in[2:]
			at := time.Unix(n, 0)
			if gap > 100 {
				s.Gap(dir, offset[dir], gap, n, at)
				offset[dir] += gap
			}
			size = min(size, len(in))
			if size > 0 {
				s.Data(dir, flow.Run{Data: in[:size], Offset: offset[dir], Packet: n, Time: at})
				offset[dir] += int64(size)
			}
			in = in[size:]
		}
		s.Retry()
		s.End()
	})
}
