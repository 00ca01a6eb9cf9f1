package inspect_test

import (
	"bytes"
	"cmp"
	"encoding/hex"
	"encoding/xml"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/wiretrue/websocket/capture"
	"github.com/wiretrue/websocket/cmd/internal/inspect"
	"github.com/wiretrue/websocket/cmd/internal/packet"
	"github.com/wiretrue/websocket/cmd/internal/tlsview"
	"github.com/wiretrue/websocket/wire/frame"
)

// A collector keeps what is found, by connection.
type collector struct {
	conns   []*inspect.Conn
	records map[int64][]capture.Record
	reports map[int64]*capture.Report
}

func newCollector() *collector {
	return &collector{records: map[int64][]capture.Record{}, reports: map[int64]*capture.Report{}}
}

func (k *collector) Begin(c *inspect.Conn) { k.conns = append(k.conns, c) }

func (k *collector) Record(c *inspect.Conn, r *capture.Record, _ bool) {
	k.records[c.ID] = append(k.records[c.ID], clone(*r))
}

func (k *collector) End(c *inspect.Conn) { k.reports[c.ID] = c.Report() }

// clone makes a record that outlives the call it came in, as far as the tests
// look at it.
func clone(r capture.Record) capture.Record {
	if r.Frame != nil {
		f := *r.Frame
		f.Payload.Bytes = bytes.Clone(f.Payload.Bytes)
		r.Frame = &f
	}
	if r.Message != nil {
		m := *r.Message
		m.Payload.Bytes = bytes.Clone(m.Payload.Bytes)
		r.Message = &m
	}
	if r.Finding != nil {
		f := *r.Finding
		r.Finding = &f
	}
	if r.Handshake != nil {
		h := *r.Handshake
		r.Handshake = &h
	}
	if r.Gap != nil {
		g := *r.Gap
		r.Gap = &g
	}
	if r.Net != nil {
		n := *r.Net
		r.Net = &n
	}
	return r
}

// all returns the records of all connections.
func (k *collector) all() (list []capture.Record) {
	for _, c := range k.conns {
		list = append(list, k.records[c.ID]...)
	}
	return list
}

// inspected inspects a capture file with the keys of a key log, "" for none.
func inspected(t testing.TB, file, keylog string) *collector {
	t.Helper()
	src, err := packet.Open(file, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	o := inspect.Options{Choice: inspect.Choice{All: true}}
	o.Analyser.Payload = 1 << 20
	if keylog != "" {
		o.Keys = new(tlsview.KeyLog)
		log, err := os.ReadFile(keylog)
		if err != nil {
			t.Fatal(err)
		}
		o.Keys.Add(bytes.NewReader(log))
	}
	k := newCollector()
	if err := inspect.New(o, k).Run(src, nil); err != nil {
		t.Fatal(err)
	}
	return k
}

// sharkFrame is a frame as tshark shows it.
type sharkFrame struct {
	packet           int64
	fin, rsv, op     int
	mask             bool
	key              string
	length           uint64
	form             int
	text, ping, pong string // ping and pong in hexadecimal
	code             int
	reason           string
	hasText, hasCode bool
}

// pdml is an element of tshark's output.
type pdml struct {
	Name   string `xml:"name,attr"`
	Show   string `xml:"show,attr"`
	Value  string `xml:"value,attr"`
	Protos []pdml `xml:"proto"`
	Fields []pdml `xml:"field"`
}

// tshark runs tshark. Without it the test is skipped, but fails in CI.
func tshark(t testing.TB, args ...string) []byte {
	t.Helper()
	if _, err := exec.LookPath("tshark"); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("tshark is not installed")
		}
		t.Skip("tshark is not installed")
	}
	out, err := exec.Command("tshark", args...).Output()
	if err != nil {
		t.Fatalf("tshark %q: %v", args, err)
	}
	return out
}

