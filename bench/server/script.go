package server

import (
	_ "embed"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// The servers that are scripts. WIRETRUE_NODE_PATH names the folder
// node_modules that holds their packages.

//go:embed node.js
var nodeScript string

//go:embed bun.js
var bunScript string

var nodeWS = &Server{
	Name: "node/ws", Kind: Stranger,
	What: "npm ws on Node.js, the defaults",
	Command: func(mode Mode) (*exec.Cmd, error) {
		node, err := exec.LookPath("node")
		if err != nil {
			return nil, err
		}
		modules := os.Getenv("WIRETRUE_NODE_PATH")
		if _, err := os.Stat(filepath.Join(modules, "ws")); err != nil || modules == "" {
			return nil, errors.New("no npm package ws in $WIRETRUE_NODE_PATH")
		}
		cmd := exec.Command(node, "--expose-gc", "-e", nodeScript, string(mode), fmt.Sprint(readLimit))
		cmd.Env = append(os.Environ(), "NODE_PATH="+modules)
		return cmd, nil
	},
}

var bun = &Server{
	Name: "bun", Kind: Stranger,
	What: "Bun's own server, which is uWebSockets (C++) under a JavaScript handler",
	Command: func(mode Mode) (*exec.Cmd, error) {
		path, err := exec.LookPath("bun")
		if err != nil {
			path = filepath.Join(os.Getenv("WIRETRUE_NODE_PATH"), ".bin", "bun")
			if _, err := os.Stat(path); err != nil {
				return nil, errors.New("no bun, nor the npm package bun in $WIRETRUE_NODE_PATH")
			}
		}
		return exec.Command(path, "-e", bunScript, string(mode), fmt.Sprint(readLimit)), nil
	},
}
