// Package clock gives the time, and judges whether the wall clock is right.
//
// Two times are kept apart. Elapsed is monotonic: every schedule, wait and age uses it. Now is wall time: samples and
// messages are stamped with it. Wall time may be wrong after a boot, and it may step. A Wall judges Now by the rules of
// docs/time.md.
//
// Promises:
//
//   - Every call of Look notices a step of the wall clock.
//   - No sample gets its time from a clock that is known to be wrong: Look reports whether Now is good.
//   - No sample expires by a clock that no time service has confirmed.
//   - Look reads no file and no network. Run asks the time services, in its own goroutine.
//
// Refused: the package never sets the clock. Failure: it fails only where Linux has no CLOCK_BOOTTIME.
//
//	wall := clock.NewWall(clock.Options{
//		Now: time.Now, Elapsed: elapsed, Source: clock.System(built), Keys: keys, Log: log,
//	})
//	wall.Begin(store)
//	go wall.Run(ctx)
//	bootedAt, verdict := wall.Look()
//
// Files, in reading order: clock.go (the two times), source.go (boot, uptime, timesyncd, chrony), wall.go (steps and
// judgement), status.go (the clock in the status).
package clock
