package wire

import "testing"

// What was sent before a Reset is nothing that a Pong answers.
func TestPingsReset(t *testing.T) {
	var p Pings
	p.Sent([]byte("one"), 1)
	p.Sent([]byte("two"), 2)
	p.Reset()
	if n := p.Waiting(); n != 0 {
		t.Errorf("%d wait", n)
	}
	if _, answers, broken := p.Pong([]byte("one")); answers || broken.Clean() {
		t.Errorf("answers %t, broken %v", answers, broken)
	}
	p.Sent([]byte("three"), 3)
	if at, answers, _ := p.Pong([]byte("three")); at != 3 || !answers {
		t.Errorf("answers %t, at %d", answers, at)
	}
}
