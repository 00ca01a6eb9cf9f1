package engine

import "errors"

// newBackend makes the backend that the server forces or, of those that there
// are, the best.
func newBackend(l *loop) (backend, Backend, error) {
	s := l.server
	if s.Blocking && s.Backend == IOUring {
		return nil, 0, errors.New("a server that is Blocking uses epoll")
	}
	if s.Backend == IOUring || s.Backend == Auto && !s.Blocking {
		u, err := newIOUring(l)
		if err == nil {
			return u, IOUring, nil
		}
		if s.Backend == IOUring {
			return nil, 0, err
		}
	}
	e, err := newEpoll(l)
	if err != nil {
		return nil, 0, err
	}
	return e, Epoll, nil
}
