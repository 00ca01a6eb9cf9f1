package websocket

// Trace observes connections. Any of its functions may be nil. They are called
// in the order of the wire, on the goroutine that reads or writes, so they must
// be quick; they may be called for several connections at once, and for one
// connection Received and Sent may run at the same time.
type Trace struct {
	// Handshake gets the two heads of the opening handshake. Of a request
	// through net/http the fields' order and case are not those of the wire. For
	// a handshake that failed, err says why and c is nil.
	Handshake func(c *Conn, request, response []byte, err error)

	// Received and Sent get the bytes behind the handshake as they are on the
	// wire, cut as the transport cut them. b is valid until the function returns
	// and must not be changed.
	Received func(c *Conn, b []byte)
	Sent     func(c *Conn, b []byte)

	// Ended gets the cause of the end, as Conn.Cause returns it. It is called
	// once, and bytes may still be sent after it: the Close frame of a connection
	// that failed.
	Ended func(c *Conn, cause error)
}

func (t *Trace) handshake(c *Conn, request, response []byte, err error) {
	if t != nil && t.Handshake != nil {
		t.Handshake(c, request, response, err)
	}
}

func (t *Trace) received(c *Conn, b []byte) {
	if t != nil && t.Received != nil && len(b) > 0 {
		t.Received(c, b)
	}
}

func (t *Trace) sent(c *Conn, b []byte) {
	if t != nil && t.Sent != nil && len(b) > 0 {
		t.Sent(c, b)
	}
}

func (t *Trace) ended(c *Conn, cause error) {
	if t != nil && t.Ended != nil {
		t.Ended(c, cause)
	}
}
