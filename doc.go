// Package websocket implements the WebSocket protocol (RFC 6455), server and
// client, on the I/O-free core in the wire packages.
package websocket
