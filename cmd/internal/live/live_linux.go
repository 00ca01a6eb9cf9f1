package live

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/pcapgo"

	"github.com/wiretrue/websocket/cmd/internal/capfilter"
	"github.com/wiretrue/websocket/cmd/internal/packet"
)

// A Source is a live capture. It is a [packet.Source]: Next waits for a
// packet, Close ends it from any goroutine.
type Source struct {
	taps   []*tap
	names  []string
	count  int64
	closed atomic.Bool
	ended  chan struct{}
	once   sync.Once
	stats  Stats
	mu     sync.Mutex // guards stats

	// With several interfaces each has a goroutine, and packets are copied.
	packets chan tapped
}

// A tap is one interface.
type tap struct {
	handle *pcapgo.EthernetHandle
	link   packet.LinkType
	index  int
	since  time.Time // the filter works since then
}

type tapped struct {
	p   packet.Packet
	err error
}

// Open starts to capture on an interface, or on [Any]. Its errors wrap
// [ErrPermission] when the privilege is missing. A nil opts is the zero
// Options.
func Open(name string, opts *Options) (*Source, error) {
	var o Options
	if opts != nil {
		o = *opts
	}
	if o.Filter == nil {
		o.Filter = new(capfilter.Filter)
	}
	s := &Source{ended: make(chan struct{})}
	names := []string{name}
	if name == Any {
		var err error
		if names, err = up(); err != nil {
			return nil, err
		}
	}
	for i, n := range names {
		t, err := newTap(n, o)
		if err != nil {
			s.Close()
			return nil, err
		}
		t.index = i
		s.taps = append(s.taps, t)
		s.names = append(s.names, n)
	}
	if len(s.taps) > 1 {
		s.packets = make(chan tapped, 256)
		for _, t := range s.taps {
			go s.pump(t)
		}
	}
	return s, nil
}

// up lists the interfaces that are up and can be captured on.
func up() (names []string, err error) {
	all, err := net.Interfaces()
	if err != nil {
		return nil, fmt.Errorf("listing the interfaces: %w", err)
	}
	for _, i := range all {
		if i.Flags&net.FlagUp != 0 {
			if _, err := linkType(i.Name); err == nil {
				names = append(names, i.Name)
			}
		}
	}
	if len(names) == 0 {
		return nil, errors.New("no interface is up")
	}
	return names, nil
}

func newTap(name string, o Options) (*tap, error) {
	intf, err := net.InterfaceByName(name)
	if err != nil {
		return nil, fmt.Errorf("interface %s: %w", name, noSuch(err))
	}
	link, err := linkType(name)
	if err != nil {
		return nil, err
	}
	program, err := o.Filter.Program(link, intf.Flags&net.FlagLoopback != 0)
	if err != nil {
		return nil, err
	}
	h, err := pcapgo.NewEthernetHandle(name)
	if err != nil {
		// pcapgo does not wrap the cause, but says it.
		if strings.Contains(err.Error(), "operation not permitted") || strings.Contains(err.Error(), "permission denied") {
			return nil, fmt.Errorf("interface %s: %w", name, ErrPermission)
		}
		return nil, fmt.Errorf("interface %s: %w", name, err)
	}
	t := &tap{handle: h, link: link}
	if err := h.SetBPF(program); err != nil {
		h.Close()
		return nil, fmt.Errorf("interface %s: setting the capture filter: %w", name, err)
	}
	t.since = time.Now()
	if o.Promiscuous {
		if err := h.SetPromiscuous(true); err != nil {
			h.Close()
			return nil, fmt.Errorf("interface %s: %w", name, err)
		}
	}
	return t, nil
}

func noSuch(err error) error {
	if e, ok := errors.AsType[*net.OpError](err); ok && e.Err != nil {
		return e.Err
	}
	return err
}

// linkType reads the kernel's hardware type of an interface
// (linux/if_arp.h).
func linkType(name string) (packet.LinkType, error) {
	b, err := os.ReadFile("/sys/class/net/" + name + "/type")
	if err != nil {
		return 0, fmt.Errorf("interface %s: %w", name, err)
	}
	const (
		arphrdEther    = 1
		arphrdTunnel   = 768
		arphrdLoopback = 772
		arphrdSIT      = 776
		arphrdNone     = 65534
	)
	switch n, _ := strconv.Atoi(strings.TrimSpace(string(b))); n {
	case arphrdEther, arphrdLoopback:
		return packet.LinkEthernet, nil
	case arphrdNone, arphrdTunnel, arphrdSIT:
		return packet.LinkRaw, nil
	default:
		return 0, fmt.Errorf("interface %s: hardware type %d is not supported", name, n)
	}
}

// Interfaces returns the names of the interfaces; Packet.Interface counts in
// their order.
func (s *Source) Interfaces() []string { return s.names }

// Next implements [packet.Source].
func (s *Source) Next(p *packet.Packet) error {
	if s.packets == nil {
		if err := s.read(s.taps[0], p); err != nil {
			return err
		}
	} else {
		select {
		case t := <-s.packets:
			if t.err != nil {
				return t.err
			}
			*p = t.p
		case <-s.ended:
			return io.EOF
		}
	}
	s.count++
	p.Number = s.count
	return nil
}

// read waits for the next packet of one interface.
func (s *Source) read(t *tap, p *packet.Packet) error {
	for {
		data, ci, err := t.handle.ZeroCopyReadPacketData()
		if s.closed.Load() {
			return io.EOF
		}
		if err != nil {
			return err
		}
		if ci.Timestamp.Before(t.since) {
			continue // it came before the filter was set
		}
		*p = t.packet(data, ci)
		return nil
	}
}

func (t *tap) packet(data []byte, ci gopacket.CaptureInfo) packet.Packet {
	return packet.Packet{Time: ci.Timestamp.UTC(), Link: t.link, Interface: t.index,
		Data: data, Length: max(ci.Length, len(data))}
}

// pump reads one of several interfaces.
func (s *Source) pump(t *tap) {
	for {
		var r tapped
		if r.err = s.read(t, &r.p); r.err == nil {
			r.p.Data = append([]byte(nil), r.p.Data...)
		}
		select {
		case s.packets <- r:
		case <-s.ended:
			return
		}
		if r.err != nil {
			return
		}
	}
}

// Stats returns what the kernel counted so far. It may be called from any
// goroutine until Close.
func (s *Source) Stats() Stats {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, t := range s.taps {
		if k, err := t.handle.Stats(); err == nil { // since the last call
			s.stats.Received += int64(k.Packets)
			s.stats.Dropped += int64(k.Drops)
		}
	}
	return s.stats
}

// Close implements [packet.Source].
func (s *Source) Close() error {
	s.once.Do(func() {
		s.Stats()
		s.closed.Store(true)
		close(s.ended)
		for _, t := range s.taps {
			t.handle.Close()
		}
	})
	return nil
}
