package shell

import "slices"

// Marks are the messages in a buffer of frames that wait to be sent, oldest
// first, of which one may be dropped.
type Marks struct{ marks []mark }

type mark struct{ begin, end int }

// Add notes that the bytes from begin to end are a message.
func (m *Marks) Add(begin, end int) { m.marks = append(m.marks, mark{begin, end}) }

// Clear forgets them all: the buffer was handed out.
func (m *Marks) Clear() { m.marks = m.marks[:0] }

// DropOldest cuts the oldest message out of the buffer. It returns false when
// there is none.
func (m *Marks) DropOldest(b []byte) ([]byte, bool) {
	if len(m.marks) == 0 {
		return b, false
	}
	oldest := m.marks[0]
	b = slices.Delete(b, oldest.begin, oldest.end)
	m.marks = slices.Delete(m.marks, 0, 1)
	for i := range m.marks {
		m.marks[i].begin -= oldest.end - oldest.begin
		m.marks[i].end -= oldest.end - oldest.begin
	}
	return b, true
}
