package capture

import (
	"bytes"
	"slices"
	"time"
)

// NOTE. Many programs speak of requests and responses in JSON: JSON-RPC, the
// subscriptions of GraphQL, debuggers, exchanges. A message that is an object
// with an id is taken for a request, and the first message of the other side
// with the same id for its response. An object with a method is a request
// whatever its id, since both sides may count theirs from 1.

const (
	maxRequests = 64 // of a side, that wait for their responses
	maxID       = 64 // bytes
)

// idNames are the members that hold an id, the first one that is there.
var idNames = []string{"id", "requestId", "request_id", "req_id", "reqId", "correlationId", "correlation_id", "ref"}

// request is a message that waits for its response.
type request struct {
	id     string
	number int64
	at     time.Time
}

// watchID notes the id of a text message, and pairs it with its request.
func (a *Analyser) watchID(s *side, m mark) {
	g := &s.message
	if g.Type != "text" || g.NotInflated != "" || g.Cut {
		return
	}
	id, method := jsonID(s.joined)
	if id == nil {
		return
	}
	peer := a.peer(s)
	if !method {
		for i, r := range peer.requests {
			if r.id != string(id) {
				continue
			}
			g.ID, g.Answers = r.id, r.number
			g.After = since(r.at, s.messageStart)
			a.numbers.response(peer.role, g.After)
			peer.requests = slices.Delete(peer.requests, i, i+1)
			return
		}
	}
	g.ID = string(id)
	if len(s.requests) == maxRequests {
		s.requests = slices.Delete(s.requests, 0, 1)
	}
	s.requests = append(s.requests, request{g.ID, g.Number, m.at})
}

// jsonID looks for an id among the members of the object that b is, or begins
// with: the value as it stands there, of a string without its quotation marks.
// method says that there is a member of that name before b ends. It makes no
// more of b than it needs: what is no JSON may have an id, too.
func jsonID(b []byte) (id []byte, method bool) {
	b = bytes.TrimLeft(b, " \t\r\n")
	if len(b) == 0 || b[0] != '{' {
		return nil, false
	}
	best := len(idNames)
	depth, key := 0, []byte(nil)
	for i := 0; i < len(b); i++ {
		switch c := b[i]; c {
		case '{', '[':
			depth++
			key = nil
		case '}', ']':
			if depth--; depth == 0 {
				return id, method
			}
		case ',':
			key = nil
		case '"':
			text, whole := jsonString(b[i+1:])
			if !whole {
				return id, method
			}
			i += len(text) + 1
			switch {
			case depth != 1:
			case key == nil:
				key = text
				method = method || string(key) == "method"
			default:
				id, best = betterID(id, best, key, text)
			}
		case '-', '0', '1', '2', '3', '4', '5', '6', '7', '8', '9':
			n := bytes.IndexAny(b[i:], ",}] \t\r\n")
			if n < 0 {
				return id, method // it may go on
			}
			if depth == 1 && key != nil {
				id, best = betterID(id, best, key, b[i:i+n])
			}
			i += n - 1
		}
	}
	return id, method
}

// betterID returns the value as the id if its key comes before those so far.
func betterID(id []byte, best int, key, value []byte) ([]byte, int) {
	for n, name := range idNames[:best] {
		if string(key) == name && 0 < len(value) && len(value) <= maxID {
			return value, n
		}
	}
	return id, best
}

// jsonString returns what stands before the closing quotation mark.
func jsonString(b []byte) (text []byte, whole bool) {
	for i := 0; i < len(b); i++ {
		switch b[i] {
		case '"':
			return b[:i], true
		case '\\':
			i++
		}
	}
	return nil, false
}
