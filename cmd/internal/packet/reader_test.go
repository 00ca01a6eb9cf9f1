package packet_test

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"github.com/gopacket/gopacket/pcapgo"

	"github.com/wiretrue/websocket/cmd/internal/packet"
)

// An ng writes pcapng blocks, in any byte order, right or wrong.
type ng struct {
	bytes.Buffer
	order interface {
		binary.ByteOrder
		binary.AppendByteOrder
	}
}

func (w *ng) block(typ uint32, body []byte) {
	for len(body)%4 != 0 {
		body = append(body, 0)
	}
	w.Write(w.words(typ, uint32(len(body)+12)))
	w.Write(body)
	w.Write(w.words(uint32(len(body) + 12)))
}

func (w *ng) words(vs ...uint32) (b []byte) {
	for _, v := range vs {
		b = w.order.AppendUint32(b, v)
	}
	return b
}

func (w *ng) section() {
	w.block(0x0a0d0d0a, append(w.words(0x1a2b3c4d), append(w.order.AppendUint16(w.order.AppendUint16(nil, 1), 0), 255, 255, 255, 255, 255, 255, 255, 255)...))
}

// iface describes an Ethernet interface with the given options.
func (w *ng) iface(options ...byte) {
	body := w.order.AppendUint32(w.order.AppendUint16(w.order.AppendUint16(nil, 1), 0), 65535)
	w.block(1, append(body, options...))
}

func (w *ng) option(code uint16, value ...byte) []byte {
	b := w.order.AppendUint16(w.order.AppendUint16(nil, code), uint16(len(value)))
	b = append(b, value...)
	for len(b)%4 != 0 {
		b = append(b, 0)
	}
	return b
}

func (w *ng) packet(iface uint32, ticks uint64, data []byte, options ...byte) {
	n := uint32(len(data))
	body := append(w.words(iface, uint32(ticks>>32), uint32(ticks), n, n), data...)
	for len(body)%4 != 0 {
		body = append(body, 0)
	}
	w.block(6, append(body, options...))
}

func (w *ng) secrets(text string) {
	w.block(10, append(w.words(0x544c534b, uint32(len(text))), text...))
}

func byteOrders(t *testing.T, test func(t *testing.T, w *ng)) {
	t.Run("little-endian", func(t *testing.T) { test(t, &ng{order: binary.LittleEndian}) })
	t.Run("big-endian", func(t *testing.T) { test(t, &ng{order: binary.BigEndian}) })
}

func TestPcapng(t *testing.T) {
	byteOrders(t, func(t *testing.T, w *ng) {
		data := frame(t, "hello")
		w.section()
		w.secrets("first\n")
		w.iface()                                         // microseconds
		w.iface(w.option(9, 9)...)                        // nanoseconds
		w.iface(w.option(9, 0x80|10)...)                  // 1/1024 s
		w.iface(w.option(14, make64(w, 1_000_000)...)...) // an offset
		w.packet(0, 1_500_000, data, w.option(1, []byte("note")...)...)
		w.secrets("second\n")
		w.packet(1, 1_500_000_000, data)
		w.block(0x0bad, []byte("a block of a type nobody knows"))
		w.packet(2, 1024+512, data)
		w.packet(3, 1_500_000, data)
		w.packet(9, 0, data) // no such interface
		w.block(3, append(w.words(uint32(len(data))), data...))
		w.secrets("third\n")

		var secrets []string
		got, err := read(t, w.Bytes(), &packet.Options{Secrets: func(s packet.Secrets) {
			secrets = append(secrets, fmt.Sprintf("%d:%s", s.Packet, s.KeyLog))
		}})
		if err != io.EOF {
			t.Fatal(err)
		}
		if s := strings.Join(secrets, ""); s != "0:first\n1:second\n6:third\n" {
			t.Errorf("secrets %q", s)
		}
		if len(got) != 6 {
			t.Fatalf("%d packets", len(got))
		}
		for i, p := range got {
			if !bytes.Equal(p.Data, data) || p.Number != int64(i+1) || p.Length != len(data) {
				t.Errorf("packet %d: number %d, %d bytes of %d", i, p.Number, len(p.Data), p.Length)
			}
			want := time.Unix(1, 5e8).UTC()
			switch i {
			case 3:
				want = want.Add(1_000_000 * time.Second)
			case 4, 5:
				want = time.Time{}
			}
			if !p.Time.Equal(want) {
				t.Errorf("packet %d: %v, want %v", i, p.Time, want)
			}
		}
		if got[0].Comment != "note" || got[4].Link != packet.LinkUnknown || got[5].Link != packet.LinkEthernet {
			t.Errorf("comment %q, links %v %v", got[0].Comment, got[4].Link, got[5].Link)
		}
	})
}

func make64(w *ng, v uint64) []byte { return w.order.AppendUint64(nil, v) }

