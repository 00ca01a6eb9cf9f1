package main

import (
	"bytes"
	"strings"
	"testing"

	"github.com/wiretrue/websocket/wire/rfc"
)

// Every rule is found by each of its names, and tells all there is to tell.
func TestExplainEveryRule(t *testing.T) {
	for _, r := range rfc.Rules() {
		i := r.Info()
		for _, word := range []string{r.String(), i.Slug, i.Name, strings.ToUpper(i.Name)} {
			found, err := lookUp(word)
			if err != nil || len(found) != 1 {
				t.Fatalf("%s: %d entries, %v", word, len(found), err)
			}
			e, ok := found[0].(*ruleEntry)
			if !ok || e.ID != r.String() {
				t.Fatalf("%s: %+v", word, found[0])
			}
			for what, text := range map[string]string{
				"duty": e.Duty, "level": e.Level, "who is bound": e.Binds, "what breaks it": e.BrokenBy, "what the receiver does": e.Receiver,
			} {
				if text == "" {
					t.Errorf("%s: nothing on %s", word, what)
				}
			}
			if len(e.Vectors) == 0 {
				t.Errorf("%s: no vector", word)
			}
		}
		if found, err := lookUp(i.Section); err != nil || len(found) == 0 {
			t.Errorf("section %s: %v", i.Section, err)
		}
	}
}

// Every number is explained, and no line is longer than a terminal is wide.
func TestExplainEveryNumber(t *testing.T) {
	words := append([]string{"100", "599", "600", "999", "65535"}, explainable()...)
	for _, word := range words {
		found, err := lookUp(word)
		if err != nil {
			t.Errorf("%s: %v", word, err)
		}
		for _, e := range found {
			var b bytes.Buffer
			e.write(&b)
			for line := range strings.Lines(b.String()) {
				if len([]rune(line)) > 81 && strings.Contains(strings.TrimSpace(line), " ") {
					t.Errorf("%s: a long line: %q", word, line)
				}
			}
		}
	}
}

// Every close code that is registered and has a cause that people meet says
// which.
func TestExplainCauses(t *testing.T) {
	for code := range closeCauses {
		if code.Info().Name == "" {
			t.Errorf("%d has causes and no name", code)
		}
	}
	for _, i := range httpStatuses {
		if statusOf(i.status).name == "" {
			t.Errorf("%d has no name", i.status)
		}
	}
}
