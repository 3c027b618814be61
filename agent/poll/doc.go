// Package poll reads one line: a Poller reads the objects that are due, identifies the slave, and hands the samples on.
// A Poller owns the port of its line; nothing else in the program uses the port.
//
// Promises:
//
//   - A failed read gives no sample. The Poller asks again after one second (no reply, busy) or ten seconds, or at the
//     log interval. A due time that passed while the line was busy is skipped and counted, never queued.
//   - The slave that has waited longest gets the line. A dead slave delays the others by one timeout, at growing
//     intervals.
//   - Polling never waits for the disk or a cloud: sweeps go into a queue.
//   - All schedules, waits and ages use monotonic time. Only the times of samples use wall time, which the
//     caller gives.
//   - Missing samples are reported as a gap with the reason, before the sample that ends the gap, and once an hour
//     while the gap lasts.
//
// Refused: samples of a controller that is not the configured one, and of a controller that is not identified yet.
//
// Samples are lost here, and counted, only if a read failed (missed), a due time was skipped (skipped), the queue was
// full (lost_samples), or the line ended between reading and identification (missed).
//
// In reading order:
//
//   - reading.go: the result, a Sweep, and when it is handed on
//   - poller.go: the loop of a line
//   - schedule.go: which objects are due, and when
//   - slave.go: the state of a slave, and the meaning of the line's errors
//   - sweep.go: one sweep, from due objects to the queue
//   - revive.go: a slave that did not answer last time
//   - replies.go: the reads that a slave answers, and the reads that it never answers
//   - identify.go, identification.go, judgement.go: which controller it is; when to ask; is it the configured one
//   - restamp.go: one clock for a sweep; schedules that follow a corrected clock
//   - ask.go: a read for an operator, between two sweeps
//   - board.go, view.go, missing.go, alarms.go, noise.go, status.go: copies for the status, why a slave gives no
//     samples, and the problems of line and slaves
//   - inherit.go: counters that continue after a reload
//   - settings.go: the port's settings in the words of package modbus
package poll
