package deflate

import (
	"strconv"

	"github.com/wiretrue/websocket/wire/handshake"
	"github.com/wiretrue/websocket/wire/rfc"
)

// Extension is the name under which the extension is offered (RFC 7692 7).
const Extension = "permessage-deflate"

// The four parameters (RFC 7692 7.1).
const (
	serverNoContextTakeover = "server_no_context_takeover"
	clientNoContextTakeover = "client_no_context_takeover"
	serverMaxWindowBits     = "server_max_window_bits"
	clientMaxWindowBits     = "client_max_window_bits"
)

// Params are what both sides hold to once the extension is agreed on, or what
// one side wishes. Window bits are 8 to 15; 0 stands for 15.
type Params struct {
	ServerNoContextTakeover bool  // the server forgets its window after each message
	ClientNoContextTakeover bool  // the client does
	ServerMaxWindowBits     uint8 // how far the server's references reach back
	ClientMaxWindowBits     uint8 // how far the client's do
}

// ServerWindow returns the bits of the window of what the server sends.
func (p Params) ServerWindow() int { return window(p.ServerMaxWindowBits) }

// ClientWindow returns the bits of the window of what the client sends.
func (p Params) ClientWindow() int { return window(p.ClientMaxWindowBits) }

func window(bits uint8) int {
	if bits == 0 {
		return 15
	}
	return int(bits)
}

// Offer returns the extension as a client offers it. A ClientMaxWindowBits of
// 0 is offered without a value, which lets the server choose.
func (p Params) Offer() handshake.Extension {
	e := p.common()
	if p.ClientMaxWindowBits == 0 {
		e.Params = append(e.Params, handshake.Param{Name: clientMaxWindowBits})
	} else {
		e.Params = append(e.Params, bitsParam(clientMaxWindowBits, p.ClientMaxWindowBits))
	}
	return e
}

// Response returns the extension as a server agrees to it.
func (p Params) Response() handshake.Extension {
	e := p.common()
	if p.ClientMaxWindowBits != 0 {
		e.Params = append(e.Params, bitsParam(clientMaxWindowBits, p.ClientMaxWindowBits))
	}
	return e
}

func (p Params) common() handshake.Extension {
	e := handshake.Extension{Name: Extension}
	if p.ServerNoContextTakeover {
		e.Params = append(e.Params, handshake.Param{Name: serverNoContextTakeover})
	}
	if p.ClientNoContextTakeover {
		e.Params = append(e.Params, handshake.Param{Name: clientNoContextTakeover})
	}
	if p.ServerMaxWindowBits != 0 {
		e.Params = append(e.Params, bitsParam(serverMaxWindowBits, p.ServerMaxWindowBits))
	}
	return e
}

func bitsParam(name string, bits uint8) handshake.Param {
	return handshake.Param{Name: name, Value: strconv.Itoa(int(bits)), Valued: true}
}

// element is one offer or response as it was read.
type element struct {
	Params
	clientWindow bool // client_max_window_bits was there, with a value or without
}

// parse reads the parameters. ok is false for one that is unknown, is there
// twice, or has a value that it must not have. bare allows client_max_window_bits
// without a value, which only an offer may have.
func parse(e handshake.Extension, bare bool) (el element, ok bool) {
	for i, p := range e.Params {
		for _, before := range e.Params[:i] {
			if before.Name == p.Name {
				return el, false
			}
		}
		switch p.Name {
		case serverNoContextTakeover:
			el.ServerNoContextTakeover, ok = true, !p.Valued
		case clientNoContextTakeover:
			el.ClientNoContextTakeover, ok = true, !p.Valued
		case serverMaxWindowBits:
			el.ServerMaxWindowBits, ok = parseBits(p.Value)
		case clientMaxWindowBits:
			el.clientWindow = true
			if ok = bare && !p.Valued; !ok {
				el.ClientMaxWindowBits, ok = parseBits(p.Value)
			}
		default:
			ok = false
		}
		if !ok {
			return el, false
		}
	}
	return el, true
}

// parseBits reads 8 to 15, without leading zeros (RFC 7692 7.1.2.1).
func parseBits(s string) (uint8, bool) {
	n, err := strconv.ParseUint(s, 10, 8)
	return uint8(n), err == nil && 8 <= n && n <= 15 && s == strconv.Itoa(int(n))
}

// Choose is the server's part of the negotiation: it takes the first of the
// client's offers that is valid and that mine can meet (RFC 7692 5.1, 7.1). ok
// is false when the server declines; broken says whether an offer was invalid,
// which is no reason to refuse the connection.
//
// mine are the server's wishes for both directions. What the client did not
// offer to do is not asked of it, and what it asks for is granted.
func Choose(offers []handshake.Extension, mine Params) (agreed Params, ok bool, broken rfc.Set) {
	for _, e := range offers {
		if e.Name != Extension {
			continue
		}
		offer, valid := parse(e, true)
		if !valid {
			broken.Add(rfc.OfferParameters)
			continue
		}
		if ok {
			continue // the rest is only judged
		}
		agreed = Params{
			ServerNoContextTakeover: mine.ServerNoContextTakeover || offer.ServerNoContextTakeover,
			ClientNoContextTakeover: mine.ClientNoContextTakeover || offer.ClientNoContextTakeover,
			ServerMaxWindowBits:     narrower(mine.ServerMaxWindowBits, offer.ServerMaxWindowBits),
		}
		if offer.clientWindow {
			agreed.ClientMaxWindowBits = narrower(mine.ClientMaxWindowBits, offer.ClientMaxWindowBits)
		}
		ok = true
	}
	return agreed, ok, broken
}

// narrower returns the smaller window of two, of which 0 says nothing.
func narrower(a, b uint8) uint8 {
	if a == 0 || b != 0 && b < a {
		return b
	}
	return a
}

// Confirm is the client's part: it reads the server's response and judges it
// against the offers that it answers (RFC 7692 7.1). ok is false when the server
// declined, or when broken is not empty and the client fails the handshake.
func Confirm(response, offers []handshake.Extension) (agreed Params, ok bool, broken rfc.Set) {
	for _, e := range response {
		if e.Name != Extension {
			continue
		}
		answer, valid := parse(e, false)
		switch {
		case !valid || ok: // or a second answer
			broken.Add(rfc.ResponseParameters)
		case !answersOne(answer, offers):
			broken.Add(rfc.ResponseWithinOffer)
		}
		agreed, ok = answer.Params, true
	}
	return agreed, ok && broken.Clean(), broken
}

// answersOne reports whether one of the offers allows the answer.
func answersOne(answer element, offers []handshake.Extension) bool {
	offered := false
	for _, e := range offers {
		if e.Name != Extension {
			continue
		}
		offered = true
		offer, valid := parse(e, true)
		if valid && answer.within(offer) {
			return true
		}
	}
	return !offered // that is another rule's matter
}

// within reports whether the server may answer the offer like this: what it was
// asked to do it does, and it asks for no window that was not offered.
func (answer element) within(offer element) bool {
	if offer.ServerNoContextTakeover && !answer.ServerNoContextTakeover {
		return false
	}
	if offer.ServerMaxWindowBits != 0 && (answer.ServerMaxWindowBits == 0 || answer.ServerMaxWindowBits > offer.ServerMaxWindowBits) {
		return false
	}
	return !answer.clientWindow || offer.clientWindow
}
