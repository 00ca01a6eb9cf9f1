package frame

import "encoding/binary"

// ParseClose splits the body of a Close frame into its status code and its
// reason, which is a part of body. ok is false when the body is too short to
// hold a code: empty, which is legal, or a single byte, which is not.
func ParseClose(body []byte) (code uint16, reason []byte, ok bool) {
	if len(body) < 2 {
		return 0, nil, false
	}
	return binary.BigEndian.Uint16(body), body[2:], true
}

// AppendClose appends the body of a Close frame to dst. It checks nothing.
func AppendClose(dst []byte, code uint16, reason string) []byte {
	return append(binary.BigEndian.AppendUint16(dst, code), reason...)
}
