package capture

import (
	"bytes"
	"testing"
)

// Bytes in which every other place looks like a frame, behind which the next
// one stands, cost no more for each of them than others.
func TestBestIsLinear(t *testing.T) {
	t.Parallel()
	packets := func(b []byte, size int) (starts []int) {
		for i := 0; i < len(b); i += size {
			starts = append(starts, i)
		}
		return starts
	}
	zeros := make([]byte, maxHeld)
	pings := bytes.Repeat([]byte{0x89, 0}, maxHeld/2)
	masked := bytes.Repeat([]byte{0x89, 0x80, 1, 2, 3, 4}, maxHeld/6)
	for _, tt := range []struct {
		name string
		c    candidate
	}{
		{"zeros", candidate{b: zeros, starts: packets(zeros, 1400)}},
		{"zeros in small packets", candidate{b: zeros, starts: packets(zeros, maxHeld/maxItems)}},
		{"pings", candidate{b: pings, starts: packets(pings, 2*1400)}},
		{"masked pings", candidate{b: masked, starts: []int{0}, masked: true}},
	} {
		tt.c.best()
		if most := 10 * len(tt.c.b); tt.c.weighed > most {
			t.Errorf("%s: %d headers were weighed in %d bytes, want %d at most", tt.name, tt.c.weighed, len(tt.c.b), most)
		}
	}
}
