package capture

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"unicode/utf8"
)

// Excerpt is a payload, or its beginning.
type Excerpt struct {
	Bytes []byte
	Size  uint64 // of the whole
}

// Cut reports whether Bytes is less than the whole.
func (e Excerpt) Cut() bool { return uint64(len(e.Bytes)) < e.Size }

// Text returns the excerpt as text. ok is false when it is not UTF-8; a
// character that the excerpt's own end divides is left out.
func (e Excerpt) Text() (text string, ok bool) {
	b := e.Bytes
	if e.Cut() {
		for n := 1; n < utf8.UTFMax && n <= len(b); n++ {
			if tail := b[len(b)-n:]; utf8.RuneStart(tail[0]) {
				if !utf8.FullRune(tail) {
					b = b[:len(b)-n]
				}
				break
			}
		}
	}
	return string(b), utf8.Valid(b)
}

type excerptJSON struct {
	Size   uint64  `json:"size"`
	Text   *string `json:"text,omitempty"`
	Base64 []byte  `json:"base64,omitempty"`
	Cut    bool    `json:"cut,omitempty"`
}

// MarshalJSON writes the excerpt as text when it is UTF-8, else in base64.
func (e Excerpt) MarshalJSON() ([]byte, error) {
	j := excerptJSON{Size: e.Size, Cut: e.Cut()}
	if text, ok := e.Text(); ok {
		j.Text = &text
	} else {
		j.Base64 = e.Bytes
	}
	return json.Marshal(j)
}

// UnmarshalJSON reads what MarshalJSON wrote.
func (e *Excerpt) UnmarshalJSON(b []byte) error {
	var j excerptJSON
	if err := json.Unmarshal(b, &j); err != nil {
		return err
	}
	e.Size, e.Bytes = j.Size, j.Base64
	if j.Text != nil {
		e.Bytes = []byte(*j.Text)
	}
	return nil
}

// Hex is bytes of the wire, in hexadecimal in JSON.
type Hex []byte

// MarshalText writes the bytes in hexadecimal.
func (h Hex) MarshalText() ([]byte, error) { return hex.AppendEncode(nil, h), nil }

// UnmarshalText reads hexadecimal.
func (h *Hex) UnmarshalText(text []byte) (err error) {
	*h, err = hex.AppendDecode(nil, text)
	return err
}

// MarshalJSON writes the header's fields, its bytes and its words.
func (h Header) MarshalJSON() ([]byte, error) {
	j := struct {
		Fin        bool   `json:"fin"`
		RSV        uint8  `json:"rsv"`
		Opcode     uint8  `json:"opcode"`
		Name       string `json:"name"`
		Mask       bool   `json:"mask"`
		MaskingKey Hex    `json:"masking_key,omitempty"`
		Length     uint64 `json:"length"`
		LengthSize uint8  `json:"length_bytes"`
		Bytes      Hex    `json:"bytes"`
		Words      string `json:"words"`
	}{h.Fin, h.RSV, uint8(h.Opcode), h.Opcode.String(), h.Masked, nil, h.Length, h.LengthSize, h.Append(nil), h.String()}
	if h.Masked {
		j.MaskingKey = h.MaskingKey[:]
	}
	return json.Marshal(j)
}

// MarshalJSON writes the ending's fields, and its words in a sentence.
func (e Ending) MarshalJSON() ([]byte, error) {
	type fields Ending
	var b bytes.Buffer
	to := json.NewEncoder(&b)
	to.SetEscapeHTML(false) // whoever asked does it, or does not want it
	err := to.Encode(struct {
		fields
		Words string `json:"words"`
	}{fields(e), e.String()})
	return b.Bytes(), err
}
