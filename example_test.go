package websocket_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/wiretrue/websocket"
)

// echoing starts a server for the examples.
func echoing() (url string, stop func()) {
	s := httptest.NewServer(websocket.Handler(func(ctx context.Context, c *websocket.Conn) error {
		for m, err := range c.Messages(ctx) {
			if err != nil {
				return err
			}
			if err := c.Write(ctx, m.Type, m.Data); err != nil {
				return err
			}
		}
		return nil
	}))
	return s.URL, s.Close
}

func ExampleHandler() {
	var mux http.ServeMux
	mux.Handle("/hello", websocket.Handler(func(ctx context.Context, c *websocket.Conn) error {
		name := websocket.RequestFrom(ctx).FormValue("name")
		return c.Write(ctx, websocket.Text, []byte("hello, "+name)) // and close with 1000
	}))
	s := httptest.NewServer(&mux)
	defer s.Close()

	ctx := context.Background()
	c, err := websocket.Dial(ctx, s.URL+"/hello?name=Ada", nil)
	if err != nil {
		log.Fatal(err)
	}
	for m, err := range c.Messages(ctx) {
		if err != nil {
			fmt.Println(err)
			break
		}
		fmt.Println(string(m.Data))
	}
	// Output:
	// hello, Ada
	// websocket: closed by the peer: 1000 Normal Closure
}

// Accept gives the connection to the handler itself, which may do something
// before or instead.
func ExampleAccept() {
	var mux http.ServeMux
	mux.HandleFunc("/members", func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") == "" {
			http.Error(w, "members only", http.StatusUnauthorized)
			return
		}
		c, err := websocket.Accept(w, r, nil)
		if err != nil {
			return // the client was told
		}
		defer c.CloseNow()
		c.Write(r.Context(), websocket.Text, []byte("welcome"))
		c.Close(r.Context(), websocket.StatusNormalClosure, "")
	})
	s := httptest.NewServer(&mux)
	defer s.Close()

	_, err := websocket.Dial(context.Background(), s.URL+"/members", nil)
	refused := new(websocket.HandshakeError)
	if errors.As(err, &refused) {
		fmt.Printf("%d: %s", refused.Status, refused.Body)
	}
	// Output: 401: members only
}

func ExampleDial() {
	url, stop := echoing()
	defer stop()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	c, err := websocket.Dial(ctx, url, nil)
	if err != nil {
		log.Fatal(err)
	}
	defer c.CloseNow()
	if err := c.Write(ctx, websocket.Text, []byte("hello")); err != nil {
		log.Fatal(err)
	}
	typ, m, err := c.Read(ctx)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(typ, string(m))
	fmt.Println(c.Close(ctx, websocket.StatusNormalClosure, ""))
	// Output:
	// TEXT hello
	// <nil>
}

// Several services share a URI and are chosen by subprotocol.
func ExampleServer_Services() {
	var server websocket.Server
	say := func(what string) websocket.HandlerFunc {
		return func(ctx context.Context, c *websocket.Conn) error {
			return c.Write(ctx, websocket.Text, []byte(what))
		}
	}
	s := httptest.NewServer(server.Services(map[string]websocket.HandlerFunc{
		"v1.example": say("one"),
		"v2.example": say("two"),
	}))
	defer s.Close()

	ctx := context.Background()
	c, err := websocket.Dial(ctx, s.URL, &websocket.DialOptions{Subprotocols: []string{"v3.example", "v2.example"}})
	if err != nil {
		log.Fatal(err)
	}
	_, m, _ := c.Read(ctx)
	fmt.Println(c.Subprotocol(), string(m))
	// Output: v2.example two
}

// A server that is stopped says so to its clients.
func ExampleServer_Shutdown() {
	var server websocket.Server
	s := httptest.NewServer(server.Handler(func(ctx context.Context, c *websocket.Conn) error {
		c.Write(ctx, websocket.Text, []byte("ready"))
		<-c.CloseRead(ctx).Done()
		return c.Cause()
	}))
	defer s.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	c, err := websocket.Dial(ctx, s.URL, nil)
	if err != nil {
		log.Fatal(err)
	}
	c.Read(ctx)
	stopped := make(chan error)
	go func() { stopped <- server.Shutdown(ctx) }()
	_, _, err = c.Read(ctx)
	closed := new(websocket.CloseError)
	fmt.Println(errors.As(err, &closed) && closed.Code == websocket.StatusGoingAway, <-stopped)
	// Output: true <nil>
}

// A Writer sends a message whose size is not known.
func ExampleConn_Writer() {
	url, stop := echoing()
	defer stop()
	ctx := context.Background()
	c, err := websocket.Dial(ctx, url, nil)
	if err != nil {
		log.Fatal(err)
	}
	defer c.CloseNow()
	w, err := c.Writer(ctx, websocket.Text)
	if err != nil {
		log.Fatal(err)
	}
	for i := range 3 {
		fmt.Fprintln(w, "line", i)
	}
	if err := w.Close(); err != nil { // sends the end of the message
		log.Fatal(err)
	}
	_, m, _ := c.Read(ctx)
	fmt.Print(string(m))
	// Output:
	// line 0
	// line 1
	// line 2
}

