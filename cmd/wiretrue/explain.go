package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/wiretrue/websocket/cmd/internal/near"
	"github.com/wiretrue/websocket/vectors"
	"github.com/wiretrue/websocket/wire/rfc"
)

func newExplain() *cobra.Command {
	var format *choice
	cmd := &cobra.Command{
		Use:   "explain [RULE|SECTION|CODE|STATUS]",
		Short: "Explain a rule of the protocol, a close code or an HTTP status",
		Long: `explain tells of a rule what the RFC asks for and of whom, what breaks it, what
the receiver does then, and which vectors of the corpus show it. A rule is named
by its id, its slug, its name, or with others by its section. Of a close code and
of the HTTP status of a refused upgrade it tells the meaning and the usual
causes. Without an argument it lists everything.`,
		Example: `  wiretrue explain
  wiretrue explain client-must-mask
  wiretrue explain 5.2
  wiretrue explain 1006
  wiretrue explain 426`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) > 1 {
				return usageError("%q is one argument too many; expected one rule, section, code or status", args[1])
			}
			return nil
		},
		ValidArgsFunction: func(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
			if len(args) > 0 {
				return nil, cobra.ShellCompDirectiveNoFileComp
			}
			return explainable(), cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			entries, err := everything()
			if len(args) == 1 {
				entries, err = lookUp(args[0])
			}
			if err != nil {
				return err
			}
			out := bufio.NewWriter(cmd.OutOrStdout())
			switch {
			case format.value == "json":
				enc := json.NewEncoder(out)
				enc.SetEscapeHTML(false)
				for _, e := range entries {
					enc.Encode(e)
				}
			case len(args) == 0:
				writeList(out, entries)
			default:
				for i, e := range entries {
					if i > 0 {
						fmt.Fprintln(out)
					}
					e.write(out)
				}
			}
			return out.Flush()
		},
	}
	format = formatFlag(cmd)
	return cmd
}

// entry is what explain tells about one thing.
type entry interface {
	write(w io.Writer)
	line() (group, key, text string) // in the list of everything
}

// ruleEntry is a rule of the registry.
type ruleEntry struct {
	Kind     string          `json:"kind"` // "rule"
	ID       string          `json:"id"`
	Name     string          `json:"name"`
	Level    string          `json:"level"`
	Section  string          `json:"section"`
	URL      string          `json:"url"`
	Binds    string          `json:"binds"`
	Duty     string          `json:"duty"`
	BrokenBy string          `json:"broken_by"`
	Receiver string          `json:"receiver"`
	Code     rfc.StatusCode  `json:"close_code,omitempty"`
	Status   int             `json:"http_status,omitempty"`
	Vectors  []vectorOfEntry `json:"vectors"`

	group string
}

type vectorOfEntry struct {
	Name    string `json:"name"`
	Expect  string `json:"expect"`
	Comment string `json:"comment"`
}

func newRuleEntry(r rfc.Rule, corpus []vectors.Vector) *ruleEntry {
	i := r.Info()
	e := &ruleEntry{
		Kind: "rule", ID: r.String(), Name: i.Name, Level: i.Level.String(),
		Section:  fmt.Sprintf("RFC %d section %s", i.RFC, i.Section),
		URL:      fmt.Sprintf("https://www.rfc-editor.org/rfc/rfc%d#section-%s", i.RFC, i.Section),
		Binds:    i.Binds.String(),
		Duty:     i.Duty,
		BrokenBy: i.Seen,
		Receiver: receiverDoes(i),
		Code:     i.Code,
		Vectors:  []vectorOfEntry{},
		group:    groupOf(i),
	}
	if i.Status != 101 {
		e.Status = i.Status
	}
	for _, v := range corpus {
		if v.Rule == r {
			expect := v.Expect
			if v.Code != 0 {
				expect += " " + strconv.Itoa(v.Code)
			}
			e.Vectors = append(e.Vectors, vectorOfEntry{v.Name, expect, v.Comment})
		}
	}
	return e
}

// receiverDoes says what follows from a breach.
func receiverDoes(i *rfc.Info) string {
	switch {
	case i.Code != 0:
		return fmt.Sprintf("It fails the connection with close code %v.", i.Code)
	case i.Status == 101:
		return "The client fails the handshake and sends nothing more."
	case i.Status != 0:
		return fmt.Sprintf("The server refuses the upgrade with HTTP %s.", statusLine(i.Status))
	}
	return "It goes on; an observer takes note of it."
}

