// Package story prints the records of package capture as a person reads them:
// from top to bottom, in the order of the wire, a line for each frame with its
// header in words, findings where they happen and again at the end.
package story

import (
	"fmt"
	"os"

	"github.com/mattn/go-isatty"
)

// Options choose what is printed. The zero value prints plain text without
// bytes.
type Options struct {
	Hex    bool     // dump the bytes of each payload
	Bits   bool     // draw each frame's header bit by bit, as RFC 6455 5.2 does
	Format string   // "text" or "", or "json": a JSON object on a line for each record
	Quiet  bool     // findings of severity error only
	Colour bool     // for a terminal; see ColourFor
	Hide   []string // kinds of frames and records that are not printed: "ping", "pong", "text", ...
}

// ColourFor reports whether output to f should be coloured: f is a terminal
// and NO_COLOR is not set (no-color.org).
func ColourFor(f *os.File) bool {
	return os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb" && isatty.IsTerminal(f.Fd())
}

// Check returns an error that says what is wrong with the options, for the
// command line.
func (o *Options) Check() error {
	switch o.Format {
	case "", "text", "json":
		return nil
	}
	return fmt.Errorf("format %q is neither text nor json", o.Format)
}
