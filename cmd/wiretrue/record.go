package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/wiretrue/websocket"
	"github.com/wiretrue/websocket/record"
)

// recordFlags are those of commands that record their connections.
type recordFlags struct {
	file  string
	max   size
	files int
}

func (f *recordFlags) add(cmd *cobra.Command) {
	flags := cmd.Flags()
	f.files = 1
	flags.StringVar(&f.file, "record", "", "write the connections to this `FILE`: a capture (pcapng) of the plaintext, or JSON lines if its name ends with .jsonl")
	flags.Var(&f.max, "record-max", "`SIZE` that the recording may have; 0: any")
	flags.IntVar(&f.files, "record-files", f.files, "`NUMBER` of files that share the SIZE of --record-max, the oldest making room for the next")
}

// recording is a recorder, or nil for none.
type recording struct {
	r      *record.Recorder
	f      *recordFlags
	stderr io.Writer
}

func (f *recordFlags) start(stderr io.Writer) (*recording, error) {
	switch {
	case f.file == "" && (f.max != 0 || f.files != 1):
		return nil, usageError("--record-max and --record-files are about a recording; expected --record too")
	case f.file == "":
		return nil, nil
	case f.files < 1:
		return nil, usageError("--record-files: %d; expected 1 or more", f.files)
	case f.files > 1 && f.max == 0:
		return nil, usageError("--record-files divides the SIZE of --record-max; expected --record-max too")
	case f.max != 0 && int64(f.max)/int64(f.files) < 1<<20:
		return nil, usageError("--record-max: %v for %d files; expected 1MiB for each at least", &f.max, f.files)
	}
	r, err := record.Create(f.file, &record.Options{
		MaxBytes: int64(f.max),
		Files:    f.files,
		Failed:   func(err error) { fmt.Fprintf(stderr, "the recording ends: %v\n", err) },
	})
	if err != nil {
		return nil, usageError("--record: %v", err)
	}
	return &recording{r, f, stderr}, nil
}

func (r *recording) trace() *websocket.Trace {
	if r == nil {
		return nil
	}
	return r.r.Trace()
}

// stop ends the recording and tells what is not in it. An error was told when it
// happened.
func (r *recording) stop() {
	if r == nil {
		return
	}
	r.r.Close()
	s := r.r.Stats()
	if s.Full {
		fmt.Fprintf(r.stderr, "the recording is not whole: it has reached the %v of --record-max\n", &r.f.max)
	}
	if s.Lost > 0 || s.Missed > 0 {
		fmt.Fprintf(r.stderr, "the recording is not whole: %d bytes and %d connections are not in it, for %s did not keep up\n", s.Lost, s.Missed, r.f.file)
	}
}
