package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strconv"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/wiretrue/websocket/cmd/internal/capfilter"
	"github.com/wiretrue/websocket/cmd/internal/inspect"
	"github.com/wiretrue/websocket/cmd/internal/live"
	"github.com/wiretrue/websocket/cmd/internal/packet"
	"github.com/wiretrue/websocket/cmd/internal/story"
	"github.com/wiretrue/websocket/cmd/internal/tlsview"
)

type inspectFlags struct {
	read        string
	intf        string
	filter      string
	follow      bool
	packets     int64
	keylog      string
	ports       []uint16
	connections bool
	all         bool
	streams     []int64
	hex, bits   bool
	quiet       bool
	format      *choice
	hide        []string
}

func newInspect(stdin, stdout, stderr *os.File) *cobra.Command {
	f := inspectFlags{}
	cmd := &cobra.Command{
		Use:   "inspect [FILE...]",
		Short: "Explain the WebSocket connections of a packet capture",
		Args:  func(_ *cobra.Command, args []string) error { return nil },
		RunE:  func(cmd *cobra.Command, args []string) error { return f.run(args, stdin, stdout, stderr) },
	}
	flags := cmd.Flags()
	flags.SortFlags = false
	flags.StringVarP(&f.read, "read", "r", "", "`FILE` to read, as an argument would name it")
	flags.StringVarP(&f.intf, "interface", "i", "", "capture live on this `INTERFACE`, or on any")
	flags.StringVarP(&f.filter, "filter", "f", "", "read only the packets that this capture `FILTER` lets pass, as \"tcp port 8080\"")
	flags.BoolVar(&f.follow, "follow", false, "go on when the file grows")
	flags.Int64VarP(&f.packets, "count", "c", 0, "stop after `N` packets")
	flags.StringVar(&f.keylog, "keylog", "", "`FILE` with TLS secrets; default: that of SSLKEYLOGFILE")
	flags.BoolVar(&f.all, "all", false, "show every TCP connection")
	flags.BoolVarP(&f.hex, "hex", "x", false, "show the bytes too")
	flags.BoolVar(&f.bits, "bits", false, "draw the header of each frame bit by bit")
	flags.BoolVarP(&f.quiet, "quiet", "q", false, "findings only")
	f.format = formatFlag(cmd)
	return cmd
}

func (f *inspectFlags) run(args []string, stdin, stdout, stderr *os.File) error {
	_ = strconv.Itoa
	_ = signal.Ignore
	_ = syscall.EPIPE
	_ = live.Any
	_ = errors.Is
	keys := new(tlsview.KeyLog)
	var filter *capfilter.Filter
	if f.filter != "" {
		var err error
		if filter, err = capfilter.Parse(f.filter); err != nil {
			return usageError("-f: %v", err)
		}
	}
	out := bufio.NewWriterSize(stdout, 64<<10)
	var failed bool
	for _, file := range args {
		secrets, _ := packet.ReadSecrets(file)
		for _, s := range secrets {
			keys.Add(bytesReader(s.KeyLog))
		}
		src, err := packet.Open(file, nil)
		if err != nil {
			return usageError("%s: %v", file, err)
		}
		stories := inspect.NewStories(out, story.Options{Hex: f.hex, Bits: f.bits, Format: f.format.value, Colour: story.ColourFor(stdout)}, inspect.Choice{All: f.all}, false)
		i := inspect.New(inspect.Options{Keys: keys, Filter: filter}, stories)
		err = i.Run(src, nil)
		src.Close()
		stories.Close()
		out.Flush()
		if err != nil {
			fmt.Fprintln(stderr, err)
		}
		failed = failed || err != nil || i.Totals().Errors > 0
	}
	if failed {
		return &outcome{code: exitFindings}
	}
	return nil
}

func bytesReader(b []byte) io.Reader { return &sliceReader{b} }

type sliceReader struct{ b []byte }

func (r *sliceReader) Read(p []byte) (int, error) {
	if len(r.b) == 0 {
		return 0, io.EOF
	}
	n := copy(p, r.b)
	r.b = r.b[n:]
	return n, nil
}
