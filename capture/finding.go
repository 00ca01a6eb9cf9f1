package capture

import (
	"fmt"
	"time"

	"github.com/wiretrue/websocket/wire/rfc"
)

// Severity says how bad a Finding is.
type Severity string

// The severities.
const (
	Error   Severity = "error"   // a MUST was broken, or the connection failed
	Warning Severity = "warning" // likely to cause trouble, or a sign of it
	Note    Severity = "note"    // allowed, yet worth a look when something is wrong
)

// Finding is something that was wrong or is worth a look: a broken rule of the
// registry, or one of the Diagnoses.
type Finding struct {
	ID       string   `json:"id"`   // of the rule, "6455-5.1-client-must-mask", or the diagnosis, "capture-idle-timeout"
	Rule     rfc.Rule `json:"-"`    // 0 for a diagnosis
	Name     string   `json:"name"` // "ClientMustMask"
	RFC      int      `json:"rfc,omitempty"`
	Section  string   `json:"section,omitempty"`
	Severity Severity `json:"severity"`
	Fault    Party    `json:"fault"`

	At     time.Time `json:"at"`
	Packet int64     `json:"packet,omitempty"`
	Frame  int64     `json:"frame,omitempty"`
	From   Party     `json:"from,omitempty"` // whose bytes it is about
	Offset int64     `json:"offset"`         // from the first byte behind the handshake or, in a head of HTTP, from the head's first byte; -1: of no byte
	Stream int64     `json:"stream_offset"`  // the same, from the direction's first byte
	Bytes  Hex       `json:"bytes,omitempty"`

	Seen       string  `json:"seen"`
	Expected   string  `json:"expected"`
	Mistake    string  `json:"mistake,omitempty"`    // the usual mistake that this is, when it was recognised
	Do         string  `json:"do"`                   // what to do about it
	Confidence float64 `json:"confidence,omitempty"` // of a hint, 0 to 1; 0: it is no hint
}

// Diagnosis is the kind of a Finding that no RFC's rule covers.
type Diagnosis struct {
	ID       string
	Name     string
	RFC      int // 0: none
	Section  string
	Severity Severity
	Expected string // how it is when all is well
	Seen     string // what is seen otherwise, and what usually causes it
	Do       string
}

// severityOf says how bad it is that a rule was broken.
func severityOf(r rfc.Rule) Severity {
	switch r {
	case rfc.CloseAnswered, rfc.PingAnswered: // common, and the sign of something else
		return Warning
	case rfc.OriginAllowed: // what a server allows is not on the wire
		return Note
	case rfc.SwitchingProtocols:
		return Error
	}
	switch r.Info().Level {
	case rfc.Must:
		return Error
	case rfc.Note:
		return Note
	}
	return Warning
}

// broke is the finding that a rule was broken, without its place.
func broke(r rfc.Rule, fault Party, seen string) Finding {
	info := r.Info()
	return Finding{
		ID:       r.String(),
		Rule:     r,
		Name:     info.Name,
		RFC:      info.RFC,
		Section:  info.Section,
		Severity: severityOf(r),
		Fault:    fault,
		Offset:   -1,
		Stream:   -1,
		Seen:     seen,
		Expected: info.Duty,
		Do:       adviceFor(r),
	}
}

// found is the finding of a diagnosis, without its place.
func found(id string, fault Party, format string, args ...any) Finding {
	for i := range diagnoses {
		if d := &diagnoses[i]; d.ID == id {
			return Finding{
				ID:       d.ID,
				Name:     d.Name,
				RFC:      d.RFC,
				Section:  d.Section,
				Severity: d.Severity,
				Fault:    fault,
				Offset:   -1,
				Stream:   -1,
				Seen:     fmt.Sprintf(format, args...),
				Expected: d.Expected,
				Do:       d.Do,
			}
		}
	}
	panic("capture: no diagnosis " + id) // every id is in the table; tested
}

// Diagnoses returns the kinds of findings beyond the rules.
func Diagnoses() []Diagnosis { return append([]Diagnosis(nil), diagnoses...) }
