package main

import (
	"math"
	"os"
	"runtime/debug"
	"runtime/metrics"
)

// A collector says when garbage is collected while packets are read: when
// memory is used up that may be used, however little of it is kept, and where
// that is not enough, in proportion to what is kept. The environment variables
// GOGC and GOMEMLIMIT come first.
type collector struct {
	off     bool
	packets int
	large   bool // what is kept needs more
	live    [1]metrics.Sample
}

const (
	gcMemory = 150 << 20                         // that may be used
	gcGrowth = 40                                // percent of what is kept, where it is more
	gcLarge  = gcMemory * 100 / (100 + gcGrowth) // of which both are the same

	gcInterval = 1 << 16 // packets
)

// begin sets the collector up, until end is called.
func (c *collector) begin() (end func()) {
	c.off = os.Getenv("GOGC") != "" || os.Getenv("GOMEMLIMIT") != ""
	if c.off {
		return func() {}
	}
	c.live[0].Name = "/gc/heap/live:bytes"
	percent, limit := debug.SetGCPercent(-1), debug.SetMemoryLimit(gcMemory)
	return func() {
		debug.SetMemoryLimit(limit)
		debug.SetGCPercent(percent)
	}
}

// step is called for each packet.
func (c *collector) step() {
	if c.packets++; c.off || c.packets%gcInterval != 0 {
		return
	}
	metrics.Read(c.live[:])
	was := c.large
	switch c.large = c.live[0].Value.Uint64() > gcLarge; {
	case c.large == was:
	case c.large:
		debug.SetGCPercent(gcGrowth)
		debug.SetMemoryLimit(math.MaxInt64)
	default:
		debug.SetMemoryLimit(gcMemory)
		debug.SetGCPercent(-1)
	}
}
