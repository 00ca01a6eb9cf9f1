package main

import (
	"errors"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/mattn/go-isatty"
	"github.com/spf13/cobra"

	"github.com/wiretrue/websocket/capture"
	"github.com/wiretrue/websocket/cmd/internal/capfilter"
	"github.com/wiretrue/websocket/cmd/internal/filter"
	"github.com/wiretrue/websocket/cmd/internal/inspect"
	"github.com/wiretrue/websocket/cmd/internal/live"
	"github.com/wiretrue/websocket/cmd/internal/packet"
	"github.com/wiretrue/websocket/cmd/internal/story"
)

type inspectFlags struct {
	read, intf      string
	captureFilter   capfilter.Filter
	follow          bool
	packets         int64
	keylog          string
	ports           list
	connections     bool
	all             bool
	streams         []int64
	display         *filter.Filter
	grep            *regexp.Regexp
	hide            list
	hex, bits       bool
	quiet           bool
	format          choice
	fields          []*filter.Field
	fieldFormat     inspect.Format
	har, write      string
	numeric, lineBy bool // what inspect does anyway
}

func newInspect(stdin, stdout, stderr *os.File) *cobra.Command {
	f := &inspectFlags{format: choice{"text", []string{"text", "json", "fields"}}, fieldFormat: inspect.NewFormat()}
	cmd := &cobra.Command{
		Use:   "inspect FILE...",
		Short: "Explain the WebSocket connections of a packet capture",
		Long: `inspect reads packet captures and tells of each WebSocket connection what
happened on it, in the order of the wire: TCP, TLS, the handshake with its proof
computed, every frame, what was wrong, by whom, at which byte and under which
section of which RFC, why it ended, and its numbers.

A FILE is pcap or pcapng, also gzipped; - is standard input. With -i packets are
captured from an interface, on Linux. What is inside TLS is read with the keys
of a key log, as browsers, curl and many libraries write it to the file named by
the environment variable SSLKEYLOGFILE, or with those inside a pcapng file.

From a file, connections are told one after the other, from an interface or a
pipe as things happen, each line behind #, the connection's number. A capture
with many connections is best begun with --connections, a table, and looked into
with --stream N.

Filters (-Y) are those of Wireshark, with its names for the fields, and some of
our own: 'wiretrue inspect --fields' lists them.

About 150 MiB of memory may be used before it is tidied up, and more only when
very many connections are open at a time; the environment variables GOGC and
GOMEMLIMIT change that.

` + `The exit code is 0 when nothing is wrong, 1 with a finding of severity error in
a connection that is shown or with a damaged file, and 2 after wrong usage.`,
		Example: `  wiretrue inspect capture.pcapng
  wiretrue inspect --connections capture.pcap.gz
  wiretrue inspect --stream 3 -x capture.pcap
  wiretrue inspect --keylog keys.txt -Y 'websocket.opcode == close' capture.pcap
  wiretrue inspect -T fields -e frame.number -e websocket.payload.text capture.pcap
  wiretrue inspect -i lo -f 'tcp port 8080' --hide ping,pong
  ssh server tcpdump -U -w - port 80 | wiretrue inspect -`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if list, _ := cmd.Flags().GetBool("fields"); list {
				return listFields(stdout)
			}
			if err := f.check(args, stdin); err != nil {
				return err
			}
			return newInspection(f, stdin, stdout, stderr).run(args)
		},
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			return []string{"pcap", "pcapng", "gz", "cap"}, cobra.ShellCompDirectiveFilterFileExt
		},
	}
	flags := cmd.Flags()
	flags.SortFlags = false
	flags.StringVarP(&f.read, "read", "r", "", "`FILE` to read, in place of an argument")
	flags.StringVarP(&f.intf, "interface", "i", "", "capture from this `INTERFACE`, or from any")
	flags.VarP(setter{"FILTER", f.setCaptureFilter}, "capture-filter", "f", "read only packets that this capture `FILTER` lets pass, as 'tcp port 8080 and host 10.0.0.7'")
	flags.BoolVar(&f.follow, "follow", false, "go on when the file grows, until Ctrl-C")
	flags.VarP(setter{"N", f.setPackets}, "count", "c", "stop after `N` packets")
	flags.StringVar(&f.keylog, "keylog", os.Getenv("SSLKEYLOGFILE"), "`FILE` with TLS keys, as SSLKEYLOGFILE names it")
	f.ports.check = func(s string) error { _, err := port(s); return err }
	flags.Var(&f.ports, "decode-as", "`PORT` on which a server takes WebSockets, for connections whose beginning is missing; may be repeated")
	flags.BoolVar(&f.connections, "connections", false, "show a table of the connections")
	flags.Var(setter{"N", f.setStreams}, "stream", "show the connections with these numbers: `N`, or N,N")
	flags.BoolVar(&f.all, "all", false, "show the other TCP connections, too")
	flags.VarP(setter{"FILTER", f.setDisplayFilter}, "display-filter", "Y", "show only what matches this `FILTER`, as 'websocket.opcode == close'")
	flags.Var(setter{"RE", f.setGrep}, "grep", "show only messages and frames whose payload matches this regular expression `RE`")
	f.hide.check = checkHide
	flags.Var(&f.hide, "hide", "`WHAT` not to show, as ping,pong or net")
	flags.BoolVarP(&f.hex, "hex", "x", false, "show the bytes of frames, too")
	flags.BoolVar(&f.bits, "bits", false, "draw the header of each frame bit by bit, as RFC 6455 does")
	flags.BoolVarP(&f.quiet, "quiet", "q", false, "show findings only, by connection")
	flags.VarP(&f.format, "format", "T", "`FORMAT` of the output: text, json (an object a line) or fields (see -e)")
	flags.VarP(setter{"FIELD", f.addField}, "field", "e", "`FIELD` to show with -T fields; may be repeated")
	flags.VarP(setter{"OPTION", f.fieldFormat.Set}, "field-option", "E", "`OPTION` of -T fields: separator=, header=y, aggregator=, occurrence=f|l|a or quote=d|s|n")
	flags.Bool("fields", false, "list the fields of -Y and -e")
	flags.StringVar(&f.har, "har", "", "write the connections to this `FILE` as an HTTP archive (HAR)")
	flags.StringVarP(&f.write, "write", "w", "", "write the packets of the connections to this `FILE` (pcapng), the findings as comments")
	flags.BoolVarP(&f.numeric, "numeric", "n", false, "show addresses as numbers, as is always done")
	flags.BoolVarP(&f.lineBy, "line-buffered", "l", false, "write each line at once, as is always done of a live capture")
	cmd.RegisterFlagCompletionFunc("format", cobra.FixedCompletions(f.format.of, cobra.ShellCompDirectiveNoFileComp))
	completeFields := func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		var names []string
		for _, field := range filter.Fields() {
			names = append(names, field.Name+"\t"+field.Help)
		}
		return names, cobra.ShellCompDirectiveNoFileComp
	}
	cmd.RegisterFlagCompletionFunc("field", completeFields)
	cmd.RegisterFlagCompletionFunc("display-filter", completeFields)
	return cmd
}

