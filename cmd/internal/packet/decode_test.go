package packet_test

import (
	"bytes"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"

	"github.com/wiretrue/websocket/cmd/internal/packet"
)

func TestLinkTypes(t *testing.T) {
	ip4, ip6 := ipv4(), ipv6()
	payload := gopacket.Payload("hello")
	raw4 := build(t, ip4, tcp(ip4), payload)
	raw6 := build(t, ip6, tcp(ip6), payload)
	join := func(header []byte, rest []byte) []byte { return append(header, rest...) }
	vlan := func(id uint16, typ layers.EthernetType) *layers.Dot1Q {
		return &layers.Dot1Q{VLANIdentifier: id, Type: typ}
	}
	extended := ipv6()
	extended.NextHeader = layers.IPProtocolIPv6Destination
	tests := []struct {
		name string
		link packet.LinkType
		data []byte
		v6   bool
		vlan uint16
	}{
		{"ethernet", packet.LinkEthernet, build(t, ethernet(layers.EthernetTypeIPv4), ip4, tcp(ip4), payload), false, 0},
		{"ethernet, v6", packet.LinkEthernet, build(t, ethernet(layers.EthernetTypeIPv6), ip6, tcp(ip6), payload), true, 0},
		{"padding", packet.LinkEthernet, append(build(t, ethernet(layers.EthernetTypeIPv4), ip4, tcp(ip4), payload), 1, 2, 3), false, 0},
		{"vlan", packet.LinkEthernet, build(t, ethernet(layers.EthernetTypeDot1Q), vlan(5, layers.EthernetTypeIPv4), ip4, tcp(ip4), payload), false, 5},
		{"qinq", packet.LinkEthernet, build(t, ethernet(layers.EthernetTypeQinQ), vlan(7, layers.EthernetTypeDot1Q), vlan(6, layers.EthernetTypeIPv6), ip6, tcp(ip6), payload), true, 6},
		{"raw", packet.LinkRaw, raw4, false, 0},
		{"raw, v6", packet.LinkRaw, raw6, true, 0},
		{"ipv4", packet.LinkIPv4, raw4, false, 0},
		{"ipv6", packet.LinkIPv6, raw6, true, 0},
		{"null, little-endian", packet.LinkNull, join([]byte{2, 0, 0, 0}, raw4), false, 0},
		{"null, v6 as macOS numbers it", packet.LinkNull, join([]byte{30, 0, 0, 0}, raw6), true, 0},
		{"loop", packet.LinkLoop, join([]byte{0, 0, 0, 2}, raw4), false, 0},
		{"sll", packet.LinkSLL, join([]byte{0, 0, 3, 4, 0, 6, 0, 0, 0, 0, 0, 0, 0, 0, 8, 0}, raw4), false, 0},
		{"sll2", packet.LinkSLL2, join([]byte{0x86, 0xdd, 0, 0, 0, 0, 0, 1, 3, 4, 0, 6, 0, 0, 0, 0, 0, 0, 0, 0}, raw6), true, 0},
		{"pppoe", packet.LinkEthernet, join(append(make([]byte, 12), 0x88, 0x64, 0x11, 0, 0, 1, 0, 0, 0, 0x21), raw4), false, 0},
		{"segmentation offload", packet.LinkIPv4, func() []byte { b := bytes.Clone(raw4); b[2], b[3] = 0, 0; return b }(), false, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var d packet.Decoder
			var s packet.Segment
			p := packet.Packet{Number: 3, Time: epoch, Link: tt.link, Data: tt.data, Length: len(tt.data)}
			if v := d.Decode(&p, &s); v != packet.IsTCP {
				t.Fatal(v)
			}
			src, dst := "10.0.0.1:40000", "10.0.0.2:8080"
			if tt.v6 {
				src, dst = "[fd00::1]:40000", "[fd00::2]:8080"
			}
			if s.Src.String() != src || s.Dst.String() != dst || string(s.Payload) != "hello" || s.Length != 5 ||
				s.VLAN != tt.vlan || s.TTL != 64 || s.Seq != 1 || s.Ack != 2 || s.Window != 500 ||
				s.Flags != packet.ACK|packet.PSH || len(s.Options) != 12 || s.Packet != 3 || !s.Time.Equal(epoch) {
				t.Errorf("%+v", s)
			}
		})
	}
}

func TestEveryCutIsToldFromALie(t *testing.T) {
	whole := frame(t, "hello")
	var d packet.Decoder
	var s packet.Segment
	for n := range whole {
		p := packet.Packet{Link: packet.LinkEthernet, Data: whole[:n:n], Length: len(whole)}
		v := d.Decode(&p, &s)
		switch {
		case n < 14+20+20 && v != packet.CutShort:
			t.Errorf("%d bytes: %v", n, v)
		case n >= 14+20+20 && (v != packet.IsTCP || s.Length != 5 || len(s.Payload) != max(0, n-(len(whole)-5)) || !s.Truncated()):
			t.Errorf("%d bytes: %v %+v", n, v, s)
		}
	}
	for _, lie := range []struct {
		at int
		to byte
	}{{14, 0x41}, {14, 0x4f}, {17, 10}, {14 + 20 + 12, 0x40}, {14 + 20 + 12, 0xf0}} {
		b := bytes.Clone(whole)
		b[lie.at] = lie.to
		p := packet.Packet{Link: packet.LinkEthernet, Data: b, Length: len(b)}
		if v := d.Decode(&p, &s); v != packet.Malformed {
			t.Errorf("byte %d as %#x: %v", lie.at, lie.to, v)
		}
	}
}

