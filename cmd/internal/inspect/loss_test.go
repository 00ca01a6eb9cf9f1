package inspect_test

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/wiretrue/websocket/capture"
	"github.com/wiretrue/websocket/cmd/internal/flow"
	"github.com/wiretrue/websocket/cmd/internal/inspect"
	"github.com/wiretrue/websocket/cmd/internal/packet"
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

func inspectedPackets(t testing.TB, packets []packet.Packet) *collector {
	t.Helper()
	k := newCollector()
	o := inspect.Options{Choice: inspect.Choice{All: true}}
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

// plainCaptures are those whose messages do not depend on each other.
func plainCaptures(t testing.TB) (files []string) {
	for _, name := range []string{"browser-plain", "node-fragments", "node-interleaved", "node-no-takeover", "ours-ipv6", "python-plain"} {
		files = append(files, filepath.Join("testdata/captures", name+".pcap"))
	}
	others, _ := filepath.Glob("../../../../shared/captures/zeek-*.pcap")
	return append(files, others...)
}

// Packets that arrive in another order, within a window, and packets that
// arrive twice change no message.
func TestOrderAndDuplication(t *testing.T) {
	const window = 6
	rounds := 40
	if testing.Short() {
		rounds = 5
	}
	for _, file := range plainCaptures(t) {
		t.Run(filepath.Base(file), func(t *testing.T) {
			original := packetsOf(t, file)
			want := messagesOf(inspectedPackets(t, original))
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
				got := messagesOf(inspectedPackets(t, evenly(packets)))
				for _, who := range []capture.Party{capture.Client, capture.Server} {
					if !slices.Equal(got[who], want[who]) {
						t.Fatalf("seed %d: the %s's messages are\n%.300q\nwant\n%.300q", seed, who, got[who], want[who])
					}
				}
			}
		})
	}
}

// A part is a stretch of a direction's stream.
type part struct{ from, to int64 }

func (p part) overlaps(q part) bool { return p.from < q.to && q.from < p.to }

// A told is a message or a control frame, and where it stands in its stream.
type told struct {
	words string
	parts []part
}

// toldOf are the messages, and the control frames, of each side.
func toldOf(k *collector) map[capture.Party][]told {
	all := map[capture.Party][]told{}
	parts := map[int64][]part{} // of the messages that are not over
	for _, r := range k.all() {
		switch {
		case r.Frame != nil:
			f := r.Frame
			p := part{f.Stream, f.Stream + int64(f.Header.Size()) + int64(f.Header.Length)}
			if f.Message > 0 {
				parts[f.Message] = append(parts[f.Message], p)
			} else if !f.Cut {
				all[r.From] = append(all[r.From], told{fmt.Sprintf("%v %q", f.Header.Opcode, f.Payload.Bytes), []part{p}})
			}
		case r.Message != nil && !r.Message.Cut:
			g := r.Message
			all[r.From] = append(all[r.From], told{fmt.Sprintf("%s %q", g.Type, g.Payload.Bytes), parts[g.Number]})
		}
	}
	return all
}

// without are the words of what does not touch the lost part.
func without(all []told, lost part) (words []string) {
	for _, m := range all {
		if !slices.ContainsFunc(m.parts, lost.overlaps) {
			words = append(words, m.words)
		}
	}
	return words
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

// Of a capture that lacks a packet, exactly the messages are missing of which
// the packet held a byte; the gap is named, and nobody is blamed for it.
func TestLoss(t *testing.T) {
	for _, file := range plainCaptures(t) {
		t.Run(filepath.Base(file), func(t *testing.T) {
			original := packetsOf(t, file)
			k := inspectedPackets(t, original)
			whole, faults := toldOf(k), faultsOf(k)
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
				if s.Length == 0 {
					continue
				}
				k := inspectedPackets(t, slices.Delete(slices.Clone(original), i, i+1))
				got := toldOf(k)
				from, other := capture.Client, capture.Server
				if s.Src != k.conns[0].Client {
					from, other = other, from
				}
				for _, f := range faultsOf(k) {
					if !slices.Contains(faults, f) {
						t.Errorf("without packet %d, %d bytes of the %s: %s", i+1, s.Length, from, f)
					}
				}
				said := without(got[from], part{})
				if slices.Equal(said, without(whole[from], part{})) && slices.Equal(without(got[other], part{}), without(whole[other], part{})) {
					continue // the handshake, or sent again
				}
				named := slices.ContainsFunc(k.all(), func(r capture.Record) bool {
					return r.Gap != nil && r.From == from && (r.Gap.Missing == int64(s.Length) || r.Gap.Resumed == "never")
				})
				last := !slices.ContainsFunc(original[i+1:], func(p packet.Packet) bool {
					var later packet.Segment
					return decoder.Decode(&p, &later) == packet.IsTCP && (later.Src == s.Src || later.Ack == s.Seq+uint32(s.Length))
				})
				if !named && !last { // else nothing tells that there was more
					t.Errorf("without packet %d, %d bytes of the %s: no gap is named", i+1, s.Length, from)
				}
				at := int64(s.Seq - starts[s.Src])
				lost := part{at, at + int64(s.Length)}
				if want := without(whole[from], lost); !slices.Equal(said, want) && len(faults) == 0 { // what breaks the rules is not found again
					t.Errorf("without packet %d, %d bytes of the %s: its messages are\n%.600q\nwant\n%.600q", i+1, s.Length, from, said, want)
				}
				if said, want := without(got[other], part{}), without(whole[other], part{}); !slices.Equal(said, want) {
					t.Errorf("without packet %d of the %s: the %s's messages are\n%.300q\nwant\n%.300q", i+1, from, other, said, want)
				}
			}
		})
	}
}

// Whatever packet a capture lacks, what happened is told in the order of time,
// and a Ping that had its Pong is not said to have had none.
func TestLossKeepsOrder(t *testing.T) {
	for _, file := range plainCaptures(t) {
		t.Run(filepath.Base(file), func(t *testing.T) {
			original := packetsOf(t, file)
			var decoder packet.Decoder
			for i := range original {
				var s packet.Segment
				if decoder.Decode(&original[i], &s) != packet.IsTCP || s.Length == 0 {
					continue
				}
				k := inspectedPackets(t, slices.Delete(slices.Clone(original), i, i+1))
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
		k := inspectedPackets(t, slices.Delete(slices.Clone(original), i, i+1))
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
