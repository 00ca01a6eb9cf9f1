package shell

// Rate counts the control frames of a second. It is small, for there are very
// many of them.
type Rate struct{ since, count uint32 } // since in milliseconds

// Take counts one more, at a time in nanoseconds, and reports whether it is
// within the limit. 0: no limit.
func (r *Rate) Take(at int64, limit int) bool {
	if ms := uint32(at / 1e6); ms-r.since >= 1000 {
		r.since, r.count = ms, 0
	}
	r.count++
	return limit == 0 || int64(r.count) <= int64(limit)
}
