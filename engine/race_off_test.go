//go:build !race

package engine_test

// raceEnabled says that pools drop what they are given now and then.
const raceEnabled = false