// setter is the value of a flag that a function takes.
type setter struct {
	kind string
	set  func(string) error
}

func (s setter) Set(v string) error { return s.set(v) }
func (s setter) String() string     { return "" }
func (s setter) Type() string       { return s.kind }

func (f *inspectFlags) setCaptureFilter(s string) error {
	parsed, err := capfilter.Parse(s)
	if err != nil {
		return err
	}
	f.captureFilter = *parsed
	return nil
}

func (f *inspectFlags) setPackets(s string) (err error) {
	if f.packets, err = strconv.ParseInt(s, 10, 64); err != nil || f.packets <= 0 {
		return errors.New("expected a number of packets, 1 or more")
	}
	return nil
}

func (f *inspectFlags) setStreams(s string) error {
	for part := range strings.SplitSeq(s, ",") {
		n, err := strconv.ParseInt(strings.TrimSpace(part), 10, 64)
		if err != nil || n < 0 {
			return errors.New("expected numbers of connections, as 3 or 3,7; --connections shows them")
		}
		f.streams = append(f.streams, n)
	}
	return nil
}

func (f *inspectFlags) setDisplayFilter(s string) (err error) {
	f.display, err = filter.Parse(s)
	return err
}

func (f *inspectFlags) setGrep(s string) (err error) {
	if f.grep, err = regexp.Compile(s); err != nil {
		return fmt.Errorf("expected a regular expression: %w", err)
	}
	return nil
}

func (f *inspectFlags) addField(s string) error {
	for name := range strings.SplitSeq(s, ",") {
		field, err := filter.Lookup(strings.TrimSpace(name))
		if err != nil {
			return fmt.Errorf("%w; --fields lists them", err)
		}
		f.fields = append(f.fields, field)
	}
	return nil
}

