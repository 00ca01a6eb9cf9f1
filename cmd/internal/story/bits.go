package story

import (
	"fmt"
	"strings"

	"github.com/wiretrue/websocket/wire/frame"
)

// bitField is a part of a frame's header.
type bitField struct {
	bits  string   // its bits, "0101"
	lines []string // what stands below them; of a field of one bit, a letter a line
}

// header draws a frame's header as RFC 6455 5.2 does, with the bits that were
// on the wire. offset is that of its first byte.
func drawHeader(h *frame.Header, offset int64, indent string) string {
	rows := rowsOf(fieldsOf(h))
	var out strings.Builder
	width := 0
	for _, r := range rows {
		width = max(width, r.width())
	}
	tens, ones := "", ""
	for i := range width / 2 {
		mark := " "
		if i%10 == 0 {
			mark = fmt.Sprint(i / 10)
		}
		tens += mark + " "
		ones += fmt.Sprintf("%d ", i%10)
	}
	line := func(label, s string) {
		out.WriteString(strings.TrimRight(fmt.Sprintf("%s%8s %s", indent, label, s), " ") + "\n")
	}
	line("", " "+tens)
	line("byte", " "+ones)
	above := ""
	for i, r := range rows {
		line("", border(above, r.edges()))
		line(fmt.Sprint(offset+int64(4*i)), r.bits())
		for n := range r.depth() {
			line("", r.line(n))
		}
		above = r.edges()
	}
	line("", border(above, ""))
	return out.String()
}

func fieldsOf(h *frame.Header) []bitField {
	b := h.Append(nil)
	var all strings.Builder
	for _, c := range b {
		fmt.Fprintf(&all, "%08b", c)
	}
	bits := all.String()
	take := func(n int) (s string) {
		s, bits = bits[:n], bits[n:]
		return s
	}
	letters := func(s string) []string { return strings.Split(s, "") }
	fields := []bitField{
		{take(1), letters("FIN")},
		{take(1), letters("RSV1")},
		{take(1), letters("RSV2")},
		{take(1), letters("RSV3")},
		{take(4), []string{"opcode", fmt.Sprint(uint8(h.Opcode)), opcodeName(h.Opcode)}},
		{take(1), letters("MASK")},
	}
	seven := bitField{take(7), []string{"length", fmt.Sprint(h.Length)}}
	switch h.LengthSize {
	case 2:
		seven.lines = []string{"length 126:", "in 2 bytes"}
	case 8:
		seven.lines = []string{"length 127:", "in 8 bytes"}
	}
	fields = append(fields, seven)
	if n := int(h.LengthSize); n > 0 {
		fields = append(fields, bitField{take(8 * n), []string{"length", fmt.Sprint(h.Length)}})
	}
	if h.Masked {
		fields = append(fields, bitField{take(32), []string{"masking key", fmt.Sprintf("%x", h.MaskingKey)}})
	}
	return fields
}

func opcodeName(o frame.Opcode) string {
	if !o.Assigned() {
		return "(none)"
	}
	return map[bool]string{true: "CONTIN.", false: o.String()}[o == frame.Continuation]
}

// bitRow is 32 bits of the drawing, or the rest.
type bitRow []bitField

// rowsOf divides the fields into rows.
func rowsOf(fields []bitField) (rows []bitRow) {
	var row bitRow
	room := 32
	for _, f := range fields {
		part := 0
		for len(f.bits) > 0 {
			n := min(room, len(f.bits))
			lines := f.lines
			if part > 0 || n < len(f.bits) {
				lines = append([]string{fmt.Sprintf("%s (%d)", f.lines[0], part+1)}, f.lines[1:]...)
			}
			row = append(row, bitField{f.bits[:n], lines})
			f.bits = f.bits[n:]
			part++
			if room -= n; room == 0 {
				rows, row, room = append(rows, row), nil, 32
			}
		}
	}
	if len(row) > 0 {
		rows = append(rows, row)
	}
	return rows
}

func (r bitRow) width() int { return len(r.bits()) }

// bits is the row's line of bits.
func (r bitRow) bits() string {
	s := "|"
	for _, f := range r {
		s += strings.Join(strings.Split(f.bits, ""), " ") + "|"
	}
	return s
}

// edges is the row's lower and upper border.
func (r bitRow) edges() string {
	s := "+"
	for _, f := range r {
		if len(f.bits) == 1 {
			s += "-+"
			continue
		}
		s += strings.Repeat("-", 2*len(f.bits)-1) + "+"
	}
	return s
}

func (r bitRow) depth() (n int) {
	for _, f := range r {
		n = max(n, len(f.lines))
	}
	return n
}

func (r bitRow) line(n int) string {
	s := "|"
	for _, f := range r {
		width := 2*len(f.bits) - 1
		text := ""
		if n < len(f.lines) {
			text = f.lines[n]
		}
		text = text[:min(len(text), width)]
		left := (width - len(text)) / 2
		s += strings.Repeat(" ", left) + text + strings.Repeat(" ", width-len(text)-left) + "|"
	}
	return s
}

// border joins the edges of the row above and the row below.
func border(above, below string) string {
	var b strings.Builder
	for i := range max(len(above), len(below)) {
		c := byte('-')
		if i < len(above) && above[i] == '+' || i < len(below) && below[i] == '+' {
			c = '+'
		}
		b.WriteByte(c)
	}
	return b.String()
}