// sharkFrames returns the frames that tshark finds in a capture. keylog is ""
// for none, and then port is not used.
func sharkFrames(t testing.TB, file, keylog, port string) (frames []sharkFrame) {
	t.Helper()
	args := []string{"-n", "-r", file, "-Y", "websocket", "-T", "pdml"}
	if keylog != "" {
		args = append(args, "-o", "tls.keylog_file:"+keylog, "-d", "tls.port=="+port+",http")
	}
	d := xml.NewDecoder(bytes.NewReader(tshark(t, args...)))
	for {
		token, err := d.Token()
		if err == io.EOF {
			return frames
		} else if err != nil {
			t.Fatal(err)
		}
		start, ok := token.(xml.StartElement)
		if !ok || start.Name.Local != "packet" {
			continue
		}
		var p pdml
		if err := d.DecodeElement(&p, &start); err != nil {
			t.Fatal(err)
		}
		var number int64
		for _, proto := range p.Protos {
			for _, f := range proto.Fields {
				if proto.Name == "geninfo" && f.Name == "num" {
					number, _ = strconv.ParseInt(f.Show, 10, 64)
				}
			}
			if proto.Name == "websocket" {
				f := sharkFrame{packet: number}
				f.fill(proto.Fields)
				frames = append(frames, f)
			}
		}
	}
}

func (f *sharkFrame) fill(fields []pdml) {
	for _, e := range fields {
		n, _ := strconv.ParseUint(e.Show, 0, 64)
		switch e.Name {
		case "websocket.fin":
			f.fin = int(n)
		case "websocket.rsv":
			f.rsv = int(n)
		case "websocket.opcode":
			f.op = int(n)
		case "websocket.mask":
			f.mask = n == 1
		case "websocket.masking_key":
			f.key = e.Value
		case "websocket.payload_length":
			f.length = n
		case "websocket.payload_length_ext_16":
			f.length, f.form = n, 2
		case "websocket.payload_length_ext_64":
			f.length, f.form = n, 8
		case "websocket.payload.text":
			f.text, f.hasText = e.Show, true
		case "websocket.payload.ping":
			f.ping = e.Value
		case "websocket.payload.pong":
			f.pong = e.Value
		case "websocket.payload.close.status_code":
			f.code, f.hasCode = int(n), true
		case "websocket.payload.close.reason":
			f.reason = e.Show
		}
		f.fill(e.Fields)
	}
}

// captures returns the captures beside the repository and our own, with their
// key logs.
func captures(t testing.TB) map[string]string {
	t.Helper()
	own, _ := filepath.Glob("testdata/captures/*.pcap")
	if len(own) < 10 {
		t.Fatalf("%d captures of our own", len(own))
	}
	others, _ := filepath.Glob("../../../../shared/captures/*.pcap*")
	all := map[string]string{}
	for _, file := range append(own, others...) {
		all[file] = ""
		base := strings.TrimSuffix(file, ".pcap")
		for _, ext := range []string{".keys", ".keylog"} {
			if _, err := os.Stat(base + ext); err == nil {
				all[file] = base + ext
			}
		}
	}
	return all
}

// mergedByTshark are captures of loopback in which fragments of both
// directions are under way at once: there tshark joins them to one message, so
// that the text of a message is not compared.
var mergedByTshark = []string{"node-interleaved.pcap"}

// deflatedByTshark are captures of messages that are both compressed and
// fragmented, which tshark shows without inflating them.
var deflatedByTshark = []string{"python-deflate-fragments.pcap"}

