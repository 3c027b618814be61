// Package history keeps what each object was in the last hours, in memory: lowest, mean and highest of numbers, and the
// times of states and faults, for the charts of the page.
//
// It promises:
//
//   - at most 4 MiB for everything. When there are more objects than fit, buckets get longer (Store.Add);
//   - a place in time by the uptime of the machine, which no step of the wall clock moves. Only an answer has wall
//     times (Store.Object), by the clock as it is then;
//   - a gap where samples are missing, with the reason, and none where samples are.
//
// It loses everything at a restart: History.KeptSince says since when it has samples.
//
// Files in reading order: store.go, series.go (numbers), runs.go (states and faults), gaps.go, answer.go.
package history
