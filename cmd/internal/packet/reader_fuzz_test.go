package packet_test

import (
	"bytes"
	"errors"
	"io"
	"testing"

	"github.com/wiretrue/websocket/cmd/internal/packet"
	"github.com/wiretrue/websocket/internal/pcapng"
)

// Whatever a file holds, the reader yields packets and then says where and why
// it ends, and packets are numbered without a gap.
func FuzzReader(f *testing.F) {
	f.Add(pcapOf(f, frame(f, "one"), frame(f, "two")))
	ng := pcapng.AppendSection(nil, pcapng.Section{Comments: []string{"seed"}})
	ng = pcapng.AppendInterface(ng, pcapng.Interface{Link: uint16(packet.LinkEthernet), SnapLen: 100})
	ng = pcapng.AppendSecrets(ng, []byte("CLIENT_RANDOM 00 00\n"))
	f.Add(pcapng.AppendPacket(ng, &pcapng.Packet{Time: epoch, Data: frame(f, "three"), Length: 2000, Comments: []string{"a comment"}}))
	f.Add([]byte{0x1f, 0x8b, 8, 0})
	f.Fuzz(func(t *testing.T, file []byte) {
		r, err := packet.NewReader(bytes.NewReader(file), nil)
		if err != nil {
			return
		}
		var p packet.Packet
		for n := int64(1); ; n++ {
			if err = r.Next(&p); err != nil {
				break
			}
			if p.Number != n || len(p.Data) > len(file) && file[0] != 0x1f {
				t.Fatalf("packet %d has the number %d and %d bytes of a file of %d", n, p.Number, len(p.Data), len(file))
			}
		}
		if damage := new(packet.DamageError); err != io.EOF && !errors.As(err, &damage) {
			t.Fatalf("it ends with %v", err)
		}
		if again := r.Next(&p); again != err {
			t.Fatalf("it ends with %v, and then with %v", err, again)
		}
	})
}
