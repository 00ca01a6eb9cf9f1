package engine_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/wiretrue/websocket"
	"github.com/wiretrue/websocket/engine"
	"github.com/wiretrue/websocket/internal/corpus"
	"github.com/wiretrue/websocket/vectors"
	"github.com/wiretrue/websocket/wire"
	"github.com/wiretrue/websocket/wire/deflate"
	"github.com/wiretrue/websocket/wire/frame"
	"github.com/wiretrue/websocket/wire/handshake"
	"github.com/wiretrue/websocket/wire/rfc"
)

// host serves each test case's own service, by the path of its request.
type host struct {
	addr net.Addr
	mu   sync.Mutex
	last int
	at   map[string]*engine.Service
}

func newHost(t testing.TB, m mode) *host {
	h := &host{at: map[string]*engine.Service{}}
	h.addr = m.serve(t, &engine.Server{
		HandshakeTimeout: safety,
		Route: func(r *handshake.Request) *engine.Service {
			h.mu.Lock()
			defer h.mu.Unlock()
			return h.at[r.Target]
		},
	})
	return h
}

// add returns the path of a service.
func (h *host) add(s *engine.Service) (path string, remove func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.last++
	path = fmt.Sprintf("/%d", h.last)
	h.at[path] = s
	return path, func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		delete(h.at, path)
	}
}

// outcome is what a stream of bytes leads to.
type outcome struct {
	messages []vectors.Message
	replies  []vectors.Message
	end      error
}

// play opens a connection of the options, sends the reads one by one, and ends
// its side if the server is not to do it first.
func (h *host) play(t testing.TB, opts websocket.Options, reads [][]byte, end bool) (o outcome) {
	t.Helper()
	closed := make(ended, 1)
	path, remove := h.add(&engine.Service{
		AcceptOptions: websocket.AcceptOptions{Options: opts},
		Handler: engine.Handler{
			OnMessage: func(_ *engine.Conn, typ websocket.MessageType, p []byte) {
				o.messages = append(o.messages, vectors.Message{Kind: strings.ToLower(typ.String()), Payload: bytes.Clone(p)})
			},
			OnClose: func(_ *engine.Conn, cause error) { closed <- cause },
		},
	})
	defer remove()
	nc, err := net.Dial("tcp", h.addr.String())
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	nc.SetDeadline(time.Now().Add(safety))
	nc.Write(handshake.AppendRequest(nil, path, "wstest.invalid", handshake.Offer{
		Key:        "dGhlIHNhbXBsZSBub25jZQ==",
		Extensions: []handshake.Extension{deflate.Params{}.Offer()},
	}, nil))
	head := readHead(t, nc)
	if r, _ := handshake.ParseResponse(head, 0); r.Status != 101 {
		t.Fatalf("the server answered %q", head)
	}
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		for _, b := range reads {
			if _, err := nc.Write(b); err != nil {
				return // the server has ended it
			}
		}
		if end {
			nc.(*net.TCPConn).CloseWrite()
		}
	}()
	all, err := io.ReadAll(nc)
	if err != nil && end && !errors.Is(err, net.ErrClosed) {
		t.Logf("reading the replies: %v", err)
	}
	<-sent
	o.end = closed.wait(t)
	o.replies = framesOf(all)
	return o
}

// readHead reads a head byte by byte, so that nothing behind it is lost.
func readHead(t testing.TB, r io.Reader) []byte {
	t.Helper()
	var head []byte
	for b := make([]byte, 1); !bytes.HasSuffix(head, []byte("\r\n\r\n")); head = append(head, b...) {
		if _, err := io.ReadFull(r, b); err != nil {
			t.Fatalf("reading a head: %v behind %q", err, head)
		}
	}
	return head
}

func framesOf(b []byte) (all []vectors.Message) {
	for {
		h, n := frame.Parse(b)
		if n == 0 || h.Length > uint64(len(b)-n) {
			return all
		}
		payload := b[n : n+int(h.Length)]
		b = b[n+int(h.Length):]
		m := vectors.Message{Kind: strings.ToLower(h.Opcode.String()), Payload: payload}
		if code, _, ok := frame.ParseClose(payload); ok && h.Opcode == frame.Close {
			m.Code = int(code)
		}
		all = append(all, m)
	}
}

// optionsOf returns the options that a vector's case needs.
func optionsOf(v vectors.Vector) websocket.Options {
	o := websocket.Options{ReadLimit: int64(v.Message), MaxFragments: v.Fragments}
	extensions, _ := handshake.ParseExtensions([]string{v.Agreed})
	if params, ok, _ := deflate.Confirm(extensions, nil); ok {
		o.Compression = &websocket.Compression{WindowBits: params.ServerWindow(), PeerWindowBits: params.ClientWindow(), PeerNoContextTakeover: params.ClientNoContextTakeover}
	}
	return o
}

func allVectors(t testing.TB) []vectors.Vector {
	t.Helper()
	all, err := vectors.All()
	if err != nil {
		t.Fatal(err)
	}
	return all
}

var cuts = map[string]func(b []byte) [][]byte{
	"whole": func(b []byte) [][]byte { return [][]byte{b} },
	"bytes": func(b []byte) [][]byte {
		if len(b) > 1<<10 {
			return slices.Collect(slices.Chunk(b, 1021))
		}
		return slices.Collect(slices.Chunk(b, 1))
	},
}

