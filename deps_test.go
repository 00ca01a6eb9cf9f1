package websocket

import (
	"os"
	"os/exec"
	"path"
	"slices"
	"strings"
	"testing"
)

// importOrder is the order of the house, lowest first. A package may import
// the packages on lines above its own, never one beside it or below it.
const importOrder = `
	internal/pcapng, internal/duration, internal/between, internal/shell, internal/uring, internal/cpu
	wire/rfc, wire/frame, wire/utf8
	vectors
	wire/handshake
	wire/deflate
	wire
	internal/deflation
	., capture
	record, engine, wstest, internal/corpus
	examples/*
	examples/*/*
	interop
`

// sansIO names the packages that must work on bytes alone, and the imports
// that would let the world in.
const (
	sansIO  = "wire/rfc wire/frame wire/utf8 wire/handshake wire/deflate wire"
	ioWorld = "net net/http os time context sync"
)

const modulePath = "github.com/wiretrue/websocket"

// listedPackage is one line of go list: a package and its direct imports.
type listedPackage struct {
	dir     string // relative to the module, "." for the root
	imports []string
}

func listPackages(t *testing.T) []listedPackage {
	t.Helper()
	cmd := exec.Command("go", "list", "-f", "{{.ImportPath}} {{join .Imports \" \"}}", "./...")
	// In workspace mode a root package that imports a dependency of a nested
	// module compiles by accident.
	cmd.Env = append(os.Environ(), "GOWORK=off")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, out)
	}
	var pkgs []listedPackage
	for line := range strings.Lines(string(out)) {
		f := strings.Fields(line)
		pkgs = append(pkgs, listedPackage{relative(f[0]), f[1:]})
	}
	return pkgs
}

func relative(importPath string) string {
	if importPath == modulePath {
		return "."
	}
	return strings.TrimPrefix(importPath, modulePath+"/")
}

func rankOf(dir string) int {
	for rank, line := range strings.Split(strings.TrimSpace(importOrder), "\n") {
		for name := range strings.SplitSeq(line, ",") {
			if ok, _ := path.Match(strings.TrimSpace(name), dir); ok {
				return rank
			}
		}
	}
	return -1
}

func TestImportOrder(t *testing.T) {
	pkgs := listPackages(t)
	for name := range strings.FieldsFuncSeq(importOrder, func(r rune) bool { return strings.ContainsRune(", \t\n", r) }) {
		if !slices.ContainsFunc(pkgs, func(p listedPackage) bool { ok, _ := path.Match(name, p.dir); return ok }) {
			t.Errorf("importOrder has a place for %s, which there is not", name)
		}
	}
	for _, p := range pkgs {
		rank := rankOf(p.dir)
		if rank < 0 {
			t.Errorf("package %s has no place in importOrder", p.dir)
			continue
		}
		for _, imp := range p.imports {
			switch {
			case strings.HasPrefix(imp, modulePath):
				if rankOf(relative(imp)) >= rank {
					t.Errorf("%s imports %s, which does not stand above it", p.dir, relative(imp))
				}
			case strings.Contains(strings.SplitN(imp, "/", 2)[0], "."):
				t.Errorf("%s imports %s: the root module has no dependencies", p.dir, imp)
			case slices.Contains(strings.Fields(sansIO), p.dir) && slices.Contains(strings.Fields(ioWorld), imp):
				t.Errorf("%s imports %s: the core works on bytes alone", p.dir, imp)
			}
		}
	}
}

func TestRootModuleRequiresNothing(t *testing.T) {
	mod, err := os.ReadFile("go.mod")
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(mod), "require") {
		t.Errorf("go.mod has a require line:\n%s", mod)
	}
}
