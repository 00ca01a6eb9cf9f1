// Package inspect leads the packets of a capture to what happened in its
// connections, in one pass: package packet yields packets and their TCP
// segments, package flow makes byte streams of them, package tlsview looks
// into TLS, package capture explains each connection, and [Sink] values show
// what came out: as stories, as a table, as JSON lines, as fields, as an HTTP
// archive, as a capture file.
//
// It adds nothing to what these packages find, except what only somebody who
// sees all connections can know: the keys of the others.
//
// Memory is bounded by the packages below, by [Options] and by the sinks,
// whatever the capture holds and however long it goes on.
package inspect

import (
	"errors"
	"io"
	"net/netip"
	"time"

	"github.com/wiretrue/websocket/capture"
	"github.com/wiretrue/websocket/cmd/internal/capfilter"
	"github.com/wiretrue/websocket/cmd/internal/filter"
	"github.com/wiretrue/websocket/cmd/internal/flow"
	"github.com/wiretrue/websocket/cmd/internal/packet"
	"github.com/wiretrue/websocket/cmd/internal/tlsview"
)

// Options control an Inspector. The zero value reads everything.
type Options struct {
	Keys        *tlsview.KeyLog   // nil: TLS is not decrypted
	HoldForKeys int               // bytes of each direction that wait for keys which are not in Keys yet
	ServerPorts []uint16          // ports that are a server's, when the capture does not tell who is the client
	Filter      *capfilter.Filter // nil: every TCP segment
	Packets     int64             // most packets that pass the filter; 0: no limit
	Choice      Choice            // what is shown

	// Analyser are the options of each connection's Analyser. OtherKeys is the
	// Inspector's to set.
	Analyser capture.Options
}

// A Conn is a connection as sinks see it. Its fields grow while it goes on.
type Conn struct {
	flow.Conn
	WebSocket bool // it is one, asked to become one, or may be one inside TLS
	Shown     bool // it is one that is shown; it may turn out to be during any record
	TLS       *capture.TLSFacts

	link // the Inspector's part
}

// Names returns what filters name of the connection. It is valid until the
// Inspector's next call of it.
func (c *Conn) Names() *filter.Conn {
	i := c.of
	if i.named != c {
		i.named = c
		i.names = filter.Conn{Stream: c.ID, Client: c.Client(), Server: c.Server(), Begin: i.begin}
	}
	return &i.names
}

// Report returns the sum of the connection. It is there during End only.
func (c *Conn) Report() *capture.Report { return c.analyser.Report() }

// A Sink takes what is found. For every connection that may be shown: Begin
// first, End last; between them its records in the order of the wire, each
// with whether it matches the [Choice]. All calls come from the goroutine of
// Run. What a record leads to is valid during the call; a Conn until End
// returns.
type Sink interface {
	Begin(c *Conn)
	Record(c *Conn, r *capture.Record, matches bool)
	End(c *Conn)
}

// Totals count over the whole capture.
type Totals struct {
	Packets    int64  // read
	Segments   int64  // of TCP that passed the filter
	Cut        int64  // segments that the snap length cut
	Conns      int64  // of TCP
	WebSocket  int64  // of these, that were of interest
	Refused    Failed // whose SYN was answered by a RST
	Unanswered Failed // whose SYN was not answered
	Encrypted  int64  // with TLS that was not decrypted
	Decode     packet.DecodeStats
}

// Failed counts connections that were never open.
type Failed struct {
	Conns  int64
	Server netip.AddrPort // of the first
}

func (f *Failed) add(c *Conn) {
	if f.Conns++; f.Conns == 1 {
		f.Server = c.Server()
	}
}

// An Inspector inspects one capture. It is for one goroutine.
type Inspector struct {
	o         Options
	sink      Sink
	tracker   *flow.Tracker
	decoder   packet.Decoder
	keys      keyRing
	analysers *capture.Pool
	totals    Totals
	waiting   map[*Conn]struct{} // for TLS keys
	known     int                // secrets in the key log when they were last looked for
	late      int                // bytes that wait for the other direction
	passed    int64
	begin     time.Time // of the capture
	segment   packet.Segment
	names     filter.Conn
	named     *Conn // whose they are
}

// awake is how many connections are in memory with all that is known of them.
const awake = 12 << 10

