//go:build linux

package main

import (
	"fmt"
	"strings"

	"github.com/wiretrue/websocket/bench/load"
	"github.com/wiretrue/websocket/bench/server"
)

// workload is one thing that is measured, a column of the table.
type workload struct {
	group  string
	mode   server.Mode
	load   load.Config // its times are the run's
	quick  bool        // in the quick profile
	memory bool        // bytes per connection, instead of time per message
	target float64     // most that this library may take, as a part of the best peer's; 0: none
	high   bool        // peers that are low-level do not count as the best
}

// echo returns a workload of echoed messages.
func echo(conns, size int) workload {
	cfg := load.Default()
	cfg.Conns, cfg.Size = conns, size
	return workload{group: "Echo", mode: server.Echo, load: cfg}
}

func (w workload) in(group string) workload       { w.group = group; return w }
func (w workload) quickly() workload              { w.quick = true; return w }
func (w workload) within(target float64) workload { w.target = target; return w }

func (w workload) amongHigh() workload { w.high = true; return w }

func (w workload) of(kind load.Kind) workload { w.load.Kind = kind; return w }

func (w workload) pipelined(n int) workload { w.load.InFlight = n; return w }

func (w workload) packed(d load.Deflate) workload {
	w.load.Deflate = d
	w.mode = server.EchoReset
	if d == load.Takeover {
		w.mode = server.EchoTakeover
	}
	return w
}

func (w workload) shaped(s load.Shape) workload {
	w.load.Shape = s
	switch s {
	case load.Broadcast:
		w.mode = server.Broadcast
	case load.Idle:
		w.memory = true
		w.load.Sources = 1 + w.load.Conns/4000
	case load.Handshake:
		w.load.Sources = 8
	}
	return w
}

const (
	kiB = 1 << 10
	miB = 1 << 20
)

// mostConns is what a process may hold, with some descriptors to spare.
func mostConns() int { return descriptorLimit() * 19 / 20 }

var workloads = []workload{
	echo(1, 20).quickly().within(0.4),
	echo(64, 20).quickly().within(0.82),
	echo(1000, 20).quickly().within(0.82),
	echo(1, 125), echo(64, 125), echo(1000, 125),
	echo(1, kiB), echo(64, kiB).within(0.82), echo(1000, kiB).within(0.82),

	echo(1, 16*kiB).in("Large messages"),
	echo(64, 16*kiB).in("Large messages").quickly().within(0.75),
	echo(1000, 16*kiB).in("Large messages").within(0.75),
	echo(1, miB).in("Large messages"),
	echo(16, miB).in("Large messages").quickly().within(0.9),

	echo(64, 20).pipelined(16).in("Pipelined and text").quickly().within(0.12).amongHigh(),
	echo(64, kiB).pipelined(16).in("Pipelined and text").within(0.12).amongHigh(),
	echo(64, kiB).of(load.Text).in("Pipelined and text"),
	echo(64, 16*kiB).of(load.Text).in("Pipelined and text").quickly(),

	echo(64, kiB).of(load.JSON).packed(load.Reset).in("Compression, broadcast, handshakes").quickly().within(0.7),
	echo(64, kiB).of(load.JSON).packed(load.Takeover).in("Compression, broadcast, handshakes").quickly().within(0.7),
	echo(1000, 125).shaped(load.Broadcast).in("Compression, broadcast, handshakes").quickly().within(0.85),
	echo(16, 20).shaped(load.Handshake).in("Compression, broadcast, handshakes").quickly().within(0.95).amongHigh(),

	echo(10_000, 20).shaped(load.Idle).in("Memory of an idle connection").quickly(),
	echo(mostConns(), 20).shaped(load.Idle).in("Memory of an idle connection"),
}

// name returns what the workload is called.
func (w *workload) name() string {
	var b strings.Builder
	switch w.load.Shape {
	case load.Handshake:
		return "handshake"
	case load.Broadcast:
		return fmt.Sprintf("broadcast to %s, %s", thousands(w.load.Conns), size(w.load.Size))
	case load.Idle:
		return thousands(w.load.Conns) + " idle"
	}
	fmt.Fprintf(&b, "%s x ", thousands(w.load.Conns))
	if w.load.InFlight > 1 {
		fmt.Fprintf(&b, "%d x ", w.load.InFlight)
	}
	b.WriteString(size(w.load.Size))
	if w.load.Kind != load.Binary {
		fmt.Fprintf(&b, " %s", w.load.Kind)
	}
	switch w.load.Deflate {
	case load.Reset:
		b.WriteString(", deflate")
	case load.Takeover:
		b.WriteString(", deflate takeover")
	}
	return b.String()
}

func size(n int) string {
	switch {
	case n >= miB && n%miB == 0:
		return fmt.Sprintf("%d MiB", n/miB)
	case n >= kiB && n%kiB == 0:
		return fmt.Sprintf("%d KiB", n/kiB)
	}
	return fmt.Sprintf("%d B", n)
}

func thousands(n int) string {
	if n < 1000 {
		return fmt.Sprint(n)
	}
	return fmt.Sprintf("%s,%03d", thousands(n/1000), n%1000)
}
