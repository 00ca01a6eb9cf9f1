module github.com/wiretrue/websocket

go 1.26.0
