package vectors

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/wiretrue/websocket/wire/rfc"
)

var update = flag.Bool("update", false, "write docs/rules.md anew")

const docPath = "../docs/rules.md"

// docs/rules.md is made from the registry and the corpus, and says what they
// say.
func TestRuleReference(t *testing.T) {
	want := ruleReference(corpus(t))
	if *update {
		if err := os.WriteFile(docPath, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	got, err := os.ReadFile(docPath)
	if err != nil || string(got) != want {
		t.Errorf("%s is stale (%v): run go test ./vectors -update", docPath, err)
	}
}

// chapters begins a chapter of the reference at a rule.
var chapters = map[rfc.Rule]string{
	rfc.RequestSyntax:    "The request of the opening handshake",
	rfc.ResponseSyntax:   "The response of the opening handshake",
	rfc.ReservedBitsZero: "The header of a frame",
	rfc.TextIsUTF8:       "The payload",
	rfc.PongMatchesPing:  "What one side owes the other",
}

func ruleReference(all []Vector) string {
	var b strings.Builder
	fmt.Fprintf(&b, `# The rules

Each rule is a duty that an RFC lays on an endpoint and that can be seen on the
wire. The library, the analyser and the conformance checker name them alike.
Where a limit or a check is the receiver's own choice, the level is *policy*;
what is allowed and yet worth a look is a *note*.

The %d rules stand in the order in which a reader of the wire comes upon them.
Of several that one piece of traffic breaks, the first is the one that is named
first. The %d [vectors](../vectors) below each rule are small text files with
bytes that break it, or that keep it although it may not look so.

This page is made by `+"`go test ./vectors -update`"+`.

| rule | RFC | level | binds | the other side |
|---|---|---|---|---|
`, len(rfc.Rules()), len(all))
	for _, r := range rfc.Rules() {
		i := r.Info()
		fmt.Fprintf(&b, "| [%s](#%s) | %d, %s | %s | %s | %s |\n", i.Name, strings.ToLower(i.Name), i.RFC, i.Section, i.Level, i.Binds, reactionInShort(i))
	}
	for _, r := range rfc.Rules() {
		if title := chapters[r]; title != "" {
			fmt.Fprintf(&b, "\n## %s\n", title)
		}
		writeRule(&b, r, all)
	}
	b.WriteString("\n## Status codes\n\n| code | name | meaning |\n|---|---|---|\n")
	for _, s := range rfc.Statuses() {
		codes := fmt.Sprint(uint16(s.From))
		if s.To != s.From {
			codes += fmt.Sprintf(" to %d", uint16(s.To))
		}
		fmt.Fprintf(&b, "| %s | %s | %s |\n", codes, s.Name, s.Meaning)
	}
	return b.String()
}

func writeRule(b *strings.Builder, r rfc.Rule, all []Vector) {
	i := r.Info()
	fmt.Fprintf(b, "\n### %s\n\n`%s`, [RFC %d section %s](https://www.rfc-editor.org/rfc/rfc%d#section-%s), %s, binds %s.\n\n",
		i.Name, r, i.RFC, i.Section, i.RFC, i.Section, i.Level, i.Binds)
	fmt.Fprintf(b, "%s\n\n*Seen:* %s\n\n*Then:* %s\n", i.Duty, i.Seen, reaction(i))
	var breaks, keeps []string
	for _, v := range all {
		if v.Rule != r {
			continue
		}
		line := fmt.Sprintf("- [%s](../vectors/%s.txt): %s", v.Name, v.Name, v.Comment)
		if v.Expect == "clean" {
			keeps = append(keeps, line)
		} else {
			breaks = append(breaks, line)
		}
	}
	if len(breaks) > 0 {
		fmt.Fprintf(b, "\nBroken by:\n\n%s\n", strings.Join(breaks, "\n"))
	}
	if len(keeps) > 0 {
		fmt.Fprintf(b, "\nKept by:\n\n%s\n", strings.Join(keeps, "\n"))
	}
}

func reaction(i *rfc.Info) string {
	switch {
	case i.Code != 0:
		return fmt.Sprintf("the receiver fails the connection with %v.", i.Code)
	case i.Status == 101:
		return "the client fails the handshake."
	case i.Status != 0:
		return fmt.Sprintf("the server refuses the handshake with HTTP status %d.", i.Status)
	}
	return "the connection goes on; an analyser tells of it."
}

func reactionInShort(i *rfc.Info) string {
	switch {
	case i.Code != 0:
		return fmt.Sprintf("closes with %d", uint16(i.Code))
	case i.Status == 101:
		return "fails the handshake"
	case i.Status != 0:
		return fmt.Sprintf("answers %d", i.Status)
	}
	return "goes on"
}
