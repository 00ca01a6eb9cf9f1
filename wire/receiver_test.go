package wire_test

import (
	"bytes"
	"fmt"
	"math"
	"reflect"
	"slices"
	"testing"

	"github.com/wiretrue/websocket/wire"
	"github.com/wiretrue/websocket/wire/frame"
	"github.com/wiretrue/websocket/wire/rfc"
)

// notation returns the bytes of the lines.
func notation(t testing.TB, lines ...string) (b []byte) {
	t.Helper()
	for _, line := range lines {
		var err error
		if b, err = frame.AppendNotation(b, line); err != nil {
			t.Fatal(err)
		}
	}
	return b
}

func TestEventsOfAFragmentedMessage(t *testing.T) {
	t.Parallel()
	r := &wire.Receiver{Role: wire.Server}
	events := readAll(t, r.Next, notation(t, `01 83 01020304 "Hel"^01020304`, `89 81 05060708 "?"^05060708`, `80 82 090a0b0c "lo"^090a0b0c`))
	var got []string
	for _, ev := range events {
		got = append(got, fmt.Sprintf("%v %d %v %q", ev.Kind, ev.Offset, ev.Header.Opcode, ev.Data))
	}
	want := []string{
		`header 0 TEXT ""`, `data 6 TEXT "Hel"`,
		`header 9 PING ""`, `ping 9 PING "?"`,
		`header 16 CONTINUATION ""`, `data 22 CONTINUATION "lo"`, `message end 24 CONTINUATION ""`,
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	if r.Offset() != 24 || r.InFrame() || r.InMessage() {
		t.Errorf("Offset %d, InFrame %v, InMessage %v", r.Offset(), r.InFrame(), r.InMessage())
	}
}

func TestStateBehindEachByte(t *testing.T) {
	t.Parallel()
	in := notation(t, `01 02 "ab"`, `89 01 "?"`, `80 7e 0100`)
	want := []struct {
		frame, message bool
		at             int64
	}{
		{true, false, 0}, {true, true, 0}, {true, true, 0}, {false, true, 4}, // the text
		{true, true, 4}, {true, true, 4}, {false, true, 7}, // the ping
		{true, true, 7}, {true, true, 7}, {true, true, 7}, {true, true, 7}, // the header of the rest
	}
	r := new(wire.Receiver)
	for i := range in {
		readAll(t, r.Next, in[i:i+1])
		if r.InFrame() != want[i].frame || r.InMessage() != want[i].message || r.FrameOffset() != want[i].at {
			t.Errorf("behind byte %d: InFrame %v, InMessage %v, FrameOffset %d", i, r.InFrame(), r.InMessage(), r.FrameOffset())
		}
	}
}

func TestOneFrameBreaksManyRules(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		role  wire.Role
		lines []string
		want  rfc.Set // of the last header
	}{
		{wire.Server, []string{`7b 7f 8000000000000000`}, rfc.SetOf(rfc.ReservedBitsZero, rfc.AssignedOpcode, rfc.ControlNotFragmented, rfc.ClientMustMask, rfc.LengthTopBit)},
		{wire.Client, []string{`09 fe 0005 01020304`}, rfc.SetOf(rfc.ControlNotFragmented, rfc.ServerMustNotMask, rfc.MinimalLength)},
		{wire.Client, []string{`01 00`, `42 7e 0010`}, rfc.SetOf(rfc.ReservedBitsZero, rfc.MinimalLength, rfc.MessagesNotInterleaved)},
		{wire.Client, []string{`88 00`, `80 00`}, rfc.SetOf(rfc.NoDataAfterClose, rfc.ContinuationNeedsStart)},
		{wire.Client, []string{`81 80 01020304`, `81 80 01020304`}, rfc.SetOf(rfc.ServerMustNotMask)}, // its key is of no interest
		{wire.Client, []string{`8a 7f 00000000000000ff`}, rfc.SetOf(rfc.ControlLength, rfc.MinimalLength)},
		{wire.Server, []string{`8f 80 01020304`}, rfc.SetOf(rfc.AssignedOpcode)},
	} {
		var last rfc.Set
		r := &wire.Receiver{Role: tt.role}
		for _, ev := range readAll(t, r.Next, notation(t, tt.lines...)) {
			if ev.Kind == wire.Header {
				last = ev.Broken
			}
		}
		if last != tt.want {
			t.Errorf("%s to the %v broke %v, want %v", tt.lines, tt.role, last, tt.want)
		}
	}
}

