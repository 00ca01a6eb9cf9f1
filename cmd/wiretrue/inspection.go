package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/wiretrue/websocket/cmd/internal/inspect"
	"github.com/wiretrue/websocket/cmd/internal/live"
	"github.com/wiretrue/websocket/cmd/internal/packet"
	"github.com/wiretrue/websocket/cmd/internal/story"
	"github.com/wiretrue/websocket/cmd/internal/tlsview"
	"github.com/wiretrue/websocket/internal/pcapng"
)

// An inspection is one run of inspect.
type inspection struct {
	f              *inspectFlags
	stdin, stderr  *os.File
	stdout         *os.File
	out            *bufio.Writer
	to             *screen
	keys           *tlsview.KeyLog // nil: there are none, and none will come
	log            *os.File        // the key log, read so far as it goes
	logs           [][]byte        // the key logs' lines, for -w
	interrupted    chan os.Signal
	collector      collector
	failed, gaveUp bool // a finding of severity error, or a damaged file; Ctrl-C
}

func newInspection(f *inspectFlags, stdin, stdout, stderr *os.File) *inspection {
	n := &inspection{f: f, stdin: stdin, stdout: stdout, stderr: stderr}
	n.to = &screen{w: stdout, progress: newProgress(stderr)}
	n.out = bufio.NewWriterSize(n.to, 64<<10)
	return n
}

// A finisher is a sink with something left to do at the end.
type finisher interface {
	inspect.Sink
	Close() error
}

const (
	archivePayload = 1 << 20  // bytes of a message that an archive holds
	grepPayload    = 64 << 10 // and in which --grep searches
	holdForKeys    = 1 << 20  // bytes of each direction of a live capture
	copyOfKeyLog   = 64 << 20 // most bytes of a key log that are kept for -w
)

func (n *inspection) run(args []string) error {
	defer n.collector.begin()()
	if err := n.openKeyLog(); err != nil {
		return err
	}
	n.interrupted = make(chan os.Signal, 1)
	signal.Notify(n.interrupted, os.Interrupt, syscall.SIGTERM)
	defer signal.Stop(n.interrupted)

	files := n.f.files(args)
	var err error
	for k, file := range files {
		if len(files) > 1 && n.f.format.value == "text" {
			fmt.Fprintf(n.out, "%s%s:\n\n", strings.Repeat("\n", min(k, 1)), file)
		}
		if err = n.inspect(file); err != nil || n.gaveUp || n.to.gone() {
			break
		}
	}
	if err = errors.Join(err, n.out.Flush()); err == nil && n.failed {
		return &outcome{code: exitFindings}
	}
	return err
}

// inspect inspects one file, or the interface.
func (n *inspection) inspect(file string) error {
	waits := n.f.intf != "" || n.f.follow || file == "-" && !regular(n.stdin)
	if !waits && file != "-" {
		secrets, _ := packet.ReadSecrets(file) // what is wrong is told when the packets are read
		for _, s := range secrets {
			n.addSecrets(s)
		}
	}
	src, err := n.f.open(file, n.addSecrets)
	if err != nil {
		return err
	}
	defer src.Close()
	stop := n.closeWhenInterrupted(src)
	defer stop()

	sinks, finishers, verdict, err := n.sinks(file, waits)
	if err != nil {
		return err
	}
	o := inspect.Options{Keys: n.keys, ServerPorts: n.f.serverPorts(), Choice: n.f.choice(), Packets: n.f.packets, Filter: &n.f.captureFilter}
	switch {
	case n.f.har != "":
		o.Analyser.Payload = archivePayload
	case n.f.grep != nil:
		o.Analyser.Payload = grepPayload
	}
	var saver *inspect.Saver
	if n.f.write != "" {
		saver = inspect.NewSaver()
		sinks = append(sinks, saver)
	}
	var replay *inspect.Copy
	read := packet.Source(src)
	if saver != nil && (waits || file == "-") {
		if replay, err = inspect.NewCopy(src); err != nil {
			return err
		}
		defer replay.Remove()
		read = replay
	}

	if n.f.intf != "" && !n.f.quiet {
		fmt.Fprintf(n.stderr, "capturing on %s; Ctrl-C ends it\n", n.f.intf)
	}
	n.to.progress.begin(file, src)
	var end error
	if waits {
		if o.Keys != nil {
			o.HoldForKeys = holdForKeys
		}
		i := inspect.New(o, sinks)
		end = i.RunLive(read, n.seen, func() {
			n.readKeyLog()
			n.out.Flush()
		})
		err = n.finish(file, src, i, verdict, finishers, end)
	} else {
		i := inspect.New(o, sinks)
		end = i.Run(read, n.seen)
		err = n.finish(file, src, i, verdict, finishers, end)
	}
	if err == nil && saver != nil {
		err = n.save(saver, file, replay)
	}
	return err
}

