package inspect

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"slices"
	"strings"

	"github.com/wiretrue/websocket/capture"
	"github.com/wiretrue/websocket/cmd/internal/packet"
	"github.com/wiretrue/websocket/internal/pcapng"
)

// A Saver collects what is needed to write the packets of the shown
// connections to a capture file, with the findings as comments of their
// packets. Only when the whole capture was inspected is it known which packets
// these are, so that they are read again: from the capture's file or, where
// there is none, from a [Copy].
type Saver struct {
	open     map[*Conn]*saved
	spans    map[addresses][]span // of the connections to save
	comments map[int64][]string   // of packets
	randoms  map[[32]byte]bool    // of the connections' ClientHellos
	noted    int
}

type saved struct{ findings []comment }

type comment struct {
	packet int64
	text   string
}

// span is a connection's packets, from the first to the last.
type span struct{ first, last int64 }

// addresses are those of a connection's ends, the lower one first.
type addresses struct{ low, high netip.AddrPort }

func addressesOf(a, b netip.AddrPort) addresses {
	if a.Compare(b) > 0 {
		a, b = b, a
	}
	return addresses{a, b}
}

const (
	maxComments         = 1 << 18 // in all
	maxCommentsOfConn   = 1 << 12
	maxCommentsOfPacket = 16
)

// NewSaver returns a sink that collects.
func NewSaver() *Saver {
	return &Saver{open: map[*Conn]*saved{}, spans: map[addresses][]span{},
		comments: map[int64][]string{}, randoms: map[[32]byte]bool{}}
}

// Begin implements [Sink].
func (s *Saver) Begin(c *Conn) {
	s.open[c] = &saved{}
}

// Record implements [Sink].
func (s *Saver) Record(c *Conn, r *capture.Record, _ bool) {
	k := s.open[c]
	if f := r.Finding; f != nil && f.Packet != 0 && len(k.findings) < maxCommentsOfConn {
		text := fmt.Sprintf("%s %s, %s: %s", f.Severity, f.ID, faultOf(f.Fault), f.Seen)
		if f.Mistake != "" {
			text += " (" + f.Mistake + ")"
		}
		k.findings = append(k.findings, comment{f.Packet, text})
	}
}

func faultOf(p capture.Party) string {
	if p == capture.Unknown {
		return "by whom is not known"
	}
	return "by the " + strings.TrimPrefix(string(p), "in ")
}

// End implements [Sink].
func (s *Saver) End(c *Conn) {
	k := s.open[c]
	delete(s.open, c)
	if !c.Shown {
		return
	}
	a := addressesOf(c.Client(), c.Server())
	s.spans[a] = append(s.spans[a], span{c.First.Packet, c.Last.Packet})
	for _, f := range k.findings {
		if s.noted < maxComments && len(s.comments[f.packet]) < maxCommentsOfPacket {
			s.noted++
			s.comments[f.packet] = append(s.comments[f.packet], f.text)
		}
	}
	if c.random != nil {
		s.randoms[*c.random] = true
	}
}

func (s *Saver) wanted(seg *packet.Segment) bool {
	for _, p := range s.spans[addressesOf(seg.Src, seg.Dst)] {
		if p.first <= seg.Packet && seg.Packet <= p.last {
			return true
		}
	}
	return false
}

