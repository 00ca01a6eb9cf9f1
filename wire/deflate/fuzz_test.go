package deflate

import (
	"bytes"
	"compress/flate"
	"errors"
	"fmt"
	"io"
	"testing"
)

// expected decompresses a message with compress/flate, stream after stream if
// blocks are final. ended tells whether it did so where RFC 7692 wants it to.
// The standard library reads what we refuse (a distance beyond a window of less
// than 32 KiB, a message that ends in the middle of a block), so that what we
// accept must be what it says, and what it refuses we must refuse.
func expected(message []byte) (out []byte, err error) {
	in := bytes.NewReader(append(bytes.Clone(message), tail...))
	for {
		r := flate.NewReaderDict(in, out[max(0, len(out)-1<<15):])
		b, err := io.ReadAll(r)
		out = append(out, b...)
		if err == io.ErrUnexpectedEOF {
			return out, nil
		}
		if err != nil || in.Len() == 0 {
			return out, err
		}
	}
}

func FuzzDecompress(f *testing.F) {
	for _, tc := range faulty {
		f.Add(tc.message, uint8(15), uint8(3))
	}
	for i, m := range messages() {
		if len(m) < 2000 {
			f.Add(NewCompressor(8+i%8, Level(i%3)).Append(nil, m, true), uint8(8+i%8), uint8(i))
		}
	}
	f.Add(unhexed("f3 48 cd c9 c9 07 00 f2 48 cd c9 c9 07 00"), uint8(8), uint8(1))
	f.Fuzz(func(t *testing.T, message []byte, bits, piece uint8) {
		window := 8 + int(bits%8)
		out, err := inflate(NewDecompressor(window), message, len(message))

		inPieces, errInPieces := inflate(NewDecompressor(window), message, int(piece))
		if !bytes.Equal(out, inPieces) || fmt.Sprint(err) != fmt.Sprint(errInPieces) {
			t.Fatalf("at once %d bytes and %v, in pieces of %d %d bytes and %v", len(out), err, piece, len(inPieces), errInPieces)
		}

		want, wantErr := expected(message)
		if !bytes.HasPrefix(want, out) {
			t.Fatalf("%q, compress/flate %q", out, want)
		}
		var e *Error
		switch {
		case err == nil:
			if wantErr != nil || len(out) != len(want) {
				t.Fatalf("%d bytes, compress/flate %d and %v", len(out), len(want), wantErr)
			}
		case !errors.As(err, &e):
			t.Fatalf("error of type %T", err)
		case e.Bit < 0 || e.Bit > 8*int64(len(message)):
			t.Fatalf("%v: there are %d bytes", err, len(message))
		case wantErr == nil && e.Fault != Truncated && e.Fault != DistanceBeyondWindow && e.Fault != CodeLengths && e.Fault != Symbol:
			t.Fatalf("%v, which compress/flate accepts", err)
		}
	})
}

func FuzzRoundTrip(f *testing.F) {
	for i, m := range messages() {
		if len(m) < 2000 {
			f.Add(m, uint8(i), uint16(i*37), uint8(i))
		}
	}
	f.Fuzz(func(t *testing.T, data []byte, settings uint8, cut uint16, piece uint8) {
		bits, level := 8+int(settings%8), levels[settings>>3%3].level
		takeover := settings>>5&1 != 0
		c, d := NewCompressor(bits, level), NewDecompressor(bits)
		size := 1 + int(cut)%1000
		var history []byte
		for rest := data; ; {
			m := rest[:min(len(rest), size*3)]
			rest = rest[len(m):]
			if !takeover {
				c.Reset()
				d.Reset()
				history = nil
			}
			if settings>>6&1 != 0 {
				c.Compact()
				d.Compact()
			}
			var packed []byte
			parts := m
			for len(parts) > size {
				packed = c.Append(packed, parts[:size], false)
				parts = parts[size:]
			}
			packed = c.Append(packed, parts, true)

			out, err := inflate(d, packed, 1+int(piece))
			if err != nil || !bytes.Equal(out, m) {
				t.Fatalf("%d bytes came back of %d, %v", len(out), len(m), err)
			}
			out, err = standardInflate(packed, history)
			if err != nil || !bytes.Equal(out, m) {
				t.Fatalf("compress/flate: %d bytes came back of %d, %v", len(out), len(m), err)
			}
			history = append(history, m...)
			history = history[max(0, len(history)-1<<bits):]
			if len(rest) == 0 {
				return
			}
		}
	})
}
