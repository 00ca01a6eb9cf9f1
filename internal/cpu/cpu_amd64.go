//go:build !purego

package cpu

//go:noescape
func avx2() bool
