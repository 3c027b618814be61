// Package store keeps samples until every integration has taken them, the log of what became of
// them, and the identity of the agent, in one bbolt file.
//
// Its contract (docs/durability.md has it in an operator's words):
//
//   - A sample is durable when Append, or the Pledge of an Offer, says so: it is in the file and synced, or
//     every integration it goes to has settled it. That takes the commit window (CommitEvery) at most, and
//     no time for an Urgent sweep.
//   - Each integration gets each of its samples at least once, oldest first (those of faults and alarms first,
//     where it asks for that), from a cursor of its own; those of one object always in their order.
//   - A sample comes again only with the same sample id. What comes again is what a cloud had accepted and no
//     commit had settled when the process was killed; over a Close nothing comes again.
//   - What is accepted by every integration inside the window costs no write; settling costs no commit of its own.
//   - Limits can be told anew at any time (SetLimits), and hold from the next commit on.
//   - Memory does not grow with the backlog; opening does not read it; a file that a backlog has left is compacted.
//
// A sample is lost in these cases, and no other. All but 1, 7 and 8 leave a gap here: a row in the log with object,
// times, numbers, count and reason (objects.Gap); of what is damaged without object and numbers, which nobody can read any more.
// The agent reports 1 and 7 at its next start, as time in which it did not run, from the last sample that Accounts knows.
//
//  1. The process is killed, or the power cut, before the sample was durable.
//  2. It is the oldest and the outbox is over MaxSize, or the disk is full: the oldest give way. With RejectNewest:
//     the new ones are not kept. The same, with ErrFull, when the disk is so full that nothing can give way.
//  3. It is older than MaxAge: by the time since the boot, or for one of an earlier boot by Now, while Clock
//     says that it is good. A clock that jumps makes no sample old.
//  4. Its integration was removed from the configuration 24 h before, by Now, while it is good.
//  5. Its record is damaged on the medium, or refers to a name that is: the checksum tells, the record is
//     skipped and counted (Stats.Corrupt), and the ones behind it go on.
//  6. The file is damaged in its structure or cut short, and the sample's record, or one it leans on, is in the
//     part that does not read any more. Recover salvages the rest, rows too, and keeps the old file.
//  7. The store has stopped (below): what was not durable by then. Or the agent keeps it in memory because the disk fails, and power goes.
//  8. The file is deleted, or on storage that lies about fsync, or of a newer format.
//  9. The cloud has rejected it, and its dead letter was dropped by hand, or pushed out by 1,024 later ones.
//
// Not losses: what the cloud rejects is settled as Failed and set aside as a dead letter in the same commit; a new integration gets
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
// reach the file with the next commit, a new gap with them. Other rows, and what gaps grow by, wait for it up to FlushTriggers: a kill loses
// those of the last minute, and no sample. On a full disk rows about gaps use the room that the file keeps back. Every value carries a CRC-32C over itself and its key.
//
//	s, recovery, err := store.Recover(ctx, "/var/lib/noi-agent/noi.db", store.Options{Limits: store.Limits{CommitEvery: time.Second}},
//		store.RecoverOptions{Check: store.InChild("/proc/self/exe", "store-check")})
//	err = s.SetIntegrations([]store.Integration{{ID: "FFjU28MMaL3W9B9hhhhH", Topic: "arn:aws:sns:…"}})
//	err = s.Append(ctx, sweep) // durable, or accepted
//	batch, err := s.Pending("FFjU28MMaL3W9B9hhhhH", 10)
//	… publish the batch …
//	err = s.Settle("FFjU28MMaL3W9B9hhhhH", results)
package store
