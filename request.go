package websocket

import (
	"context"
	"crypto/tls"
	"encoding/binary"
	"math/bits"
	"net/http"
	"net/url"
	"reflect"
	"slices"
)

// keptRequest is a request as a connection keeps it: what a map, a URL and many
// empty fields hold is small as it was on the wire.
type keptRequest struct {
	text  []byte // of the textual fields and the header: names and values, each behind its length
	tls   *tls.ConnectionState
	whole *http.Request // without its text, if there is more to it; or nil
}

// textOf returns the textual fields of a request.
func textOf(r *http.Request) [6]*string {
	return [...]*string{&r.Method, &r.RequestURI, &r.Proto, &r.Host, &r.RemoteAddr, &r.Pattern}
}

// extras are the indices of the fields that a request of an opening handshake has
// only if somebody has given it something: values of wildcards, a parsed form. A
// field that is not known here is one of them.
var extras = func() (indices []int) {
	for i := range reflect.TypeFor[http.Request]().NumField() {
		switch reflect.TypeFor[http.Request]().Field(i).Name {
		case "Method", "RequestURI", "Proto", "Host", "RemoteAddr", "Pattern", "Header", "TLS":
		case "ProtoMajor", "ProtoMinor", "URL": // follow from the text
		case "Body", "GetBody", "ctx": // are not kept
		case "pat": // only names the values of wildcards
		default:
			indices = append(indices, i)
		}
	}
	return indices
}()

// hasExtras reports whether the request has one of the fields.
func hasExtras(r *http.Request) bool {
	v := reflect.ValueOf(r).Elem()
	return slices.ContainsFunc(extras, func(i int) bool { return !v.Field(i).IsZero() })
}

// keep takes what is to be kept of a request that others may go on using.
func (k *keptRequest) keep(r *http.Request) {
	k.tls = r.TLS
	parsed, err := url.ParseRequestURI(r.RequestURI)
	rewritten := err != nil || r.URL == nil || *parsed != *r.URL
	if rewritten || hasExtras(r) {
		k.whole = r.WithContext(context.Background())
		k.whole.Header, k.whole.GetBody = nil, nil
		for _, s := range textOf(k.whole) {
			*s = ""
		}
		if !rewritten {
			k.whole.URL = nil
		}
	}
	size := 0
	for _, s := range textOf(r) {
		size += textSize(*s)
	}
	for name, values := range r.Header {
		for _, v := range values {
			size += textSize(name) + textSize(v)
		}
	}
	k.text = make([]byte, 0, size)
	for _, s := range textOf(r) {
		k.text = appendText(k.text, *s)
	}
	for name, values := range r.Header {
		for _, v := range values {
			k.text = appendText(appendText(k.text, name), v)
		}
	}
}

func appendText(text []byte, s string) []byte {
	return append(binary.AppendUvarint(text, uint64(len(s))), s...)
}

// textSize returns what appendText appends.
func textSize(s string) int { return (bits.Len(uint(len(s))|1)+6)/7 + len(s) }

// request returns the request as it was, in memory of its own, but with a context
// and without a body.
func (k *keptRequest) request(ctx context.Context) *http.Request {
	r := new(http.Request)
	if k.whole != nil {
		r = k.whole
	}
	r = r.WithContext(ctx)
	text := string(k.text)
	for _, s := range textOf(r) {
		*s, text = cutText(text)
	}
	r.ProtoMajor, r.ProtoMinor, _ = http.ParseHTTPVersion(r.Proto)
	if r.URL == nil {
		r.URL, _ = url.ParseRequestURI(r.RequestURI)
	} else {
		r.URL = new(*r.URL)
	}
	r.Header = make(http.Header)
	for text != "" {
		var name, value string
		name, text = cutText(text)
		value, text = cutText(text)
		r.Header[name] = append(r.Header[name], value)
	}
	r.Body, r.TLS = http.NoBody, k.tls
	return r
}

func cutText(text string) (s, rest string) {
	n, k := binary.Uvarint([]byte(text[:min(len(text), binary.MaxVarintLen64)]))
	return text[k:][:n], text[k:][n:]
}