func TestSectionsMayChangeByteOrder(t *testing.T) {
	a, b := &ng{order: binary.LittleEndian}, &ng{order: binary.BigEndian}
	for i, w := range []*ng{a, b} {
		w.section()
		w.iface()
		w.packet(0, uint64(i), []byte("data"))
	}
	got, err := read(t, append(a.Bytes(), b.Bytes()...), nil)
	if err != io.EOF || len(got) != 2 {
		t.Errorf("%d packets, %v", len(got), err)
	}
}

func TestPcap(t *testing.T) {
	data := frame(t, "hello")
	for _, order := range []interface {
		binary.ByteOrder
		binary.AppendByteOrder
	}{binary.LittleEndian, binary.BigEndian} {
		for _, nano := range []bool{false, true} {
			w := &ng{order: order}
			magic, frac := uint32(0xa1b2c3d4), uint32(123456)
			if nano {
				magic, frac = 0xa1b23c4d, 123456789
			}
			file := w.words(magic)
			file = order.AppendUint16(order.AppendUint16(file, 2), 4)
			file = append(file, w.words(0, 0, 65535, 1)...)
			file = append(file, w.words(1000, frac, uint32(len(data)), 9999)...)
			file = append(file, data...)
			got, err := read(t, file, nil)
			if err != io.EOF || len(got) != 1 {
				t.Fatalf("%v: %d packets, %v", order, len(got), err)
			}
			want := time.Unix(1000, 123456000).UTC()
			if nano {
				want = time.Unix(1000, 123456789).UTC()
			}
			if p := got[0]; !p.Time.Equal(want) || p.Length != 9999 || !p.Truncated() || p.Link != packet.LinkEthernet {
				t.Errorf("%v nano %v: %+v", order, nano, p)
			}
		}
	}
}