// fragments cuts an IPv4 packet's payload into pieces of n bytes.
func fragments(t testing.TB, id uint16, payload []byte, n int) (out [][]byte) {
	for at := 0; at < len(payload); at += n {
		ip := ipv4()
		ip.Id = id
		ip.FragOffset = uint16(at / 8)
		end := min(at+n, len(payload))
		if end < len(payload) {
			ip.Flags = layers.IPv4MoreFragments
		}
		out = append(out, build(t, ip, gopacket.Payload(payload[at:end])))
	}
	return out
}

func TestFragments(t *testing.T) {
	ip := ipv4()
	text := bytes.Repeat([]byte("fragment"), 50)
	segment := build(t, ip, tcp(ip), gopacket.Payload(text))[20:]
	pieces := fragments(t, 9, segment, 64)
	for _, tt := range []struct {
		name   string
		pieces [][]byte
		whole  bool
	}{
		{"in order", pieces, true},
		{"reversed", reversed(pieces), true},
		{"each twice", append(append([][]byte{}, pieces[:5]...), append(pieces[:3:3], pieces[3:]...)...), true},
		{"one missing", pieces[1:], false},
		{"overlapping", append(fragments(t, 9, segment[:100], 48)[1:2], pieces[1:]...), false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var d packet.Decoder
			var s packet.Segment
			tcp := 0
			for i, b := range tt.pieces {
				p := packet.Packet{Number: int64(i), Time: epoch, Link: packet.LinkIPv4, Data: b, Length: len(b)}
				if d.Decode(&p, &s) == packet.IsTCP {
					tcp++
					if !bytes.Equal(s.Payload, text) || s.Src.Port() != 40000 {
						t.Errorf("%+v", s)
					}
				}
			}
			if tt.whole != (tcp == 1) {
				t.Errorf("%d segments; %+v", tcp, d.Stats())
			}
		})
	}
}

func reversed(in [][]byte) (out [][]byte) {
	for i := range in {
		out = append(out, in[len(in)-1-i])
	}
	return out
}

func TestFragmentsV6(t *testing.T) {
	ip := ipv6()
	text := bytes.Repeat([]byte("fragment"), 50)
	segment := build(t, ip, tcp(ip), gopacket.Payload(text))[40:]
	var d packet.Decoder
	var s packet.Segment
	var v packet.Verdict
	for at := 0; at < len(segment); at += 128 {
		end := min(at+128, len(segment))
		place := at
		if end < len(segment) {
			place |= 1
		}
		head := []byte{6, 0, byte(place >> 8), byte(place), 0, 0, 0, 99}
		ip := ipv6()
		ip.NextHeader = layers.IPProtocolIPv6Fragment
		b := build(t, ip, gopacket.Payload(append(head, segment[at:end]...)))
		v = d.Decode(&packet.Packet{Time: epoch, Link: packet.LinkRaw, Data: b, Length: len(b)}, &s)
	}
	if v != packet.IsTCP || !bytes.Equal(s.Payload, text) {
		t.Errorf("%v; %+v", v, d.Stats())
	}
}

func TestFragmentsAreBounded(t *testing.T) {
	var d packet.Decoder
	var s packet.Segment
	payload := make([]byte, 1400)
	for i := range 100_000 {
		ip := ipv4()
		ip.FragOffset, ip.Flags = 8000, layers.IPv4MoreFragments
		b := build(t, ip, gopacket.Payload(payload))
		b[4], b[5], b[12], b[13] = byte(i), byte(i>>8), byte(i>>16), 1
		d.Decode(&packet.Packet{Time: epoch.Add(time.Duration(i)), Link: packet.LinkIPv4, Data: b, Length: len(b)}, &s)
	}
	if st := d.Stats().Fragments; st.Fragments-st.GivenUp > 512 {
		t.Errorf("%+v", st)
	}
}

// decodeGopacket decodes a packet as gopacket does; ok is false where it
// sees no TCP or reports an error.
func decodeGopacket(data []byte) (s packet.Segment, ok bool) {
	p := gopacket.NewPacket(data, layers.LayerTypeEthernet, gopacket.DecodeOptions{NoCopy: true})
	tcp, _ := p.TransportLayer().(*layers.TCP)
	if tcp == nil || p.NetworkLayer() == nil {
		return s, false
	}
	if e := p.ErrorLayer(); e != nil {
		return s, false
	}
	src, _ := netip.AddrFromSlice(p.NetworkLayer().NetworkFlow().Src().Raw())
	dst, _ := netip.AddrFromSlice(p.NetworkLayer().NetworkFlow().Dst().Raw())
	s.Src = netip.AddrPortFrom(src, uint16(tcp.SrcPort))
	s.Dst = netip.AddrPortFrom(dst, uint16(tcp.DstPort))
	s.Seq, s.Ack, s.Window, s.Payload = tcp.Seq, tcp.Ack, tcp.Window, tcp.Payload
	return s, true
}

