package packet_test

import (
	"bytes"
	"net"
	"testing"
	"time"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"github.com/gopacket/gopacket/pcapgo"

	"github.com/wiretrue/websocket/cmd/internal/packet"
)

var epoch = time.Date(2026, 1, 2, 3, 4, 5, 123456789, time.UTC)

// build serialises layers with lengths and checksums filled in.
func build(t testing.TB, ls ...gopacket.SerializableLayer) []byte {
	t.Helper()
	b := gopacket.NewSerializeBuffer()
	err := gopacket.SerializeLayers(b, gopacket.SerializeOptions{FixLengths: true, ComputeChecksums: true}, ls...)
	if err != nil {
		t.Fatal(err)
	}
	return bytes.Clone(b.Bytes())
}

func ipv4() *layers.IPv4 {
	return &layers.IPv4{Version: 4, TTL: 64, Id: 77, Protocol: layers.IPProtocolTCP,
		SrcIP: net.IP{10, 0, 0, 1}, DstIP: net.IP{10, 0, 0, 2}}
}

func ipv6() *layers.IPv6 {
	return &layers.IPv6{Version: 6, HopLimit: 64, NextHeader: layers.IPProtocolTCP,
		SrcIP: net.ParseIP("fd00::1"), DstIP: net.ParseIP("fd00::2")}
}

func tcp(ip gopacket.NetworkLayer) *layers.TCP {
	h := &layers.TCP{SrcPort: 40000, DstPort: 8080, Seq: 1, Ack: 2, ACK: true, PSH: true, Window: 500,
		Options: []layers.TCPOption{{OptionType: layers.TCPOptionKindNop}, {OptionType: layers.TCPOptionKindNop},
			{OptionType: layers.TCPOptionKindTimestamps, OptionLength: 10, OptionData: make([]byte, 8)}}}
	h.SetNetworkLayerForChecksum(ip)
	return h
}

func ethernet(typ layers.EthernetType) *layers.Ethernet {
	return &layers.Ethernet{SrcMAC: net.HardwareAddr{2, 0, 0, 0, 0, 1}, DstMAC: net.HardwareAddr{2, 0, 0, 0, 0, 2}, EthernetType: typ}
}

// frame is an Ethernet frame with a TCP segment.
func frame(t testing.TB, payload string) []byte {
	ip := ipv4()
	return build(t, ethernet(layers.EthernetTypeIPv4), ip, tcp(ip), gopacket.Payload(payload))
}

// pcapOf writes Ethernet packets as a classic capture, one millisecond apart.
func pcapOf(t testing.TB, packets ...[]byte) []byte {
	t.Helper()
	var buf bytes.Buffer
	w := pcapgo.NewWriterNanos(&buf)
	if err := w.WriteFileHeader(65535, layers.LinkTypeEthernet); err != nil {
		t.Fatal(err)
	}
	for i, p := range packets {
		ci := gopacket.CaptureInfo{Timestamp: epoch.Add(time.Duration(i) * time.Millisecond), CaptureLength: len(p), Length: len(p)}
		if err := w.WritePacket(ci, p); err != nil {
			t.Fatal(err)
		}
	}
	return buf.Bytes()
}

// read returns copies of all packets and the error that ended them.
func read(t testing.TB, file []byte, opts *packet.Options) ([]packet.Packet, error) {
	t.Helper()
	r, err := packet.NewReader(bytes.NewReader(file), opts)
	if err != nil {
		return nil, err
	}
	return drain(r)
}

func drain(s packet.Source) ([]packet.Packet, error) {
	var all []packet.Packet
	for {
		var p packet.Packet
		if err := s.Next(&p); err != nil {
			return all, err
		}
		p.Data = bytes.Clone(p.Data)
		all = append(all, p)
	}
}