// groupOf places a rule in the list, in the order of a connection's life.
func groupOf(i *rfc.Info) string {
	switch {
	case i.Status == 101:
		return "The response of the opening handshake"
	case i.Status != 0 || i.Name == rfc.WaitForResponse.Info().Name:
		return "The request of the opening handshake"
	case strings.HasPrefix(i.Section, "5.5.1") || strings.HasPrefix(i.Section, "7."):
		return "Closing"
	case strings.HasPrefix(i.Section, "5.5.2") || strings.HasPrefix(i.Section, "5.5.3"):
		return "Pings and pongs"
	}
	return "Frames and messages"
}

func (e *ruleEntry) line() (group, key, text string) { return e.group, e.ID, e.Duty }

func (e *ruleEntry) write(w io.Writer) {
	fmt.Fprintf(w, "%s  %s\n", e.ID, e.Name)
	paragraph(w, "", e.Duty)
	level := e.Level
	if level == "policy" {
		level = "policy: a limit or a check that the RFC leaves to the receiver"
	} else if level == "note" {
		level = "note: allowed, yet worth a look when something is wrong"
	}
	paragraph(w, "Level", level)
	paragraph(w, "Binds", e.Binds)
	paragraph(w, "Section", e.Section+", "+e.URL)
	paragraph(w, "Broken by", e.BrokenBy)
	paragraph(w, "Receiver", e.Receiver)
	if len(e.Vectors) > 0 {
		fmt.Fprintln(w, "  Vectors")
		for _, v := range e.Vectors {
			fmt.Fprintf(w, "    %s (%s)\n", v.Name, v.Expect)
			wrap(w, "      ", v.Comment)
		}
	}
}

// codeEntry is a close code, or the HTTP status of an answer to an upgrade.
type codeEntry struct {
	Kind     string   `json:"kind"` // "close_code" or "http_status"
	Code     int      `json:"code"`
	To       int      `json:"to,omitempty"` // the last of a range
	Name     string   `json:"name"`
	Meaning  string   `json:"meaning"`
	Sendable *bool    `json:"sendable,omitempty"` // a Close frame may carry it
	Causes   []string `json:"causes,omitempty"`
	URL      string   `json:"url"`
}

func newCloseEntry(code rfc.StatusCode, i rfc.StatusInfo) *codeEntry {
	sendable := code.Sendable()
	e := &codeEntry{
		Kind: "close_code", Code: int(code), Name: i.Name, Meaning: i.Meaning,
		Sendable: &sendable, Causes: closeCauses[code],
		URL: "https://www.rfc-editor.org/rfc/rfc6455#section-7.4",
	}
	return e
}

func newStatusEntry(status int) *codeEntry {
	i := statusOf(status)
	return &codeEntry{
		Kind: "http_status", Code: status, Name: i.name, Meaning: i.meaning, Causes: i.causes,
		URL: "https://www.rfc-editor.org/rfc/rfc6455#section-4.1",
	}
}

func (e *codeEntry) line() (group, key, text string) {
	group = "Close codes"
	if e.Kind == "http_status" {
		group = "HTTP statuses of an answer to an upgrade"
	}
	key = strconv.Itoa(e.Code)
	if e.To != 0 {
		key += "-" + strconv.Itoa(e.To)
	}
	return group, key, e.Name + ": " + e.Meaning
}

func (e *codeEntry) write(w io.Writer) {
	if e.Kind == "http_status" {
		fmt.Fprintf(w, "HTTP %s, in answer to an upgrade\n", strings.TrimSpace(fmt.Sprint(e.Code, " ", e.Name)))
	} else {
		fmt.Fprintf(w, "close code %d  %s\n", e.Code, e.Name)
	}
	paragraph(w, "", e.Meaning)
	if e.Sendable != nil {
		on := "A Close frame may carry it."
		if !*e.Sendable {
			on = "A Close frame must not carry it; one that does is answered with 1002."
		}
		paragraph(w, "On the wire", on)
	}
	if len(e.Causes) > 0 {
		fmt.Fprintln(w, "  Usual causes")
		for _, cause := range e.Causes {
			wrap(w, "    - ", cause)
		}
	}
	paragraph(w, "Section", e.URL)
}