// Of a close that is too long, 125 bytes are kept, and a reason that these cut
// is not blamed on the peer.
func TestReasonOfACloseThatIsTooLong(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]rfc.Set{
		`88 7e 007e 03e8 "é"*62`:         {}, // the last of them is cut
		`88 7e 007e 03e8 "\xff" "a"*123`: rfc.SetOf(rfc.CloseReasonUTF8),
		`88 7e 007e 03ed "a"*124`:        rfc.SetOf(rfc.CloseCodeOnWire),
		`88 7e 007e 03e8 "a"*123 "\xff"`: {}, // not kept
		`88 7d 03e8 "a" "é"*61`:          {}, // 125: nothing is cut
		`88 7d 03e8 "é"*61 "\xc3"`:       rfc.SetOf(rfc.CloseReasonUTF8),
	} {
		events := readAll(t, new(wire.Receiver).Next, notation(t, line))
		last := events[len(events)-1]
		if last.Kind != wire.Close || last.Broken != want {
			t.Errorf("%s: %v broke %v, want %v", line, last.Kind, last.Broken, want)
		}
	}
}

// A second impossible byte is not told, and a new message is checked anew.
func TestTextIsJudgedOncePerMessage(t *testing.T) {
	t.Parallel()
	r := new(wire.Receiver)
	var at []int64
	for _, ev := range readAll(t, r.Next, notation(t, `01 04 "a\xffb\xff"`, `80 02 "\xff\xc3"`, `81 01 "\xff"`, `81 01 "a"`, `81 01 "\xc3"`)) {
		if ev.Broken.Has(rfc.TextIsUTF8) {
			at = append(at, ev.At)
		}
	}
	if want := []int64{3, 12, 19}; !reflect.DeepEqual(at, want) {
		t.Errorf("text is not UTF-8 at %v, want %v", at, want)
	}
}

func TestLimitsDoNotOverflow(t *testing.T) {
	t.Parallel()
	for _, limit := range []uint64{1, 1 << 20, math.MaxInt64, math.MaxUint64 - 1, math.MaxUint64} {
		for _, declared := range []uint64{1 << 62, 1<<63 - 1, 1 << 63, math.MaxUint64} {
			r := &wire.Receiver{Limits: wire.Limits{Message: limit}}
			in := notation(t, `02 05 "Hello"`)
			in = frame.Header{Fin: true, Length: declared, LengthSize: 8}.Append(in)
			events := readAll(t, r.Next, in)
			last := events[len(events)-1]
			if want := limit < 5 || declared > limit-5; last.Broken.Has(rfc.MessageSize) != want {
				t.Errorf("limit %d, 5 and %d bytes: broke %v", limit, declared, last.Broken)
			}
		}
	}
}

// What a peer declares costs no memory, and what it sends no more than the
// 125 bytes of one control frame.
func TestReceiverKeepsNoPayload(t *testing.T) {
	huge := frame.Header{Fin: true, Opcode: frame.Binary, Length: 1 << 62, LengthSize: 8}.Append(nil)
	payload := make([]byte, 1<<16)
	r := new(wire.Receiver)
	drain(r, bytes.Clone(huge))
	if n := testing.AllocsPerRun(100, func() { drain(r, payload) }); n != 0 {
		t.Errorf("%v allocations a read of a frame of 2^62 bytes", n)
	}
	control := frame.Header{Fin: true, Opcode: frame.Ping, Length: 1 << 62, LengthSize: 8}.Append(nil)
	r = new(wire.Receiver)
	drain(r, bytes.Clone(control))
	drain(r, payload)
	if n := testing.AllocsPerRun(100, func() { drain(r, payload) }); n != 0 {
		t.Errorf("%v allocations a read of a ping of 2^62 bytes", n)
	}
}

// drain reads in as a shell does, and drops the events.
func drain(r *wire.Receiver, in []byte) {
	for {
		var ev wire.Event
		n := r.Next(in, &ev)
		in = in[n:]
		if ev.Kind == wire.NeedMore {
			return
		}
	}
}

// cutBy cuts b into pieces of the sizes in cuts, which are used in turn.
func cutBy(b, cuts []byte) (pieces [][]byte) {
	for i := 0; len(b) > 0; i++ {
		n := len(b)
		if len(cuts) > 0 && i < 1000 {
			n = min(n, int(cuts[i%len(cuts)]))
			if n == 0 && i%len(cuts) == len(cuts)-1 {
				n = 1
			}
		}
		pieces = append(pieces, b[:n])
		b = b[n:]
	}
	return pieces
}

