package story

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/wiretrue/websocket/capture"
)

// NOTE. Whatever comes from the wire passes through safe, quote or excerpt
// before it is printed: a payload must not move the cursor, set a terminal's
// title or reverse the direction of the line.

// safe returns s with what is not printable escaped.
func safe(s string) string {
	for _, r := range s {
		if !strconv.IsPrint(r) || r == utf8.RuneError {
			q := strconv.Quote(s)
			return strings.ReplaceAll(q[1:len(q)-1], `\"`, `"`)
		}
	}
	return s
}

// short returns the safe beginning of s, of most bytes at most.
func short(s string, most int) string {
	if len(s) <= most {
		return safe(s)
	}
	for most > 0 && !utf8.RuneStart(s[most]) {
		most--
	}
	return safe(s[:most]) + "..."
}

// quote is short in quotes.
func quote(s string, most int) string {
	if len(s) <= most {
		return strconv.Quote(s)
	}
	for most > 0 && !utf8.RuneStart(s[most]) {
		most--
	}
	return strconv.Quote(s[:most]) + "..."
}

const (
	lineText  = 72 // bytes of text in a line
	lineBytes = 16 // bytes in hexadecimal in a line
)

// excerpt shows the beginning of a payload: text in quotes, anything else in
// hexadecimal.
func excerpt(e capture.Excerpt, text bool) string {
	if len(e.Bytes) == 0 {
		return ""
	}
	if s, ok := e.Text(); ok && (text || printable(s)) {
		q := quote(s, lineText)
		if e.Cut() && !strings.HasSuffix(q, "...") {
			q += "..."
		}
		return q
	}
	return spaced(e.Bytes, lineBytes, e.Size)
}

func printable(s string) bool {
	for _, r := range s {
		if !strconv.IsPrint(r) && r != '\n' && r != '\t' && r != '\r' {
			return false
		}
	}
	return s != ""
}

// spaced is hexadecimal with a space between bytes.
func spaced(b []byte, most int, size uint64) string {
	s := fmt.Sprintf("% x", b[:min(len(b), most)])
	if uint64(min(len(b), most)) < size {
		s += " ..."
	}
	return s
}

// dump is a hexadecimal dump with offsets from first, each line behind indent.
func dump(b []byte, first int64, indent string) string {
	var out strings.Builder
	for i := 0; i < len(b); i += 16 {
		row := b[i:min(i+16, len(b))]
		var ascii strings.Builder
		hex := ""
		for k, c := range row {
			if k == 8 {
				hex += " "
			}
			hex += fmt.Sprintf("%02x ", c)
			if c < ' ' || c > '~' {
				c = '.'
			}
			ascii.WriteByte(c)
		}
		fmt.Fprintf(&out, "%s%08x  %-50s|%s|\n", indent, first+int64(i), hex, ascii.String())
	}
	return out.String()
}
