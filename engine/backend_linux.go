package engine

import "errors"

// newBackend makes the backend that the server forces or, of those that there
// are, the best.
func newBackend(l *loop) (backend, Backend, error) {
	s := l.server
	switch {
	case s.Backend == Epoll || s.Blocking && s.Backend == Auto:
		b, err := newEpoll(l)
		return b, Epoll, err
	case s.Blocking:
		return nil, 0, errors.New("a server that is Blocking uses epoll")
	}
	b, err := newEpoll(l)
	return b, Epoll, err
}
