package inspect

import (
	"slices"

	"github.com/wiretrue/websocket/capture"
)

// A Choice says what is shown. The zero value takes all records of WebSocket
// connections.
type Choice struct {
	All     bool    // of every TCP connection
	Streams []int64 // of these connections, whatever they are; empty: of all

	// Match picks single records; nil: all. A connection is shown when it
	// has one of them.
	Match func(c *Conn, r *capture.Record) bool
}

// never reports whether the connection will not be shown, whatever it does.
func (x *Choice) never(c *Conn) bool { return len(x.Streams) > 0 && !slices.Contains(x.Streams, c.ID) }

// worth reports whether the connection is of the kind that is shown, as far as
// it is known.
func (x *Choice) worth(c *Conn) bool { return x.All || c.WebSocket || len(x.Streams) > 0 }

// A Verdict counts the findings of the connections that are shown.
type Verdict struct {
	Shown                   int64
	Errors, Warnings, Notes int64
}

// Begin implements [Sink].
func (*Verdict) Begin(*Conn) {}

// Record implements [Sink].
func (*Verdict) Record(*Conn, *capture.Record, bool) {}

// End implements [Sink].
func (v *Verdict) End(c *Conn) {
	if c.Shown {
		v.Shown++
		v.Errors += int64(c.analyser.Found(capture.Error))
		v.Warnings += int64(c.analyser.Found(capture.Warning))
		v.Notes += int64(c.analyser.Found(capture.Note))
	}
}
