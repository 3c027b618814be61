// Package publish sends one integration's samples: from its cursor in the outbox to its cloud, in order, at the pace
// that configuration and cloud allow.
//
// Promises:
//
//   - The samples of an object go in the order of the outbox. A later one goes only after the earlier ones are settled,
//     or in the same request behind them.
//   - Several requests are in flight where the sink allows that and where it is faster; one on a slow link.
//   - A slow or dead cloud holds back nothing else. Its samples wait in the outbox.
//   - Each result of the cloud is settled in the store: accepted, set aside as a dead letter, or to be tried again.
//   - A wrong clock makes no wrong sample. A sample waits, and its time is corrected when the clock is right; after
//     max_wait it is sent, and marked as estimated.
//   - At the end of the agent one last attempt is made, unless the cloud has asked for a wait.
//
// Failure: after a failed attempt the next one comes later and is smaller (backoff, circuit). Where answers are lost,
// requests stay smaller for a while (fit). What only the operator can correct is tried every five minutes, and at once
// after a reload or TryNow.
//
// In reading order:
//
//   - forwarder.go: the loop of an integration; what results mean
//   - ahead.go: what was read of the outbox and is not in flight
//   - flights.go: the requests in flight, and what is done when one has landed
//   - lanes.go, flow.go: what goes into a request; how many of them go at once
//   - sink.go: what a cloud has to do
//   - times.go: the one rule for the time of a sample, and the wait for a right clock
//   - batch.go: deliveries as messages, one sample or one sweep each
//   - wait.go: the one wait, with a table of what ends it
//   - circuit.go, fit.go, backoff.go, pacing.go, catchup.go: how long to wait and how much to send
//   - collect.go: rounds of `publish_every`
//   - announce.go, gaps.go: messages about gaps
//   - replay.go: samples and dead letters that are sent again
//   - view.go, status.go, problems.go: what the status shows, and the problems of an integration
//   - inherit.go: what outlives a reload
package publish