// Write reads the packets of the inspected capture again and writes those of
// the connections to w, with the lines of the key logs that are theirs. It
// returns how many packets were written. A capture that is damaged yields what
// is before the damage; that is no error here.
func (s *Saver) Write(w io.Writer, src packet.Source, section pcapng.Section, keyLogs [][]byte) (int64, error) {
	buffered := bufio.NewWriterSize(w, 256<<10)
	out, err := pcapng.NewWriter(buffered, section)
	if err != nil {
		return 0, err
	}
	var (
		secrets    = s.secretsOf(keyLogs)
		interfaces = map[[2]int]uint32{}
		decoder    packet.Decoder
		p          packet.Packet
		seg        packet.Segment
		written    int64
	)
	for src.Next(&p) == nil {
		if decoder.Decode(&p, &seg) != packet.IsTCP || !s.wanted(&seg) {
			continue
		}
		at := [2]int{p.Interface, int(p.Link)}
		index, known := interfaces[at]
		if !known {
			if index, err = out.Interface(pcapng.Interface{Link: uint16(p.Link)}); err != nil {
				return written, err
			}
			interfaces[at] = index
			if len(secrets) > 0 {
				if err := out.Secrets(secrets); err != nil {
					return written, err
				}
				secrets = nil
			}
		}
		var comments []string
		if p.Comment != "" {
			comments = append(comments, p.Comment)
		}
		comments = append(comments, s.comments[p.Number]...)
		if err := out.Packet(&pcapng.Packet{Interface: index, Time: p.Time, Data: p.Data, Length: p.Length, Comments: comments}); err != nil {
			return written, err
		}
		written++
	}
	return written, buffered.Flush()
}

// secretsOf returns the lines of the key logs that belong to the connections:
// whoever gets the file gets the secrets of no others.
func (s *Saver) secretsOf(keyLogs [][]byte) []byte {
	var lines [][]byte
	for _, log := range keyLogs {
		for line := range bytes.Lines(log) {
			f := bytes.Fields(line)
			var random [32]byte
			if len(f) != 3 || len(f[1]) != 2*len(random) {
				continue
			}
			if _, err := hex.Decode(random[:], f[1]); err == nil && s.randoms[random] {
				lines = append(lines, append(bytes.Join(f, []byte(" ")), '\n'))
			}
		}
	}
	slices.SortFunc(lines, bytes.Compare)
	return bytes.Join(slices.CompactFunc(lines, bytes.Equal), nil)
}

// A Copy is a source that keeps what it yields in a temporary file, for a
// [Saver] to read again.
type Copy struct {
	packet.Source
	file       *os.File
	buffered   *bufio.Writer
	out        *pcapng.Writer
	interfaces map[[2]int]uint32
}

// NewCopy returns a Copy of a source. Its file must be removed.
func NewCopy(src packet.Source) (*Copy, error) {
	f, err := os.CreateTemp("", "wiretrue-*.pcapng")
	if err != nil {
		return nil, err
	}
	c := &Copy{Source: src, file: f, buffered: bufio.NewWriterSize(f, 256<<10), interfaces: map[[2]int]uint32{}}
	c.out, err = pcapng.NewWriter(c.buffered, pcapng.Section{})
	return c, err
}

// Next implements [packet.Source].
func (c *Copy) Next(p *packet.Packet) error {
	if err := c.Source.Next(p); err != nil {
		return err
	}
	at := [2]int{p.Interface, int(p.Link)}
	index, known := c.interfaces[at]
	if !known {
		var err error
		if index, err = c.out.Interface(pcapng.Interface{Link: uint16(p.Link)}); err != nil {
			return err
		}
		c.interfaces[at] = index
	}
	q := pcapng.Packet{Interface: index, Time: p.Time, Data: p.Data, Length: p.Length}
	if p.Comment != "" {
		q.Comments = []string{p.Comment}
	}
	return c.out.Packet(&q)
}

// Reopen returns a source of what was copied.
func (c *Copy) Reopen() (packet.Source, error) {
	if err := c.buffered.Flush(); err != nil {
		return nil, err
	}
	if _, err := c.file.Seek(0, io.SeekStart); err != nil {
		return nil, err
	}
	return packet.NewReader(c.file, nil)
}

// Close ends the source, as [packet.Source] has it. The copy stays.
func (c *Copy) Close() error { return c.Source.Close() }

// Remove removes the copy.
func (c *Copy) Remove() error { return errors.Join(c.file.Close(), os.Remove(c.file.Name())) }
