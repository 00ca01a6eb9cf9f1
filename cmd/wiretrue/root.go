package main

import (
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/wiretrue/websocket/cmd/internal/near"
)

// The exit codes: those above 2 are curl's.
const (
	exitOK          = 0
	exitFindings    = 1 // findings, or an assertion that failed
	exitUsage       = 2
	exitResolve     = 6
	exitConnect     = 7
	exitRefused     = 22 // the upgrade was refused, or the handshake was wrong
	exitTimeout     = 28
	exitTLS         = 35
	exitEmpty       = 52 // the server answered nothing
	exitAbnormal    = 56 // the connection ended otherwise than it should
	exitInterrupted = 130
)

const exitCodes = `Exit codes:
  0    fine
  1    findings, or an assertion failed
  2    wrong usage
  6    the host name was not resolved
  7    the connection was not made
  22   the upgrade was refused, or the handshake was wrong
  28   a time ran out
  35   TLS failed
  52   nothing came from the server
  56   the connection ended abnormally
  130  interrupted
`

// outcome is an error with the exit code that it stands for. An empty text
// says that everything was told already.
type outcome struct {
	code int
	text string
}

// usage marks an outcome for which the help is worth a look.
type usage struct{ outcome }

func (o *outcome) Error() string { return o.text }

// usageError is a mistake on the command line.
func usageError(format string, args ...any) error {
	return &usage{outcome{exitUsage, fmt.Sprintf(format, args...)}}
}

// run executes the command line and returns the exit code.
func run(args []string, stdin, stdout, stderr *os.File) int {
	// A closed pipe is an error of the write, not the end of the process.
	signal.Ignore(syscall.SIGPIPE)

	root := newRoot(stdin, stdout, stderr)
	root.SetArgs(args)
	cmd, err := root.ExecuteC()
	if err == nil {
		return exitOK
	}
	end, wrong := new(outcome), new(usage)
	switch {
	case errors.Is(err, syscall.EPIPE):
		return exitOK // whoever was reading has seen enough
	case errors.As(err, &wrong):
		end = &outcome{wrong.code, fmt.Sprintf("%s: %v\nTry '%s --help'.", cmd.CommandPath(), err, cmd.CommandPath())}
	case !errors.As(err, &end):
		end = &outcome{exitFindings, cmd.CommandPath() + ": " + err.Error()}
	}
	if end.text != "" {
		fmt.Fprintln(stderr, end.text)
	}
	return end.code
}

func newRoot(stdin, stdout, stderr *os.File) *cobra.Command {
	root := &cobra.Command{
		Use:   "wiretrue",
		Short: "Run WebSocket servers and clients, and see what is on their wire",
		Long: `wiretrue runs a WebSocket server to try clients with, talks to servers as a
client, tells from captures what happened and why, and explains the protocol's
rules and codes.

` + exitCodes,
		Example: `  wiretrue serve
  wiretrue dial ws://127.0.0.1:8080/echo
  wiretrue inspect capture.pcapng
  wiretrue explain 1006`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return nil
			}
			text := fmt.Sprintf("%q is no command", args[0])
			if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
				text += "; did you mean " + strings.Join(near, " or ") + "?"
			}
			return usageError("%s", text)
		},
		RunE:                       func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
		SilenceErrors:              true,
		SilenceUsage:               true,
		SuggestionsMinimumDistance: 2,
	}
	root.SetIn(stdin)
	root.SetOut(stdout)
	root.SetErr(stderr)
	root.SetFlagErrorFunc(flagError)
	root.AddCommand(newServe(stdin, stdout, stderr), newDial(stdin, stdout, stderr), newInspect(stdin, stdout, stderr), newExplain(), newVersion(), newMan())
	return root
}

// flagError says which flag is wrong, what was seen and what was expected.
func flagError(cmd *cobra.Command, err error) error {
	unknown, missing, invalid := new(pflag.NotExistError), new(pflag.ValueRequiredError), new(pflag.InvalidValueError)
	switch {
	case errors.As(err, &unknown):
		name := "--" + unknown.GetSpecifiedName()
		if group := unknown.GetSpecifiedShortnames(); group != "" {
			name = "-" + unknown.GetSpecifiedName()
		}
		text := name + ": there is no such flag"
		if near := nearFlag(cmd, unknown.GetSpecifiedName()); near != "" {
			text += "; did you mean --" + near + "?"
		}
		return usageError("%s", text)
	case errors.As(err, &missing):
		what, _ := pflag.UnquoteUsage(missing.GetFlag())
		return usageError("%s: nothing follows it; expected %s", flagName(missing.GetFlag()), what)
	case errors.As(err, &invalid):
		f := invalid.GetFlag()
		if f.Value.Type() == "bool" {
			return usageError("%s: %q; expected true or false", flagName(f), invalid.GetValue())
		}
		return usageError("%s: %q: %v", flagName(f), invalid.GetValue(), invalid.Unwrap())
	}
	return usageError("%v", err)
}

func flagName(f *pflag.Flag) string {
	if f.Shorthand != "" {
		return "-" + f.Shorthand + ", --" + f.Name
	}
	return "--" + f.Name
}

func nearFlag(cmd *cobra.Command, name string) string {
	var names []string
	cmd.Flags().VisitAll(func(f *pflag.Flag) { names = append(names, f.Name) })
	return near.Name(name, names)
}

// exactArgs wants as many arguments as names.
func exactArgs(names ...string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		switch {
		case len(args) < len(names):
			return usageError("%s is missing", names[len(args)])
		case len(args) > len(names):
			return usageError("%q is one argument too many; expected %s", args[len(names)], expected(names))
		}
		return nil
	}
}

func expected(names []string) string {
	if len(names) == 0 {
		return "none"
	}
	return strings.Join(names, " ")
}