// New returns an Inspector that shows what it finds to a sink.
func New(o Options, sink Sink) *Inspector {
	i := &Inspector{o: o, sink: sink, waiting: map[*Conn]struct{}{}}
	o.Analyser.OtherKeys = i.keys.others
	i.analysers = capture.NewPool(awake, o.Analyser)
	i.tracker = flow.New((*bridge)(i), &flow.Options{NewConn: i.newConn, ServerPorts: o.ServerPorts})
	return i
}

// Totals returns what has been counted so far.
func (i *Inspector) Totals() Totals {
	t := i.totals
	t.Conns = i.tracker.Stats().Conns
	t.Decode = i.decoder.Stats()
	return t
}

// Packet takes the next packet. It reports false when there have been enough.
func (i *Inspector) Packet(p *packet.Packet) bool {
	if i.totals.Packets++; i.totals.Packets == 1 {
		i.begin = p.Time
	}
	s := &i.segment
	if i.decoder.Decode(p, s) != packet.IsTCP || i.o.Filter != nil && !i.o.Filter.Match(s) {
		return true
	}
	i.totals.Segments++
	if s.Truncated() {
		i.totals.Cut++
	}
	i.tracker.Segment(s)
	i.passed++
	return i.o.Packets <= 0 || i.passed < i.o.Packets
}

// Tick tells the time when no packets come, and looks for keys that have been
// logged since.
func (i *Inspector) Tick(now time.Time) {
	i.tracker.Tick(now)
	if secrets := i.o.Keys.Stats().Secrets; secrets != i.known {
		i.known = secrets
		for c := range i.waiting {
			c.session.Retry()
		}
	}
}

// Close ends the capture: every connection gets its end.
func (i *Inspector) Close() { i.tracker.Close() }

// Run inspects a source until its end and closes the Inspector. The error is
// the source's; its regular end is none. seen, if it is not nil, is called
// after each packet and ends the inspection when it returns false.
func (i *Inspector) Run(src packet.Source, seen func(*packet.Packet) bool) error {
	defer i.Close()
	var p packet.Packet
	for {
		switch err := src.Next(&p); {
		case errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF):
			return nil
		case err != nil:
			return err
		}
		if !i.Packet(&p) || seen != nil && !seen(&p) {
			return nil
		}
	}
}

// RunLive is Run for a source that waits for packets: an interface, a pipe, a
// file that grows. idle is called when there is nothing to do for now, so that
// what was buffered can be shown.
func (i *Inspector) RunLive(src packet.Source, seen func(*packet.Packet) bool, idle func()) error {
	defer i.Close()
	packets := make(chan packet.Packet, 1024)
	enough := make(chan struct{})
	defer close(enough)
	var end error // of the source; to be read when packets is closed
	go func() {
		defer close(packets)
		for {
			var p packet.Packet
			if end = src.Next(&p); end != nil {
				return
			}
			p.Data = append([]byte(nil), p.Data...)
			select {
			case packets <- p:
			case <-enough:
				return
			}
		}
	}()
	tick := time.NewTicker(tickInterval)
	defer tick.Stop()
	// The capture's clock may be another one, or that of another day.
	var last, arrived time.Time
	for {
		select {
		case p, more := <-packets:
			if !more {
				if errors.Is(end, io.EOF) && !errors.Is(end, io.ErrUnexpectedEOF) {
					return nil
				}
				return end
			}
			last, arrived = p.Time, time.Now()
			if !i.Packet(&p) || seen != nil && !seen(&p) {
				return nil
			}
			if len(packets) == 0 {
				idle()
			}
		case now := <-tick.C:
			if !last.IsZero() {
				i.Tick(last.Add(now.Sub(arrived)))
			}
			idle()
		}
	}
}

const tickInterval = 100 * time.Millisecond

// Sinks are several sinks as one.
type Sinks []Sink

// Begin implements [Sink].
func (all Sinks) Begin(c *Conn) {
	for _, s := range all {
		s.Begin(c)
	}
}

// Record implements [Sink].
func (all Sinks) Record(c *Conn, r *capture.Record, matches bool) {
	for _, s := range all {
		s.Record(c, r, matches)
	}
}

// End implements [Sink].
func (all Sinks) End(c *Conn) {
	for _, s := range all {
		s.End(c)
	}
}
