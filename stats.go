package websocket

import "sync/atomic"

// Stats counts what a connection has carried.
type Stats struct {
	Received, Sent Counts
	Dropped        uint64 // messages dropped under QueueDropOldest
}

// Counts are those of one direction, from the first byte behind the handshake.
type Counts struct {
	Bytes    uint64 // on the wire, frame headers included
	Payload  uint64 // of messages
	Frames   uint64 // control frames included
	Messages uint64 // whole ones
	Pings    uint64
	Pongs    uint64

	// Of the messages that were compressed: the payload as it was on the wire, and
	// as the program sees it.
	Compressed, Uncompressed uint64
}

// counters are the greater part of Counts, read while they grow. What is
// compressed is counted where compression was agreed on.
type counters struct {
	bytes, payload, frames, messages, pings, pongs atomic.Uint64
}

func (c *counters) counts() Counts {
	return Counts{
		Bytes:    c.bytes.Load(),
		Payload:  c.payload.Load(),
		Frames:   c.frames.Load(),
		Messages: c.messages.Load(),
		Pings:    c.pings.Load(),
		Pongs:    c.pongs.Load(),
	}
}

// Stats returns what the connection has carried so far.
func (c *Conn) Stats() Stats {
	s := Stats{Received: c.received.counts(), Sent: c.sent.counts(), Dropped: c.dropped.Load()}
	if d := c.deflation; d != nil {
		s.Received.Compressed, s.Received.Uncompressed = d.Received.Compressed.Load(), d.Received.Uncompressed.Load()
		s.Sent.Compressed, s.Sent.Uncompressed = d.Sent.Compressed.Load(), d.Sent.Uncompressed.Load()
	}
	return s
}
