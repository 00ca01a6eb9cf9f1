package engine

import (
	"sync"

	"github.com/wiretrue/websocket"
)

// Go runs f on a goroutine, where it may wait, and holds back what the
// connection has sent until f has returned: its messages, and OnClose. f is to
// copy what it needs of a payload. Of several functions one runs after the
// other. At most Server.Jobs run at a time, of all connections; the others wait
// for their turn.
func (c *Conn) Go(f func()) {
	c.mu.Lock()
	m := c.extra()
	m.jobs = append(m.jobs, f)
	first := c.todo.Or(heldJob)&heldJob == 0
	if first && c.loop == nil {
		m.jobsDone = make(chan struct{})
	}
	c.mu.Unlock()
	if first {
		c.server().jobs.begin(c)
	}
}

// runJobs runs what the connection has for it, and lets it go on.
func (c *Conn) runJobs() {
	for {
		c.mu.Lock()
		m := c.more
		if len(m.jobs) == 0 {
			m.jobs = nil
			c.todo.And(^uint32(heldJob))
			done := m.jobsDone
			m.jobsDone = nil
			c.mu.Unlock()
			if done != nil {
				close(done)
			} else {
				c.post(todoResume)
			}
			return
		}
		f := m.jobs[0]
		m.jobs = m.jobs[1:]
		c.mu.Unlock()
		c.runJob(f)
	}
}

func (c *Conn) runJob(f func()) {
	defer func() {
		p := recover()
		if p == nil {
			return
		}
		c.logPanic(p)
		if std := c.std(); std != nil {
			c.closeStd(std, websocket.StatusInternalError, "")
			return
		}
		c.mu.Lock()
		c.failFrom(websocket.StatusInternalError, "", &websocket.CloseError{Code: websocket.StatusInternalError})
		c.mu.Unlock()
		c.post(todoClose)
	}()
	f()
}

// jobs are the connections that have functions to run, in their order.
type jobs struct {
	mu      sync.Mutex
	limit   int
	running int
	waiting []*Conn
}

func (j *jobs) begin(c *Conn) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.running == j.limit {
		j.waiting = append(j.waiting, c)
		return
	}
	j.running++
	go j.run(c)
}

func (j *jobs) run(c *Conn) {
	for c != nil {
		c.runJobs()
		j.mu.Lock()
		if c = nil; len(j.waiting) > 0 {
			c = j.waiting[0]
			j.waiting[0] = nil
			j.waiting = j.waiting[1:]
		} else {
			j.waiting = nil
			j.running--
		}
		j.mu.Unlock()
	}
}
