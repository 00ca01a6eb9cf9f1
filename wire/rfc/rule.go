package rfc

import "fmt"

// Rule names one duty that an RFC lays on an endpoint. The zero value is no
// rule.
type Rule uint8

// Level is the strength of a rule (RFC 2119), or the reason for which it is
// here without an RFC's keyword.
type Level uint8

const (
	Must   Level = iota // an absolute duty or prohibition
	Should              // a duty with room for good reasons
	Policy              // a limit or a check that the receiver chose, which the RFC leaves to it
	Note                // allowed, yet worth a look when something is wrong
)

func (l Level) String() string { return [...]string{"MUST", "SHOULD", "policy", "note"}[l] }

// Party is whom a rule binds.
type Party uint8

const (
	Client Party = 1 << iota
	Server
	Endpoint = Client | Server
)

func (p Party) String() string {
	return [...]string{"nobody", "the client", "the server", "both endpoints"}[p]
}

// Info is what the registry holds about one rule.
type Info struct {
	Name    string     // the duty in two or three words: "ClientMustMask"
	Slug    string     // the same within an id: "client-must-mask"
	RFC     int        // 6455, 7692, ...
	Section string     // "5.1"
	Level   Level      // how strong it is
	Binds   Party      // who must keep it
	Duty    string     // the duty in one sentence
	Seen    string     // how a breach looks on the wire, and what usually causes it
	Code    StatusCode // what the receiver fails the connection with; 0: it does not
	Status  int        // what a server refuses the handshake with; 0: it does not. Refused by a client: 101
}

// Info returns the registry's entry for r.
func (r Rule) Info() *Info {
	if int(r) >= len(registry) {
		r = 0
	}
	return &registry[r]
}

// CloseReason returns the reason that a Close frame gives for the rule: its name
// and its id, which together are shorter than a Close frame allows.
func (r Rule) CloseReason() string { return r.Info().Name + " (" + r.String() + ")" }

// String returns the rule's id, which is stable: "6455-5.1-client-must-mask".
func (r Rule) String() string {
	i := r.Info()
	return fmt.Sprintf("%d-%s-%s", i.RFC, i.Section, i.Slug)
}

// Parse returns the rule with the id or the name.
func Parse(s string) (Rule, bool) {
	for _, r := range Rules() {
		if i := r.Info(); s == r.String() || s == i.Name || s == i.Slug {
			return r, true
		}
	}
	return 0, false
}

// Rules returns every rule, in the order in which a reader of the wire comes
// upon them.
func Rules() []Rule {
	all := make([]Rule, 0, len(registry)-1)
	for r := 1; r < len(registry); r++ {
		all = append(all, Rule(r))
	}
	return all
}
