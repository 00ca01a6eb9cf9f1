package websocket

import (
	"log/slog"
	"time"

	"github.com/wiretrue/websocket/wire"
)

// Options are those of a connection, whichever side it is. The zero value is
// safe, and each field's comment says what its zero stands for.
type Options struct {
	// ReadLimit is the most bytes, after decompression, that a message read with
	// Read, ReadInto or Messages may have. A larger one fails the connection with
	// 1009, as soon as its header or its bytes show that it is larger.
	// 0: 4 MiB. NoLimit: none.
	ReadLimit int64

	// MaxFragments is the most frames that a message may have, empty ones
	// included. More fail the connection with 1008. 0: 100,000 for a server,
	// 1,000,000 for a client. NoLimit: none.
	MaxFragments int

	// MaxControlRate is the most control frames that are taken within a second.
	// More fail the connection with 1008. 0: 1,000. NoLimit: none.
	MaxControlRate int

	// AssemblyTimeout is how long a message may take from its first byte to its
	// last, while it is read with Read, ReadInto or Messages. Where there is a
	// heartbeat, it is looked at with its coarseness. 0: 5 minutes. NoTimeout:
	// none.
	AssemblyTimeout time.Duration

	// PingInterval is how long the peer may be silent before it is sent a Ping.
	// 0: 30 s for a server, none for a client. NoTimeout: none.
	PingInterval time.Duration

	// PingTimeout is how long the peer may stay silent after that Ping before
	// the connection is given up. It counts only while the program reads, since
	// a Pong is not noticed otherwise. 0: 20 s.
	PingTimeout time.Duration

	// WriteTimeout is how long the peer may take no byte of what is sent to it
	// before the connection is given up. 0: 60 s. NoTimeout: none.
	WriteTimeout time.Duration

	// CloseTimeout is how long a closing handshake may take when the context
	// passed to Close has no deadline of its own. 0: 5 s.
	CloseTimeout time.Duration

	// QueueLimit is the most bytes that wait to be sent, beyond what the kernel
	// takes; a single larger message is taken when nothing else waits. 0: 1 MiB.
	// NoLimit: none.
	QueueLimit int

	// QueuePolicy says what a write does whose message does not fit.
	QueuePolicy QueuePolicy

	// Compression turns permessage-deflate on. nil: off.
	Compression *Compression

	// Trace observes the connection; nil costs nothing.
	Trace *Trace

	// Logger gets what there is no caller to return to: a handler's errors and
	// panics. nil: slog.Default.
	Logger *slog.Logger
}

// NoLimit and NoTimeout turn a limit of Options off.
const (
	NoLimit   = -1
	NoTimeout = time.Duration(-1)
)

// QueuePolicy says what a write does when the queue of unsent messages is full
// because the peer reads too slowly.
type QueuePolicy uint8

const (
	QueueBlock      QueuePolicy = iota // wait for room, until the context ends
	QueueFail                          // return ErrQueueFull
	QueueDropOldest                    // drop the oldest messages that wait, and send this one
	QueueDisconnect                    // give the connection up, with ErrSlowConsumer and code 1008
)

// The methods below are the table of the defaults. What they return is 0 where
// there is no limit.

func (o *Options) readLimit() int64    { return orDefault(o.ReadLimit, 4<<20, 0) }
func (o *Options) maxControlRate() int { return orDefault(o.MaxControlRate, 1000, 0) }
func (o *Options) queueLimit() int     { return orDefault(o.QueueLimit, 1<<20, 0) }

func (o *Options) maxFragments(role wire.Role) int {
	if role == wire.Server {
		return orDefault(o.MaxFragments, 100_000, 0)
	}
	return orDefault(o.MaxFragments, 1_000_000, 0)
}

func (o *Options) pingInterval(role wire.Role) time.Duration {
	if role == wire.Server {
		return orDefault(o.PingInterval, 30*time.Second, 0)
	}
	return orDefault(o.PingInterval, 0, 0)
}

func (o *Options) pingTimeout() time.Duration {
	return orDefault(o.PingTimeout, 20*time.Second, 20*time.Second)
}

func (o *Options) closeTimeout() time.Duration {
	return orDefault(o.CloseTimeout, 5*time.Second, 5*time.Second)
}

func (o *Options) assemblyTimeout() time.Duration {
	return orDefault(o.AssemblyTimeout, 5*time.Minute, 0)
}

func (o *Options) writeTimeout() time.Duration {
	return orDefault(o.WriteTimeout, time.Minute, 0)
}

// orDefault resolves one limit: its default for zero, none for a negative one.
func orDefault[T int | int64 | time.Duration](value, standard, none T) T {
	switch {
	case value == 0:
		return standard
	case value < 0:
		return none
	}
	return value
}
