module github.com/wiretrue/websocket/bench

go 1.26.0

replace github.com/wiretrue/websocket => ../

require (
	github.com/klauspost/compress v1.20.3
	github.com/wiretrue/websocket v0.0.0-00010101000000-000000000000
)
