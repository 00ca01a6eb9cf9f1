//go:build linux

// Package load is the client of the benchmark. One thread, which never sleeps,
// drives all connections with raw system calls: it sends frames that were made
// beforehand, compares every byte that comes back, and allocates nothing while it
// measures. So it costs less than any server does, and where it did not, the
// result says so.
package load

import (
	"flag"
	"fmt"
	"time"

	hdr "github.com/HdrHistogram/hdrhistogram-go"
)

// Shape is what the connections do.
type Shape string

const (
	Echo      Shape = "echo"      // each sends, and waits for its own messages to come back
	Broadcast Shape = "broadcast" // the first sends, and all wait for the message
	Handshake Shape = "handshake" // each connects, opens, is reset, and begins again
	Idle      Shape = "idle"      // each exchanges one message, and stays
)

// Kind is what the messages are made of.
type Kind string

const (
	Binary Kind = "binary" // random bytes
	Text   Kind = "text"   // UTF-8 of one to four bytes a character
	JSON   Kind = "json"   // documents of about Size bytes, all different
)

// Deflate is the compression that is offered.
type Deflate string

const (
	NoDeflate Deflate = ""
	Reset     Deflate = "reset"    // without context takeover, in both directions
	Takeover  Deflate = "takeover" // with it
)

// Config says what is sent where.
type Config struct {
	Addr     string // host:port
	Path     string
	Raw      bool // the server echoes bytes and knows no WebSocket
	Shape    Shape
	Kind     Kind
	Size     int // bytes of a message
	Conns    int
	InFlight int // messages of one connection that are sent in one call, and then waited for
	Deflate  Deflate
	Rate     float64       // messages a second over all connections; 0: as fast as they come back
	Warmup   time.Duration // like Duration, before it
	Duration time.Duration // of the measurement, in the server's processor time
	Messages int           // how many to send, instead of a warm-up and a duration
	PID      int           // of the server, whose processor time is taken; 0: it is not
	Sources  int           // addresses to connect from, 127.0.0.2 and up; 0: the system's choice
}

// Flags makes the fields flags, with their present values as the defaults.
func (c *Config) Flags(fs *flag.FlagSet) {
	fs.StringVar(&c.Addr, "addr", c.Addr, "the server's `host:port`")
	fs.StringVar(&c.Path, "path", c.Path, "the path of the request")
	fs.BoolVar(&c.Raw, "raw", c.Raw, "the server echoes bytes and knows no WebSocket")
	fs.StringVar((*string)(&c.Shape), "shape", string(c.Shape), "echo, broadcast, handshake or idle")
	fs.StringVar((*string)(&c.Kind), "kind", string(c.Kind), "of messages: binary, text or json")
	fs.IntVar(&c.Size, "size", c.Size, "of a message in `bytes`")
	fs.IntVar(&c.Conns, "conns", c.Conns, "connections")
	fs.IntVar(&c.InFlight, "inflight", c.InFlight, "messages that a connection sends at once")
	fs.StringVar((*string)(&c.Deflate), "deflate", string(c.Deflate), "compression to insist on: reset or takeover")
	fs.Float64Var(&c.Rate, "rate", c.Rate, "messages a second over all connections; 0: as fast as they come back")
	fs.DurationVar(&c.Warmup, "warmup", c.Warmup, "processor time of the server before the measurement")
	fs.DurationVar(&c.Duration, "duration", c.Duration, "processor time of the server during the measurement")
	fs.IntVar(&c.Messages, "messages", c.Messages, "send exactly so many, instead of for a time")
	fs.IntVar(&c.PID, "pid", c.PID, "process `id` of the server, to take its processor time")
	fs.IntVar(&c.Sources, "sources", c.Sources, "loopback addresses to connect from")
}

// Default is a small echo.
func Default() Config {
	return Config{Path: "/", Shape: Echo, Kind: Binary, Size: 20, Conns: 64, InFlight: 1, Warmup: 200 * time.Millisecond, Duration: time.Second}
}

// Args returns the command line that Flags reads the configuration from.
func (c Config) Args() (args []string) {
	fs := flag.NewFlagSet("", flag.ContinueOnError)
	c.Flags(fs)
	fs.VisitAll(func(f *flag.Flag) { args = append(args, fmt.Sprintf("-%s=%s", f.Name, f.Value)) })
	return args
}

// Result is what was measured.
type Result struct {
	Conns    int           // that were open
	Messages int64         // that came back, were delivered, or handshakes that were done
	Wall     time.Duration // how long that took
	CPU      time.Duration // of the server's process
	Delay    time.Duration // that the server was ready to run and something else ran
	Latency  *Latency      `json:",omitempty"` // with a Rate
	Stopped  string        `json:",omitempty"` // why there are no more connections, of Idle
}

// PerMessage returns the server's processor time for a message, in microseconds.
func (r *Result) PerMessage() float64 {
	return float64(r.CPU.Nanoseconds()) / 1e3 / float64(r.Messages)
}

// Busy returns in which part of the time the server had something to do. Well
// below 1, with more than a few connections, it was the client that was slow.
func (r *Result) Busy() float64 { return (r.CPU + r.Delay).Seconds() / r.Wall.Seconds() }

// Disturbed returns how much of the processor that the server wanted went to
// others.
func (r *Result) Disturbed() float64 { return r.Delay.Seconds() / (r.CPU + r.Delay).Seconds() }

// Latency is counted from when a message was meant to be sent, so that a server
// that stalls is charged for everything that had to wait meanwhile.
type Latency struct{ P50, P90, P99, P999, Max time.Duration }

func latencyOf(h *hdr.Histogram) *Latency {
	at := func(q float64) time.Duration { return time.Duration(h.ValueAtQuantile(q)) }
	return &Latency{at(50), at(90), at(99), at(99.9), time.Duration(h.Max())}
}