// seen is called after each packet.
func (n *inspection) seen(*packet.Packet) bool {
	n.to.progress.step()
	n.collector.step()
	// Whoever was reading has seen enough; files are written to their end.
	return !n.to.gone() || n.f.write != "" || n.f.har != ""
}

// closeWhenInterrupted ends the source at Ctrl-C, as if it had ended there. A
// second Ctrl-C ends the program.
func (n *inspection) closeWhenInterrupted(src packet.Source) (stop func()) {
	done := make(chan struct{})
	go func() {
		select {
		case <-n.interrupted:
			signal.Stop(n.interrupted)
			close(n.interrupted)
			src.Close()
		case <-done:
		}
	}()
	return func() {
		close(done)
		select {
		case _, open := <-n.interrupted:
			n.gaveUp = !open
		default:
		}
	}
}

// sinks are those that the flags ask for.
func (n *inspection) sinks(file string, waits bool) (inspect.Sinks, []finisher, *inspect.Verdict, error) {
	f, verdict := n.f, new(inspect.Verdict)
	picks := f.display != nil || f.grep != nil
	var finishers []finisher
	switch {
	case f.har == "-" || f.write == "-": // there the output is
	case f.format.value == "fields":
		finishers = append(finishers, inspect.NewRows(n.out, f.fields, f.fieldFormat, f.display != nil))
	case f.format.value == "json":
		finishers = append(finishers, inspect.NewLines(n.out, !f.connections, f.connections || !picks, f.hidden()))
	case f.connections:
		finishers = append(finishers, inspect.NewTable(n.out))
	default:
		o := story.Options{Hex: f.hex, Bits: f.bits, Quiet: f.quiet, Hide: f.hidden(), Colour: story.ColourFor(n.stdout)}
		finishers = append(finishers, inspect.NewStories(n.out, o, !picks, waits))
	}
	if f.har != "" {
		w, err := n.create("--har", f.har, file)
		if err != nil {
			return nil, nil, nil, err
		}
		finishers = append(finishers, &archive{inspect.NewArchive(w, version()), w})
	}
	all := inspect.Sinks{verdict}
	for _, s := range finishers {
		all = append(all, s)
	}
	return all, finishers, verdict, nil
}

// archive closes its file, too.
type archive struct {
	*inspect.Archive
	file io.Closer
}

func (a *archive) Close() error { return errors.Join(a.Archive.Close(), a.file.Close()) }

// create makes a file that a flag names, or takes standard output.
func (n *inspection) create(flag, name, input string) (io.WriteCloser, error) {
	if name == "-" {
		return struct {
			io.Writer
			io.Closer
		}{n.out, io.NopCloser(nil)}, nil
	}
	if a, err := os.Stat(name); err == nil {
		if b, err := os.Stat(input); err == nil && os.SameFile(a, b) {
			return nil, usageError("%s: %s is the file that is read; expected another one", flag, name)
		}
	}
	w, err := os.Create(name)
	if path := new(os.PathError); errors.As(err, &path) {
		return nil, usageError("%s: %s: %v", flag, name, path.Err)
	}
	return w, err
}

// finish tells how the source ended and what there was.
func (n *inspection) finish(file string, src packet.Source, i *inspect.Inspector, verdict *inspect.Verdict, finishers []finisher, end error) error {
	n.to.progress.end()
	var errs []error
	for _, s := range finishers {
		errs = append(errs, s.Close())
	}
	if n.f.format.value == "text" && n.f.har != "-" && n.f.write != "-" {
		var dropped int64
		if l, ok := src.(*live.Source); ok {
			dropped = l.Stats().Dropped
		}
		n.summary(i.Totals(), verdict, dropped)
	}
	n.failed = n.failed || verdict.Errors > 0 || end != nil
	if end != nil {
		if file == "" {
			file = n.f.intf
		}
		errs = append(errs, n.out.Flush())
		fmt.Fprintf(n.stderr, "wiretrue inspect: %s: %v\n", file, end)
	}
	return errors.Join(errs...)
}