// A context that expires ends the call and leaves the connection as it was.
func ExampleConn_Read_timeout() {
	url, stop := echoing()
	defer stop()
	ctx := context.Background()
	c, err := websocket.Dial(ctx, url, nil)
	if err != nil {
		log.Fatal(err)
	}
	defer c.CloseNow()
	short, cancel := context.WithTimeout(ctx, time.Millisecond)
	defer cancel()
	_, _, err = c.Read(short)
	fmt.Println(errors.Is(err, context.DeadlineExceeded), c.Cause())
	c.Write(ctx, websocket.Text, []byte("still here"))
	_, m, _ := c.Read(ctx)
	fmt.Println(string(m))
	// Output:
	// true <nil>
	// still here
}

func ExampleConn_Ping() {
	url, stop := echoing()
	defer stop()
	ctx := context.Background()
	c, err := websocket.Dial(ctx, url, nil)
	if err != nil {
		log.Fatal(err)
	}
	defer c.CloseNow()
	c.CloseRead(ctx) // somebody must be reading for the Pong to be noticed
	rtt, err := c.Ping(ctx)
	fmt.Println(rtt > 0, err)
	// Output: true <nil>
}

// What is sent to many is encoded once.
func ExamplePrepare() {
	var receivers []*websocket.Conn // as the program keeps them
	p, err := websocket.Prepare(websocket.Text, []byte("to all of you"))
	if err != nil {
		log.Fatal(err)
	}
	for _, c := range receivers {
		c.WritePrepared(context.Background(), p)
	}
}

// Any protocol over streams of bytes can be carried.
func ExampleNetConn() {
	url, stop := echoing()
	defer stop()
	c, err := websocket.Dial(context.Background(), url, nil)
	if err != nil {
		log.Fatal(err)
	}
	var nc net.Conn = websocket.NetConn(c, websocket.Binary)
	defer nc.Close()
	fmt.Fprint(nc, "two ")
	fmt.Fprint(nc, "messages")
	b := make([]byte, len("two messages"))
	_, err = io.ReadFull(nc, b)
	fmt.Println(string(b), err)
	// Output: two messages <nil>
}

func ExampleReadJSON() {
	type point struct{ X, Y int }
	url, stop := echoing()
	defer stop()
	ctx := context.Background()
	c, err := websocket.Dial(ctx, url, nil)
	if err != nil {
		log.Fatal(err)
	}
	defer c.CloseNow()
	if err := websocket.WriteJSON(ctx, c, point{1, 2}); err != nil {
		log.Fatal(err)
	}
	p, err := websocket.ReadJSON[point](ctx, c)
	fmt.Println(p, err)
	// Output: {1 2} <nil>
}

// A client that comes back asks in Resume for what it has missed.
func ExampleRedial() {
	url, stop := echoing()
	defer stop()
	ctx := context.Background()
	last := 41
	opts := &websocket.RedialOptions{Resume: func(ctx context.Context, c *websocket.Conn) error {
		return c.Write(ctx, websocket.Text, fmt.Appendf(nil, "since %d", last))
	}}
	for c, err := range websocket.Redial(ctx, url, opts) {
		if err != nil {
			log.Print(err) // why the attempt failed; going on tries again
			continue
		}
		for m, err := range c.Messages(ctx) {
			if err != nil {
				break // going on connects again
			}
			fmt.Println(string(m.Data))
			return
		}
	}
	// Output: since 41
}

// Every end says why.
func ExampleConn_Cause() {
	s := httptest.NewServer(websocket.Handler(func(ctx context.Context, c *websocket.Conn) error {
		return &websocket.CloseError{Code: 4001, Reason: "the game is over"}
	}))
	defer s.Close()
	c, err := websocket.Dial(context.Background(), s.URL, nil)
	if err != nil {
		log.Fatal(err)
	}
	<-c.CloseRead(context.Background()).Done()

	closed, lost, broken := new(websocket.CloseError), new(websocket.LostError), new(websocket.RuleError)
	switch cause := c.Cause(); {
	case errors.As(cause, &closed):
		fmt.Println(uint16(closed.Code), closed.Reason, closed.ByPeer)
	case errors.As(cause, &lost) && errors.Is(cause, websocket.ErrPingTimeout):
		fmt.Println("silent since", lost.LastHeard)
	case errors.As(cause, &lost):
		fmt.Println("no closing handshake:", lost.Err)
	case errors.As(cause, &broken):
		fmt.Println("the peer broke", broken.Rule, "at byte", broken.Offset)
	}
	// Output: 4001 the game is over true
}

func ExampleTrace() {
	url, stop := echoing()
	defer stop()
	ctx := context.Background()
	opts := new(websocket.DialOptions)
	opts.Trace = &websocket.Trace{
		Handshake: func(_ *websocket.Conn, h *websocket.HandshakeTrace) { fmt.Println("opened:", h.Err) },
		Received:  func(_ *websocket.Conn, b []byte) { fmt.Printf("received: % x\n", b) },
		Ended:     func(_ *websocket.Conn, cause error) { fmt.Println("ended:", cause) },
	}
	c, err := websocket.Dial(ctx, url, opts)
	if err != nil {
		log.Fatal(err)
	}
	c.Write(ctx, websocket.Text, []byte("Hello"))
	c.Read(ctx)
	c.Close(ctx, websocket.StatusNormalClosure, "")
	// Output:
	// opened: <nil>
	// received: 81 05 48 65 6c 6c 6f
	// received: 88 02 03 e8
	// ended: websocket: closed here: 1000 Normal Closure
}
