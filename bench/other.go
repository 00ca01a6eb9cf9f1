//go:build !linux

// Command bench measures servers with what only Linux has.
package main

import (
	"fmt"
	"os"
)

func main() {
	fmt.Fprintln(os.Stderr, "bench: the measurements need Linux")
	os.Exit(1)
}
