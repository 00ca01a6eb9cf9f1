package packet

import (
	"errors"
	"io"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// Open opens a capture file, or standard input for the path "-". A nil opts
// is the zero [Options]. The Reader must be closed.
func Open(path string, opts *Options) (*Reader, error) {
	var o Options
	if opts != nil {
		o = *opts
	}
	f := os.Stdin
	if path != "-" {
		var err error
		if f, err = os.Open(path); err != nil {
			return nil, err
		}
	}
	var in io.Reader = f
	ended := make(chan struct{})
	if o.Follow && path != "-" {
		in = &follower{file: f, ended: ended, wait: pollEvery(followInterval)}
	}
	r, err := NewReader(in, &o)
	if err != nil {
		f.Close()
		return nil, err
	}
	var closed atomic.Bool
	var once sync.Once
	r.closed = closed.Load
	r.close = func() (err error) {
		once.Do(func() {
			closed.Store(true)
			close(ended)
			err = f.Close()
		})
		return err
	}
	return r, nil
}

// ReadSecrets returns the TLS secrets of a capture file, wherever in the file
// they stand, without looking at its packets. A file without secrets gives
// none. When the file is damaged, what stood before the damage is returned
// with the error. It costs one pass over a pcapng file and nothing for pcap.
//
// Use it before the packets are read: secrets often stand behind the packets
// they decrypt. Standard input ("-") cannot be read twice and gives none.
func ReadSecrets(path string) ([]Secrets, error) {
	if path == "-" {
		return nil, nil
	}
	var all []Secrets
	r, err := Open(path, &Options{Secrets: func(s Secrets) { all = append(all, s) }})
	if err != nil {
		return nil, err
	}
	defer r.Close()
	r.onlySecrets = true
	var p Packet
	for {
		if err := r.Next(&p); err == io.EOF {
			return all, nil
		} else if err != nil {
			return all, err
		}
	}
}

// followInterval is how often a followed file is looked at.
const followInterval = 200 * time.Millisecond

// ErrShrunk is wrapped by the error of a followed file that became shorter
// than what was read of it: it was truncated or written anew.
var ErrShrunk = errors.New("the followed file became shorter")

// A follower reads a file that grows: at its end it waits instead of
// returning io.EOF.
type follower struct {
	file  *os.File
	read  int64
	ended chan struct{}
	wait  func(ended <-chan struct{}) bool // false when following has ended
}

func pollEvery(d time.Duration) func(<-chan struct{}) bool {
	return func(ended <-chan struct{}) bool {
		t := time.NewTimer(d)
		defer t.Stop()
		select {
		case <-t.C:
			return true
		case <-ended:
			return false
		}
	}
}

func (f *follower) Read(b []byte) (int, error) {
	for {
		n, err := f.file.Read(b)
		f.read += int64(n)
		if n > 0 || err != io.EOF {
			return n, err
		}
		if info, err := f.file.Stat(); err == nil && info.Size() < f.read {
			return 0, ErrShrunk
		}
		if !f.wait(f.ended) {
			return 0, io.EOF
		}
	}
}
