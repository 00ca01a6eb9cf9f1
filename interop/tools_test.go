// Package interop holds tests that let this library talk to other
// implementations of WebSocket, directly and through proxies, and a suite of
// cases at the level of frames. It has tests only.
package interop

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// safety bounds one test against a peer that hangs. Nothing waits for it when
// all is well.
const safety = 2 * time.Minute

func safe(t testing.TB) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), safety)
	t.Cleanup(cancel)
	return ctx
}

// lacking skips a test for want of a tool, or fails it in CI, where .ci/run
// installs all of them.
func lacking(t testing.TB, reason string) {
	t.Helper()
	if os.Getenv("CI") != "" {
		t.Fatalf("%s, which .ci/run should have installed", reason)
	}
	t.Skip(reason)
}

// full skips a test that takes long, or much of the machine, in a short run.
func full(t testing.TB) {
	t.Helper()
	if testing.Short() {
		t.Skip("a short run")
	}
}

// tool returns the path of a program, the first of several names that is there.
func tool(t testing.TB, names ...string) string {
	t.Helper()
	for _, name := range names {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	lacking(t, "no "+strings.Join(names, " or "))
	return ""
}

// python returns a Python that has the package. That need not be the first on
// the path: another one does not see the packages of the distribution's.
func python(t testing.TB, pkg string) string {
	t.Helper()
	for _, dir := range filepath.SplitList(os.Getenv("PATH")) {
		path := filepath.Join(dir, "python3")
		if exec.Command(path, "-c", "import "+pkg).Run() == nil {
			return path
		}
	}
	lacking(t, "no python3 with the package "+pkg)
	return ""
}

// node returns Node.js and the environment in which it finds the package.
// WIRETRUE_NODE_PATH names the folder node_modules that holds it.
func node(t testing.TB, pkg string) (path string, env []string) {
	t.Helper()
	path = tool(t, "node", "nodejs")
	env = os.Environ()
	if modules := os.Getenv("WIRETRUE_NODE_PATH"); modules != "" {
		env = append(env, "NODE_PATH="+modules)
	}
	cmd := exec.Command(path, "-e", "require('"+pkg+"')")
	cmd.Env = env
	if cmd.Run() != nil {
		lacking(t, "no npm package "+pkg+" in $WIRETRUE_NODE_PATH")
	}
	return path, env
}
