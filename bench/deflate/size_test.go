package main

import (
	"os"
	"os/exec"
	"testing"

	"github.com/wiretrue/websocket/wire/deflate"
)

// TestNoLargerThanZlib: every conversation of small messages takes at most 3 % more
// bytes than zlib's level 6 with the same window.
func TestNoLargerThanZlib(t *testing.T) {
	if _, err := exec.LookPath("python3"); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("python3 is needed in CI: ", err)
		}
		t.Skip("zlib is asked through python3, which is not here: ", err)
	}
	for _, c := range corpora() {
		size := 0
		for _, m := range c.messages {
			size += len(m)
		}
		if size/len(c.messages) > 1<<10 {
			continue
		}
		for _, bits := range []int{9, 12, 15} {
			theirs, _, err := zlib(c, bits, 6, "takeover")
			if err != nil {
				t.Fatal(err)
			}
			if ours := ours(deflate.Default, bits, true).run(c).out; ours > theirs+theirs*3/100 {
				t.Errorf("%s, %d bits: %d bytes, zlib %d", c.name, bits, ours, theirs)
			}
		}
	}
}
