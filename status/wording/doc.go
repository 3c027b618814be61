// Package wording has the texts that page and command line share: sizes, durations, and the sentence about the state.
// It has no state.
//
// In reading order: wording.go (sizes, durations), highlights.go (the values that say most), state.go (the sentence).
package wording
