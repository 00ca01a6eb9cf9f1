package capfilter_test

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"golang.org/x/net/bpf"

	"github.com/wiretrue/websocket/cmd/internal/capfilter"
	"github.com/wiretrue/websocket/cmd/internal/packet"
	"github.com/wiretrue/websocket/cmd/internal/syntax"
)

// A frame is an IP packet with a TCP segment.
func frame(t testing.TB, src, dst string, sport, dport uint16) []byte {
	t.Helper()
	tcp := &layers.TCP{SrcPort: layers.TCPPort(sport), DstPort: layers.TCPPort(dport), ACK: true}
	var ip gopacket.SerializableLayer = &layers.IPv4{Version: 4, TTL: 9, Protocol: layers.IPProtocolTCP, SrcIP: net.ParseIP(src), DstIP: net.ParseIP(dst),
		Options: []layers.IPv4Option{{OptionType: 1}, {OptionType: 1}, {OptionType: 1}, {OptionType: 0}}}
	if strings.Contains(src, ":") {
		ip = &layers.IPv6{Version: 6, HopLimit: 9, NextHeader: layers.IPProtocolTCP, SrcIP: net.ParseIP(src), DstIP: net.ParseIP(dst)}
	}
	tcp.SetNetworkLayerForChecksum(ip.(gopacket.NetworkLayer))
	b := gopacket.NewSerializeBuffer()
	if err := gopacket.SerializeLayers(b, gopacket.SerializeOptions{FixLengths: true, ComputeChecksums: true}, ip, tcp, gopacket.Payload("hello")); err != nil {
		t.Fatal(err)
	}
	return bytes.Clone(b.Bytes())
}

func ethernet(ip []byte) []byte {
	typ := []byte{8, 0}
	if ip[0]>>4 == 6 {
		typ = []byte{0x86, 0xdd}
	}
	return append(append(make([]byte, 12), typ...), ip...)
}

// samples are the packets that filters are tried on.
func samples(t testing.TB) [][]byte {
	return [][]byte{
		frame(t, "10.0.0.1", "10.0.0.2", 40000, 8080),
		frame(t, "10.0.0.2", "10.0.0.1", 8080, 40000),
		frame(t, "192.168.1.7", "10.0.0.2", 50000, 443),
		frame(t, "fd00::1", "fd00::2", 40000, 8080),
		frame(t, "fd00:1::1", "fd00::2", 22, 9000),
		frame(t, "127.0.0.1", "127.0.0.1", 1234, 80),
	}
}

var tests = []struct {
	filter string
	want   string // which samples pass
}{
	{"", "111111"},
	{"tcp", "111111"},
	{"ip", "111001"},
	{"ip6 and tcp", "000110"},
	{"tcp port 8080", "110100"},
	{"port 8080 or 443", "111100"},
	{"dst port 8080", "100100"},
	{"src port 8080", "010000"},
	{"portrange 8000-9000", "110110"},
	{"host 10.0.0.1", "110000"},
	{"src host 10.0.0.1", "100000"},
	{"10.0.0.1", "110000"},
	{"dst 10.0.0.2", "101000"},
	{"net 10.0.0.0/8", "111000"},
	{"src net 192.168.0.0/16", "001000"},
	{"net fd00:1::/32", "000010"},
	{"net 0.0.0.0/0", "111001"},
	{"host fd00::1", "000100"},
	{"not port 8080", "001011"},
	{"! port 8080 and ip", "001001"},
	{"host 10.0.0.1 or host fd00::1 and src port 40000", "100100"}, // left to right
	{"host 10.0.0.1 or (host fd00::1 and src port 40000)", "110100"},
	{"host localhost", "000001"},
	{"ip6 port 8080", "000100"},
	{"not (port 80 or port 443)&&ip", "110000"},
	{"src host 10.0.0.1 or 192.168.1.7", "101000"},
	{"not not ip", "111001"},
}

func pass(t testing.TB, program []bpf.RawInstruction, data []byte) bool {
	t.Helper()
	code, ok := bpf.Disassemble(program)
	if !ok {
		t.Fatal("program cannot be disassembled")
	}
	vm, err := bpf.NewVM(code)
	if err != nil {
		t.Fatal(err)
	}
	n, err := vm.Run(data)
	if err != nil {
		t.Fatal(err)
	}
	return n > 0
}

func TestFilters(t *testing.T) {
	for _, tt := range tests {
		f, err := capfilter.Parse(tt.filter)
		if err != nil {
			t.Error(err)
			continue
		}
		var matched, ether, raw string
		for _, b := range samples(t) {
			var d packet.Decoder
			var s packet.Segment
			if v := d.Decode(&packet.Packet{Link: packet.LinkRaw, Data: b, Length: len(b)}, &s); v != packet.IsTCP {
				t.Fatal(v)
			}
			matched += bit(f.Match(&s))
			p, err := f.Program(packet.LinkEthernet, false)
			if err != nil {
				t.Fatal(err)
			}
			ether += bit(pass(t, p, ethernet(b)))
			if p, err = f.Program(packet.LinkRaw, false); err != nil {
				t.Fatal(err)
			}
			raw += bit(pass(t, p, b))
		}
		if matched != tt.want || ether != tt.want || raw != tt.want {
			t.Errorf("%q: matched %s, ethernet %s, raw %s, want %s", tt.filter, matched, ether, raw, tt.want)
		}
	}
}

