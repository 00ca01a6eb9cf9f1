//go:build linux

// Command bench measures WebSocket servers for Go, and some others, under the
// same load: the processor time that each spends on a message, and the memory
// on a connection.
//
//	bench/run --quick                          # from the repository's root: the table, in 3 minutes
//	bench/run                                  # all of it, for docs/results.md
//	bench/run --url ws://127.0.0.1:8080/ --pid 123 --only '64 x'   # a server that is not in the list
//	bench/run --ci                             # exact counts, which fail above their numbers
//
// Each measurement has processes of its own: the server on one processor, with
// GOMAXPROCS=1, and the load on another. Every round goes through the workloads,
// and for each through the servers in random order, so that what else the
// machine does meets them all.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"

	"github.com/wiretrue/websocket/bench/load"
	"github.com/wiretrue/websocket/bench/server"
)

var commands = []struct {
	name, what string
	run        func(args []string) error
}{
	{"run", "measure servers and print the table", runCommand},
	{"list", "print the servers and the workloads", listCommand},
	{"serve", "be one of the servers: serve [-addr A] [-mode M] NAME", serveCommand},
	{"million", "hold as many idle connections as the machine takes", millionCommand},
	{"soak", "let clients of every kind loose on the servers of this library", soakCommand},
	{"load", "be the load, and print what was measured", loadCommand},
}

func main() {
	if len(os.Args) > 1 {
		for _, c := range commands {
			if c.name == os.Args[1] {
				if err := c.run(os.Args[2:]); err != nil {
					fmt.Fprintln(os.Stderr, "bench:", err)
					os.Exit(1)
				}
				return
			}
		}
	}
	fmt.Fprintln(os.Stderr, "usage: bench COMMAND [FLAGS]; -h after a command shows its flags")
	for _, c := range commands {
		fmt.Fprintf(os.Stderr, "  %-8s %s\n", c.name, c.what)
	}
	os.Exit(2)
}

func serveCommand(args []string) error {
	fs := flag.NewFlagSet("serve", flag.ExitOnError)
	addr := fs.String("addr", "127.0.0.1:0", "where to listen")
	mode := fs.String("mode", string(server.Echo), "echo, echo-reset, echo-takeover or broadcast")
	fs.Parse(args)
	s, err := server.Find(fs.Arg(0))
	if err != nil {
		return err
	}
	return s.Main(*addr, server.Mode(*mode), os.Stdin, os.Stdout)
}

// loadCommand prints its result as a line of JSON. With the shape idle it prints
// it when the connections are open, and holds them until its input ends.
func loadCommand(args []string) error {
	cfg := load.Default()
	fs := flag.NewFlagSet("load", flag.ExitOnError)
	cfg.Flags(fs)
	fs.Parse(args)
	out := json.NewEncoder(os.Stdout)
	result, err := load.Run(cfg, func(r *load.Result) <-chan struct{} {
		out.Encode(r)
		done := make(chan struct{})
		go func() {
			io.Copy(io.Discard, os.Stdin)
			close(done)
		}()
		return done
	})
	if err != nil {
		return err
	}
	if cfg.Shape == load.Idle {
		return nil
	}
	return out.Encode(result)
}

func listCommand([]string) error {
	for _, s := range server.All {
		fmt.Printf("%-14s %s\n", s.Name, s.What)
	}
	fmt.Println()
	for _, w := range workloads {
		fmt.Println(w.name())
	}
	return nil
}
