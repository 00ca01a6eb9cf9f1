package capture_test

import (
	"encoding/json"
	"testing"

	"github.com/wiretrue/websocket/capture"
)

// An Ending has its words in JSON.
func TestEndingInJSON(t *testing.T) {
	_, report := records(capture.Options{}, scene(t, upgraded+"1 client 88 85 00000000 03e8 3c623e\n1.1 server 88 02 03e8\n1.2 server fin\n1.3 client fin"), nil)
	e := report.Ending
	const words = "Closed by the client with 1000 Normal Closure (\"<b>\"), 990ms after the handshake; the other side answered. Both programs are told 1000 Normal Closure."
	if e.String() != words {
		t.Errorf("%q", e.String())
	}
	b, err := json.Marshal(e)
	if err != nil {
		t.Fatal(err)
	}
	var read struct {
		capture.Ending
		Words string
	}
	if err := json.Unmarshal(b, &read); err != nil {
		t.Fatal(err)
	}
	if read.Words != words || read.Code != e.Code {
		t.Errorf("%s reads as %+v", b, read)
	}
}
