//go:build !purego

package utf8

import "github.com/wiretrue/websocket/internal/cpu"

// vectorMin is the length from which the vector unit is quicker; blocks needs
// 70 at least.
const vectorMin = 72

var vectorised = cpu.AVX2

// blocks reads p from n on, in blocks of 64 bytes, and returns the index up to
// which no byte is wrong; only the last character may not be whole. p[:n] is
// whole characters, three bytes at least.
func blocks(p []byte, n int) int { return judge(p, n, &wrong) }

//go:noescape
func judge(p []byte, n int, tables *[3][16]byte) int

// What can be wrong with two adjacent bytes. A pair is wrong in a way whose bit
// stands in all of three tables: that of the first byte's upper half, of its
// lower half, and of the second byte's upper half. The method is that of John
// Keiser and Daniel Lemire, Validating UTF-8 In Less Than One Instruction Per
// Byte (2020).
const (
	unfinished  = 1 << iota // a leading byte with no continuation behind it
	stray                   // a continuation behind an ASCII byte
	overlong3               // E0 80 to E0 9F
	tooLarge                // F4 90 and above, but for those in farOff
	surrogate               // ED A0 to ED BF
	overlong2               // C0 and C1
	farOff                  // F0 80 to F0 8F, overlong; F5 80 and such, too large
	third                   // a continuation behind another: right where one is due
	ofAnyLower  = unfinished | stray | third
	overTheTop  = ofAnyLower | tooLarge | farOff
	ofAnySecond = stray | overlong2 | third
)

var wrong = [3][16]byte{
	{ // upper half of the first byte
		stray, stray, stray, stray, stray, stray, stray, stray,
		third, third, third, third,
		unfinished | overlong2,
		unfinished,
		unfinished | overlong3 | surrogate,
		unfinished | tooLarge | farOff,
	},
	{ // lower half of the first byte
		ofAnyLower | overlong2 | overlong3 | farOff,
		ofAnyLower | overlong2,
		ofAnyLower,
		ofAnyLower,
		ofAnyLower | tooLarge,
		overTheTop, overTheTop, overTheTop, overTheTop, overTheTop, overTheTop, overTheTop, overTheTop,
		overTheTop | surrogate,
		overTheTop, overTheTop,
	},
	{ // upper half of the second byte
		unfinished, unfinished, unfinished, unfinished, unfinished, unfinished, unfinished, unfinished,
		ofAnySecond | overlong3 | farOff,
		ofAnySecond | overlong3 | tooLarge,
		ofAnySecond | surrogate | tooLarge,
		ofAnySecond | surrogate | tooLarge,
		unfinished, unfinished, unfinished, unfinished,
	},
}
