//go:build !linux

package live

import "github.com/wiretrue/websocket/cmd/internal/packet"

// A Source is a live capture.
type Source struct{}

// Open fails: see ErrUnsupported.
func Open(string, *Options) (*Source, error) { return nil, ErrUnsupported }

// Next implements packet.Source.
func (*Source) Next(*packet.Packet) error { return ErrUnsupported }

// Close implements packet.Source.
func (*Source) Close() error { return nil }

// Stats returns nothing.
func (*Source) Stats() Stats { return Stats{} }

// Interfaces returns nothing.
func (*Source) Interfaces() []string { return nil }