// Any bytes, any cuts: the same events, all bytes consumed, the frames that
// the codec finds.
func FuzzReceiver(f *testing.F) {
	for _, v := range corpus(f) {
		for _, side := range []string{"client", "server"} {
			if b := v.Frames(side); len(b) > 0 && len(b) < 2000 {
				f.Add(b, side == "client", uint16(v.Message), uint8(v.Fragments), []byte{1, 2, 3})
			}
		}
	}
	f.Fuzz(func(t *testing.T, b []byte, toServer bool, message uint16, fragments uint8, cuts []byte) {
		fresh := func() *wire.Receiver {
			r := &wire.Receiver{Limits: wire.Limits{Message: uint64(message), Fragments: int(fragments)}}
			if toServer {
				r.Role = wire.Server
			}
			return r
		}
		r := fresh()
		want := readAll(t, r.Next, b)
		if r.Offset() != int64(len(b)) {
			t.Fatalf("%d of %d bytes consumed", r.Offset(), len(b))
		}
		for how, pieces := range map[string][][]byte{"cut": cutBy(b, cuts), "byte by byte": bytewise(b)} {
			again := fresh()
			if got := readAll(t, again.Next, pieces...); !slices.Equal(got, want) {
				t.Fatalf("%s: %s", how, difference(got, want))
			}
			if again.InFrame() != r.InFrame() || again.InMessage() != r.InMessage() || again.Offset() != r.Offset() {
				t.Fatalf("%s: the state differs", how)
			}
		}
		checkOffsets(t, want)
		checkFrames(t, b, want)
	})
}

// checkOffsets checks that the events come in the order of the wire.
func checkOffsets(t *testing.T, events []event) {
	t.Helper()
	var end int64 // of what was told
	for i, ev := range events {
		switch ev.Kind {
		case wire.Header:
			if ev.Offset != end {
				t.Fatalf("event %d: a header at %d, want it at %d", i, ev.Offset, end)
			}
			end += int64(ev.Header.Size())
		case wire.Data:
			if ev.Offset != end || ev.Data == "" {
				t.Fatalf("event %d: %d bytes of data at %d, want some at %d", i, len(ev.Data), ev.Offset, end)
			}
			end += int64(len(ev.Data))
		case wire.MessageEnd:
			if ev.Offset != end || !ev.Header.Fin {
				t.Fatalf("event %d: a message's end at %d, want it at %d", i, ev.Offset, end)
			}
		default:
			if ev.Offset != end-int64(ev.Header.Size()) || len(ev.Data) > frame.MaxControlPayload {
				t.Fatalf("event %d: %d bytes of %v at %d, want some at %d", i, len(ev.Data), ev.Kind, ev.Offset, end)
			}
			end += int64(ev.Header.Length)
		}
		if !ev.Broken.Clean() && (ev.At < ev.Offset || ev.At > end) {
			t.Fatalf("event %d at %d breaks %v at %d, outside of it", i, ev.Offset, ev.Broken, ev.At)
		}
	}
}

// checkFrames compares the events with the frames that frame.Parse finds.
func checkFrames(t *testing.T, b []byte, events []event) {
	t.Helper()
	for len(b) > 0 {
		h, n := frame.Parse(b)
		if n == 0 {
			break
		}
		if len(events) == 0 || events[0].Kind != wire.Header || events[0].Header != h {
			t.Fatalf("no header %v in %+v", h, events)
		}
		events = events[1:]
		payload := bytes.Clone(b[n:min(uint64(len(b)), uint64(n)+min(h.Length, uint64(len(b))))])
		whole := uint64(len(payload)) == h.Length
		b = b[n+len(payload):]
		if h.Masked {
			frame.Mask(payload, h.MaskingKey, 0)
		}
		data := ""
		for len(events) > 0 && events[0].Kind != wire.Header {
			if events[0].Header != h {
				t.Fatalf("an event of the frame %v has the header %v", h, events[0].Header)
			}
			data += events[0].Data
			events = events[1:]
		}
		want := string(payload)
		if h.Opcode.Control() && h.Opcode.Assigned() {
			want = want[:min(len(want), frame.MaxControlPayload)]
			if !whole {
				want = ""
			}
		}
		if data != want {
			t.Fatalf("%v: payload %q, want %q", h, data, want)
		}
	}
	if len(events) != 0 {
		t.Fatalf("events without a frame: %+v", events)
	}
}

func BenchmarkReceiver(b *testing.B) {
	for _, size := range []int{20, 1024, 64 << 10} {
		for _, op := range []frame.Opcode{frame.Text, frame.Binary} {
			b.Run(fmt.Sprintf("%v of %d", op, size), func(b *testing.B) {
				s := new(wire.Sender)
				in, err := s.Message(nil, op, bytes.Repeat([]byte("a"), size), [4]byte{1, 2, 3, 4})
				if err != nil {
					b.Fatal(err)
				}
				r := &wire.Receiver{Role: wire.Server}
				b.SetBytes(int64(len(in)))
				b.ReportAllocs()
				for b.Loop() {
					drain(r, in) // unmasks and so alters the payload; a's stay ASCII
				}
			})
		}
	}
}
