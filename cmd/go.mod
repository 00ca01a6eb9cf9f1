module github.com/wiretrue/websocket/cmd

go 1.26.0

require github.com/gopacket/gopacket v1.7.7

require golang.org/x/crypto v0.58.0

require (
	github.com/wiretrue/websocket v0.0.0
	golang.org/x/net v0.60.0 // indirect
	golang.org/x/sys v0.49.0 // indirect
)

replace github.com/wiretrue/websocket => ../
