// Package utf8 checks that text is UTF-8 (RFC 3629): all at once, or in pieces
// with the first byte that no text can have there named as soon as it comes, as
// RFC 6455 8.1 allows. On amd64 with AVX2 it checks 64 bytes at a time; the
// build tag purego leaves that out.
package utf8
