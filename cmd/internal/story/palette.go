package story

import (
	"github.com/fatih/color"

	"github.com/wiretrue/websocket/capture"
)

// palette colours words for a terminal, or leaves them as they are.
type palette struct {
	client, server, err, warning, note, good, faint, bold func(...any) string
}

func newPalette(on bool) palette {
	ink := func(attributes ...color.Attribute) func(...any) string {
		c := color.New(attributes...)
		if on { // whatever the library thinks of its standard output
			c.EnableColor()
		} else {
			c.DisableColor()
		}
		return c.Sprint
	}
	return palette{
		client:  ink(color.FgCyan),
		server:  ink(color.FgMagenta),
		err:     ink(color.FgRed, color.Bold),
		warning: ink(color.FgYellow),
		note:    ink(color.FgBlue),
		good:    ink(color.FgGreen),
		faint:   ink(color.Faint),
		bold:    ink(color.Bold),
	}
}

func (p *palette) party(who capture.Party, s string) string {
	switch who {
	case capture.Client:
		return p.client(s)
	case capture.Server:
		return p.server(s)
	}
	return s
}

func (p *palette) severity(s capture.Severity, text string) string {
	switch s {
	case capture.Error:
		return p.err(text)
	case capture.Warning:
		return p.warning(text)
	}
	return p.note(text)
}
