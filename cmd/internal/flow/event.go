package flow

import "time"

// A Kind says what an Event is. Each kind's comment tells which fields of the
// Event it sets beside Kind, Dir, Packet and Time.
type Kind uint8

const (
	// SYN: the opening packet of Dir's sender. ACK is set for a SYN-ACK.
	SYN Kind = iota + 1

	// Established: the opening handshake is complete. Duration is its
	// round-trip time.
	Established

	// MidStream: the capture has no opening of this connection. First event
	// of such a connection.
	MidStream

	// FIN: Dir's sender ends its stream at Offset.
	FIN

	// RST: Dir's sender aborts. OutOfWindow is set when its sequence number
	// does not fit, so that the other side will have ignored it.
	RST

	// Closed: both sides sent FIN, or one a RST that counts. Dir is the side
	// that finished it. End follows after a while.
	Closed

	// Hole: a packet came before the bytes Offset, Length. They may come
	// late (OutOfOrder, Retransmission) or turn into a Gap.
	Hole

	// Gap: the bytes Offset, Length are not in the capture and will not be
	// waited for any longer; Reason says why.
	Gap

	// TooLate: the bytes Offset, Length came after they had been reported as
	// a Gap. They are not delivered.
	TooLate

	// Retransmission: the bytes Offset, Length were sent again. Acked is set
	// when the other side had acknowledged them already. Unseen is set when
	// the capture did not have them before, and they are delivered. Length 0
	// is a SYN or FIN sent again.
	Retransmission

	// OutOfOrder: the bytes Offset, Length arrived after later ones and
	// filled a hole. Duration is how long it was open.
	OutOfOrder

	// Duplicate: the packet is in the capture twice (captured on two
	// interfaces, or mirrored twice). It has no other effect.
	Duplicate

	// KeepAlive: a probe that carries nothing new.
	KeepAlive

	// WindowProbe: as KeepAlive, while the other side's window is closed.
	WindowProbe

	// ZeroWindow: Dir's sender has no room left: the other side must stop.
	ZeroWindow

	// ZeroWindowEnd: Dir's sender has room again. Duration is how long it
	// had none.
	ZeroWindowEnd

	// Stray: a segment that does not belong: its sequence number is far off,
	// or it stands behind a FIN. Offset is where it would stand, Length its
	// payload. Ignored.
	Stray

	kinds
)

// String names the kind.
func (k Kind) String() string {
	names := [kinds]string{"", "syn", "established", "mid-stream", "fin", "rst", "closed",
		"hole", "gap", "too late", "retransmission", "out of order", "duplicate",
		"keep-alive", "window probe", "zero window", "zero window end", "stray"}
	if k >= kinds {
		return "?"
	}
	return names[k]
}

// A Reason says why bytes were given up.
type Reason uint8

const (
	NotCaptured Reason = iota + 1 // the other side acknowledged them: they were sent, and the capture missed them
	Truncated                     // the packet was captured with a snap length
	Limit                         // too much was waiting behind them (Options)
	NeverCame                     // nobody sent them before the connection, or the capture, ended
)

// String words the reason.
func (r Reason) String() string {
	return [...]string{"", "not captured", "packet cut by the snap length", "buffer limit", "never came"}[min(r, NeverCame)]
}

// An Event is something that happened to a connection. Dir is the direction
// whose packet it was; for Hole, Gap and TooLate the one whose bytes they are.
type Event struct {
	Kind   Kind
	Dir    Dir
	Packet int64
	Time   time.Time

	Offset, Length int64 // in the stream of Dir
	Duration       time.Duration
	Reason         Reason

	ACK, OutOfWindow, Acked, Unseen bool
}
