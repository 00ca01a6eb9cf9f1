package main

import (
	"math"
	"runtime/debug"
	"testing"
)

// What inspect sets for the time in which it reads packets it sets back, and
// what its user has set it leaves.
func TestCollectorLeavesTheSettings(t *testing.T) {
	percent := debug.SetGCPercent(100)
	defer debug.SetGCPercent(percent)
	settings := func() (percent int, limit int64) {
		percent = debug.SetGCPercent(100)
		debug.SetGCPercent(percent)
		return percent, debug.SetMemoryLimit(-1)
	}
	for _, tt := range []struct {
		name, env string
		percent   int
		limit     int64
	}{
		{"alone", "", -1, gcMemory},
		{"with GOGC set", "GOGC", 100, math.MaxInt64},
		{"with GOMEMLIMIT set", "GOMEMLIMIT", 100, math.MaxInt64},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Setenv("GOGC", "")
			t.Setenv("GOMEMLIMIT", "")
			if tt.env != "" {
				t.Setenv(tt.env, "100")
			}
			var c collector
			end := c.begin()
			if percent, limit := settings(); percent != tt.percent || limit != tt.limit {
				t.Errorf("%d %% and %d bytes, want %d and %d", percent, limit, tt.percent, tt.limit)
			}
			for range gcInterval {
				c.step()
			}
			end()
			if percent, limit := settings(); percent != 100 || limit != math.MaxInt64 {
				t.Errorf("at the end %d %% and %d bytes", percent, limit)
			}
		})
	}
}