func gz(t testing.TB, b []byte) []byte {
	t.Helper()
	var buf bytes.Buffer
	w := gzip.NewWriter(&buf)
	w.Write(b)
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

func TestGzip(t *testing.T) {
	file := pcapOf(t, frame(t, "one"), frame(t, "two"))
	got, err := read(t, gz(t, file), nil)
	if err != io.EOF || len(got) != 2 {
		t.Errorf("%d packets, %v", len(got), err)
	}
}

// A kilobyte of gzip for every megabyte of zeros: it must stream.
func TestGzipBomb(t *testing.T) {
	const size = 256 << 20
	pr, pw := io.Pipe()
	go func() {
		z, _ := gzip.NewWriterLevel(pw, gzip.BestSpeed)
		file := pcapOf(t)
		z.Write(file)
		p := make([]byte, 16+1<<20)
		binary.LittleEndian.PutUint32(p[8:], 1<<20)
		binary.LittleEndian.PutUint32(p[12:], 1<<20)
		for range size >> 20 {
			z.Write(p)
		}
		z.Close()
		pw.Close()
	}()
	r, err := packet.NewReader(pr, nil)
	if err != nil {
		t.Fatal(err)
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	n := 0
	var p packet.Packet
	for ; err == nil; n++ {
		err = r.Next(&p)
	}
	runtime.ReadMemStats(&after)
	if err != io.EOF || n != size>>20+1 {
		t.Errorf("%d packets, %v", n, err)
	}
	if grown := after.TotalAlloc - before.TotalAlloc; grown > 64<<20 {
		t.Errorf("%d bytes allocated for %d bytes of packets", grown, size)
	}
}

func TestDamage(t *testing.T) {
	one, two := frame(t, "one"), frame(t, "two")
	good := pcapOf(t, one, two)
	at := int64(24 + 16 + len(one))
	huge := bytes.Clone(good)
	binary.LittleEndian.PutUint32(huge[at+8:], 1<<31)

	blocks := func(more func(w *ng)) []byte {
		w := &ng{order: binary.LittleEndian}
		w.section()
		w.iface()
		w.packet(0, 0, one)
		more(w)
		return w.Bytes()
	}
	ngAt := int64(len(blocks(func(*ng) {})))
	tests := []struct {
		name   string
		file   []byte
		yields int
		offset int64
		cause  error
	}{
		{"cut in a packet", good[:len(good)-1], 1, at, io.ErrUnexpectedEOF},
		{"cut in a header", good[:at+3], 1, at, io.ErrUnexpectedEOF},
		{"huge packet", huge, 1, at, nil},
		{"cut gzip", gz(t, good)[:60], 0, 24, io.ErrUnexpectedEOF},
		{"ng: cut in a block", blocks(func(w *ng) { w.Write(w.words(6, 200, 0)) }), 1, ngAt, io.ErrUnexpectedEOF},
		{"ng: cut in a block header", blocks(func(w *ng) { w.Write([]byte{6, 0, 0}) }), 1, ngAt, io.ErrUnexpectedEOF},
		{"ng: no length", blocks(func(w *ng) { w.Write(w.words(6, 0)) }), 1, ngAt, nil},
		{"ng: length 8", blocks(func(w *ng) { w.Write(w.words(6, 8)) }), 1, ngAt, nil},
		{"ng: odd length", blocks(func(w *ng) { w.Write(w.words(6, 33)) }), 1, ngAt, nil},
		{"ng: absurd length", blocks(func(w *ng) { w.Write(w.words(6, 0xfffffffc, 1, 2, 3)) }), 1, ngAt, nil},
		{"ng: absurd length of an unknown block", blocks(func(w *ng) { w.Write(w.words(77, 0xfffffffc, 1, 2, 3)) }), 1, ngAt, io.ErrUnexpectedEOF},
		{"ng: lengths differ", blocks(func(w *ng) { w.packet(0, 0, two); w.Bytes()[w.Len()-4]++ }), 2, ngAt, nil},
		{"ng: packet larger than its block", blocks(func(w *ng) { w.block(6, w.words(0, 0, 0, 1000, 1000)) }), 1, ngAt, nil},
		{"ng: short packet block", blocks(func(w *ng) { w.block(6, w.words(0)) }), 1, ngAt, nil},
		{"ng: short secrets", blocks(func(w *ng) { w.block(10, w.words(0)) }), 1, ngAt, nil},
		{"ng: short interface", blocks(func(w *ng) { w.block(1, w.words(0)) }), 1, ngAt, nil},
		{"ng: section without magic", blocks(func(w *ng) { w.Write(w.words(0x0a0d0d0a, 28, 0, 0, 0, 0, 28)) }), 1, ngAt, nil},
		{"ng: section of a foreign version", blocks(func(w *ng) { w.Write(w.words(0x0a0d0d0a, 28, 0x1a2b3c4d, 7, 0, 0, 28)) }), 1, ngAt, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := read(t, tt.file, nil)
			var damage *packet.DamageError
			if !errors.As(err, &damage) {
				t.Fatalf("%d packets, error %v", len(got), err)
			}
			if len(got) != tt.yields || damage.Offset != tt.offset || damage.Packet != int64(tt.yields) {
				t.Errorf("%d packets, want %d; %v, want offset %d", len(got), tt.yields, damage, tt.offset)
			}
			if tt.cause != nil && !errors.Is(err, tt.cause) {
				t.Errorf("%v is not %v", err, tt.cause)
			}
		})
	}
}

func TestNotACapture(t *testing.T) {
	for _, in := range []string{"", "x", "GET / HTTP/1.1\r\n\r\n", "\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03"} {
		if _, err := read(t, []byte(in), nil); err == nil || err == io.EOF {
			t.Errorf("%q: %v", in, err)
		} else if len(in) < 10 && !errors.Is(err, packet.ErrFormat) {
			t.Errorf("%q: %v", in, err)
		}
	}
}

// Everything that gopacket's writer can write is read back.
func TestReadsWhatGopacketWrites(t *testing.T) {
	var buf bytes.Buffer
	w, err := pcapgo.NewNgWriter(&buf, layers.LinkTypeEthernet)
	if err != nil {
		t.Fatal(err)
	}
	data := frame(t, strings.Repeat("x", 1001))
	for range 3 {
		if err := w.WritePacket(gopacket.CaptureInfo{Timestamp: epoch, CaptureLength: len(data), Length: len(data)}, data); err != nil {
			t.Fatal(err)
		}
	}
	w.Flush()
	got, err := read(t, buf.Bytes(), nil)
	if err != io.EOF || len(got) != 3 || !got[2].Time.Equal(epoch) || !bytes.Equal(got[2].Data, data) {
		t.Errorf("%d packets, %v", len(got), err)
	}
}

func TestLargePackets(t *testing.T) {
	big := bytes.Repeat([]byte("big packet "), 200_000)
	w := &ng{order: binary.LittleEndian}
	w.section()
	w.iface()
	for range 3 {
		w.packet(0, 0, big)
		w.packet(0, 0, []byte("small"))
	}
	got, err := read(t, w.Bytes(), nil)
	if err != io.EOF || len(got) != 6 || !bytes.Equal(got[4].Data, big) || string(got[5].Data) != "small" {
		t.Errorf("%d packets, %v", len(got), err)
	}
}

func TestReadSecrets(t *testing.T) {
	w := &ng{order: binary.LittleEndian}
	w.section()
	w.iface()
	w.packet(0, 0, []byte("data"))
	w.secrets("late\n")
	name := filepath.Join(t.TempDir(), "late.pcapng")
	if err := os.WriteFile(name, w.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := packet.ReadSecrets(name)
	if err != nil || len(s) != 1 || string(s[0].KeyLog) != "late\n" {
		t.Errorf("%d secrets, %v", len(s), err)
	}
}
