package capture

// A Pool makes many Analysers and bounds their memory: a given number of them
// are awake, and of the others, which have not been called
// for longest, no more is kept than they need to go on, some hundred bytes. An
// Analyser that holds the beginning of something, a message or a head of HTTP,
// stays awake. It makes no difference to what they tell. Analysers of one Pool
// are for one goroutine together.
type Pool struct {
	o        Options // of all
	most     int     // awake, of few
	all      int     // Analysers without a Report, that may still have one
	awake    int
	recent   *Analyser   // the last one called
	slots    []*Analyser // those that are awake; nil: free
	hand     int         // the next to look at
	free     []*work
	spare    *exchange // empty
	bytes    []byte
	words    words      // that those at rest have
	readings []*reading // empty
	told     told
}

// NewPool returns a Pool of which so many Analysers are awake, as far as that
// can be done, and an eighth of them when there are more than twice as many
// Analysers without a Report. They have the same Options.
func NewPool(awake int, o Options) *Pool {
	o.complete()
	return &Pool{o: o, most: max(1, awake)}
}

// A Recorder takes the records of an Analyser, each of which is valid during the
// call. It must not call Analysers.
type Recorder interface {
	Record(*Record)
}

// New returns an Analyser of the Pool that passes each record to a Recorder,
// which may be nil when the Report is all that is wanted.
func (p *Pool) New(to Recorder) *Analyser {
	a := new(Analyser)
	p.Start(a, to)
	return a
}

// Start makes a zero Analyser one of the Pool, as New does: so that it can be a
// field of what else is known of the connection. It must not be copied.
func (p *Pool) Start(a *Analyser, to Recorder) {
	p.all++
	*a = Analyser{o: &p.o, pool: p, to: to, told: &p.told}
}

// room returns how many may be awake now. Very many take the room of those
// awake, which are less likely to be called again soon.
func (p *Pool) room() int {
	if p.all > 2*p.most {
		return max(1, p.most/8)
	}
	return p.most
}

// wake makes the Analyser ready to work.
func (a *Analyser) wake() {
	a.used = true
	p := a.pool
	switch {
	case a.work == nil && p == nil:
		a.work = newWork()
	case a.work == nil:
		p.admit(a)
	case p != nil && p.recent != a && p.awake > warmFrom:
		a.warm()
	}
	if p != nil {
		p.recent = a
	}
}

// admit gives the Analyser a place, and work.
func (p *Pool) admit(a *Analyser) {
	p.tidy()
	p.awake++
	if n := len(p.free); n > 0 {
		a.work, p.free = p.free[n-1], p.free[:n-1]
	} else {
		a.work = newWork()
	}
	if len(a.saved) > 0 {
		a.unpack()
	}
	if p.hand < len(p.slots) && p.slots[p.hand] == nil {
		p.slots[p.hand] = a
		a.slot = p.hand + 1
		p.hand++
		return
	}
	p.slots = append(p.slots, a)
	a.slot = len(p.slots)
}

// tidy looks for a place, under the hand when it is found. Who was called
// since the last time is passed by. When there are more awake than there should
// be, it makes more room than is needed.
func (p *Pool) tidy() {
	room := p.room()
	if len(p.slots) < room {
		p.hand = len(p.slots)
		return
	}
	for range min(16, 2*len(p.slots)) {
		if p.hand >= len(p.slots) {
			p.hand = 0
		}
		b := p.slots[p.hand]
		switch {
		case b != nil && b.used:
			b.used = false
			p.hand++
			continue
		case b != nil && !b.rest():
			p.hand++
			continue
		}
		if len(p.slots) <= room {
			return
		}
		p.drop(p.hand)
	}
}

// drop takes the slot, which is free, out.
func (p *Pool) drop(i int) {
	last := len(p.slots) - 1
	if p.slots[i] = p.slots[last]; p.slots[i] != nil {
		p.slots[i].slot = i + 1
	}
	p.slots[last] = nil
	p.slots = p.slots[:last]
}

// rest reduces an Analyser to what it needs to go on, and reports whether that
// can be done.
func (a *Analyser) rest() bool {
	if !a.pack() {
		return false
	}
	a.leave()
	return true
}

// leave gives the place and the work back.
func (a *Analyser) leave() {
	if p := a.pool; p != nil && a.slot > 0 {
		p.slots[a.slot-1] = nil
		p.awake--
		p.recycle(a.work)
	}
	a.slot, a.work = 0, nil
}

// recycle keeps the work for another Analyser.
func (p *Pool) recycle(w *work) {
	if p.awake+len(p.free) >= p.room() {
		return
	}
	*w = work{}
	w.begin()
	p.free = append(p.free, w)
}

// newExchange returns an empty exchange.
func (a *Analyser) newExchange() *exchange {
	if a.pool == nil || a.pool.spare == nil {
		return new(exchange)
	}
	ex := a.pool.spare
	a.pool.spare = nil
	return ex
}

// dropExchange takes an exchange back that was told, and that nothing refers to.
func (a *Analyser) dropExchange(ex *exchange) {
	if a.pool != nil {
		*ex = exchange{}
		a.pool.spare = ex
	}
}

// newReading returns an empty reading.
func (a *Analyser) newReading() *reading {
	if p := a.pool; p != nil && len(p.readings) > 0 {
		last := len(p.readings) - 1
		r := p.readings[last]
		p.readings = p.readings[:last]
		return r
	}
	return new(reading)
}

// dropReading takes the reading back of a side that is between frames and
// messages, unless there are many or it is large.
func (a *Analyser) dropReading(s *side) {
	p, r := a.pool, s.reading
	if p == nil || r == nil || s.inFrame || s.inMessage || r.frame.Cut {
		return
	}
	s.reading = nil
	if len(p.readings) < 16 && cap(r.payload) <= 4096 && cap(r.joined) <= 4096 && cap(r.findings) == 0 {
		*r = reading{payload: r.payload, joined: r.joined}
		p.readings = append(p.readings, r)
	}
}
