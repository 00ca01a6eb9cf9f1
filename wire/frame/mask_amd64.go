//go:build !purego

package frame

import "github.com/wiretrue/websocket/internal/cpu"

const block = 128 // bytes that the vector unit masks in one turn

// maskBlocks masks whole blocks at the beginning of src, where that pays, and
// returns how many bytes they are. key is as it lies at the first byte.
//
//go:nosplit
func maskBlocks(dst, src []byte, key uint64) (n int) {
	if !cpu.AVX2 || len(src) < 2*block {
		return 0
	}
	n = len(src) &^ (block - 1)
	xorBlocks(dst[:n], src[:n], key)
	return n
}

//go:noescape
func xorBlocks(dst, src []byte, key uint64)