func TestTCPOptions(t *testing.T) {
	for _, tt := range []struct {
		options []byte
		want    packet.TCPOptions
	}{
		{nil, packet.TCPOptions{WindowScale: -1}},
		{[]byte{2, 4, 5, 180, 4, 2, 1, 3, 3, 7}, packet.TCPOptions{MSS: 1460, WindowScale: 7, SACKPermitted: true}},
		{[]byte{2, 4, 5, 160, 3, 9, 7}, packet.TCPOptions{MSS: 1440, WindowScale: -1}}, // cut
	} {
		if got := packet.ParseTCPOptions(tt.options); got != tt.want {
			t.Errorf("% x: %+v, want %+v", tt.options, got, tt.want)
		}
	}
}

func FuzzDecode(f *testing.F) {
	ip4, ip6 := ipv4(), ipv6()
	f.Add(uint16(1), frame(f, "hello"), 99)
	f.Add(uint16(101), build(f, ip6, tcp(ip6), gopacket.Payload("hi")), 0)
	f.Add(uint16(228), build(f, ip4, tcp(ip4)), 0)
	f.Add(uint16(1), build(f, ethernet(layers.EthernetTypeDot1Q), &layers.Dot1Q{Type: layers.EthernetTypeIPv6}, ip6, tcp(ip6)), 0)
	f.Add(uint16(276), append([]byte{8, 0}, make([]byte, 30)...), 0)
	f.Add(uint16(228), fragments(f, 1, make([]byte, 100), 64)[0], 0)
	f.Fuzz(func(t *testing.T, link uint16, data []byte, length int) {
		var d packet.Decoder
		var s packet.Segment
		p := packet.Packet{Link: packet.LinkType(link), Data: data, Length: max(len(data), min(length, 1<<30)), Time: epoch}
		v := d.Decode(&p, &s)
		if v != packet.IsTCP {
			return
		}
		if len(s.Payload) > s.Length || len(s.Payload)+len(s.Options)+20 > len(data) {
			t.Fatalf("%+v from %d bytes", s, len(data))
		}
		packet.ParseTCPOptions(s.Options)
		if p.Link != packet.LinkEthernet || p.Truncated() {
			return
		}
		if g, ok := decodeGopacket(data); ok {
			if g.Src != s.Src || g.Dst != s.Dst || g.Seq != s.Seq || g.Ack != s.Ack || g.Window != s.Window || !bytes.Equal(g.Payload, s.Payload) {
				t.Errorf("gopacket: %+v\nhere: %+v", g, s)
			}
		}
	})
}

func BenchmarkDecode(b *testing.B) {
	data := frame(b, "a small message, as most are, of some sixty bytes in all ....")
	b.Run("here", func(b *testing.B) {
		var d packet.Decoder
		var s packet.Segment
		p := packet.Packet{Link: packet.LinkEthernet, Data: data, Length: len(data)}
		b.ReportAllocs()
		for b.Loop() {
			d.Decode(&p, &s)
		}
	})
	b.Run("gopacket", func(b *testing.B) {
		var eth layers.Ethernet
		var ip layers.IPv4
		var tcp layers.TCP
		var payload gopacket.Payload
		parser := gopacket.NewDecodingLayerParser(layers.LayerTypeEthernet, &eth, &ip, &tcp, &payload)
		var decoded []gopacket.LayerType
		b.ReportAllocs()
		for b.Loop() {
			if err := parser.DecodeLayers(data, &decoded); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func TestIPv6Extensions(t *testing.T) {
	ip := ipv6()
	segment := build(t, ip, tcp(ip), gopacket.Payload("hello"))[40:]
	hop := append([]byte{60, 0, 1, 4, 0, 0, 0, 0}, []byte{6, 1, 1, 12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}...)
	ip = ipv6()
	ip.NextHeader = layers.IPProtocolIPv6HopByHop
	head := build(t, &layers.IPv6{Version: 6, HopLimit: 1, NextHeader: layers.IPProtocolNoNextHeader, SrcIP: net.ParseIP("::1"), DstIP: net.ParseIP("::1")}, gopacket.Payload(append(hop, segment...)))
	head[6] = 0
	var d packet.Decoder
	var s packet.Segment
	if v := d.Decode(&packet.Packet{Link: packet.LinkIPv6, Data: head, Length: len(head)}, &s); v != packet.IsTCP || string(s.Payload) != "hello" {
		t.Errorf("%v %+v", v, s)
	}
}
