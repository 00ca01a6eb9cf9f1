package capture

import (
	"slices"
	"time"

	"github.com/wiretrue/websocket/wire"
	"github.com/wiretrue/websocket/wire/frame"
)

// Report is the sum of a connection.
type Report struct {
	V          int            `json:"v"`
	Start      time.Time      `json:"start,omitzero"`      // the first bytes
	Stop       time.Time      `json:"stop,omitzero"`       // the last
	Handshake  *Handshake     `json:"handshake,omitempty"` // with which the connection opened, without its headers and bodies
	Handshakes int            `json:"handshakes"`          // attempts
	Exchanges  int            `json:"exchanges"`           // of plain HTTP
	Opening    time.Duration  `json:"opening_ns"`          // from the request's first byte to the response's last
	Client     Numbers        `json:"client"`              // what the client sent
	Server     Numbers        `json:"server"`
	LongestGap time.Duration  `json:"longest_idle_ns"` // the longest time without a byte of either side, to the first end of one
	IdleFrom   time.Time      `json:"longest_idle_from,omitzero"`
	Ending     *Ending        `json:"ending,omitempty"`
	Findings   []Finding      `json:"findings"`       // the first ones; see Options.Findings
	Counts     map[string]int `json:"finding_counts"` // of all, by ID
	Errors     int            `json:"errors"`
	Warnings   int            `json:"warnings"`
	Notes      int            `json:"notes"`
}

// Numbers are those of what one side sent.
type Numbers struct {
	Bytes       uint64        `json:"bytes"`         // of the stream, heads of HTTP included
	HeadBytes   uint64        `json:"head_bytes"`    // of whole heads of HTTP
	HeaderBytes uint64        `json:"header_bytes"`  // of frames' headers
	DataPayload uint64        `json:"data_payload"`  // bytes
	Overhead    float64       `json:"overhead"`      // header bytes for a byte of payload, over all frames
	Frames      uint64        `json:"frames"`        // all
	DataFrames  uint64        `json:"data_frames"`   // text, binary and continuations
	Text        uint64        `json:"text_messages"` // whole ones
	Binary      uint64        `json:"binary_messages"`
	Fragmented  uint64        `json:"fragmented_messages"`
	Compressed  uint64        `json:"compressed_messages"`
	Deflated    uint64        `json:"compressed_bytes"`  // of compressed messages that were inflated whole, on the wire
	Inflated    uint64        `json:"inflated_bytes"`    // what they came to
	Compression float64       `json:"compression_ratio"` // inflated bytes for one on the wire; 0: no such message
	Pings       uint64        `json:"pings"`
	Pongs       uint64        `json:"pongs"`
	Closes      uint64        `json:"closes"`
	Sizes       Spread        `json:"message_sizes"`   // in bytes
	RTT         Spread        `json:"ping_rtt_ns"`     // of its Pings that were answered
	Response    Spread        `json:"response_ns"`     // of its messages with an id in JSON, until the other side's with the same
	MessageRate float64       `json:"messages_per_s"`  // over the time from the handshake to the last byte
	ByteRate    float64       `json:"bytes_per_s"`     // likewise
	LongestIdle time.Duration `json:"longest_idle_ns"` // the longest time without a byte of this side, to its end
	Missing     int64         `json:"missing_bytes"`   // in gaps whose size is known
	Gaps        int           `json:"gaps"`            // of them and of others
	Skipped     int64         `json:"skipped_bytes"`   // came, and were not understood
}

// tally is a side's Numbers as they grow.
type tally struct {
	payload uint64 // of all frames
	sizes   sample // for the median, as the others
	Numbers
	rtts, responses sample
}

// Spread is the spread of many values. Of more than some hundred values the
// median is that of a regular sample.
type Spread struct {
	Count  uint64 `json:"count"`
	Min    int64  `json:"min"`
	Median int64  `json:"median"`
	Max    int64  `json:"max"`
	Sum    int64  `json:"sum"`
}

// sample collects some of the values of a Spread, in bounded memory: when it is
// full, every second value of it stays, and from then on half as many are
// taken.
type sample struct {
	values []int64
	every  uint64
}

const maxSample = 256

func (s *Spread) add(v int64, kept *sample) {
	if s.Count == 0 {
		s.Min, s.Max, kept.every = v, v, 1
	}
	s.Min, s.Max = min(s.Min, v), max(s.Max, v)
	if s.Count%kept.every == 0 {
		if len(kept.values) == maxSample {
			for i := range maxSample / 2 {
				kept.values[i] = kept.values[2*i]
			}
			kept.values = kept.values[:maxSample/2]
			kept.every *= 2
		}
		if s.Count%kept.every == 0 {
			kept.values = append(kept.values, v)
		}
	}
	s.Count++
	s.Sum += v
}

func (s *sample) median() int64 {
	if len(s.values) == 0 {
		return 0
	}
	sorted := slices.Clone(s.values)
	slices.Sort(sorted)
	return sorted[(len(sorted)-1)/2]
}

// numbers is the Report as it grows.
type numbers struct {
	lastByte   time.Time
	lastOf     [2]time.Time
	lastFrame  [2]time.Time
	idle       time.Duration
	first      time.Time
	sides      [2]tally
	idleFrom   time.Time
	opened     time.Time
	handshakes int
	exchanges  int
	heads      [2]int64
	skipped    [2]int64
}

