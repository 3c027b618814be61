// Package store keeps samples until every integration has taken them, the log of what became of
// them, and the identity of the agent, in one bbolt file.
//
// It promises that a sample is durable when Append returns nil, that each integration gets it at
// least once, oldest first, from a cursor of its own, and that a sample comes again only with the
// same sample id: duplicates are what a cloud had accepted and no commit had settled when the
// process was killed. Memory does not grow with the backlog; opening does not read it.
//
// A sample can be lost in these cases, and no other:
//
//  1. The process is killed, or the power cut, before the Append that carries it has returned.
//  2. Append returned an error: the disk is full (ErrFull), or the store has stopped.
//  3. It is the oldest and the outbox is over MaxSize, or the disk is full and the oldest give
//     way to the new. Counted (IntegrationStats.Dropped), with a row in the trigger log.
//  4. It is older than MaxAge. Age is judged by Now against sampled_at, so a clock that jumps
//     makes samples old before their time. Counted, with a row.
//  5. Its integration was removed from the configuration 24 h before (again by Now). Counted,
//     with a row.
//  6. Its record is damaged on the medium, or refers to a name that is: the checksum tells, the
//     record is skipped and counted (Stats.Corrupt), and the ones behind it go on.
//  7. The file is damaged in its structure or cut short, and the sample's record, or one it leans
//     on, is in the part that does not read any more. Recover salvages the rest; what is known to
//     be missing is counted as Dropped, with a row, and the old file is kept.
//  8. The file is deleted, or on storage that lies about fsync, or of a newer format.
//
// Not losses: what the cloud rejects is settled as Failed, with its row; a new integration gets
// nothing from before it was new; an attempt under way while its sample gives way may still succeed.
//
// Recover is how an agent starts: it comes up whatever lies at the path, has a child process check
// what was not left clean, and moves aside what is of no use. Open alone refuses a file whose
// identity is damaged (ErrDamaged). Both refuse a file that another agent has open (ErrLocked);
// Append refuses sweeps with routes to unknown integrations. The store fails for good when a commit
// fails other than for want of space, because such a commit may or may not be in the file: Fatal is
// closed, every call returns the error, and the agent has to end and start again.
//
// One goroutine does all the writing. Decisions (settled, given way) count in memory at once and
// reach the file with the next commit: a sweep costs one record, settling costs no commit of its
// own. Rows of the trigger log are written every FlushTriggers: a kill loses those of the last
// minute, and no sample. Every value carries a CRC-32C over itself and its key.
//
//	s, recovery, err := store.Recover(ctx, "/var/lib/noi-agent/noi.db", store.Options{CommitEvery: time.Second},
//		store.RecoverOptions{Check: store.InChild("/proc/self/exe", "store-check")})
//	err = s.SetIntegrations([]store.Integration{{ID: "FFjU28MMaL3W9B9hhhhH", Topic: "arn:aws:sns:…"}})
//	err = s.Append(ctx, sweep) // durable
//	batch, err := s.Pending("FFjU28MMaL3W9B9hhhhH", 10)
//	… publish the batch …
//	err = s.Settle("FFjU28MMaL3W9B9hhhhH", results)
package store
