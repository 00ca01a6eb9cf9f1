package main

import (
	"os"

	"github.com/spf13/cobra"
)

func newDial(stdin, stdout, stderr *os.File) *cobra.Command {
	return &cobra.Command{Use: "dial URL", Short: "Connect to a WebSocket server"}
}
