package frame

import "strconv"

// Opcode says what a frame is (RFC 6455 5.2). It has four bits.
type Opcode uint8

// The assigned opcodes.
const (
	Continuation Opcode = 0
	Text         Opcode = 1
	Binary       Opcode = 2
	Close        Opcode = 8
	Ping         Opcode = 9
	Pong         Opcode = 10
)

// Control reports whether the opcode is one of the control frames' (8 to 15,
// assigned or not).
func (o Opcode) Control() bool { return o&8 != 0 }

// Assigned reports whether RFC 6455 gives the opcode a meaning.
func (o Opcode) Assigned() bool { return o <= Binary || Close <= o && o <= Pong }

// String returns the opcode's name in capitals, or "OPCODE 3" for one without
// a name.
func (o Opcode) String() string {
	switch o {
	case Continuation:
		return "CONTINUATION"
	case Text:
		return "TEXT"
	case Binary:
		return "BINARY"
	case Close:
		return "CLOSE"
	case Ping:
		return "PING"
	case Pong:
		return "PONG"
	}
	return "OPCODE " + strconv.Itoa(int(o))
}
