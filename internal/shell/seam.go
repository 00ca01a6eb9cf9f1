// Package shell holds what packages websocket and engine share and no program
// needs: both turn the events of the same core into connections.
package shell

// Inside is a value of package websocket's with the methods that package engine
// calls beside the exported ones. Each side states the methods, with the types
// of package websocket, which this package cannot import.
var Inside any
