// Command wiretrue shows every byte of a WebSocket connection.
package main

func main() {}
