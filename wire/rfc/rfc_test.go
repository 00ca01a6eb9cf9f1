package rfc

import (
	"regexp"
	"strings"
	"testing"
)

func TestRegistryIsWhole(t *testing.T) {
	kebab := regexp.MustCompile(`[A-Z][a-z]*|HTTP|TCP|UTF|[0-9]+`)
	seen := map[string]bool{}
	for _, r := range Rules() {
		i := r.Info()
		if i.Name == "" || i.Slug == "" || i.RFC == 0 || i.Section == "" || i.Binds == 0 || i.Duty == "" || i.Seen == "" {
			t.Errorf("rule %d (%s) lacks a field", r, i.Name)
		}
		if got := strings.ToLower(strings.Join(kebab.FindAllString(i.Name, -1), "-")); strings.ReplaceAll(got, "-", "") != strings.ReplaceAll(i.Slug, "-", "") {
			t.Errorf("slug %q does not spell the name %q", i.Slug, i.Name)
		}
		for _, s := range []string{i.Duty, i.Seen} {
			if !strings.HasSuffix(s, ".") {
				t.Errorf("%s: %q is no sentence", r, s)
			}
		}
		if i.Code != 0 && !i.Code.Sendable() {
			t.Errorf("%s fails with %d, which may not be sent", r, i.Code)
		}
		if n := len(r.CloseReason()); n > 123 {
			t.Errorf("the reason that names %s has %d bytes, which no Close frame holds", r, n)
		}
		if i.Level == Note && (i.Code != 0 || i.Status != 0) {
			t.Errorf("%s is a note and fails the connection", r)
		}
		if seen[r.String()] {
			t.Errorf("%s stands twice", r)
		}
		seen[r.String()] = true
		for _, key := range []string{r.String(), i.Name, i.Slug} {
			if got, ok := Parse(key); !ok || got != r {
				t.Errorf("Parse(%q) = %v, %v", key, got, ok)
			}
		}
	}
	if _, ok := Parse("none"); ok {
		t.Error("Parse found a rule called none")
	}
}

func TestWordsOfTheRegistry(t *testing.T) {
	if got := []string{Must.String(), Should.String(), Policy.String(), Note.String()}; strings.Join(got, " ") != "MUST SHOULD policy note" {
		t.Errorf("levels %q", got)
	}
	if got := []string{Client.String(), Server.String(), Endpoint.String()}; strings.Join(got, ", ") != "the client, the server, both endpoints" {
		t.Errorf("parties %q", got)
	}
	if got := Rule(255).Info().Name; got != "None" {
		t.Errorf("rule 255 is %s", got)
	}
	if got := Rules(); got[0] != RequestSyntax || got[len(got)-1] != ServerEndsTCP {
		t.Errorf("the rules begin with %v and end with %v", got[0], got[len(got)-1])
	}
}

// A table is a copy, so that nobody alters the registry through it.
func TestStatusesAreACopy(t *testing.T) {
	Statuses()[0].Name = "altered"
	if got := Statuses()[0].Name; got != "Unused" {
		t.Errorf("the first range is %q", got)
	}
}

func TestUnion(t *testing.T) {
	a, b := SetOf(RequestSyntax), SetOf(ServerEndsTCP)
	if got := a.Union(b); got != SetOf(RequestSyntax, ServerEndsTCP) || a.Len() != 1 {
		t.Errorf("Union = %v", got)
	}
}

func TestSet(t *testing.T) {
	s := SetOf(TextIsUTF8, ClientMustMask, PongAnswersPing)
	if s.Clean() || !s.Has(TextIsUTF8) || s.Has(ReservedBitsZero) || s.Len() != 3 {
		t.Errorf("set holds %v", s)
	}
	if got := s.First(); got != ClientMustMask {
		t.Errorf("First = %v", got)
	}
	if got := SetOf(NoDataAfterClose, TextIsUTF8).Fatal(); got != TextIsUTF8 {
		t.Errorf("Fatal = %v", got)
	}
	if got := SetOf(NoDataAfterClose).Fatal(); got != 0 {
		t.Errorf("Fatal = %v, want none", got)
	}
	if (Set{}).First() != 0 || !(Set{}).Clean() {
		t.Error("the empty set is not clean")
	}
	want := "6455-5.1-client-must-mask 6455-8.1-text-is-utf8 6455-5.5.3-pong-answers-ping"
	if s.String() != want {
		t.Errorf("String = %q, want %q", s, want)
	}
	for _, r := range Rules() {
		if !SetOf(r).Has(r) || SetOf(r).First() != r || SetOf(r).Len() != 1 {
			t.Errorf("the set of %v is wrong", r)
		}
	}
}

func TestStatusCodes(t *testing.T) {
	for c := range 65536 {
		i := StatusCode(c).Info() // panics on a hole
		want := 1000 <= c && c <= 1014 && (c < 1004 || c > 1006) || 3000 <= c && c <= 4999
		if StatusCode(c).Sendable() != want {
			t.Errorf("Sendable(%d) = %v", c, !want)
		}
		if i.Name == "" || i.Meaning == "" {
			t.Errorf("%d has no name or meaning", c)
		}
	}
	if got := GoingAway.String(); got != "1001 Going Away" {
		t.Errorf("String = %q", got)
	}
}
