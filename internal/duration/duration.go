// Package duration words times for people.
package duration

import (
	"strconv"
	"strings"
	"time"
)

// Words tells a duration as well as a person wants to know it: four digits of
// it, below a microsecond all. Minutes stay seconds, as timeouts are
// configured, up to two hours.
func Words(d time.Duration) string {
	unit := time.Duration(1)
	for limit := 10 * time.Microsecond; d.Abs() >= limit && unit < 10*time.Second; limit *= 10 {
		unit *= 10
	}
	switch d = d.Round(unit); {
	case d.Abs() >= 2*time.Hour:
		return strings.TrimSuffix(d.Round(time.Minute).String(), "0s")
	case d.Abs() >= time.Second:
		return strings.TrimRight(strings.TrimRight(strconv.FormatFloat(d.Seconds(), 'f', 3, 64), "0"), ".") + "s"
	}
	return d.String()
}
