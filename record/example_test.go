package record_test

import (
	"log"
	"net/http"

	"github.com/wiretrue/websocket"
	"github.com/wiretrue/websocket/record"
)

// A service whose connections are written to four files of 64 MiB, the oldest
// making room for the next, without what people say to each other.
func Example() {
	recorder, err := record.Create("chat.pcapng", &record.Options{
		MaxBytes: 256 << 20,
		Files:    4,
		Payload:  record.HidePayload,
		Failed:   func(err error) { log.Print(err) },
	})
	if err != nil {
		log.Fatal(err)
	}
	defer recorder.Close()

	opts := &websocket.AcceptOptions{Options: websocket.Options{Trace: recorder.Trace()}}
	http.HandleFunc("/chat", func(w http.ResponseWriter, r *http.Request) {
		c, err := websocket.Accept(w, r, opts)
		if err != nil {
			return
		}
		defer c.CloseNow()
		for m, err := range c.Messages(r.Context()) {
			if err != nil || c.Write(r.Context(), m.Type, m.Data) != nil {
				return
			}
		}
	})
	log.Fatal(http.ListenAndServe("127.0.0.1:8080", nil))
}
