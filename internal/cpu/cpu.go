// Package cpu tells what the processor can do beyond what Go asks of it. With
// the build tag purego, it can do nothing more.
package cpu

// AVX2 reports whether the processor and the operating system have AVX2: vectors
// of 32 bytes.
var AVX2 = avx2()