// noted is what was found, for the Report.
type noted struct {
	findings   []Finding
	counts     map[string]int
	severities map[Severity]int
}

func (n *numbers) bytes(from wire.Role, at time.Time, k int) {
	if n.first.IsZero() {
		n.first = at
	} else if idle := at.Sub(n.lastByte); idle > n.idle {
		n.idle, n.idleFrom = idle, n.lastByte
	}
	s := &n.sides[from]
	if !n.lastOf[from].IsZero() {
		s.LongestIdle = max(s.LongestIdle, at.Sub(n.lastOf[from]))
	}
	n.lastByte, n.lastOf[from] = later(at, n.lastByte), at
	s.Bytes += uint64(k)
}

// quiet counts the silence before the end of a side. alone says that the other
// one has ended before.
func (n *numbers) quiet(of wire.Role, at time.Time, alone bool) {
	if idle := at.Sub(n.lastByte); !n.first.IsZero() && !alone && idle > n.idle {
		n.idle, n.idleFrom = idle, n.lastByte
	}
	if s := &n.sides[of]; !n.lastOf[of].IsZero() {
		s.LongestIdle = max(s.LongestIdle, at.Sub(n.lastOf[of]))
	}
}

func (n *numbers) lastMark() mark { return mark{at: n.lastByte} }

func (n *numbers) gap(from wire.Role, missing int64) {
	n.sides[from].Gaps++
	n.sides[from].Missing += max(0, missing)
}

func (n *numbers) frame(from wire.Role, h *frame.Header) {
	s := &n.sides[from]
	s.Frames++
	s.HeaderBytes += uint64(h.Size())
	switch h.Opcode {
	case frame.Ping:
		s.Pings++
	case frame.Pong:
		s.Pongs++
	case frame.Close:
		s.Closes++
	case frame.Continuation, frame.Text, frame.Binary:
		s.DataFrames++
	}
}

func (n *numbers) frameEnd(from wire.Role, f *Frame) {
	s := &n.sides[from]
	s.payload += f.Seen
	if f.Message != 0 {
		s.DataPayload += f.Seen
	}
	if f.Header.Opcode != frame.Close {
		n.lastFrame[from] = f.Last
	}
}

func (n *numbers) message(from wire.Role, m *Message) {
	s := &n.sides[from]
	if m.Cut {
		return
	}
	switch m.Type {
	case "text":
		s.Text++
	case "binary":
		s.Binary++
	}
	if m.Frames > 1 {
		s.Fragmented++
	}
	if m.Compressed {
		s.Compressed++
		if m.NotInflated == "" {
			s.Deflated += m.WireSize
			s.Inflated += m.Size
		}
	}
	if m.NotInflated == "" {
		s.Sizes.add(int64(min(m.Size, 1<<62)), &s.sizes)
	}
}

func (n *numbers) rtt(from wire.Role, d time.Duration) {
	s := &n.sides[from]
	s.RTT.add(int64(d), &s.rtts)
}

func (n *numbers) response(to wire.Role, d time.Duration) {
	s := &n.sides[to]
	s.Response.add(int64(d), &s.responses)
}

func (n *noted) finding(f *Finding, most int) {
	n.counts[f.ID]++
	n.severities[f.Severity]++
	if len(n.findings) < most {
		n.findings = append(n.findings, *f)
	}
}

// sum makes the Report.
func (a *Analyser) sum() *Report {
	n := &a.numbers
	r := &Report{
		V:          Version,
		Start:      n.first,
		Stop:       n.lastByte,
		Handshake:  a.handshake(),
		Handshakes: n.handshakes,
		Exchanges:  n.exchanges,
		LongestGap: n.idle,
		IdleFrom:   n.idleFrom,
		Ending:     a.ended,
		Findings:   []Finding{},
		Counts:     map[string]int{},
	}
	if f := a.noted; f != nil {
		r.Counts = f.counts
		if len(f.findings) > 0 {
			r.Findings = f.findings
		}
	}
	r.Errors, r.Warnings, r.Notes = a.Found(Error), a.Found(Warning), a.Found(Note)
	if h := r.Handshake; h != nil {
		r.Opening = since(h.Requested, h.Responded)
	}
	for _, role := range []wire.Role{wire.Client, wire.Server} {
		s := &n.sides[role]
		s.HeadBytes = uint64(n.heads[role])
		s.Skipped = n.skipped[role]
		s.RTT.Median, s.Sizes.Median, s.Response.Median = s.rtts.median(), s.sizes.median(), s.responses.median()
		if s.Deflated > 0 {
			s.Compression = float64(s.Inflated) / float64(s.Deflated)
		}
		if s.payload > 0 {
			s.Overhead = float64(s.HeaderBytes) / float64(s.payload)
		}
		if open := since(n.opened, n.lastByte).Seconds(); open > 0 {
			s.MessageRate = float64(s.Text+s.Binary) / open
			s.ByteRate = float64(s.HeaderBytes+s.payload) / open
		}
	}
	r.Client, r.Server = n.sides[wire.Client].Numbers, n.sides[wire.Server].Numbers
	return r
}
