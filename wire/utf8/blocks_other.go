//go:build !amd64 || purego

package utf8

const (
	vectorised = false
	vectorMin  = 0
)

func blocks(_ []byte, n int) int { return n }
