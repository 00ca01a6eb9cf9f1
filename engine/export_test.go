package engine

// Stopped reports whether Shutdown or Close has begun.
func (s *Server) Stopped() bool { return s.conns.Stopped() }

// Active returns how many connections are not gone.
func (s *Server) Active() int { return s.conns.Active() }

// StopLoops ends the server's loops, as the end of Shutdown does.
func (s *Server) StopLoops() {
	for _, l := range s.loops {
		l.stop()
		<-l.over
	}
}
