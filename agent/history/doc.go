// Package history keeps the values of each object in the last hours, in memory, for the charts of the page: lowest,
// mean and highest value of numbers, and the times of states and faults.
//
// Promises:
//
//   - The history takes at most 4 MiB. If there are more objects than fit, the buckets get longer (Store.Add).
//   - Values are placed by the uptime of the machine, so a step of the wall clock moves none. Only an answer has wall
//     times (Store.Object), by the clock at the time of the answer.
//   - Where samples are missing there is a gap with the reason. Where samples exist there is no gap.
//
// A restart loses the whole history: History.KeptSince is the time since which there are samples.
//
// Files in reading order: store.go, series.go (numbers), runs.go (states and faults), gaps.go, answer.go.
package history
