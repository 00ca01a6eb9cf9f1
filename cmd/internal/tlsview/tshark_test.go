package tlsview_test

import (
	"bytes"
	"crypto/tls"
	"encoding/hex"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"github.com/gopacket/gopacket/pcapgo"

	"github.com/wiretrue/websocket/cmd/internal/flow"
	"github.com/wiretrue/websocket/cmd/internal/packet"
	"github.com/wiretrue/websocket/cmd/internal/tlsview"
)

// pcap writes the recording as a capture of a TCP connection.
func (r *recording) pcap(t testing.TB, name string) {
	t.Helper()
	f, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	w := pcapgo.NewWriter(f)
	if err := w.WriteFileHeader(65535, layers.LinkTypeRaw); err != nil {
		t.Fatal(err)
	}
	now, id := epoch, uint16(0)
	seq := [2]uint32{1000, 2000}
	write := func(dir flow.Dir, tcp layers.TCP, payload []byte) {
		id++
		ip := layers.IPv4{Version: 4, TTL: 64, Id: id, Protocol: layers.IPProtocolTCP, SrcIP: net.IP{10, 0, 0, 1}, DstIP: net.IP{10, 0, 0, 2}}
		tcp.SrcPort, tcp.DstPort = 40000, 443
		if dir == flow.ToClient {
			ip.SrcIP, ip.DstIP = ip.DstIP, ip.SrcIP
			tcp.SrcPort, tcp.DstPort = tcp.DstPort, tcp.SrcPort
		}
		tcp.Seq, tcp.Window = seq[dir], 65535
		if tcp.ACK {
			tcp.Ack = seq[dir.Reverse()]
		}
		seq[dir] += uint32(len(payload))
		if tcp.SYN || tcp.FIN {
			seq[dir]++
		}
		tcp.SetNetworkLayerForChecksum(&ip)
		buf := gopacket.NewSerializeBuffer()
		if err := gopacket.SerializeLayers(buf, gopacket.SerializeOptions{FixLengths: true, ComputeChecksums: true}, &ip, &tcp, gopacket.Payload(payload)); err != nil {
			t.Fatal(err)
		}
		now = now.Add(1e5)
		if err := w.WritePacket(gopacket.CaptureInfo{Timestamp: now, CaptureLength: len(buf.Bytes()), Length: len(buf.Bytes())}, buf.Bytes()); err != nil {
			t.Fatal(err)
		}
	}
	write(flow.ToServer, layers.TCP{SYN: true}, nil)
	write(flow.ToClient, layers.TCP{SYN: true, ACK: true}, nil)
	write(flow.ToServer, layers.TCP{ACK: true}, nil)
	for _, p := range r.cut(1400).pieces {
		write(p.dir, layers.TCP{ACK: true, PSH: true}, p.run.Data)
		write(p.dir.Reverse(), layers.TCP{ACK: true}, nil)
	}
	write(flow.ToServer, layers.TCP{FIN: true, ACK: true}, nil)
	write(flow.ToClient, layers.TCP{FIN: true, ACK: true}, nil)
	write(flow.ToServer, layers.TCP{ACK: true}, nil)
}

// A chain is a flow.Handler that sends the first connection into a Session.
type chain struct {
	viewer  *viewer
	keys    *tlsview.KeyLog
	session *tlsview.Session
}

func (c *chain) Open(conn *flow.Conn) {
	if conn.ID == 0 {
		c.session = tlsview.NewSession(c.keys, c.viewer, nil)
	}
}

func (c *chain) Data(conn *flow.Conn, dir flow.Dir, run flow.Run) {
	if conn.ID == 0 {
		c.session.Data(dir, run)
	}
}

func (c *chain) Event(conn *flow.Conn, ev flow.Event) {
	if conn.ID == 0 && ev.Kind == flow.Gap {
		c.session.Gap(ev.Dir, ev.Offset, ev.Length, ev.Packet, ev.Time)
	}
}

func (c *chain) End(conn *flow.Conn) {
	if conn.ID == 0 {
		c.session.End()
	}
}

// viewFile reads a capture all the way: packets, streams, TLS.
func viewFile(t testing.TB, name string, keys *tlsview.KeyLog) (*viewer, *tlsview.Session) {
	t.Helper()
	r, err := packet.Open(name, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	c := &chain{viewer: &viewer{t: t}, keys: keys}
	tracker := flow.New(c, nil)
	var decoder packet.Decoder
	var p packet.Packet
	var s packet.Segment
	for {
		if err := r.Next(&p); err == io.EOF {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		if decoder.Decode(&p, &s) == packet.IsTCP {
			tracker.Segment(&s)
		}
	}
	tracker.Close()
	return c.viewer, c.session
}

// program skips the test without a program, and fails it in CI.
func program(t testing.TB, name string) {
	t.Helper()
	if _, err := exec.LookPath(name); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatalf("%s is not installed", name)
		}
		t.Skipf("%s is not installed", name)
	}
}

// sharkText returns what tshark decrypts, both directions in the order of
// records. (Which line is whose it tells wrongly for some TLS 1.3.)
func sharkText(t testing.TB, pcap, keylog string) (text []byte) {
	t.Helper()
	program(t, "tshark")
	cmd := exec.Command("tshark", "-r", pcap, "-o", "tls.keylog_file:"+keylog, "-q", "-z", "follow,tls,raw,0")
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(out)) {
		if b, err := hex.DecodeString(strings.TrimSpace(line)); err == nil {
			text = append(text, b...)
		}
	}
	return text
}

func agrees(t *testing.T, v *viewer, pcap, keylog string) {
	t.Helper()
	if got, want := v.both.Bytes(), sharkText(t, pcap, keylog); !bytes.Equal(got, want) || len(want) == 0 {
		t.Errorf("%d bytes of plaintext, tshark has %d; %q", len(got), len(want), v.events)
	}
}

func TestPlaintextAgreesWithTshark(t *testing.T) {
	for i, s := range suites {
		t.Run(fmt.Sprint(tls.VersionName(s.version), " ", tls.CipherSuiteName(s.id)), func(t *testing.T) {
			dir := t.TempDir()
			pcap, keylog := filepath.Join(dir, "tls.pcap"), filepath.Join(dir, "keys")
			st := newSetup(s.version, s.id)
			st.size = 500 + 5000*i
			rec, keys := record(t, st)
			rec.pcap(t, pcap)
			if err := os.WriteFile(keylog, keys.Bytes(), 0o600); err != nil {
				t.Fatal(err)
			}
			v, _ := viewFile(t, pcap, keyLog(t, keys.Bytes()))
			st.wantText(t, v)
			agrees(t, v, pcap, keylog)
		})
	}
}

func TestSharedCapture(t *testing.T) {
	const base = "../../../../shared/captures/tls13-illustrated"
	keys, err := os.ReadFile(base + ".keylog")
	if err != nil {
		t.Skip("no captures beside the repository")
	}
	v, session := viewFile(t, base+".pcap", keyLog(t, keys))
	if i := session.Info(); i.Version != tls.VersionTLS13 || i.ServerName == "" || v.text[0].String() != "ping" {
		t.Errorf("%+v %q %q", i, v.text[0].String(), v.events)
	}
	agrees(t, v, base+".pcap", base+".keylog")
}
