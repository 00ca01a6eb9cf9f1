//go:build race

package websocket

// RaceEnabled says that pools drop what they are given now and then, and frames are larger.
const RaceEnabled = true
