// Package capture explains one WebSocket connection from its bytes. Two
// timestamped byte streams of plaintext go in, one of each side; what happened
// comes out as [Record] values in the order of the wire, and as a [Report] at
// the end: the HTTP exchanges, the opening handshake with its proof, frames,
// messages, pings with their round-trip times, the closing handshake, how and
// why the connection ended, and a [Finding] for everything that was wrong or
// is worth a look.
//
// It is built on the parsers and the rules that the library's own endpoints
// use, and adds what only an onlooker can say: who is at fault, which usual
// mistake it was, which timeout on the way the silence before the end would
// fit. It never stops at broken bytes. After a gap, or in streams that begin
// behind the handshake, it looks for the next frame by evidence and says that
// it did.
//
//	a := capture.New(capture.Options{}, func(r capture.Record) { ... })
//	a.Bytes(wire.Client, at, packet, b) // in the order in which they were seen
//	a.Bytes(wire.Server, at, packet, b)
//	a.End(wire.Server, at, packet, capture.FIN)
//	report := a.Report()
//
// However the bytes are cut into calls, the records are the same. Memory is
// bounded by the [Options], whatever the bytes are; a [Pool] keeps that of very
// many connections small. An Analyser is for one goroutine.
//
// Messages that permessage-deflate compressed are inflated with the parameters
// that were agreed on, up to Options.Inflate. Where bytes are missing from what
// they may refer to, each is tried with what is known: what a message is told
// to say it says, and Message.NotInflated tells of the others why they cannot be
// read.
//
// # The JSON of records
//
// A Record marshals to one object with "v" (the schema's version, [Version]),
// "kind", "at", "packet" and "from", and one object named as the kind, whose
// fields are those of the type here. Fields may be added within a version;
// none is renamed or removed. Times are RFC 3339 with nanoseconds; what ends
// in _ns is a number of nanoseconds. Payloads are {"size": n, "text": "..."}
// when they are UTF-8, and {"size": n, "base64": "..."} when not; with "cut":
// true they are the beginning only. Bytes of the wire (headers of frames,
// masking keys, the bytes of findings) are in hexadecimal. Frames, messages
// and packets are counted from 1; 0 means none or not known.
package capture
