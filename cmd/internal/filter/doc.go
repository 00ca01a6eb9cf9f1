// Package filter is the language in which records of package capture are
// chosen: Wireshark's display filters, with Wireshark's names for what both
// know, and names of our own for findings and messages.
//
//	websocket.opcode == 8 and websocket.payload.close.status_code in {1001, 1006..1015}
//	http.host contains "example" || ip.addr == 192.0.2.0/24
//	not websocket.payload.text matches "heartbeat|ping"
//	wiretrue.severity >= warning && wiretrue.culprit == server
//
// A field alone asks whether the record has it. A record may have several
// values of a field, as both addresses of ip.addr. Then, as in Wireshark 4,
// every comparison holds when it holds for any of them, but != and "not in",
// which must hold for all; === asks all of them to be equal, and !== any of
// them to be different. No comparison holds for a field that the record does
// not have: ip.addr != 192.0.2.1 is not what !(ip.addr == 192.0.2.1) is.
//
// From the loosest to the tightest: or (||), xor (^^), and (&&), not (!),
// comparisons, parentheses. Comparisons are == != < <= > >= or eq ne lt le gt
// ge, === !== (~=) or all_eq any_ne, contains, matches (~), in {a, b, c..d} and not
// in. Literals are numbers (10, 0x1f, 0b11, 0o17, 1.5), strings ("a\n\x00\"", or
// raw as r"\d+"), bytes (37:fa:21:3d, or a string), addresses with or without a
// prefix length, and the names that some numbers have (websocket.opcode ==
// close). matches takes a regular expression of RE2, which ignores case, in time
// linear in the text.
//
// Use [Parse] once and [Filter.Match] for every record; [Fields] and [Lookup]
// serve -T fields:
//
//	f, err := filter.Parse(expr)
//	conn := &filter.Conn{Stream: 0, Client: client, Server: server, Begin: begin}
//	if f.Match(conn, &record) { ... }
//
//	field, err := filter.Lookup("websocket.opcode")
//	for _, v := range field.Values(nil, conn, &record) { fmt.Print(v) }
package filter
