// Package agent is the running program: it polls the lines, keeps the samples and publishes them. It owns no
// protocol of its own; modbus speaks to the controllers, store keeps, sinks speak to the clouds.
//
// The way of a sample: the poller of a line finds objects due (schedule), reads them in few requests (modbus.Planner),
// decodes them (objects) and makes sure who answered (identification). The sampler gives each sample its number and
// its routes and offers the sweep to the store (store.Offer): what no cloud has taken within the commit window is written.
// Each integration's forwarder publishes from its own cursor, in order, and settles each result.
//
// Promises:
//
//   - Polling never waits for publishing, and never for the disk: sweeps go through a queue.
//   - A failed read gives no sample. Objects that failed are asked again after a second (silence, busy) or ten, or at
//     their log interval; a moment that passed while the line was busy is skipped and counted, never queued.
//   - The slave that has waited longest gets the line. One that is dead costs the others one timeout, less and less often.
//   - A slow or dead cloud holds back nobody else. Its samples wait in the outbox.
//   - All schedules, waits and ages run on monotonic time; wall time only stamps. Both come in from outside.
//   - A wrong clock makes no wrong sample: the sample waits, and its time is corrected once the clock is right, or is
//     marked as estimated (package clock, repair.go).
//   - Run returns when every goroutine has ended. Shutdown: stop polling, commit, a last publish within the
//     grace period, settle, close. Abort ends the grace period at once.
//
// Samples are lost here, and counted, only when: a read failed (slave's missed), a moment was skipped (skipped),
// the store did not keep up for a thousand sweeps (lost_samples), or nobody could say whose they were because the
// line or a `model: auto` slave failed, or the line ended, between reading and identification (missed). What the store can lose is listed there.
//
// What is wrong is data: status/api/catalogue.go holds the one table of everything that can be wrong, with its remedy.
//
//	a, err := agent.New(agent.Options{Config: config, Catalog: catalog, Version: "0.1.0", Logger: log, NewSink: newSink})
//	if err != nil {
//		return err // the store cannot be used; ports and clouds that are down are no error
//	}
//	err = a.Run(ctx) // until ctx ends
package agent
