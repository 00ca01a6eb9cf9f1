package capture

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
)

func TestJSONID(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		text   string
		id     string
		method bool
	}{
		{`{"id":1}`, "1", false},
		{` {"jsonrpc": "2.0", "id" : "abc", "method": "sum", "params": {"id": 7}}`, "abc", true},
		{`{"params":{"id":7,"x":[1,{"id":2}]},"id":-12 }`, "-12", false},
		{`{"ref":"9","id":3,"requestId":4}`, "3", false},
		{`{"requestId":4,"ref":"9"}`, "4", false},
		{`{"correlation_id":"a\"b"}`, `a\"b`, false},
		{`{"name":"id","value":"id"}`, "", false},
		{`{"x":"id","id":null}`, "", false},
		{`{"id":true}`, "", false},
		{`{"id":{"id":1}}`, "", false},
		{`{"id":[1]}`, "", false},
		{`{"id":""}`, "", false},
		{`{"id":12`, "", false}, // it may go on
		{`{"id":"12`, "", false},
		{`{"id":12,"text":"cut he`, "12", false},
		{`{"id":1}{"id":2}`, "1", false},
		{`["id",1]`, "", false},
		{`"id"`, "", false},
		{``, "", false},
		{`{`, "", false},
		{`{"id":"` + strings.Repeat("x", maxID) + `"}`, strings.Repeat("x", maxID), false},
		{`{"id":"` + strings.Repeat("x", maxID+1) + `"}`, "", false},
		{`}{"id":1}`, "", false},
		{`{]}}"id":1`, "", false},
	} {
		id, method := jsonID([]byte(tt.text))
		if string(id) != tt.id || method != tt.method {
			t.Errorf("%s: id %q, method %v, want %q, %v", tt.text, id, method, tt.id, tt.method)
		}
	}
}

// Of what is JSON, the id is the one that encoding/json finds.
func FuzzJSONID(f *testing.F) {
	for _, s := range []string{`{"id":1}`, `{"a":{"id":1},"id":"x","method":""}`, `{"id":{},"ref":1.5e3}`, `{"i":[{"id":"}"}],"id":0}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		id, method := jsonID(b)
		var object map[string]json.RawMessage
		if json.Unmarshal(b, &object) != nil || bytes.Contains(b, []byte(`\`)) || object == nil {
			return
		}
		if _, has := object["method"]; has != method {
			t.Fatalf("%s: method %v", b, method)
		}
		for _, name := range idNames {
			if bytes.Count(b, []byte(`"`+name+`"`)) > 1 {
				return // it may be there twice, of which encoding/json takes the last
			}
		}
		for _, name := range idNames {
			raw := object[name]
			if len(raw) == 0 || !strings.Contains(`"-0123456789`, string(raw[:1])) {
				continue
			}
			want := strings.Trim(string(raw), `"`)
			if len(want) == 0 || len(want) > maxID {
				continue
			}
			if string(id) != want {
				t.Fatalf("%s: id %q, want %q", b, id, want)
			}
			return
		}
		if id != nil {
			t.Fatalf("%s: id %q, want none", b, id)
		}
	})
}
