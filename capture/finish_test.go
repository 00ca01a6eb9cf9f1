package capture_test

import (
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/wiretrue/websocket/capture"
	"github.com/wiretrue/websocket/wire"
)

// What has been told does not hang on the Report.
func TestFinish(t *testing.T) {
	p := capture.NewPool(1, capture.Options{})
	told := func(end func(a *capture.Analyser)) (kinds []capture.Kind, a *capture.Analyser) {
		a = p.New(recorder(func(r *capture.Record) { kinds = append(kinds, r.Kind) }))
		feed(a, scene(t, upgraded+"1 client 01 81 00000000 61\n2 client fin"), nil)
		end(a)
		return kinds, a
	}
	kinds, a := told(func(a *capture.Analyser) { a.Report() })
	finished, b := told((*capture.Analyser).Finish)
	if !slices.Equal(kinds, finished) || b.Found(capture.Error) != a.Report().Errors || a.Report().Errors == 0 {
		t.Errorf("%v with %d errors, want %v with %d", finished, b.Found(capture.Error), kinds, a.Report().Errors)
	}
	p.New(nil).Bytes(wire.Client, time.Time{}, 0, []byte("G")) // takes its place
	if got := b.Report(); !reflect.DeepEqual(got, a.Report()) {
		t.Errorf("%+v, want %+v", got, a.Report())
	}
	if _, c := told((*capture.Analyser).Discard); c.Report() != nil {
		t.Errorf("a report: %+v", c.Report())
	}
}
