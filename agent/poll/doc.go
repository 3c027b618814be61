// Package poll reads one line: what is due is read, identified, and handed on. A Poller owns the port of its line;
// nothing else in the program touches it.
//
// Promises:
//
//   - A failed read gives no sample. Objects that failed are asked again after a second (silence, busy) or ten, or at
//     their log interval. A moment that passed while the line was busy is skipped and counted, never queued.
//   - The slave that has waited longest gets the line. A dead slave costs the others one timeout, less and less often.
//   - Polling never waits for the disk or a cloud: sweeps go into a queue.
//   - All schedules, waits and ages run on monotonic time. Wall time only stamps, and comes in from outside.
//   - What is missing is reported as a gap with the reason, before the sample that ends it, and once an hour while it
//     lasts.
//
// Refused: samples of a controller that is not the configured one, and of a controller that is not identified yet.
//
// Samples are lost here, and counted, only when a read failed (missed), a moment was skipped (skipped), the queue was
// full (lost_samples), or the line ended between reading and identification (missed).
//
// In reading order:
//
//   - reading.go: what goes out, a Sweep
//   - poller.go: the loop of a line
//   - schedule.go: what is due, and when
//   - slave.go: what is known of a slave, and what an error of the line means
//   - sweep.go: one sweep, from due objects to the queue
//   - revive.go: a slave that did not answer last time
//   - replies.go: what a slave answers, and what it is known not to answer
//   - identify.go, identification.go, judgement.go: which controller it is, when to ask, whether it is the right one
//   - restamp.go: one clock for a sweep; schedules that follow a corrected clock
//   - ask.go: a read for an operator, between two sweeps
//   - view.go, alarms.go, status.go: copies for the status, and the problems of line and slaves
//   - inherit.go: counters that outlive a reload
//   - settings.go: the port's settings in the words of package modbus
package poll
