package inspect_test

import (
	"bytes"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/wiretrue/websocket/capture"
	"github.com/wiretrue/websocket/cmd/internal/flow"
	"github.com/wiretrue/websocket/cmd/internal/inspect"
	"github.com/wiretrue/websocket/cmd/internal/packet"
	"github.com/wiretrue/websocket/cmd/internal/tlsview"
	"github.com/wiretrue/websocket/wire/frame"
)

// packetsOf reads a capture into memory.
func packetsOf(t testing.TB, file string) []packet.Packet {
	t.Helper()
	src, err := packet.Open(file, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	return drain(t, src)
}

func drain(t testing.TB, src packet.Source) (all []packet.Packet) {
	t.Helper()
	for {
		var p packet.Packet
		if err := src.Next(&p); err == io.EOF {
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		p.Data = bytes.Clone(p.Data)
		all = append(all, p)
	}
}

// A replay is a source of packets from memory. They are numbered anew, and
// have the times of the places at which they stand.
type replay struct {
	packets []packet.Packet
	next    int
}

func (r *replay) Next(p *packet.Packet) error {
	if r.next == len(r.packets) {
		return io.EOF
	}
	*p = r.packets[r.next]
	r.next++
	p.Number = int64(r.next)
	return nil
}

func (r *replay) Close() error { return nil }

// messagesOf are the messages, and the control frames, of each side.
func messagesOf(k *collector) map[capture.Party][]string {
	all := map[capture.Party][]string{}
	for _, r := range k.all() {
		switch {
		case r.Message != nil && !r.Message.Cut:
			all[r.From] = append(all[r.From], fmt.Sprintf("%s %q", r.Message.Type, r.Message.Payload.Bytes))
		case r.Frame != nil && r.Frame.Header.Opcode.Control() && !r.Frame.Cut:
			all[r.From] = append(all[r.From], fmt.Sprintf("%v %q", r.Frame.Header.Opcode, r.Frame.Payload.Bytes))
		}
	}
	return all
}

func inspectedPackets(t testing.TB, packets []packet.Packet, keys *tlsview.KeyLog) *collector {
	t.Helper()
	k := newCollector()
	o := inspect.Options{Choice: inspect.Choice{All: true}, Keys: keys}
	o.Analyser.Payload = 1 << 20
	if err := inspect.New(o, k).Run(&replay{packets: packets}, nil); err != nil {
		t.Fatal(err)
	}
	return k
}

// evenly gives the packets times a millisecond apart: what comes late does so
// by a number of packets, not by the pauses of the conversation.
func evenly(packets []packet.Packet) []packet.Packet {
	for i := range packets {
		packets[i].Time = time.Date(2026, 1, 2, 3, 4, 5, i*1e6, time.UTC)
	}
	return packets
}

// sample is a capture from which packets are lost.
type sample struct {
	file     string
	keys     *tlsview.KeyLog // nil: it is in the clear
	takeover bool            // messages may refer to those before them
}

func (x *sample) name() string { return filepath.Base(x.file) }

// samples are those in the clear, inside TLS, and compressed.
func samples(t testing.TB) (all []sample) {
	t.Helper()
	for _, name := range []string{
		"browser-plain", "node-fragments", "node-interleaved", "node-no-takeover", "ours-ipv6", "python-plain",
		"node-takeover", "browser-deflate", "python-deflate-fragments",
		"browser-tls13", "ours-tls13", "python-tls12", "python-tls12-cbc",
	} {
		x := sample{file: filepath.Join("testdata/captures", name+".pcap")}
		x.takeover = strings.Contains(name, "takeover") && name != "node-no-takeover" || strings.Contains(name, "deflate") || strings.Contains(name, "tls")
		if lines, err := os.ReadFile(filepath.Join("testdata/captures", name+".keys")); err == nil {
			x.keys = new(tlsview.KeyLog)
			x.keys.Add(bytes.NewReader(lines))
		} else if strings.Contains(name, "tls") {
			t.Fatal(err)
		}
		all = append(all, x)
	}
	others, _ := filepath.Glob("../../../../shared/captures/zeek-*.pcap")
	for _, file := range others {
		all = append(all, sample{file: file})
	}
	return all
}

// Packets that arrive in another order, within a window, and packets that
// arrive twice change no message.
func TestOrderAndDuplication(t *testing.T) {
	const window = 6
	rounds := 40
	if testing.Short() {
		rounds = 5
	}
	for _, x := range samples(t) {
		t.Run(x.name(), func(t *testing.T) {
			original := packetsOf(t, x.file)
			want := messagesOf(inspectedPackets(t, original, x.keys))
			if len(want) == 0 {
				t.Fatal("no messages")
			}
			for seed := range uint64(rounds) {
				r := rand.New(rand.NewPCG(seed, 1))
				var packets []packet.Packet
				for _, p := range original {
					packets = append(packets, p)
					if r.IntN(4) == 0 {
						packets = append(packets, p)
					}
				}
				for at := 0; at < len(packets); at += window {
					part := packets[at:min(at+window, len(packets))]
					r.Shuffle(len(part), func(i, j int) { part[i], part[j] = part[j], part[i] })
				}
				got := messagesOf(inspectedPackets(t, evenly(packets), x.keys))
				for _, who := range []capture.Party{capture.Client, capture.Server} {
					if !slices.Equal(got[who], want[who]) {
						t.Fatalf("seed %d: the %s's messages are\n%.300q\nwant\n%.300q", seed, who, got[who], want[who])
					}
				}
			}
		})
	}
}

// A part is a stretch of a direction's stream, or of the capture's packets.
type part struct{ from, to int64 }

func (p part) overlaps(q part) bool { return p.from < q.to && q.from < p.to }

// A told is a message or a control frame, and where it stands.
type told struct {
	words      string
	compressed bool
	parts      []part // of its stream
	packets    []part
}

// toldOf are the messages, and the control frames, of each side.
func toldOf(k *collector) map[capture.Party][]told {
	all := map[capture.Party][]told{}
	frames := map[int64]*told{} // of the messages that are not over
	for _, r := range k.all() {
		switch {
		case r.Frame != nil:
			f := r.Frame
			m := frames[f.Message]
			if m == nil {
				m = new(told)
			}
			m.parts = append(m.parts, part{f.Stream, f.Stream + int64(f.Header.Size()) + int64(f.Header.Length)})
			m.packets = append(m.packets, part{f.FirstPacket, f.LastPacket + 1})
			if f.Message > 0 {
				frames[f.Message] = m
			} else if !f.Cut {
				m.words = fmt.Sprintf("%v %q", f.Header.Opcode, f.Payload.Bytes)
				all[r.From] = append(all[r.From], *m)
			}
		case r.Message != nil && !r.Message.Cut && r.Message.NotInflated == "":
			g := r.Message
			m := frames[g.Number]
			m.words, m.compressed = fmt.Sprintf("%s %q", g.Type, g.Payload.Bytes), g.Compressed
			all[r.From] = append(all[r.From], *m)
		}
	}
	return all
}

// A fate is what a lost packet does to a message.
type fate int

const (
	kept    fate = iota
	lost         // a byte of it was in the packet
	unknown      // it cannot be known whether it is found, or can be read
)

// compare holds what is told against the whole, of which the packet took what
// fateOf says. It returns "" or what is wrong.
func compare(got, whole []told, fateOf func(told) fate) string {
	for _, m := range whole {
		there := len(got) > 0 && got[0].words == m.words
		switch f := fateOf(m); {
		case f == lost:
		case there:
			got = got[1:]
		case f == kept:
			return fmt.Sprintf("%.200s is missing", m.words)
		}
	}
	if len(got) > 0 {
		return fmt.Sprintf("nobody sent %.200s there", got[0].words)
	}
	return ""
}

// faultBehind reports whether a side breaks a rule behind a place in its stream:
// a frame that does is no evidence of where frames begin again.
func faultBehind(k *collector, from capture.Party, at int64) bool {
	return slices.ContainsFunc(k.all(), func(r capture.Record) bool {
		return r.Finding != nil && r.Finding.Severity == capture.Error && r.Finding.From == from && r.Finding.Stream >= at
	})
}

// firstFrame is the packet of the first frame. Of TLS, whatever was lost before it
// may be what the keys come of.
func firstFrame(k *collector) int64 {
	for _, r := range k.all() {
		if r.Frame != nil {
			return r.Frame.FirstPacket
		}
	}
	return math.MaxInt64
}

// faultsOf are the rules that are said to be broken, by whom.
func faultsOf(k *collector) (all []string) {
	for _, r := range k.all() {
		if f := r.Finding; f != nil && f.Severity == capture.Error {
			all = append(all, fmt.Sprintf("%s by the %s: %s", f.ID, f.Fault, f.Seen))
		}
	}
	return all
}

// Of a capture that lacks a packet of TLS's handshake, what can be read all the
// same is told as it happens, and none of it behind the end.
func TestLossOfTheTLSHandshake(t *testing.T) {
	for _, x := range samples(t) {
		if x.keys == nil {
			continue
		}
		t.Run(x.name(), func(t *testing.T) {
			original := packetsOf(t, x.file)
			first := firstFrame(inspectedPackets(t, original, x.keys))
			some := 0
			for i := range original[:first-1] {
				without := inspectedPackets(t, slices.Delete(slices.Clone(original), i, i+1), x.keys)
				ended := false
				for _, r := range without.all() {
					switch {
					case r.Ending != nil:
						ended = true
					case r.Frame != nil && ended:
						t.Errorf("without packet %d: frame %d of packet %d is told behind the end", i+1, r.Frame.Number, r.Packet)
					case r.Frame != nil:
						some++
					}
				}
			}
			if some == 0 {
				t.Error("no frame is told")
			}
		})
	}
}

// Of a capture that lacks a packet, exactly the messages are missing of which
// the packet held a byte; the gap is named, and nobody is blamed for it. Only
// compressed messages behind a lost one may be unreadable, and frames behind it
// that break rules may not be found.
func TestLoss(t *testing.T) {
	for _, x := range samples(t) {
		t.Run(x.name(), func(t *testing.T) {
			original := packetsOf(t, x.file)
			k := inspectedPackets(t, original, x.keys)
			whole, faults := toldOf(k), faultsOf(k)
			client := k.conns[0].Client()
			first := firstFrame(k)
			var decoder packet.Decoder
			starts := map[netip.AddrPort]uint32{}
			for i := range original {
				var s packet.Segment
				if decoder.Decode(&original[i], &s) != packet.IsTCP {
					continue
				}
				if s.Flags.Has(packet.SYN) {
					starts[s.Src] = s.Seq + 1
				}
				if s.Length == 0 || x.keys != nil && int64(i+1) < first {
					continue
				}
				without := inspectedPackets(t, slices.Delete(slices.Clone(original), i, i+1), x.keys)
				got := toldOf(without)
				from, other := capture.Client, capture.Server
				if s.Src != client {
					from, other = other, from
				}
				where := fmt.Sprintf("without packet %d, %d bytes of the %s", i+1, s.Length, from)
				for _, f := range faultsOf(without) {
					if !slices.Contains(faults, f) {
						t.Errorf("%s: %s", where, f)
					}
				}
				nothing := func(told) fate { return kept }
				if compare(got[from], whole[from], nothing) == "" && compare(got[other], whole[other], nothing) == "" {
					continue // the handshake, or sent again
				}
				named := slices.ContainsFunc(without.all(), func(r capture.Record) bool {
					return r.Gap != nil && r.From == from && (x.keys != nil || r.Gap.Missing == int64(s.Length) || r.Gap.Resumed == "never")
				})
				last := !slices.ContainsFunc(original[i+1:], func(p packet.Packet) bool {
					var later packet.Segment
					return decoder.Decode(&p, &later) == packet.IsTCP && (later.Src == s.Src || later.Ack == s.Seq+uint32(s.Length))
				})
				if !named && !last { // else nothing tells that there was more
					t.Errorf("%s: no gap is named", where)
				}
				at := int64(s.Seq - starts[s.Src])
				segment, number := part{at, at + int64(s.Length)}, part{int64(i + 1), int64(i + 2)}
				behindFault := x.keys == nil && faultBehind(k, from, at)
				gone := false // a compressed message
				if wrong := compare(got[from], whole[from], func(m told) fate {
					hit := slices.ContainsFunc(m.parts, segment.overlaps)
					if x.keys != nil { // there the stream is another one
						hit = slices.ContainsFunc(m.packets, number.overlaps)
					}
					switch {
					case hit:
						gone = gone || m.compressed
						return lost
					case gone && x.takeover && m.compressed, behindFault && m.parts[0].from >= segment.to:
						return unknown
					}
					return kept
				}); wrong != "" {
					t.Errorf("%s: %s", where, wrong)
				}
				if wrong := compare(got[other], whole[other], nothing); wrong != "" {
					t.Errorf("%s: of the %s, %s", where, other, wrong)
				}
			}
		})
	}
}

// Whatever packet a capture lacks, what happened is told in the order of time,
// and a Ping that had its Pong is not said to have had none.
func TestLossKeepsOrder(t *testing.T) {
	for _, x := range samples(t) {
		t.Run(x.name(), func(t *testing.T) {
			original := packetsOf(t, x.file)
			first := firstFrame(inspectedPackets(t, original, x.keys))
			var decoder packet.Decoder
			for i := range original {
				var s packet.Segment
				if decoder.Decode(&original[i], &s) != packet.IsTCP || s.Length == 0 || x.keys != nil && int64(i+1) < first {
					continue
				}
				k := inspectedPackets(t, slices.Delete(slices.Clone(original), i, i+1), x.keys)
				var last capture.Record
				for _, r := range k.all() {
					if r.Frame == nil && r.End == nil {
						continue
					}
					if r.At.Before(last.At) {
						t.Errorf("without packet %d of %d bytes: the %s's %s of packet %d is told behind the %s's %s of packet %d",
							i+1, s.Length, r.From, r.Kind, r.Packet, last.From, last.Kind, last.Packet)
					}
					last = r
				}
			}
		})
	}
}

// Of messages in the clear, each in one packet or in several, those are missing
// of which a byte is, and no others.
func TestLossCostsWhatWasLost(t *testing.T) {
	var steps []step
	var messages []string
	steps = append(steps, step{from: flow.ToServer, b: []byte(goodRequest)}, step{from: flow.ToClient, b: []byte(goodResponse)})
	for i := range 30 {
		text := fmt.Sprintf("message %d %s", i, strings.Repeat("and so on ", 1+i%7*60)) // of up to three packets
		messages = append(messages, fmt.Sprintf("text %q", text))
		h := frame.Header{Fin: true, Opcode: frame.Text, Length: uint64(len(text))}
		h.LengthSize = frame.MinimalLengthSize(h.Length)
		steps = append(steps, step{from: flow.ToClient, b: append(h.Append(nil), text...)})
	}
	src, err := packet.NewReader(bytes.NewReader(pcapOf(t, steps)), nil)
	if err != nil {
		t.Fatal(err)
	}
	original := drain(t, src)
	var decoder packet.Decoder
	for i := range original {
		var s packet.Segment
		if decoder.Decode(&original[i], &s) != packet.IsTCP || s.Length == 0 || s.Src != serverAddr || bytes.HasPrefix(s.Payload, []byte("HTTP")) {
			continue
		}
		k := inspectedPackets(t, slices.Delete(slices.Clone(original), i, i+1), nil)
		if lost := missing(messagesOf(k)[capture.Server], messages); lost != 1 {
			t.Errorf("without packet %d, %d bytes: %d messages of %d are missing\n%.200q", i+1, s.Length, lost, len(messages), messagesOf(k)[capture.Server])
		}
	}
}

// missing returns how many of the whole list are not in part, which must be in
// the same order; -1: something is in part that is not in whole.
func missing(part, whole []string) int {
	n := 0
	for _, s := range whole {
		if len(part) > 0 && part[0] == s {
			part = part[1:]
		} else {
			n++
		}
	}
	if len(part) > 0 {
		return -1
	}
	return n
}
