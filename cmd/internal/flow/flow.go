// Package flow follows TCP connections through captured segments: which
// connections there are, the bytes of both directions in order with packet
// and time of every run, and what a diagnosis needs to know about how they
// travelled.
//
// A [Tracker] takes segments and calls a [Handler]. The tracker sees what the
// capture saw, not what the peers saw: a byte may be missing here that
// arrived there, and it says so ([Gap]) and goes on. It never judges; it
// reports.
//
// Memory is bounded by [Options] whatever a capture holds. What the bounds
// cost is reported as events, never silent.
package flow

import (
	"net/netip"
	"time"
)

// A Dir is a direction of a connection.
type Dir uint8

const (
	ToServer Dir = iota // sent by the client
	ToClient            // sent by the server
)

// Reverse returns the other direction.
func (d Dir) Reverse() Dir { return d ^ 1 }

// String names the direction by its sender: "client" or "server".
func (d Dir) String() string { return [2]string{"client", "server"}[d&1] }

// A Handler learns what a Tracker finds. All calls come from the goroutine
// that calls the tracker's methods.
//
// For every connection: Open first, End last; between them Data and Event in
// the order in which the tracker knows. Within one direction Data comes in
// stream order without overlaps, and where bytes are missing a Gap event
// stands between two runs, so that offsets always add up:
//
//	next offset = Run.Offset + len(Run.Data), or Event.Offset + Event.Length of a Gap
type Handler interface {
	Open(c *Conn)
	Data(c *Conn, dir Dir, run Run)
	Event(c *Conn, ev Event)
	End(c *Conn)
}

// A Run is a piece of one direction's byte stream, from one packet.
type Run struct {
	Data   []byte // borrowed: valid during the call
	Offset int64  // of Data[0] in the direction's stream; 0 is the first byte after the SYN, or the first byte captured
	Packet int64  // the packet that brought it
	Time   time.Time
	Late   bool // it was held back, waiting for bytes before it
}

// A Stamp is a packet and its time. The zero Stamp stands for none.
type Stamp struct {
	Packet int64
	Nanos  int64 // Unix time in nanoseconds
}

// Time returns the time in UTC.
func (s Stamp) Time() time.Time { return time.Unix(0, s.Nanos).UTC() }

// IsZero reports whether s stands for no packet.
func (s Stamp) IsZero() bool { return s.Packet == 0 }

// Since returns the time from earlier to s, 0 when either is no packet.
func (s Stamp) Since(earlier Stamp) time.Duration {
	if s.IsZero() || earlier.IsZero() {
		return 0
	}
	return time.Duration(s.Nanos - earlier.Nanos)
}

// Evidence says how it is known which side is the client.
type Evidence uint8

const (
	SawSYN     Evidence = iota // the client's SYN was captured
	SawSYNACK                  // the server's SYN-ACK was captured
	ByContent                  // guessed: the first bytes are a request's, or a response's
	ByPort                     // guessed: one port is a well-known service's, or one of Options.ServerPorts
	ByPortSize                 // guessed: the lower port is taken for the server's
)

// Guessed reports whether the roles are a guess.
func (e Evidence) Guessed() bool { return e >= ByContent }

// String words the evidence.
func (e Evidence) String() string {
	return [...]string{"SYN seen", "SYN-ACK seen", "guessed from the first bytes", "guessed from a well-known port", "guessed from the lower port"}[min(e, ByPortSize)]
}

// EndReason says why a connection's End was called.
type EndReason uint8

const (
	NotEnded     EndReason = iota
	Finished               // closed by FIN on both sides, or by RST, and quiet since
	PortReused             // a new connection began with the same addresses and ports
	Evicted                // given up because of Options.MaxConns
	CaptureEnded           // still open at the end of the capture
)

// String words the reason.
func (r EndReason) String() string {
	return [...]string{"open", "closed", "ports reused", "evicted", "capture ended"}[min(r, CaptureEnded)]
}

// A Conn is one TCP connection. The tracker owns it; a handler may read it
// during calls, and keep the pointer until End.
type Conn struct {
	ID          int64 // counted from 0 in the order of first packets, as tcp.stream elsewhere
	First, Last Stamp
	Evidence    Evidence
	MidStream   bool // the capture began after the connection did
	Ended       EndReason

	// User is the handler's own; the tracker does not touch it.
	User any

	tracking
}

// Client returns the client's address.
func (c *Conn) Client() netip.AddrPort { return c.Addr(ToServer) }

// Server returns the server's address.
func (c *Conn) Server() netip.AddrPort { return c.Addr(ToClient) }

// Addr returns the address of the sender of a direction.
func (c *Conn) Addr(sender Dir) netip.AddrPort {
	addr, port := c.key.a, c.key.aPort
	if (sender == ToServer) != c.clientIsA {
		addr, port = c.key.b, c.key.bPort
	}
	a := netip.AddrFrom16(addr)
	if c.isV4 {
		a = a.Unmap()
	}
	return netip.AddrPortFrom(a, port)
}

// StreamBytes returns the length of a direction's stream so far, gaps included.
func (c *Conn) StreamBytes(dir Dir) int64 { return c.half[dir].next }

// FIN returns the first FIN of a direction.
func (c *Conn) FIN(dir Dir) Stamp {
	if c.fins == nil {
		return Stamp{}
	}
	return c.fins[dir]
}

// Reset reports whether the sender of a direction sent a RST.
func (c *Conn) Reset(dir Dir) bool { return c.isReset[dir] }

// RTT returns the round-trip time measured in the opening handshake: from the
// SYN to the packet that completes it. 0 when either was not captured.
func (c *Conn) RTT() time.Duration {
	if !c.established {
		return 0
	}
	return c.opening
}

// Options bound a Tracker. A zero field stands for its default.
type Options struct {
	// NewConn makes a Conn, which may be part of something larger; nil: new
	// does.
	NewConn func() *Conn

	MaxConns      int // connections at a time; default 131072. The closed go first, then those that have been quiet.
	MaxBuffer     int // bytes kept behind a hole per direction; default 2 MiB
	MaxBuffered   int // the same for all connections together; default 32 MiB
	ServerPorts   []uint16
	Linger        time.Duration // of capture time that a closed connection is still listened to; default 5 s
	ReorderWindow int           // packets of a connection that a hole may stay open after its bytes were acknowledged; default 64
}

func (o Options) withDefaults() Options {
	def := func(v *int, d int) {
		if *v <= 0 {
			*v = d
		}
	}
	if o.NewConn == nil {
		o.NewConn = func() *Conn { return new(Conn) }
	}
	def(&o.MaxConns, 1<<17)
	def(&o.MaxBuffer, 2<<20)
	def(&o.MaxBuffered, 32<<20)
	def(&o.ReorderWindow, 64)
	if o.Linger <= 0 {
		o.Linger = 5 * time.Second
	}
	return o
}

// Stats count over all connections.
type Stats struct {
	Segments    int64
	Conns       int64 // connections seen
	Open        int   // tracked now
	Buffered    int   // bytes kept now
	MaxBuffered int   // the most that were kept
	Evicted     int64
}
