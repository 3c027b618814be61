// Package publish sends the samples of one integration: from its cursor in the outbox to its cloud, in order, as fast
// as the configuration and the cloud allow. A Forwarder does this for one integration.
//
// Promises:
//
//   - The samples of an object are sent in the order of the outbox. A sample is sent only after the earlier samples
//     of its object are settled, or in the same request behind them.
//   - Several requests are in flight if the sink allows this and if it is faster. On a slow link there is only one.
//   - A slow or dead cloud delays no other integration. Its samples wait in the outbox.
//   - Each result of the cloud is settled in the store: accepted, set aside as a dead letter, or to be tried again.
//   - A wrong clock makes no wrong sample. A sample waits, and its time is corrected when the clock is right. After
//     max_wait the sample is sent with an estimated time, and marked as such.
//   - At the end of the agent one last attempt is made, unless the cloud has asked for a wait.
//
// Refused: nothing is sent to a cloud that has asked for a wait, until this wait has ended.
//
// Failure: after a failed attempt the next attempt comes later and is smaller (backoff, circuit). If answers are lost,
// requests stay smaller for a while (fit). If only an operator can correct the cause, the Forwarder tries every five
// minutes, and at once after a reload or TryNow.
//
// In reading order:
//
//   - forwarder.go: the loop of an integration; what results mean
//   - ahead.go: the samples that were read from the outbox and are not in flight
//   - flights.go: the requests in flight, and what happens when one is answered
//   - lanes.go, flow.go: which samples one request takes; how many requests are in flight at once
//   - sink.go: the methods of a cloud
//   - times.go: the one rule for the time of a sample, and the wait for a right clock
//   - batch.go: deliveries as messages, one sample or one sweep each
//   - wait.go: the wait between two attempts, with a table of the events that end it
//   - circuit.go, fit.go, backoff.go, pacing.go, catchup.go: how long to wait, and how many samples to send
//   - collect.go: rounds of `publish_every`
//   - announce.go, gaps.go: messages about gaps
//   - replay.go: samples and dead letters that are sent again
//   - view.go, status.go, problems.go: what the status shows, and the problems of an integration
//   - inherit.go: the state that continues after a reload
package publish
