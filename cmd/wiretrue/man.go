package main

import (
	"os"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"
)

// newMan makes the command that packagers call.
func newMan() *cobra.Command {
	return &cobra.Command{
		Use:     "man DIRECTORY",
		Short:   "Write the manual pages",
		Long:    "man writes a manual page for each command into a directory, which it makes.\nSOURCE_DATE_EPOCH gives their date.",
		Example: `  wiretrue man /usr/local/share/man/man1`,
		Args:    exactArgs("DIRECTORY"),
		Hidden:  true,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := os.MkdirAll(args[0], 0o755); err != nil {
				return usageError("%v", err)
			}
			root := cmd.Root()
			asMarkdown(root)
			return doc.GenManTree(root, &doc.GenManHeader{Section: "1", Source: "wiretrue " + version(), Manual: "wiretrue"}, args[0])
		},
	}
}

// asMarkdown makes the texts of the commands what the generator takes them
// for: what is indented is to stay as it is.
func asMarkdown(cmd *cobra.Command) {
	cmd.DisableAutoGenTag = true
	var b strings.Builder
	last := ""
	for line := range strings.Lines(cmd.Long) {
		switch indented := strings.HasPrefix(line, "  "); {
		case indented:
			if !strings.HasPrefix(last, "  ") && last != "\n" {
				b.WriteString("\n")
			}
			b.WriteString("    " + line)
		default:
			b.WriteString(markdownEscaper.Replace(line))
		}
		last = line
	}
	cmd.Long = b.String()
	for _, child := range cmd.Commands() {
		asMarkdown(child)
	}
}

var markdownEscaper = strings.NewReplacer(`*`, `\*`, `_`, `\_`, `<`, `\<`, "`", "\\`")
