package engine

import (
	"net"
	"net/http"

	"github.com/wiretrue/websocket"
	"github.com/wiretrue/websocket/internal/deflation"
	"github.com/wiretrue/websocket/internal/shell"
	"github.com/wiretrue/websocket/wire"
	"github.com/wiretrue/websocket/wire/handshake"
	"github.com/wiretrue/websocket/wire/rfc"
)

// inside is what this package calls of package websocket beside what every
// program can; the methods are described there.
var inside = shell.Inside.(interface {
	Resolved(*websocket.Options) websocket.Options
	Request(*http.Request) *handshake.Request
	Upgrade(http.ResponseWriter, *http.Request, *websocket.AcceptOptions) (a *websocket.Accepted, nc net.Conn, early []byte, err error)
	Refuse(http.ResponseWriter, *http.Request, *websocket.AcceptOptions, *websocket.HandshakeError) error
	Deflation(*websocket.Accepted) *deflation.State
	View(a *websocket.Accepted, local, remote net.Addr) (c *websocket.Conn, end func(cause error))
	SendClose(c *websocket.Conn, code websocket.StatusCode, reason string) error
	BrokenBy(rfc.Rule, *wire.Event) *websocket.RuleError
	TransportCause(error) error
	Message(*websocket.Prepared) *deflation.Message
})