// Every frame is the one that tshark finds: in the same packet, with the same
// header, and with the same payload as far as tshark shows it.
func TestFramesAgreeWithTshark(t *testing.T) {
	for file, keylog := range captures(t) {
		name := filepath.Base(file)
		t.Run(name, func(t *testing.T) {
			k := inspected(t, file, keylog)
			port := ""
			if len(k.conns) > 0 {
				port = fmt.Sprint(k.conns[0].Server().Port())
			}
			want := sharkFrames(t, file, keylog, port)
			var got []capture.Record
			messages := map[int64]*capture.Message{} // by stream and last frame
			for _, c := range k.conns {
				for _, r := range k.records[c.ID] {
					switch {
					case r.Frame != nil:
						got = append(got, r)
					case r.Message != nil:
						messages[r.Message.LastFrame] = r.Message
					}
				}
			}
			slices.SortStableFunc(got, func(a, b capture.Record) int { return cmp.Compare(a.Packet, b.Packet) })
			if len(got) != len(want) {
				t.Fatalf("%d frames, tshark has %d", len(got), len(want))
			}
			if len(want) == 0 && !strings.HasPrefix(name, "tls13-illustrated") {
				t.Fatal("no frames")
			}
			if len(k.conns) != 1 {
				t.Fatalf("%d connections; the numbers of frames are not unique", len(k.conns))
			}
			for i, r := range got {
				compareFrame(t, name, r, messages[r.Frame.Number], want[i])
			}
		})
	}
}

func compareFrame(t *testing.T, name string, r capture.Record, m *capture.Message, want sharkFrame) {
	t.Helper()
	h := r.Frame.Header
	fin, key := 0, ""
	if h.Fin {
		fin = 1
	}
	if h.Masked {
		key = hex.EncodeToString(h.MaskingKey[:])
	}
	got := sharkFrame{packet: r.Packet, fin: fin, rsv: int(h.RSV), op: int(h.Opcode), mask: h.Masked, key: key, length: h.Length, form: int(h.LengthSize)}
	header := want
	header.text, header.ping, header.pong, header.reason = "", "", "", ""
	header.code, header.hasText, header.hasCode = 0, false, false
	if got != header {
		t.Errorf("frame #%d: got  %+v\nwant %+v", r.Frame.Number, got, header)
		return
	}
	payload := r.Frame.Payload.Bytes
	switch h.Opcode {
	case frame.Ping, frame.Pong:
		if hex.EncodeToString(payload) != want.ping+want.pong {
			t.Errorf("frame #%d: payload %x, tshark has %s", r.Frame.Number, payload, want.ping+want.pong)
		}
	case frame.Close:
		code, reason, ok := frame.ParseClose(payload)
		if ok != want.hasCode || int(code) != want.code || string(reason) != want.reason {
			t.Errorf("frame #%d: close %d %q, tshark has %d %q", r.Frame.Number, code, reason, want.code, want.reason)
		}
	default:
		if !want.hasText || m == nil || slices.Contains(mergedByTshark, name) || slices.Contains(deflatedByTshark, name) {
			return
		}
		// XML has no carriage returns.
		if text := strings.ReplaceAll(string(m.Payload.Bytes), "\r\n", "\n"); text != want.text {
			t.Errorf("frame #%d: message %q, tshark has %q", r.Frame.Number, text, want.text)
		}
	}
}

// Where tshark is wrong, or shows nothing, the messages are known.
func TestMessagesThatTsharkDoesNotShow(t *testing.T) {
	for _, tc := range []struct {
		file string
		want []string
	}{
		{"node-interleaved.pcap", []string{"c0c1c2", "s0s1s2", "c3c4c5", "s3s4s5", "c6c7c8", "s6s7s8", "c9c10c11", "s9s10s11"}},
		{"python-deflate-fragments.pcap", slices.Repeat([]string{"fragments of a compressed message, a compressed message"}, 6)},
	} {
		var got []string
		for _, r := range inspected(t, "testdata/captures/"+tc.file, "").all() {
			if r.Message != nil {
				got = append(got, string(r.Message.Payload.Bytes))
			}
		}
		if !slices.Equal(got, tc.want) {
			t.Errorf("%s: got %q\nwant %q", tc.file, got, tc.want)
		}
	}
}
