//go:build !linux

package websocket

// watch is nothing where there is no poller of our own.
type watch struct{}

const interrupted = 0

func (*watch) raise(uint32)  {}
func (*watch) lower(uint32)  {}
func (*watch) crowded() bool { return false }
func (*watch) end()          {}

func (*transport) watched() bool                { return false }
func (*transport) startWatching()               {}
func (*transport) readWatched() ([]byte, error) { return nil, errAgain }
