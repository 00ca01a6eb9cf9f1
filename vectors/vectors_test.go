package vectors

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/wiretrue/websocket/wire/frame"
	"github.com/wiretrue/websocket/wire/rfc"
)

func corpus(t testing.TB) []Vector {
	t.Helper()
	all, err := All()
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// Law 4: every rule has a vector that breaks it, every vector names a rule.
func TestEveryRuleHasAVector(t *testing.T) {
	broken := map[rfc.Rule]int{}
	for _, v := range corpus(t) {
		info := v.Rule.Info()
		if v.Expect == "clean" {
			continue
		}
		broken[v.Rule]++
		if prefix := fmt.Sprintf("%d-%s-", info.RFC, info.Section); !strings.HasPrefix(v.Name, prefix) {
			t.Errorf("%s breaks %v: its name should begin with %s", v.Name, v.Rule, prefix)
		}
	}
	for _, r := range rfc.Rules() {
		if broken[r] == 0 {
			t.Errorf("no vector breaks %v", r)
		}
	}
}

func TestExpectFitsTheRule(t *testing.T) {
	for _, v := range corpus(t) {
		info := v.Rule.Info()
		wantCode, kind := 0, "note"
		switch {
		case v.Expect == "clean":
			continue
		case info.Code != 0:
			kind, wantCode = "close", int(info.Code)
		case info.Status == 101: // refused by the client
			kind = "fail"
		case info.Status != 0:
			kind, wantCode = "refuse", info.Status
		}
		if v.Expect != kind || v.Code != wantCode {
			t.Errorf("%s expects %s %d, the rule asks for %s %d", v.Name, v.Expect, v.Code, kind, wantCode)
		}
		to := map[rfc.Party]string{rfc.Client: "server", rfc.Server: "client"}[info.Binds]
		if to != "" && v.To != "witness" && v.To != to {
			t.Errorf("%s is sent to the %s by a side that the rule does not bind", v.Name, v.To)
		}
	}
}

// A reader of a vector sees in words what each frame is.
func TestEveryFrameIsDescribed(t *testing.T) {
	entries, err := files.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		text, err := files.ReadFile(e.Name())
		if err != nil {
			t.Fatal(err)
		}
		section := ""
		for i, line := range strings.Split(string(text), "\n") {
			if m := sectionLine.FindStringSubmatch(line); m != nil {
				section = m[1]
				continue
			}
			if (section == "send" || section == "client" || section == "server") && line != "" && !strings.Contains(line, "  # ") {
				t.Errorf("%s:%d: %s: no comment says what this is", e.Name(), i+1, line)
			}
		}
	}
}

const good = "rule: 6455-5.1-client-must-mask\nto: server\nexpect: close 1002\ncomment: c\n"

func TestParse(t *testing.T) {
	v, err := Parse("rule: 6455-10.4-message-size\nto: client\nexpect: close 1009\nat: 3\nlimits: fragments=4 message=10\norigins: http://a http://b\ncomment: c: d\n" +
		"-- request --\nGET / HTTP/1.1\nHost: a\n-- response bytes --\n\"HTTP\"\n-- send --\n81 05 \"Hello\" # FIN TEXT length 5, MASK=0\n-- messages --\ntext \"a\"*2\nclose 1000 \"bye\"\nclose\n")
	if err != nil {
		t.Fatal(err)
	}
	want := Vector{
		Rule: rfc.MessageSize, To: "client", Expect: "close", Code: 1009, At: 3, Message: 10, Fragments: 4,
		Origins: []string{"http://a", "http://b"}, Comment: "c: d",
		Steps: []Step{
			{"client", "request", []byte("GET / HTTP/1.1\r\nHost: a\r\n\r\n")},
			{"server", "response", []byte("HTTP")},
			{"server", "frames", []byte("\x81\x05Hello")},
		},
		Messages: []Message{{"text", []byte("aa"), 0}, {"close", []byte("bye"), 1000}, {"close", []byte{}, 0}},
	}
	if got, want := fmt.Sprintf("%+v", v), fmt.Sprintf("%+v", want); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if got := string(v.Frames("server")); got != "\x81\x05Hello" || v.Frames("client") != nil {
		t.Errorf("Frames = %q", got)
	}
	if got := string(v.Head("server")); got != "HTTP" {
		t.Errorf("Head = %q", got)
	}
}

func TestParseOfWitness(t *testing.T) {
	v, err := Parse("rule: 6455-7.1.2-close-before-end\nto: witness\nexpect: note\ncomment: c\n-- client --\n81 00\n-- end server --\n-- end client --")
	if err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(v.Steps); got != "[{client frames [129 0]} {server end []} {client end []}]" {
		t.Errorf("steps %s", got)
	}
}

