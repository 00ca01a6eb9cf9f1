//go:build !linux

package main

import (
	"errors"
	"os"
	"os/exec"
)

func openTerminal() (keyboard, screen *os.File, err error) { return nil, nil, errors.ErrUnsupported }

func attach(*exec.Cmd, *os.File) {}

func halt(*os.Process) error { return errors.ErrUnsupported }
