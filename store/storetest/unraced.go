//go:build !race

package storetest

// Raced reports whether the race detector is on.
const Raced = false