// Each backend reads each vector of frames as the vector says, and ends as it
// says.
func TestCorpusOfFrames(t *testing.T) {
	eachMode(t, func(t *testing.T, m mode) {
		h := newHost(t, m)
		for _, v := range allVectors(t) {
			frames := v.Frames("client")
			if v.To != "server" || len(frames) == 0 || v.Head("client") != nil {
				continue
			}
			for name, cut := range cuts {
				t.Run(v.Name+"/"+name, func(t *testing.T) {
					o := h.play(t, optionsOf(v), cut(slices.Clone(frames)), v.Expect != "close")
					corpus.CheckEnd(t, v, o.end)
					corpus.CheckRead(t, v, o.messages)
					corpus.CheckSent(t, v, o.replies)
				})
			}
		}
	})
}

// Each backend answers the requests of the corpus as they say, whole and byte
// by byte.
func TestCorpusOfRequests(t *testing.T) {
	eachMode(t, func(t *testing.T, m mode) {
		for _, v := range allVectors(t) {
			if v.To != "server" || v.Head("client") == nil {
				continue
			}
			for name, cut := range cuts {
				t.Run(v.Name+"/"+name, func(t *testing.T) {
					refused := make(chan error, 1)
					opts := websocket.AcceptOptions{Origins: v.Origins}
					opts.Trace = &websocket.Trace{Handshake: func(_ *websocket.Conn, h *websocket.HandshakeTrace) { refused <- h.Err }}
					addr := m.serve(t, &engine.Server{Service: engine.Service{AcceptOptions: opts}})
					nc, err := net.Dial("tcp", addr.String())
					if err != nil {
						t.Fatal(err)
					}
					defer nc.Close()
					nc.SetDeadline(time.Now().Add(safety))
					go func() {
						for _, b := range cut(append(v.Head("client"), v.Frames("client")...)) {
							if _, err := nc.Write(b); err != nil {
								return
							}
						}
					}()
					response, _ := handshake.ParseResponse(readHead(t, nc), 0)
					wrong := new(websocket.HandshakeError)
					err = <-refused
					switch {
					case v.Expect != "refuse":
						if err != nil || response.Status != 101 {
							t.Errorf("answered with %d, %v", response.Status, err)
						}
					case !errors.As(err, &wrong) || wrong.Rule != v.Rule || response.Status != v.Code:
						t.Errorf("answered with %d, %v; want %d for %v", response.Status, err, v.Code, v.Rule)
					}
				})
			}
		}
	})
}

// The same bytes, cut anywhere, lead to the same messages, the same replies and
// the same end in each mode, and to the rule that the core names. The mode of
// goroutines is websocket.Conn.
func FuzzModes(f *testing.F) {
	for _, v := range allVectors(f) {
		if b := v.Frames("client"); v.To == "server" && len(b) < 1<<12 {
			f.Add(b, uint16(7), v.Agreed != "")
		}
	}
	var hosts []*host
	var names []string
	for _, m := range modes {
		s := &engine.Server{Backend: m.backend, Blocking: m.blocking, Loops: 1}
		_, err := s.Using()
		s.Close()
		if err == nil {
			hosts, names = append(hosts, newHost(f, m)), append(names, m.name)
		}
	}
	f.Fuzz(func(t *testing.T, b []byte, cut uint16, compressed bool) {
		opts := websocket.Options{MaxControlRate: websocket.NoLimit}
		if compressed {
			opts.Compression = &websocket.Compression{}
		}
		rule := judge(bytes.Clone(b), compressed)
		reads := slices.Collect(slices.Chunk(b, max(1, int(cut), len(b)/64)))
		var first outcome
		for i, h := range hosts {
			o := h.play(t, opts, reads, rule == 0)
			if broken := new(websocket.RuleError); rule != 0 && (!errors.As(o.end, &broken) || broken.Rule != rule) {
				t.Fatalf("%x: %s names %v, the core %v", b, names[i], o.end, rule)
			}
			// How many of a storm's Pings are answered depends on the cuts of the
			// network.
			o.replies = slices.DeleteFunc(o.replies, func(m vectors.Message) bool { return m.Kind == "pong" })
			if i == 0 {
				first = o
				continue
			}
			if !slices.EqualFunc(o.messages, first.messages, corpus.SameMessage) {
				t.Fatalf("%x: %s reads %v, %s %v", b, names[0], first.messages, names[i], o.messages)
			}
			if !slices.EqualFunc(o.replies, first.replies, corpus.SameMessage) {
				t.Fatalf("%x: %s replies %v, %s %v", b, names[0], first.replies, names[i], o.replies)
			}
			if kindOf(o.end) != kindOf(first.end) {
				t.Fatalf("%x: %s ends with %v, %s with %v", b, names[0], first.end, names[i], o.end)
			}
		}
	})
}

// kindOf says how a connection ended, without the times.
func kindOf(end error) string {
	if lost := new(websocket.LostError); errors.As(end, &lost) {
		return "lost: " + lost.Err.Error()
	}
	return end.Error()
}

// judge returns the first fatal rule that the bytes break before a Close.
func judge(b []byte, compressed bool) rfc.Rule {
	r := wire.Receiver{Role: wire.Server, Limits: wire.Limits{Message: 4 << 20, Fragments: 100_000}}
	if compressed {
		r.Compression, r.Decompressor = true, deflate.NewDecompressor(15)
	}
	for {
		var ev wire.Event
		n := r.Next(b, &ev)
		b = b[n:]
		if rule := ev.Broken.Fatal(); rule != 0 {
			return rule
		}
		if ev.Kind == wire.NeedMore || ev.Kind == wire.Close {
			return 0
		}
	}
}
