// Package engine is a WebSocket server for very many connections. Loops, one a
// core, read from whichever connection has bytes and call the program's
// functions; a connection that is idle has neither goroutine nor buffer.
//
//	log.Fatal(engine.Serve(ln, engine.Handler{
//		OnMessage: func(c *engine.Conn, typ websocket.MessageType, p []byte) {
//			c.Write(typ, p)
//		},
//	}))
//
// It speaks the protocol by the same core as websocket.Conn, with the same
// options, limits, heartbeats, compression and errors.
//
// # The functions must not block
//
// While a function runs its loop serves nobody else. There are two ways out.
// [Conn.Go] runs one function on a goroutine and holds the connection's next
// message back until it has returned. [Server.Blocking] calls all functions on a
// goroutine, which a connection has only while it is ready.
//
// # Backends
//
// On Linux the loops use io_uring where the kernel offers it, and epoll
// otherwise. Elsewhere, for listeners that are no plain TCP or unix sockets, and
// so for TLS, each connection is a websocket.Conn with a goroutine that reads
// it: the functions, their order and the errors are the same, the memory is not.
package engine