func checkHide(s string) error {
	return (&story.Options{Hide: strings.Split(s, ",")}).Check()
}

func port(s string) (uint16, error) {
	n, err := strconv.ParseUint(s, 10, 16)
	if err != nil || n == 0 {
		return 0, errors.New("expected a port, 1 to 65535")
	}
	return uint16(n), nil
}

// check says what does not go together.
func (f *inspectFlags) check(args []string, stdin *os.File) error {
	files := len(args)
	if f.read != "" {
		files++
	}
	switch {
	case f.intf != "" && files > 0:
		return usageError("-i captures from an interface, and a file was named too; expected one of them (a filter belongs behind -f)")
	case f.intf == "" && files == 0 && !isatty.IsTerminal(stdin.Fd()):
		return usageError("what to read is missing; expected capture files, - for standard input, or -i INTERFACE")
	case f.intf == "" && files == 0:
		return usageError("what to read is missing; expected capture files, or -i INTERFACE")
	case f.follow && files != 1:
		return usageError("--follow: %d files; expected one that grows", files)
	case files > 1 && (f.har != "" || f.write != ""):
		return usageError("--har and -w: %d files; expected one", files)
	case f.format.value == "fields" && len(f.fields) == 0:
		return usageError("-T fields: no field is named; expected -e FIELD, as -e websocket.opcode")
	case f.format.value != "fields" && len(f.fields) > 0:
		return usageError("-e names a field, and the format is %s; expected -T fields", f.format.value)
	case f.connections && f.format.value == "fields":
		return usageError("--connections shows connections, and -T fields records; expected one of them")
	case f.har == "-" && f.write == "-":
		return usageError("--har and -w both write to standard output; expected one of them")
	}
	return nil
}

// choice says what is shown.
func (f *inspectFlags) choice() inspect.Choice {
	c := inspect.Choice{All: f.all, Streams: f.streams}
	grep := f.grep != nil
	if f.display == nil && !grep {
		return c
	}
	c.Match = func(conn *inspect.Conn, r *capture.Record) bool {
		return (f.display == nil || f.display.Match(conn.Names(), r)) && (!grep || matchPayload(f.grep, r))
	}
	return c
}

func matchPayload(re *regexp.Regexp, r *capture.Record) bool {
	switch {
	case r.Frame != nil:
		return re.Match(r.Frame.Payload.Bytes)
	case r.Message != nil:
		return re.Match(r.Message.Payload.Bytes)
	}
	return false
}

// hidden splits the values of --hide.
func (f *inspectFlags) hidden() []string {
	var all []string
	for _, v := range f.hide.values {
		all = append(all, strings.Split(v, ",")...)
	}
	return all
}

// serverPorts are those of --decode-as.
func (f *inspectFlags) serverPorts() []uint16 {
	var all []uint16
	for _, v := range f.ports.values {
		n, _ := port(v) // checked when it was set
		all = append(all, n)
	}
	return all
}

func listFields(stdout *os.File) error {
	var b strings.Builder
	width := 0
	for _, field := range filter.Fields() {
		width = max(width, len(field.Name))
	}
	for _, field := range filter.Fields() {
		fmt.Fprintf(&b, "%-*s  %-8v  %s\n", width, field.Name, field.Type, field.Help)
	}
	_, err := stdout.WriteString(b.String())
	return err
}

// open opens a capture file, or the interface.
func (f *inspectFlags) open(file string, secrets func(packet.Secrets)) (packet.Source, error) {
	if f.intf == "" {
		src, err := packet.Open(file, &packet.Options{Follow: f.follow, Secrets: secrets})
		if err != nil {
			if path := new(os.PathError); errors.As(err, &path) {
				return nil, usageError("%s: %v", file, path.Err)
			}
			return nil, usageError("%s: %v", file, err)
		}
		return src, nil
	}
	src, err := live.Open(f.intf, &live.Options{Filter: &f.captureFilter})
	if err != nil {
		return nil, &outcome{exitUsage, fmt.Sprintf("nothing is captured: %v", err)}
	}
	return src, nil
}

// files are those to read; that of the interface is "".
func (f *inspectFlags) files(args []string) []string {
	switch {
	case f.intf != "":
		return []string{""}
	case f.read != "":
		return append(slices.Clone(args), f.read)
	}
	return args
}
