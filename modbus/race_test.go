//go:build race

package modbus_test

// raceEnabled is true with the race detector, which makes all code about ten times slower.
const raceEnabled = true
