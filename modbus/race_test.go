//go:build race

package modbus_test

// raceEnabled: the race detector is on, which makes everything some ten times slower.
const raceEnabled = true
