package frame

import (
	"fmt"
	"strconv"
	"strings"
)

// String describes the header in words, in the order of the wire:
// "FIN TEXT length 5, MASK=37fa213d". What is unusual is shown, too: set
// reserved bits, and a length that is not in its shortest form
// ("length 5 in 8 bytes").
func (h Header) String() string {
	var b strings.Builder
	if h.Fin {
		b.WriteString("FIN ")
	}
	for i, bit := range []uint8{RSV1, RSV2, RSV3} {
		if h.RSV&bit != 0 {
			fmt.Fprintf(&b, "RSV%d ", i+1)
		}
	}
	fmt.Fprintf(&b, "%v length %d", h.Opcode, h.Length)
	if h.LengthSize != MinimalLengthSize(h.Length) {
		fmt.Fprintf(&b, " in %d bytes", h.LengthSize)
	}
	if h.Masked {
		fmt.Fprintf(&b, ", MASK=%x", h.MaskingKey)
	} else {
		b.WriteString(", MASK=0")
	}
	return b.String()
}

// maxNotation bounds what one line of notation may grow to, in bytes.
const maxNotation = 1 << 24

// AppendNotation appends to dst the bytes that a line of the debug notation
// stands for. The line is made of items separated by spaces:
//
//	81 0005 37fa213d    bytes in hexadecimal, an even number of digits
//	"Hello\n"           the bytes of a string, escaped as in Go
//	"Hello"^37fa213d    the same, masked with a key; also 00^37fa213d
//	"ab"*3 00*125       an item, repeated; before the masking
//
// A # outside a string ends the line.
func AppendNotation(dst []byte, line string) ([]byte, error) {
	for rest := strings.TrimSpace(line); rest != "" && rest[0] != '#'; rest = strings.TrimLeft(rest, " \t") {
		item, after, err := notationBytes(rest)
		if err != nil {
			return dst, err
		}
		count, after, err := notationSuffix(after, '*', strconv.Atoi)
		if err != nil || count < 0 || count > maxNotation/max(1, len(item)) {
			return dst, fmt.Errorf("notation: a bad count in %.40q", rest)
		}
		if count > 0 {
			item = []byte(strings.Repeat(string(item), count))
		}
		key, after, err := notationSuffix(after, '^', func(s string) (*[4]byte, error) {
			k, err := strconv.ParseUint(s, 16, 32)
			if len(s) != 8 || err != nil {
				return nil, fmt.Errorf("%q is no masking key", s)
			}
			return &[4]byte{byte(k >> 24), byte(k >> 16), byte(k >> 8), byte(k)}, nil
		})
		if err != nil {
			return dst, fmt.Errorf("notation: %w in %.40q", err, rest)
		}
		if key != nil {
			Mask(item, *key, 0)
		}
		if after != "" && !strings.ContainsRune(" \t#", rune(after[0])) {
			return dst, fmt.Errorf("notation: %.40q is no item", rest)
		}
		if len(dst)+len(item) > maxNotation {
			return dst, fmt.Errorf("notation: more than %d bytes", maxNotation)
		}
		dst = append(dst, item...)
		rest = after
	}
	return dst, nil
}

// notationBytes reads the string or the hexadecimal digits that s begins with.
func notationBytes(s string) (item []byte, after string, err error) {
	if s[0] == '"' {
		quoted, err := strconv.QuotedPrefix(s)
		if err != nil {
			return nil, "", fmt.Errorf("notation: %.40q is no string", s)
		}
		text, err := strconv.Unquote(quoted)
		return []byte(text), s[len(quoted):], err
	}
	n := strings.IndexFunc(s, func(r rune) bool { return !strings.ContainsRune("0123456789abcdefABCDEF", r) })
	if n < 0 {
		n = len(s)
	}
	if n == 0 || n%2 != 0 {
		return nil, "", fmt.Errorf("notation: %.40q is neither hexadecimal nor a string", s)
	}
	for i := 0; i < n; i += 2 {
		b, err := strconv.ParseUint(s[i:i+2], 16, 8)
		if err != nil {
			return nil, "", fmt.Errorf("notation: %w", err)
		}
		item = append(item, byte(b))
	}
	return item, s[n:], nil
}

// notationSuffix reads the value behind mark, when s begins with it.
func notationSuffix[T any](s string, mark byte, parse func(string) (T, error)) (value T, after string, err error) {
	if s == "" || s[0] != mark {
		return value, s, nil
	}
	s = s[1:]
	n := strings.IndexAny(s, " \t^*#")
	if n < 0 {
		n = len(s)
	}
	value, err = parse(s[:n])
	return value, s[n:], err
}