func TestParseTellsWhatIsWrong(t *testing.T) {
	for _, tt := range []struct{ text, want string }{
		{"", `"" is no head line`},
		{"rule: 6455-5.1-client-must-mask", "no to"},
		{"to: server", "no rule"},
		{"rule: 6455-5.1-client-must-mask\nto: server", "no expect"},
		{"rule: 6455-5.1-client-must-mask\nto: server\nexpect: note", "no comment"},
		{good, "nothing is sent"},
		{"rule: client-must-mask", `line 1: rule: "client-must-mask" is no rule's id`},
		{"rule: 6455-5.1-all-must-mask", "is no rule's id"},
		{"to: proxy", `line 1: to: "proxy" is neither server, client nor witness`},
		{"to: server\nto: server", "line 2: a second line to"},
		{"expect: explode", `line 1: expect: "explode" is not known`},
		{"expect: close", "expect: close needs a code"},
		{"expect: close soon", "expect: close needs a code"},
		{"expect: refuse -400", "expect: refuse needs a code"},
		{"expect: note 1000", "expect: note has no code"},
		{"at: here", `at: "here" is no offset`},
		{"at: -1", `at: "-1" is no offset`},
		{"limits: message=0", `limits: "message=0" is no limit`},
		{"limits: message", `limits: "message" is no limit`},
		{"limits: frames=3", `limits: "frames" is not known`},
		{"colour: red", `line 1: "colour: red" is no head line`},
		{"hello", `line 1: "hello" is no head line`},
		{"-- send --", "send needs a line to: server or to: client before it"},
		{"to: witness\n-- send --", "send needs a line to: server or to: client before it"},
		{good + "-- client --", `line 5: section "client" needs a line to: witness before it`},
		{good + "-- end server --", `section "end server" needs a line to: witness before it`},
		{good + "-- sent --", `line 5: section "sent" is not known`},
		{good + "-- send bytes --", `section "send bytes" is not known`},
		{good + "-- send --\n8", "neither hexadecimal nor a string"},
		{good + "-- send --\n81 05 # FIN TEXT length 6, MASK=0", `line 6: the comment says "FIN TEXT length 6, MASK=0", the bytes "FIN TEXT length 5, MASK=0"`},
		{good + "-- send --\n81 # FIN TEXT length 6, MASK=0", "the line has only 1 bytes of it"},
		{good + "-- request bytes --\nGET", "neither hexadecimal nor a string"},
		{good + "-- messages --\nhello", `"hello" is no message`},
		{good + "-- messages --\nclose soon", `close: "soon" is no status code`},
		{good + "-- messages --\ntext hello", "neither hexadecimal nor a string"},
		{good + "-- messages --\n-- messages --", "a second section of messages"},
		{"rule: 6455-5.1-client-must-mask\nto: witness\nexpect: note\ncomment: c\n-- end client --\n81", "line 6: an end has no bytes"},
		{"rule: 6455-5.1-client-must-mask\nto: witness\nexpect: note\ncomment: c\n-- client --\n-- messages --", "a witness is none"},
	} {
		v, err := Parse(tt.text)
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%q: %v, want %q", tt.text, err, tt.want)
		}
		if err != nil && v.Rule != 0 {
			t.Errorf("%q: a vector beside the error", tt.text)
		}
	}
}

func FuzzParse(f *testing.F) {
	entries, err := os.ReadDir(".")
	if err != nil {
		f.Fatal(err)
	}
	for _, e := range entries {
		if strings.HasSuffix(e.Name(), ".txt") {
			text, err := os.ReadFile(e.Name())
			if err != nil {
				f.Fatal(err)
			}
			f.Add(string(text))
		}
	}
	f.Fuzz(func(t *testing.T, text string) {
		v, err := Parse(text)
		if err != nil {
			return
		}
		if v.Rule == 0 || v.To == "" || v.Expect == "" || v.Comment == "" || len(v.Steps) == 0 || v.At < -1 {
			t.Fatalf("a vector lacks a part and is no error: %+v", v)
		}
		for _, s := range v.Steps {
			if s.From != "client" && s.From != "server" || s.Part == "end" && s.Bytes != nil {
				t.Fatalf("step %+v", s)
			}
			frame.Parse(s.Bytes)
		}
		again, err := Parse(text)
		if err != nil || fmt.Sprint(again) != fmt.Sprint(v) {
			t.Fatal("read twice, the vector differs")
		}
	})
}
