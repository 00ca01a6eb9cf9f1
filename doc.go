// Package websocket implements the WebSocket protocol (RFC 6455), server and
// client.
//
// A server turns HTTP requests into connections with [Handler] or [Accept], a
// client gets one from [Dial]. A [Conn] reads and writes whole messages or
// streams of them:
//
//	http.Handle("/echo", websocket.Handler(func(ctx context.Context, c *websocket.Conn) error {
//		for m, err := range c.Messages(ctx) {
//			if err != nil {
//				return err
//			}
//			if err := c.Write(ctx, m.Type, m.Data); err != nil {
//				return err
//			}
//		}
//		return nil
//	}))
//
// One goroutine reads at a time, any number may write. Somebody must be reading
// for pings to be answered and a close to be noticed; [Conn.CloseRead] does it
// for a program that only writes.
//
// A context that expires ends the call it was passed to and nothing else: no
// byte is lost, and the connection goes on. Every connection that ends says why
// in [Conn.Cause].
//
// The protocol itself is in the wire packages, which work on bytes alone and
// can be used by other programs.
package websocket
