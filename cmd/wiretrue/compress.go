package main

import (
	"errors"
	"strings"

	"github.com/spf13/pflag"

	"github.com/wiretrue/websocket"
	"github.com/wiretrue/websocket/wire/deflate"
	"github.com/wiretrue/websocket/wire/handshake"
)

// compress is whether messages are to be compressed, and under which
// parameters.
type compress struct {
	on     bool
	text   string
	params deflate.Params
}

// compressOn is the flag's value when it has none.
const compressOn = "on"

func (c *compress) Set(s string) error {
	*c = compress{on: true, text: s}
	if s == compressOn {
		return nil
	}
	list, _ := handshake.ParseExtensions([]string{deflate.Extension + ";" + strings.ReplaceAll(s, ",", ";")})
	var ok bool
	if c.params, ok, _ = deflate.Confirm(list, nil); !ok || len(list) != 1 {
		return errors.New("expected parameters of permessage-deflate, such as server_max_window_bits=10,client_no_context_takeover")
	}
	return nil
}

func (c *compress) String() string { return c.text }
func (c *compress) Type() string   { return "compress" }

// add adds the flag.
func (c *compress) add(flags *pflag.FlagSet, usage string) {
	flags.Var(c, "compress", usage)
	flags.Lookup("compress").NoOptDefVal = compressOn
}

// options returns those of the library, nil for no compression. What has no
// parameter is the library's choice.
func (c *compress) options(server bool) *websocket.Compression {
	if !c.on {
		return nil
	}
	p := c.params
	o := &websocket.Compression{
		WindowBits: int(p.ClientMaxWindowBits), NoContextTakeover: p.ClientNoContextTakeover,
		PeerWindowBits: int(p.ServerMaxWindowBits), PeerNoContextTakeover: p.ServerNoContextTakeover,
	}
	if server {
		o.WindowBits, o.PeerWindowBits = o.PeerWindowBits, o.WindowBits
		o.NoContextTakeover, o.PeerNoContextTakeover = o.PeerNoContextTakeover, o.NoContextTakeover
	}
	return o
}
