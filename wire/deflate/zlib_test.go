package deflate

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"os/exec"
	"testing"
)

// zlibScript plays the peer. Its input is a list of strings, each with its
// length before it, in groups: the mode, its parameters, a count of messages,
// the messages. It answers with the messages, compressed or decompressed.
const zlibScript = `
import struct, sys, zlib

def read():
    n = sys.stdin.buffer.read(4)
    if not n:
        sys.exit(0)
    return sys.stdin.buffer.read(struct.unpack(">I", n)[0])

def write(b):
    sys.stdout.buffer.write(struct.pack(">I", len(b)) + b)

while True:
    mode, bits, level, memory, strategy, takeover, count = read().split()
    bits, takeover = -int(bits), takeover == b"true"
    codec = None
    for i in range(int(count)):
        m = read()
        if mode == b"compress":
            if codec is None or not takeover:
                codec = zlib.compressobj(int(level), zlib.DEFLATED, bits, int(memory), int(strategy))
            out = codec.compress(m) + codec.flush(zlib.Z_SYNC_FLUSH)
            assert out.endswith(b"\0\0\xff\xff")
            write(out[:-4])
        else:
            if codec is None or not takeover:
                codec = zlib.decompressobj(bits)
            write(codec.decompress(m + b"\0\0\xff\xff"))
`

// python runs the groups through zlib and returns its answers.
func python(t *testing.T, groups []zlibGroup) (answers [][][]byte) {
	t.Helper()
	path, err := exec.LookPath("python3")
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("python3 is needed in CI: ", err)
		}
		t.Skip("zlib is asked through python3, which is not here: ", err)
	}
	var in bytes.Buffer
	write := func(b []byte) {
		binary.Write(&in, binary.BigEndian, uint32(len(b)))
		in.Write(b)
	}
	for _, g := range groups {
		write(fmt.Appendf(nil, "%s %d %d %d %d %t %d", g.mode, g.bits, g.level, g.memory, g.strategy, g.takeover, len(g.messages)))
		for _, m := range g.messages {
			write(m)
		}
	}
	cmd := exec.Command(path, "-c", zlibScript)
	var complaint bytes.Buffer
	cmd.Stdin, cmd.Stderr = &in, &complaint
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("zlib: %v\n%s", err, complaint.Bytes())
	}
	r := bytes.NewReader(out)
	for _, g := range groups {
		var answer [][]byte
		for range g.messages {
			var n uint32
			if err := binary.Read(r, binary.BigEndian, &n); err != nil {
				t.Fatal(err)
			}
			m := make([]byte, n)
			if _, err := io.ReadFull(r, m); err != nil {
				t.Fatal(err)
			}
			answer = append(answer, m)
		}
		answers = append(answers, answer)
	}
	return answers
}

type zlibGroup struct {
	mode                          string
	bits, level, memory, strategy int
	takeover                      bool
	messages                      [][]byte
}

func (g zlibGroup) String() string {
	return fmt.Sprintf("%d bits, level %d, memLevel %d, strategy %d, takeover %t", g.bits, g.level, g.memory, g.strategy, g.takeover)
}

// TestZlibReadsUs: every window, every level, with and without takeover.
func TestZlibReadsUs(t *testing.T) {
	t.Parallel()
	all := messages()
	var groups []zlibGroup
	for _, l := range levels {
		for _, bits := range windows() {
			for _, takeover := range []bool{true, false} {
				g := zlibGroup{mode: "decompress", bits: bits, level: int(l.level), takeover: takeover}
				c := NewCompressor(bits, l.level)
				for _, m := range all {
					if !takeover {
						c.Reset()
					}
					g.messages = append(g.messages, c.Append(nil, m, true))
				}
				groups = append(groups, g)
			}
		}
	}
	for i, answer := range python(t, groups) {
		for k, m := range answer {
			if !bytes.Equal(m, all[k]) {
				t.Fatalf("%v, message %d of %d bytes: zlib reads other bytes", groups[i], k, len(all[k]))
			}
		}
	}
}

// TestWeReadZlib: every window, levels, strategies and memory sizes. A stream
// of 9 bits is read with 8 too: zlib has no 8, and never looks back farther
// than 250 bytes with 9.
func TestWeReadZlib(t *testing.T) {
	t.Parallel()
	var all [][]byte
	for _, m := range messages() {
		if len(m) <= 33_000 {
			all = append(all, m)
		}
	}
	var groups []zlibGroup
	for _, bits := range windows()[1:] {
		for _, p := range [][3]int{{0, 8, 0}, {1, 8, 0}, {6, 8, 0}, {9, 9, 0}, {6, 1, 0}, {6, 8, 1}, {6, 8, 3}, {6, 8, 4}} {
			for _, takeover := range []bool{true, false} {
				groups = append(groups, zlibGroup{"compress", bits, p[0], p[1], p[2], takeover, all})
			}
		}
	}
	for i, answer := range python(t, groups) {
		g := groups[i]
		windows := []int{g.bits}
		if g.bits == 9 {
			windows = []int{8, 9}
		}
		for _, bits := range windows {
			d := NewDecompressor(bits)
			for k, packed := range answer {
				if !g.takeover {
					d.Reset()
				}
				if out := inflateAll(t, d, packed); !bytes.Equal(out, all[k]) {
					t.Fatalf("%v, message %d of %d bytes: other bytes", g, k, len(all[k]))
				}
			}
		}
	}
}

// TestNoLargerThanZlib: a stream of small messages with takeover takes at most
// 3 % more than zlib's level 6 at the same window.
func TestNoLargerThanZlib(t *testing.T) {
	t.Parallel()
	var all [][]byte
	for i := range 1000 {
		all = append(all, event(i))
	}
	var groups []zlibGroup
	for _, bits := range windows()[1:] {
		groups = append(groups, zlibGroup{"compress", bits, 6, 8, 0, true, all})
	}
	for i, answer := range python(t, groups) {
		c := NewCompressor(groups[i].bits, Default)
		var theirs, ours int
		for k, packed := range answer {
			theirs += len(packed)
			ours += len(c.Append(nil, all[k], true))
		}
		t.Logf("%d bits: %d bytes, zlib %d", groups[i].bits, ours, theirs)
		if ours > theirs+theirs*3/100 {
			t.Errorf("%d bits: %d bytes, zlib %d", groups[i].bits, ours, theirs)
		}
	}
}
