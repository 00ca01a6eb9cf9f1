package wire

import (
	"fmt"
	"testing"

	"github.com/wiretrue/websocket/wire/frame"
)

// A Receiver that is replaced between any two messages tells the same as one
// that is not: offsets, a key that is used twice, a Close that was read.
func TestRest(t *testing.T) {
	sender := Sender{Role: Client}
	key := [4]byte{1, 2, 3, 4}
	var stream []byte
	add := func(b []byte, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		stream = b
	}
	add(sender.Message(stream, frame.Text, []byte("first"), key))
	add(sender.Message(stream, frame.Binary, make([]byte, 300), key)) // the key again
	add(sender.Control(stream, frame.Ping, []byte("there?"), [4]byte{9, 9, 9, 9}))
	add(sender.Message(stream, frame.Text, []byte("last"), [4]byte{5, 6, 7, 8}))
	add(sender.Close(stream, 1000, "", key))
	stream = append(stream, 0x81, 0x80, 1, 1, 1, 1) // behind the Close

	events := func(rests bool) (told []string, replaced int) {
		b := append([]byte(nil), stream...)
		r := &Receiver{Role: Server}
		for {
			var ev Event
			n := r.Next(b, &ev)
			b = b[n:]
			if ev.Kind == NeedMore {
				return told, replaced
			}
			told = append(told, fmt.Sprintf("%v %v %q %v at %d", ev.Kind, ev.Header, ev.Data, ev.Broken, ev.Offset))
			rest, ok := r.Rest()
			if within := r.InFrame() || r.InMessage(); ok == within {
				t.Errorf("behind %v: in a frame or message %t, at rest %t", ev.Kind, within, ok)
			}
			if !ok || !rests {
				continue
			}
			offset := r.Offset()
			r = &Receiver{Role: Server}
			r.Resume(rest, offset)
			replaced++
		}
	}
	want, _ := events(false)
	got, replaced := events(true)
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("told\n%q\nwithout a Rest\n%q", got, want)
	}
	if replaced != 6 {
		t.Errorf("replaced %d times", replaced)
	}
}

// Inside a header, a frame or a message there is no Rest.
func TestRestWithin(t *testing.T) {
	for _, test := range []struct {
		name string
		in   []byte
	}{
		{"a header", []byte{0x81}},
		{"a payload", []byte{0x81, 0x85, 0, 0, 0, 0, 'H'}},
		{"a message of several frames", []byte{0x01, 0x81, 0, 0, 0, 0, 'H'}},
		{"a control frame", []byte{0x89, 0x82, 0, 0, 0, 0, 'H'}},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := &Receiver{Role: Server}
			for b := test.in; ; {
				var ev Event
				n := r.Next(b, &ev)
				if b = b[n:]; ev.Kind == NeedMore {
					break
				}
			}
			if rest, ok := r.Rest(); ok {
				t.Errorf("at rest: %+v", rest)
			}
		})
	}
}
