// Package deflate compresses and decompresses the messages of a WebSocket
// connection as permessage-deflate (RFC 7692) describes, on bytes alone: it
// knows DEFLATE (RFC 1951), messages, windows and what is negotiated of them,
// but no frames.
//
// [Params] are what the two ends agree on: [Choose] is the server's part in
// that, [Confirm] the client's.
//
// A [Compressor] turns messages into DEFLATE blocks that end on the flush of
// RFC 7692 section 7.2.1, and a [Decompressor] takes them in, in pieces of any
// size. Both keep the LZ77 window from message to message (context takeover)
// until their Reset is called. Both hold memory in proportion to the window,
// allocate nothing per message, and shrink to the bare history on Compact.
//
// # Windows of 256 bytes
//
// Window bits run from 8 to 15. A window of 8 bits is taken literally here: no
// distance is longer than 256. zlib cannot write a raw stream with 8 bits (it
// refuses, and older versions used 9 in silence). Its streams with 9 bits are
// nevertheless read by a Decompressor with 8, because zlib keeps 262 bytes of
// its window as a margin and so never looks back farther than 250.
package deflate
