// Package rfc holds what the RFCs ask of a WebSocket connection, as data: the
// rules, each with its section, its level and whom it binds, and the status
// codes of the closing handshake.
//
// Nothing here parses or acts. The packages that read the wire return a [Set]
// of the rules that the bytes broke; the endpoint, the analyser and the
// conformance checker each decide what that means to them.
package rfc
