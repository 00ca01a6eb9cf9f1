package websocket

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var goBlock = regexp.MustCompile("(?ms)^```go\n(.*?)^```$")

// The programs of the README compile, each against this checkout.
func TestReadmeCompiles(t *testing.T) {
	t.Parallel()
	blocks := goBlock.FindAllStringSubmatch(readme(t), -1)
	if len(blocks) < 2 {
		t.Fatalf("README.md has %d blocks of Go, want a server and a client", len(blocks))
	}
	root, err := filepath.Abs(".")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	mod := fmt.Sprintf("module readme\n\ngo 1.26.0\n\nrequire %s v0.0.0\n\nreplace %[1]s => %s\n", modulePath, root)
	if err := os.WriteFile(filepath.Join(dir, "go.mod"), []byte(mod), 0o644); err != nil {
		t.Fatal(err)
	}
	for i, block := range blocks {
		program := filepath.Join(dir, fmt.Sprintf("program%d", i))
		if err := os.Mkdir(program, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(program, "main.go"), []byte(block[1]), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	vet := exec.Command("go", "vet", "./...")
	vet.Dir = dir
	vet.Env = append(os.Environ(), "GOWORK=off", "GOFLAGS=-mod=mod", "GOPROXY=off")
	if out, err := vet.CombinedOutput(); err != nil {
		t.Errorf("go vet: %v\n%s", err, out)
	}
}

// What the README calls a transcript is the text that a test made.
func TestReadmeTranscripts(t *testing.T) {
	blocks := regexp.MustCompile("(?ms)^<!-- transcript: (\\S+) -->\n+```[a-z]*\n(.*?)^```$").FindAllStringSubmatch(readme(t), -1)
	if len(blocks) == 0 {
		t.Fatal("README.md has no transcript")
	}
	for _, block := range blocks {
		made, err := os.ReadFile(block[1])
		if err != nil {
			t.Fatal(err)
		}
		if strings.TrimSpace(string(made)) != strings.TrimSpace(block[2]) {
			t.Errorf("the transcript of %s in README.md is stale", block[1])
		}
	}
}

func readme(t *testing.T) string {
	t.Helper()
	b, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
