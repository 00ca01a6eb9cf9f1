package websocket

import (
	"encoding/binary"
	"math/bits"
	"net/http"
	"net/url"
)

// keptRequest is a request as a connection keeps it: what a map and a URL hold is
// small as it was on the wire.
type keptRequest struct {
	r      http.Request // without what stands below
	fields []byte       // of the header: names and values, each behind its length
}

// keep takes what is to be kept of a request that others may go on using.
func (k *keptRequest) keep(r *http.Request) {
	k.r = *r
	k.r.Header, k.r.Body, k.r.GetBody = nil, http.NoBody, nil
	if parsed, err := url.ParseRequestURI(r.RequestURI); err == nil && r.URL != nil && *parsed == *r.URL {
		k.r.URL = nil
	}
	size := 0
	for name, values := range r.Header {
		for _, v := range values {
			size += fieldSize(name) + fieldSize(v)
		}
	}
	k.fields = make([]byte, 0, size)
	for name, values := range r.Header {
		for _, v := range values {
			k.fields = appendField(appendField(k.fields, name), v)
		}
	}
}

func appendField(fields []byte, s string) []byte {
	return append(binary.AppendUvarint(fields, uint64(len(s))), s...)
}

// fieldSize returns what appendField appends.
func fieldSize(s string) int { return (bits.Len(uint(len(s))|1)+6)/7 + len(s) }

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
