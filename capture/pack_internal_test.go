package capture

import (
	"strconv"
	"strings"
	"testing"
)

// Words that return are written as numbers, and no more of them are kept than
// there is room for.
func TestWords(t *testing.T) {
	t.Parallel()
	var known words
	long := strings.Repeat("x", maxWord+1)
	for i := range 2 * maxWords {
		all := []string{"GET", "", strconv.Itoa(i), long}
		w := coder{writing: true, words: &known}
		for k := range all {
			word(&w, &all[k])
		}
		r := coder{b: w.b, words: &known}
		for _, want := range all {
			var got string
			if word(&r, &got); got != want {
				t.Fatalf("%q is read as %q", want, got)
			}
		}
	}
	if len(known.list) != maxWords || known.number("GET") != 0 || known.number(long) >= 0 {
		t.Errorf("%d words are kept, GET as number %d", len(known.list), known.number("GET"))
	}
}