func bit(b bool) string { return map[bool]string{true: "1", false: "0"}[b] }

// tcpdump selects the same packets.
func TestAgreesWithTcpdump(t *testing.T) {
	if _, err := exec.LookPath("tcpdump"); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("tcpdump is not installed")
		}
		t.Skip("tcpdump is not installed")
	}
	for _, tt := range tests {
		if strings.Contains(tt.filter, "localhost") || tt.filter == "10.0.0.1" || strings.Contains(tt.filter, "ip6 port") {
			continue // looks names up; needs a word; is no tcpdump
		}
		for i, b := range samples(t) {
			file := t.TempDir() + "/one.pcap"
			head := []byte{0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}
			e := ethernet(b)
			n := byte(len(e))
			if err := os.WriteFile(file, append(append(head, n, 0, 0, 0, n, 0, 0, 0), e...), 0o600); err != nil {
				t.Fatal(err)
			}
			out, err := exec.Command("tcpdump", "-n", "-r", file, tt.filter).Output()
			if err != nil {
				t.Errorf("%q: %v", tt.filter, err)
				break
			}
			if got := bit(len(bytes.TrimSpace(out)) > 0); got != tt.want[i:i+1] {
				t.Errorf("%q: tcpdump says %s for packet %d, want %s", tt.filter, got, i, tt.want[i:i+1])
			}
		}
	}
}

func TestSyntaxErrors(t *testing.T) {
	for _, tt := range []struct {
		filter string
		column int
		says   string
	}{
		{"port", 5, "the end, where a port"},
		{"port x", 6, `"x", where a port`},
		{"port 70000", 6, `"70000", where a port`},
		{"portrange 9-1", 11, "a range of ports"},
		{"port 1-2", 6, "a port"},
		{"host example.org", 6, "an IP address (names are not looked up)"},
		{"(port 80", 9, "the end, where and, or, or ) is"},
		{"port 80)", 8, `")", where and, or, or the end is`},
		{"port 80 and", 12, "the end, where a port"},
		{"and", 1, `"and"`},
		{"udp port 53", 1, "tcp, which alone is captured"},
		{"net 10.0.0.0", 5, "a network"},
		{"port 80 host 1.2.3.4", 9, `"host", where and, or`},
		{"not", 4, "the end"},
		{"host fe80::1%eth0", 6, "an IP address"},
		{"tcp porrt 1", 5, "did you mean port?"},
		{"prot 80", 1, "did you mean port?"},
		{"hsot 10.0.0.1", 1, "did you mean host?"},
		{"port 80 or loclhost", 12, `"loclhost", where a port`},
		{"tcp[13] & 2 != 0", 1, `"tcp[13]", where tcp, host`},
		{"héé 1", 1, `"héé"`},
		{"port 80 and (é", 14, `"é"`},
		{strings.Repeat("(", 100), 66, "fewer than 64 parentheses"},
		{strings.Repeat("not ", 100) + "ip", 261, "fewer than 64"},
		{strings.Repeat(" ", 5000), 4097, "a filter of 5000 bytes, where one of 4096 at most"},
	} {
		_, err := capfilter.Parse(tt.filter)
		var e *syntax.Error
		if !errors.As(err, &e) || e.Column != tt.column || !strings.Contains(err.Error(), tt.says) {
			t.Errorf("%.60q: %v; want column %d, %s", tt.filter, err, tt.column, tt.says)
		}
	}
}

func TestLongFilters(t *testing.T) {
	var parts []string
	for i := range 100 {
		parts = append(parts, fmt.Sprint("port ", i+1))
	}
	f, err := capfilter.Parse(strings.Join(parts, " or "))
	if err != nil {
		t.Fatal(err)
	}
	p, err := f.Program(packet.LinkEthernet, true)
	if err != nil || len(p) < 1000 {
		t.Errorf("%d instructions, %v", len(p), err)
	}
}

func FuzzParse(f *testing.F) {
	for _, tt := range tests {
		f.Add(tt.filter)
	}
	f.Add("port 70000 or ((not 1.2.3.4")
	all := samples(f)
	f.Fuzz(func(t *testing.T, text string) {
		filter, err := capfilter.Parse(text)
		if err != nil {
			return
		}
		program, err := filter.Program(packet.LinkRaw, false)
		if err != nil {
			return
		}
		var d packet.Decoder
		var s packet.Segment
		for _, b := range all {
			d.Decode(&packet.Packet{Link: packet.LinkRaw, Data: b, Length: len(b)}, &s)
			if filter.Match(&s) != pass(t, program, b) {
				t.Errorf("%q: match %v, program %v", text, filter.Match(&s), !filter.Match(&s))
			}
		}
	})
}
