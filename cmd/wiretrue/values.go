package main

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

// The values of flags. Their errors say what was expected; flagError puts the
// flag and what was seen before it.

// span is a length of time. It takes Go's form, or a number of seconds as curl does.
type span time.Duration

func (d *span) Set(s string) error {
	v, err := time.ParseDuration(s)
	if seconds, errNumber := strconv.ParseFloat(s, 64); errNumber == nil {
		v, err = time.Duration(seconds*float64(time.Second)), nil
	}
	if err != nil || v < 0 {
		return errors.New("expected a duration such as 500ms, 30s or 1m30s, or a number of seconds")
	}
	*d = span(v)
	return nil
}

func (d *span) String() string {
	if *d == 0 {
		return "0"
	}
	return time.Duration(*d).String()
}

func (d *span) Type() string { return "duration" }

// size is a number of bytes.
type size int64

var units = []struct {
	suffix string
	bytes  int64
}{
	{"kib", 1 << 10}, {"mib", 1 << 20}, {"gib", 1 << 30}, {"kb", 1e3}, {"mb", 1e6}, {"gb", 1e9},
	{"k", 1 << 10}, {"m", 1 << 20}, {"g", 1 << 30}, {"b", 1},
}

func (z *size) Set(s string) error {
	number, factor := strings.ToLower(s), int64(1)
	for _, u := range units {
		if rest, ok := strings.CutSuffix(number, u.suffix); ok {
			number, factor = strings.TrimSpace(rest), u.bytes
			break
		}
	}
	n, err := strconv.ParseInt(number, 10, 64)
	if err != nil || n <= 0 || n > (1<<62)/factor {
		return errors.New("expected a number of bytes such as 65536, 64KiB or 16MiB")
	}
	*z = size(n * factor)
	return nil
}

func (z *size) String() string {
	for _, u := range []int{2, 1, 0} {
		if n := int64(*z); n != 0 && n%units[u].bytes == 0 {
			return fmt.Sprintf("%d%ciB", n/units[u].bytes, units[u].suffix[0]-'a'+'A')
		}
	}
	return strconv.FormatInt(int64(*z), 10)
}

func (z *size) Type() string { return "size" }

// choice is one of some words.
type choice struct {
	value string
	of    []string
}

func (c *choice) Set(s string) error {
	if !slices.Contains(c.of, s) {
		return fmt.Errorf("expected %s", strings.Join(c.of, " or "))
	}
	c.value = s
	return nil
}

func (c *choice) String() string { return c.value }
func (c *choice) Type() string   { return strings.Join(c.of, "|") }

// formatFlag adds -T, the format of the output.
func formatFlag(cmd *cobra.Command) *choice {
	c := &choice{"text", []string{"text", "json"}}
	cmd.Flags().VarP(c, "format", "T", "`FORMAT` of the output: text or json (an object a line)")
	cmd.RegisterFlagCompletionFunc("format", cobra.FixedCompletions(c.of, cobra.ShellCompDirectiveNoFileComp))
	return c
}

// list collects the values of a flag that may be repeated, each of which must
// pass the check.
type list struct {
	values []string
	check  func(string) error
}

func (l *list) Set(s string) error {
	if l.check != nil {
		if err := l.check(s); err != nil {
			return err
		}
	}
	l.values = append(l.values, s)
	return nil
}

func (l *list) String() string { return strings.Join(l.values, ", ") }
func (l *list) Type() string   { return "list" }
