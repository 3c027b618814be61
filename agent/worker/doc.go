// Package worker has the code that a poller and a forwarder share: a goroutine with a start and an end (Worker), the
// log of a failure that repeats (Repeats), and a failure that comes and goes (Trouble). It imports no package of the
// project.
//
// In reading order:
//
//   - worker.go: Worker
//   - repeats.go: Repeats
//   - trouble.go: Trouble
package worker
