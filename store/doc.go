// Package store keeps samples until each integration has got them, the log of what became of them, and the identity of
// the agent, in one bbolt file. docs/durability.md has the contract in an operator's words.
//
//   - A sample is durable when Append, or the Pledge of an Offer, says so: it is in the file and synced, or every
//     integration that it goes to has settled it. That takes the commit window (CommitEvery) at most.
//   - Each integration gets each of its samples at least once, oldest first, from a cursor of its own. Faults and
//     alarms go first where the integration asks for it. The samples of one object always keep their order.
//   - A sample comes again only with the same sample id, and only after a kill. After a Close nothing comes again.
//   - What every integration accepts inside the window costs no write. Settling costs no commit of its own.
//   - Memory does not grow with the backlog, and opening does not read it.
//
// A sample is lost in these cases, and no other. All but 1, 7 and 8 leave a gap in the log (objects.Gap). The agent
// reports 1 and 7 at its next start, from the last sample that Accounts knows.
//
//  1. The process is killed, or the power cut, before the sample was durable.
//  2. The outbox is over MaxSize, or the disk is full: the oldest samples are deleted; with RejectNewest the new ones.
//  3. It is older than MaxAge. A clock that jumps makes no sample old (Clock).
//  4. Its integration was removed from the configuration 24 h before.
//  5. Its record is damaged on the medium, or refers to a name that is. It is skipped and counted (Stats.Corrupt).
//  6. The file is damaged in its structure or cut short. Recover salvages the rest, and keeps the old file.
//  7. The store has stopped (below). Or the agent keeps it in memory because the disk fails, and the power fails too.
//  8. The file is deleted, or is on storage that confirms syncs that it has not made.
//  9. The cloud rejected it, and its dead letter was dropped by hand, or removed by 1,024 later ones.
//
// Recover is how an agent starts: whatever lies at the path, a store opens, except for a file that another agent has
// open (ErrLocked) or that a newer version made (ErrVersion). Open alone also refuses a damaged file (ErrDamaged).
//
// The store stops for good when a commit fails other than for want of space, because it is not known then what the file
// holds. Fatal is closed, every call returns the error, and the agent has to end and start again.
//
// One goroutine does all the writing. Decisions count in memory at once, and the next commit carries them.
//
//	s, recovery, err := store.Recover(ctx, path, store.Options{}, store.RecoverOptions{Check: check})
//	err = s.SetIntegrations([]store.Integration{{ID: "FFjU28MMaL3W9B9hhhhH", Topic: "arn:aws:sns:…"}})
//	err = s.Append(ctx, sweep) // durable, or accepted
//	batch, err := s.Pending("FFjU28MMaL3W9B9hhhhH", 10)
//	err = s.Settle("FFjU28MMaL3W9B9hhhhH", results) // of publishing the batch
//
// The files, in reading order:
//
//	internal/record, internal/file     what a value is; the file while no store has it open
//	store.go open.go start.go          Store, Recover, the start of a run
//	offer.go window.go writer.go commit.go  from Offer over the window to the transaction
//	cursor.go lane.go integrations.go  how far each integration is; alarms first
//	pending.go settle.go dead_letters.go  what is to be sent, and how that ended
//	limits.go setlimits.go disk_full.go  what is deleted, and when
//	rowlog.go triggers.go putrows.go gaps.go spans.go open_gaps.go  the log, and gaps
//	clockbook.go clock.go stamp.go accounts.go note.go  time, and what is accounted for
//	scan.go archive.go replay.go       reading what is kept
//	stats.go traffic.go compact.go     figures, size of the file, memory
package store
