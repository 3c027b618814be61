// Package worker has what a poller and a forwarder have in common: a goroutine with a begin and an end (Worker), the
// log of a failure that repeats (Repeats), and a trouble that comes and goes (Trouble). It imports nothing of the
// project.
package worker
