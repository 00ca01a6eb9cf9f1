module github.com/wiretrue/websocket/cmd

go 1.26

require (
	github.com/gopacket/gopacket v1.7.7
	github.com/wiretrue/websocket v0.0.0
)

replace github.com/wiretrue/websocket => ../
