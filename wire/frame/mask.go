package frame

import (
	"encoding/binary"
	"math/bits"
)

// Mask XORs b in place with the masking key (RFC 6455 5.3), which both masks
// and unmasks. pos is the offset of b within the frame's payload.
func Mask(b []byte, key [4]byte, pos int) { MaskTo(b, b, key, pos) }

// MaskTo writes src XORed with the masking key to dst, which must be at least
// as long and must either not overlap src or begin where src begins. pos is
// the offset of src within the frame's payload.
//
// NOTE. The goroutine of a connection goes no deeper for a small message. Its stack
// of 2 KiB need not grow for that: nosplit sees to it.
//
//go:nosplit
func MaskTo(dst, src []byte, key [4]byte, pos int) {
	k32 := binary.LittleEndian.Uint32(key[:])
	k32 = bits.RotateLeft32(k32, -8*(pos&3))
	k := uint64(k32)<<32 | uint64(k32)
	dst = dst[:len(src)]
	n := maskBlocks(dst, src, k)
	dst, src = dst[n:], src[n:]

	// Fixed windows of 64 bytes let the compiler drop the bounds checks.
	for len(src) >= 64 && len(dst) >= 64 {
		s, d := (*[64]byte)(src), (*[64]byte)(dst)
		binary.LittleEndian.PutUint64(d[0:], binary.LittleEndian.Uint64(s[0:])^k)
		binary.LittleEndian.PutUint64(d[8:], binary.LittleEndian.Uint64(s[8:])^k)
		binary.LittleEndian.PutUint64(d[16:], binary.LittleEndian.Uint64(s[16:])^k)
		binary.LittleEndian.PutUint64(d[24:], binary.LittleEndian.Uint64(s[24:])^k)
		binary.LittleEndian.PutUint64(d[32:], binary.LittleEndian.Uint64(s[32:])^k)
		binary.LittleEndian.PutUint64(d[40:], binary.LittleEndian.Uint64(s[40:])^k)
		binary.LittleEndian.PutUint64(d[48:], binary.LittleEndian.Uint64(s[48:])^k)
		binary.LittleEndian.PutUint64(d[56:], binary.LittleEndian.Uint64(s[56:])^k)
		src, dst = src[64:], dst[64:]
	}
	for len(src) >= 8 && len(dst) >= 8 {
		binary.LittleEndian.PutUint64(dst, binary.LittleEndian.Uint64(src)^k)
		src, dst = src[8:], dst[8:]
	}
	for i := range src {
		dst[i] = src[i] ^ byte(k>>(8*(i&7)))
	}
}
