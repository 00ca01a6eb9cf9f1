// Package record writes live connections to a file, for a look at them later:
// as a packet capture (pcapng) that Wireshark and "wiretrue inspect" open, or
// as JSON lines. It hangs on the Trace of a connection's options:
//
//	r, err := record.Create("service.pcapng", nil)
//	if err != nil { ... }
//	defer r.Close()
//	opts := &websocket.AcceptOptions{Options: websocket.Options{Trace: r.Trace()}}
//
// One Recorder takes any number of connections at once, of servers and
// clients. Beside another Trace it stands by websocket.JoinTraces.
//
// # What is true in a recording
//
// The bytes are those that this end sent and received, of a wss connection the
// plaintext, in the order in which it did, with its times in nanoseconds. So
// are the frames, with their fragments, masks and mistakes, and so is the end:
// who sent FIN or RST, and that a side gave up, with its cause as the comment
// of the packet. Where a handshake was refused the refusal is there.
//
// Everything below is made up, as the file's comment says: TCP's opening at the
// time of the request, sequence numbers, checksums, one packet for what was
// read or written at once, of up to 65,535 bytes. Acknowledgements say nothing
// of what arrived. A kernel that throws away unread bytes resets the
// connection; here that is the FIN of the program. Addresses are real when the
// transport is TCP. Of any other, the client is 192.0.2.1 and the server
// 192.0.2.2, port 80 (RFC 5737), and so are those of the second end when both
// ends of a connection are recorded together. The request of a server's
// connection comes from net/http, which does not keep the order and the case of
// the fields.
//
// # Secrets
//
// The values of Authorization, Proxy-Authorization, Cookie and Set-Cookie are
// left out unless Options.Header says otherwise, and so are parameters of the
// URL that are called like a token. Payloads are written as they are unless
// Options.Payload changes them: a recording is as confidential as what the
// connections carry, and its files can be read by their owner alone.
//
// # Cost
//
// Bytes are copied into memory, which is written to the file by a goroutine of
// its own, soon or once some KiB are together. Nothing ever waits for the
// file: when 4 MiB wait, further bytes are left out, as a gap that is visible
// in the file and counted in Stats. An error of the file ends the recording,
// never a connection. BenchmarkRecorder tells what a message costs.
//
// # JSON lines
//
// Each line is a record of package capture, which documents them, with "conn",
// the number of the connection. The last line of a connection has the kind
// "report", and its "report" is a capture.Report.
package record
