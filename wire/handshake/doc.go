// Package handshake is the opening handshake of a WebSocket connection (RFC
// 6455 4), for both roles, over bytes and maps: reading and writing the two
// HTTP/1.1 heads, the key and its accept value, versions, subprotocols, the
// grammar of extensions, and the check of the origin.
//
// Headers are map[string][]string with canonical names, so that an
// http.Header fits.
package handshake
