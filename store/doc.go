// Package store keeps samples until every integration has got them, the log of their deliveries, and the identity of
// the agent, in one bbolt file. docs/durability.md has the contract for operators.
//
//   - A sample is durable when Append, or the Pledge of an Offer, reports it: the sample is in the file and synced, or
//     every integration that gets it has settled it. This takes at most the commit window (CommitEvery).
//   - Each integration gets each of its samples at least once, oldest first, from a cursor of its own. Faults and
//     alarms go first if the integration asks for this. The samples of one object always keep their order.
//   - A sample comes again only with the same sample id, and only after a kill. After a Close no sample comes again.
//   - Samples that every integration accepts within the window cost no write. Settling costs no commit of its own.
//   - Memory does not grow with the backlog, and opening does not read the backlog.
//
// A sample is lost only in these cases. All but 1, 7 and 8 leave a gap in the log (objects.Gap). The agent reports the
// cases 1 and 7 at its next start, from the last sample that Accounts knows.
//
//  1. The process was killed, or the power failed, before the sample was durable.
//  2. The outbox is over MaxSize, or the disk is full: the oldest samples are deleted; with RejectNewest the new ones.
//  3. The sample is older than MaxAge. A clock that jumps expires no sample (Clock).
//  4. The integration was removed from the configuration 24 h before.
//  5. The record is damaged on the medium, or refers to a damaged name. It is skipped and counted (Stats.Corrupt).
//  6. The file is damaged in its structure, or cut short. Recover salvages the rest, and keeps the old file.
//  7. The store has stopped (below). Or the outbox is in memory because the disk fails, and then the power fails too.
//  8. The file was deleted, or is on storage that confirms syncs that it has not made.
//  9. The cloud rejected the sample, and its dead letter was dropped by hand, or removed by 1,024 later ones.
//
// An agent starts with Recover. It opens a store in any state of the file at the path, except a file that another agent
// has open (ErrLocked), and a file of a newer version (ErrVersion). Open also refuses a damaged file (ErrDamaged).
//
// If a commit fails for any reason but a full disk, the store stops for good, because the content of the file is then
// unknown. Fatal is closed, every call returns the error, and the agent must end and start again.
//
// One goroutine does all writes. A decision (settled, deleted) applies in memory at once. The next commit writes it.
//
//	s, recovery, err := store.Recover(ctx, path, store.Options{}, store.RecoverOptions{Check: check})
//	err = s.SetIntegrations([]store.Integration{{ID: "FFjU28MMaL3W9B9hhhhH", Topic: "arn:aws:sns:…"}})
//	err = s.Append(ctx, sweep) // durable, or accepted
//	batch, err := s.Pending("FFjU28MMaL3W9B9hhhhH", 10, nil)
//	err = s.Settle("FFjU28MMaL3W9B9hhhhH", results) // of publishing the batch
//
// The files, in reading order:
//
//	internal/record, internal/file     the layout of a value; the file while no store has it open
//	store.go open.go start.go records.go  Store, Recover, the start of a run
//	offer.go window.go writer.go commit.go sweeprecords.go  from Offer over the window to the transaction
//	cursor.go lane.go integrations.go  the position of each integration; alarms first
//	pending.go settle.go dead_letters.go  the samples to send, and the results
//	limits.go setlimits.go disk_full.go  which samples are deleted, and when
//	rowlog.go rowset.go triggers.go putrows.go gaps.go spans.go open_gaps.go acknowledge.go  the log, and gaps
//	clockbook.go clock.go stamp.go accounts.go note.go  time; the last sample or gap of each object
//	scan.go archive.go replay.go       reading the stored samples
//	stats.go traffic.go compact.go mapping.go  figures, size of the file, memory
package store
