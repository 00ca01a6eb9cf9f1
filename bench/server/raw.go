package server

import (
	"net"
)

var rawGo = &Server{
	Name: "raw/net", Kind: Floor, Raw: true,
	What:  "an echo of the bytes: net.Conn, a goroutine for each connection",
	Lacks: []Mode{EchoReset, EchoTakeover, Broadcast},
	Serve: func(ln net.Listener, _ Mode) error {
		for {
			c, err := ln.Accept()
			if err != nil {
				return err
			}
			go func() {
				defer c.Close()
				buf := make([]byte, 4<<10)
				for {
					n, err := c.Read(buf)
					if err != nil {
						return
					}
					if _, err := c.Write(buf[:n]); err != nil {
						return
					}
					if n == len(buf) && n < 256<<10 {
						buf = make([]byte, 4*n)
					}
				}
			}()
		}
	},
}