// everything is all that can be explained, in the order of the list.
func everything() ([]entry, error) {
	corpus, err := vectors.All()
	if err != nil {
		return nil, err
	}
	var all []entry
	for _, r := range rfc.Rules() {
		all = append(all, newRuleEntry(r, corpus))
	}
	order := []string{"The request of the opening handshake", "The response of the opening handshake", "Frames and messages", "Pings and pongs", "Closing"}
	slices.SortStableFunc(all, func(a, b entry) int {
		return slices.Index(order, a.(*ruleEntry).group) - slices.Index(order, b.(*ruleEntry).group)
	})
	for _, i := range rfc.Statuses() {
		e := newCloseEntry(i.From, i)
		if i.To != i.From {
			e.To = int(i.To)
		}
		all = append(all, e)
	}
	for _, i := range httpStatuses {
		all = append(all, newStatusEntry(i.status))
	}
	return all, nil
}

// lookUp finds what the word names. More than one entry come of a section.
func lookUp(word string) ([]entry, error) {
	if n, err := strconv.Atoi(word); err == nil && n >= 100 {
		switch {
		case n <= 599:
			return []entry{newStatusEntry(n)}, nil
		case n <= 65535:
			code := rfc.StatusCode(n)
			return []entry{newCloseEntry(code, code.Info())}, nil
		}
		return nil, usageError("%q is no close code, which ends at 65535", word)
	}
	corpus, err := vectors.All()
	if err != nil {
		return nil, err
	}
	var found []entry
	for _, r := range rfc.Rules() {
		i := r.Info()
		if strings.EqualFold(word, r.String()) || strings.EqualFold(word, i.Name) || strings.EqualFold(word, i.Slug) {
			return []entry{newRuleEntry(r, corpus)}, nil
		}
		if word == i.Section || word == fmt.Sprintf("%d-%s", i.RFC, i.Section) {
			found = append(found, newRuleEntry(r, corpus))
		}
	}
	for _, i := range rfc.Statuses() {
		if strings.EqualFold(plain(i.Name), plain(word)) {
			found = append(found, newCloseEntry(i.From, i))
		}
	}
	if found != nil {
		return found, nil
	}
	text := fmt.Sprintf("%q is no rule, section, close code or HTTP status", word)
	if names := near.Names(word, explainable(), 5); len(names) > 0 {
		text += "; near it are\n  " + strings.Join(names, "\n  ")
	} else {
		text += "; wiretrue explain lists them all"
	}
	return nil, usageError("%s", text)
}

// plain is a name without what people leave out or write otherwise.
func plain(name string) string {
	return strings.NewReplacer(" ", "", "-", "", "_", "", ".", "").Replace(strings.ToLower(name))
}

// explainable lists the words that explain knows.
func explainable() []string {
	var words []string
	for _, r := range rfc.Rules() {
		words = append(words, r.Info().Slug, r.String())
	}
	for _, i := range rfc.Statuses() {
		if i.From == i.To {
			words = append(words, strconv.Itoa(int(i.From)))
		}
	}
	for _, i := range httpStatuses {
		words = append(words, strconv.Itoa(i.status))
	}
	return words
}

func writeList(w io.Writer, entries []entry) {
	last := ""
	for _, e := range entries {
		group, key, text := e.line()
		if group != last {
			if last != "" {
				fmt.Fprintln(w)
			}
			fmt.Fprintln(w, group)
			last = group
		}
		if len(key) > 9 {
			fmt.Fprintf(w, "  %s\n", key)
			wrap(w, "      ", text)
		} else {
			wrap(w, fmt.Sprintf("  %-10s", key), text)
		}
	}
}

// paragraph writes a text of explain, with its title in the margin.
func paragraph(w io.Writer, title, text string) {
	if title != "" {
		wrap(w, fmt.Sprintf("  %-12s", title), text)
	} else {
		wrap(w, "  ", text)
	}
}

// wrap writes the text in lines of at most 80 columns; the first begins with
// the prefix, the others with as many spaces.
func wrap(w io.Writer, prefix, text string) {
	const width = 80
	line, empty := prefix, true
	for word := range strings.FieldsSeq(text) {
		if !empty && len(line)+1+len(word) > width {
			fmt.Fprintln(w, line)
			line, empty = strings.Repeat(" ", len(prefix)), true
		}
		if !empty {
			line += " "
		}
		line, empty = line+word, false
	}
	fmt.Fprintln(w, line)
}
