module github.com/wiretrue/websocket/cmd

go 1.26

require (
	github.com/mattn/go-isatty v0.0.24
	github.com/wiretrue/websocket v0.0.0
)

require golang.org/x/sys v0.28.0 // indirect

replace github.com/wiretrue/websocket => ../