// summary tells what was not shown, and sums up when there was much.
func (n *inspection) summary(t inspect.Totals, v *inspect.Verdict, dropped int64) {
	var lines []string
	add := func(format string, args ...any) { lines = append(lines, fmt.Sprintf(format, args...)) }
	picks := n.f.display != nil || n.f.grep != nil || len(n.f.streams) > 0
	hidden := t.Conns - v.Shown
	switch {
	case t.Segments == 0 && t.Packets > 0:
		add("no TCP that could be read, in %s", plural(t.Packets, "packet"))
	case t.Segments == 0:
		add("no packets")
	case picks && v.Shown == 0:
		add("nothing matches, in %s", plural(t.Conns, "connection"))
	case picks:
	case v.Shown == 0:
		add("no WebSocket, in %s of TCP; --all shows what there is", plural(t.Conns, "connection"))
	case hidden > 0:
		add("%s, and %s without a WebSocket, which --all shows", plural(v.Shown, "connection"), plural(hidden, "other"))
	}
	if n.f.all || picks { // their stories say so
		t.Refused, t.Unanswered = inspect.Failed{}, inspect.Failed{}
	}
	if f := t.Refused; f.Conns > 0 {
		add("%s refused: nothing listens there, or a firewall says so", neverOpen(f))
	}
	if f := t.Unanswered; f.Conns > 0 {
		add("%s not answered: nothing is at the address, or a firewall drops the packets", neverOpen(f))
	}
	if v.Shown > 1 {
		add("findings of all connections: %s, %s, %s", plural(v.Errors, "error"), plural(v.Warnings, "warning"), plural(v.Notes, "note"))
	}
	if t.Encrypted > 0 && n.keys == nil {
		add("TLS is not decrypted without keys: --keylog FILE has them")
	}
	if t.Cut > 0 {
		add("%s cut by the snap length, whose missing bytes are told as gaps; tcpdump -s 0 captures all", wasOrWere(t.Cut, "packet"))
	}
	if d := t.Decode; d.UnknownLink > 0 {
		add("%s of a link type that is not read", wasOrWere(d.UnknownLink, "packet"))
	}
	if d := t.Decode; d.Malformed > 0 {
		add("%s malformed", wasOrWere(d.Malformed, "packet"))
	}
	if dropped > 0 {
		add("%s dropped by the kernel, because they came too fast", wasOrWere(dropped, "packet"))
	}
	for _, line := range lines {
		fmt.Fprintln(n.out, line)
	}
}

func neverOpen(f inspect.Failed) string {
	if f.Conns == 1 {
		return fmt.Sprintf("1 connection, to %v, was", f.Server)
	}
	return fmt.Sprintf("%d connections, the first to %v, were", f.Conns, f.Server)
}

func plural(count int64, what string) string {
	if count == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", count, what)
}

func wasOrWere(count int64, what string) string {
	if count == 1 {
		return "1 " + what + " is"
	}
	return plural(count, what) + " are"
}

// save writes the packets of the connections that were shown.
func (n *inspection) save(s *inspect.Saver, file string, replay *inspect.Copy) error {
	var src packet.Source
	var err error
	if replay != nil {
		src, err = replay.Reopen()
	} else {
		src, err = packet.Open(file, nil)
	}
	if err != nil {
		return err
	}
	defer src.Close()
	w, err := n.create("-w", n.f.write, file)
	if err != nil {
		return err
	}
	section := pcapng.Section{Application: "wiretrue " + version()}
	_, err = s.Write(w, src, section, n.logs)
	return errors.Join(err, w.Close())
}

// openKeyLog opens and reads the key log, if there is one.
func (n *inspection) openKeyLog() error {
	if n.f.keylog == "" {
		return nil
	}
	var err error
	if n.log, err = os.Open(n.f.keylog); err != nil {
		if os.IsNotExist(err) && n.f.keylog == os.Getenv("SSLKEYLOGFILE") {
			return nil // nobody has written it yet
		}
		var path *os.PathError
		errors.As(err, &path)
		return usageError("--keylog: %s: %v", n.f.keylog, path.Err)
	}
	n.readKeyLog()
	return nil
}

// readKeyLog reads what the key log has now and had not before.
func (n *inspection) readKeyLog() {
	if n.log == nil {
		return
	}
	if b, _ := io.ReadAll(n.log); len(b) > 0 {
		n.addKeys(b)
	}
}

func (n *inspection) addSecrets(s packet.Secrets) { n.addKeys(s.KeyLog) }

func (n *inspection) addKeys(lines []byte) {
	if n.keys == nil {
		n.keys = new(tlsview.KeyLog)
	}
	n.keys.Add(bytes.NewReader(lines))
	if n.f.write == "" {
		return
	}
	kept := 0
	for _, l := range n.logs {
		kept += len(l)
	}
	if kept+len(lines) <= copyOfKeyLog {
		n.logs = append(n.logs, bytes.Clone(lines))
	}
}

func regular(f *os.File) bool {
	info, err := f.Stat()
	return err == nil && info.Mode().IsRegular()
}
