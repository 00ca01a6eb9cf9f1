// Package wire is one WebSocket connection without I/O: a [Receiver] that
// turns the bytes of one direction into events, a [Sender] that turns
// messages into legal bytes, and a [Witness] that judges both directions of a
// connection from outside.
//
// The Receiver does not stop at a broken rule and has no error to return: an
// event carries the set of the rules that its bytes broke, and the next bytes
// are read as best they can. Whether to fail the connection, to write a
// finding or to count is the caller's choice. Nothing here asks for the time,
// and nothing starts a goroutine.
package wire

// Role is which end of the connection an endpoint is.
type Role uint8

const (
	Client Role = iota // dialled, and masks what it sends
	Server             // was dialled
)

// Peer returns the role at the other end.
func (r Role) Peer() Role { return 1 - r }

func (r Role) String() string { return [...]string{"client", "server"}[r] }
