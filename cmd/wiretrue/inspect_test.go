package main

import (
	"errors"
	"os"
	"path/filepath"

	"github.com/rogpeppe/go-internal/testscript"
)

// setUpCaptures puts captures where the scripts find them: those of package
// inspect, one of a broken connection, and one that is cut short.
func setUpCaptures(e *testscript.Env) error {
	dir := filepath.Join(e.WorkDir, ".captures")
	if err := os.Mkdir(dir, 0o755); err != nil {
		return err
	}
	e.Setenv("CAPTURES", dir)
	const source = "../internal/inspect/testdata"
	if err := os.CopyFS(dir, os.DirFS(filepath.Join(source, "captures"))); err != nil {
		return err
	}
	broken, err := os.ReadFile(filepath.Join(source, "broken.pcap"))
	if err != nil {
		return err
	}
	whole, err := os.ReadFile(filepath.Join(dir, "ours-ipv6.pcap"))
	if err != nil {
		return err
	}
	return errors.Join(
		os.WriteFile(filepath.Join(dir, "broken.pcap"), broken, 0o644),
		os.WriteFile(filepath.Join(dir, "cut.pcap"), whole[:len(whole)/2], 0o644),
	)
}
