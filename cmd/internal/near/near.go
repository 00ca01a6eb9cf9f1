// Package near finds the names that somebody may have meant.
package near

import (
	"cmp"
	"slices"
	"strings"
)

// Names returns up to most of the names that are like the word, if any is, the
// likest first. Case is ignored. A word that begins a part of a name is like it,
// and so is one whose last part behind a dot is that of a name.
func Names(word string, names []string, most int) []string {
	type candidate struct {
		name     string
		distance int
	}
	const longest = 64 // of a word that may be meant for a name
	if len(word) > longest {
		return nil
	}
	var near []candidate
	word = strings.ToLower(word)
	last := word[strings.LastIndexByte(word, '.')+1:]
	for _, name := range names {
		lower := strings.ToLower(name)
		d := distance(word, lower)
		switch {
		case strings.HasSuffix(lower, "."+word):
			d = 0
		case len(word) >= 3 && beginsPart(lower, word), len(last) >= 3 && strings.HasSuffix(lower, "."+last):
			d = min(d, 1)
		}
		if d <= max(1, len(word)/3) {
			near = append(near, candidate{name, d})
		}
	}
	slices.SortStableFunc(near, func(a, b candidate) int { return cmp.Compare(a.distance, b.distance) })
	var out []string
	for _, c := range near[:min(most, len(near))] {
		out = append(out, c.name)
	}
	return out
}

// Name returns the name that is most like the word, or "".
func Name(word string, names []string) string {
	if near := Names(word, names, 1); len(near) > 0 {
		return near[0]
	}
	return ""
}

// beginsPart reports whether the word stands in the name where it or a part of
// it begins.
func beginsPart(name, word string) bool {
	for i := range name {
		if (i == 0 || strings.IndexByte(".-_", name[i-1]) >= 0) && strings.HasPrefix(name[i:], word) {
			return true
		}
	}
	return false
}

// distance counts the letters that must be put in, taken out or changed, and the
// neighbours that must change places, to make b of a.
func distance(a, b string) int {
	before, row, next := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		next[0] = i + 1
		for j := range len(b) {
			change := row[j]
			if a[i] != b[j] {
				change++
			}
			next[j+1] = min(change, row[j+1]+1, next[j]+1)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				next[j+1] = min(next[j+1], before[j-1]+1)
			}
		}
		before, row, next = row, next, before
	}
	return row[len(b)]
}
