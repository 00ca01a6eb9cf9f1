// Command wiretrue runs WebSocket servers and clients and shows what is on
// their wire.
package main

import "os"

func main() { os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr)) }
