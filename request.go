package websocket

import (
	"encoding/binary"
	"net/http"
	"net/url"
)

// keptRequest is a request as a connection keeps it: what a map and a URL hold is
// small as it was on the wire.
type keptRequest struct {
	r      http.Request // without what stands below
	fields []byte       // of the header: names and values, each behind its length
}

// keepRequest returns what is to be kept of a request that others may go on
// using.
func keepRequest(r *http.Request) keptRequest {
	kept := keptRequest{r: *r}
	kept.r.Header, kept.r.Body, kept.r.GetBody = nil, http.NoBody, nil
	if parsed, err := url.ParseRequestURI(r.RequestURI); err == nil && r.URL != nil && *parsed == *r.URL {
		kept.r.URL = nil
	}
	var all [1 << 10]byte
	fields := all[:0]
	for name, values := range r.Header {
		for _, v := range values {
			fields = appendField(appendField(fields, name), v)
		}
	}
	kept.fields = append(kept.fields, fields...)
	return kept
}

func appendField(fields []byte, s string) []byte {
	return append(binary.AppendUvarint(fields, uint64(len(s))), s...)
}

// request returns the request as it was, in memory of its own.
func (k *keptRequest) request() *http.Request {
	r := k.r
	if r.URL == nil {
		r.URL, _ = url.ParseRequestURI(r.RequestURI)
	} else {
		r.URL = new(*r.URL)
	}
	r.Header = make(http.Header)
	for fields := string(k.fields); fields != ""; {
		var name, value string
		name, fields = cutField(fields)
		value, fields = cutField(fields)
		r.Header[name] = append(r.Header[name], value)
	}
	return &r
}

func cutField(fields string) (field, rest string) {
	n, k := binary.Uvarint([]byte(fields[:min(len(fields), binary.MaxVarintLen64)]))
	return fields[k:][:n], fields[k:][n:]
}
