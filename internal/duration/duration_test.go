package duration_test

import (
	"math"
	"testing"
	"time"

	"github.com/wiretrue/websocket/internal/duration"
)

func TestWords(t *testing.T) {
	for _, row := range []struct {
		d    time.Duration
		want string
	}{
		{0, "0s"},
		{417, "417ns"},
		{9_999, "9.999µs"},
		{12_345, "12.35µs"},
		{999_999, "1ms"},
		{1_503_417, "1.503ms"},
		{23_417_056, "23.42ms"},
		{250_444_999, "250.4ms"},
		{999_960_000, "1s"},
		{1_004_417_056, "1.004s"},
		{-1_004_417_056, "-1.004s"},
		{1_493_000_000, "1.493s"}, // as a float it is less
		{10 * time.Second, "10s"},
		{60_049_999_999, "60.05s"},
		{350 * time.Second, "350s"},
		{3600 * time.Second, "3600s"},
		{3725_444 * time.Millisecond, "3725s"},
		{2 * time.Hour, "2h0m"},
		{26*time.Hour + 3*time.Minute + 5*time.Second, "26h3m"},
		{math.MaxInt64, "2562047h47m"},
		{math.MinInt64, "-2562047h47m"},
	} {
		if got := duration.Words(row.d); got != row.want {
			t.Errorf("%d ns: %s, want %s", int64(row.d), got, row.want)
		}
	}
}
