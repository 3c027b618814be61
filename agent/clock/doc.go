// Package clock says what time it is and how far the answer may be believed.
//
// Two times are kept apart. Elapsed is monotonic: it runs every schedule, wait and age. Now is wall time: it stamps
// samples and messages, it may be wrong after boot, and it may step. A Wall judges Now by the rule of docs/time.md.
//
// Promises:
//
//   - A step of the wall clock is noticed by any look at it.
//   - No sample gets its time from a clock that is known to be wrong: Look says whether Now is good.
//   - Nothing gets too old by a clock that no time service vouches for.
//   - The judgement asks no file and no network. Run asks the time services, in its own goroutine.
//
// It refuses to set the clock: it only reads it. It fails only where Linux has no CLOCK_BOOTTIME.
//
//	wall := clock.NewWall(clock.Options{
//		Now: time.Now, Elapsed: elapsed, Source: clock.System(built), Keys: keys, Log: log,
//	})
//	wall.Begin(store)
//	go wall.Run(ctx)
//	bootedAt, verdict := wall.Look()
//
// Files, in reading order: clock.go (the two times), source.go (boot, uptime, timesyncd, chrony), wall.go (steps and
// judgement), status.go (what the status shows).
package clock
