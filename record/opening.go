package record

import (
	"crypto/tls"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"time"

	"github.com/wiretrue/websocket"
	"github.com/wiretrue/websocket/wire"
)

// opening is how a connection begins in a recording.
type opening struct {
	number            int64
	self              wire.Role // of this end
	begun, at         time.Time // the request, the response
	request, response []byte    // with their secrets left out
	tls               *tls.ConnectionState
	addr              [2]netip.AddrPort // by role; zero: the transport has none
	names             [2]string         // of the same, as the transport has them; "": not known
}

func newOpening(h *websocket.HandshakeTrace, header func(name, value string) string) *opening {
	o := &opening{self: wire.Client, begun: h.Begun, tls: h.TLS}
	if h.Server {
		o.self = wire.Server
	}
	o.request = redactHead(h.Request, true, header)
	o.response = redactHead(h.Response, false, header)
	o.addr[o.self], o.names[o.self] = addrPort(h.Local)
	o.addr[o.self.Peer()], o.names[o.self.Peer()] = addrPort(h.Remote)
	return o
}

func (o *opening) size() int64 { return int64(len(o.request) + len(o.response)) }

// addrPort returns the address of a TCP transport, and its name.
func addrPort(a net.Addr) (ap netip.AddrPort, name string) {
	if a == nil {
		return ap, ""
	}
	if tcp, ok := a.(*net.TCPAddr); ok {
		ap = tcp.AddrPort()
		ap = netip.AddrPortFrom(ap.Addr().Unmap().WithZone(""), ap.Port())
	}
	return ap, a.Network() + " " + a.String()
}

// words describes the connection for the reader of a capture.
func (o *opening) words() string {
	var b strings.Builder
	fmt.Fprintf(&b, "connection %d, recorded by its %s", o.number, roleName(o.self))
	if o.tls != nil {
		fmt.Fprintf(&b, "; the plaintext of %s, %s", tls.VersionName(o.tls.Version), tls.CipherSuiteName(o.tls.CipherSuite))
		if o.tls.ServerName != "" {
			fmt.Fprintf(&b, ", server name %q", o.tls.ServerName)
		}
	}
	return b.String()
}

func roleName(r wire.Role) string {
	if r == wire.Server {
		return "server"
	}
	return "client"
}
