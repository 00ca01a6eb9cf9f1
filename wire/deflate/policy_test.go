package deflate

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
)

// TestCompressible: what cannot become smaller is known by a look, and nothing
// else is taken for it.
func TestCompressible(t *testing.T) {
	random := func(n int) []byte {
		rng := rand.New(rand.NewPCG(9, uint64(n)))
		b := make([]byte, n)
		for i := range b {
			b[i] = byte(rng.Uint32())
		}
		return b
	}
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	z.Name = strings.Repeat("a header in clear text ", 8)
	fmt.Fprintf(z, "%x", random(20_000))
	z.Close()

	for _, tc := range []struct {
		name string
		p    []byte
		want bool
	}{
		{"nothing", nil, true},
		{"few random bytes", random(100), true},
		{"random", random(1000), false},
		{"much of it", random(1 << 20), false},
		{"gzip behind a header", packed.Bytes(), false},
		{"json", bytes.Repeat(event(3), 20), true},
		{"Japanese", []byte(strings.Repeat("今日は会議の資料を確認してください。", 40)), true},
		{"random in an envelope", append(append([]byte(`{"image":"`), random(2000)...), strings.Repeat(" and text", 2000)...), true},
		{"all bytes in order", bytes.Repeat([]byte{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}, 200), true},
	} {
		if got := Compressible(tc.p); got != tc.want {
			t.Errorf("%s: %t, want %t", tc.name, got, tc.want)
		}
	}
}
